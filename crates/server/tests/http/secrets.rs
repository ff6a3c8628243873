//! Nothing that could sign anybody in stands in the database.

use gatepass_testkit::{Browser, Engine, PASSWORD, Pkce, TestServer, USER, tokio};
use std::fs;

#[tokio::test(flavor = "multi_thread", crate = "gatepass_testkit::tokio")]
async fn the_database_files_hold_no_secret_of_the_run() {
    let server = TestServer::start(Engine::Sqlite).await;
    let (client, pkce, browser) = (server.client().await, Pkce::new(), Browser::at(&server));
    browser.sign_in(USER).await;
    let code = server.code(&browser, &client, &pkce, &[("scope", "openid account")]).await;
    let first = server.redeem(&client, &code, &pkce).await;
    let second = server.refresh(&client, &first.text("refresh_token")).await;
    let device = server.post_public("/device_authorization", &[]).await;
    let mut secrets = vec![
        PASSWORD.to_owned(),
        client.secret.clone(),
        code,
        pkce.verifier.clone(),
        device.text("device_code"),
        device.text("user_code").replace('-', ""),
    ];
    secrets.extend(
        [&first, &second].iter().flat_map(|tokens| [tokens.text("access_token"), tokens.text("refresh_token")]),
    );
    secrets.push(browser.cookie_header().split_once('=').unwrap().1.to_owned());
    secrets.push(fs::read_to_string(server.database.folder.path().join("secret")).unwrap());
    let (database, _) = server.stop().await;
    let mut looked_at = 0;
    for entry in fs::read_dir(database.folder.path()).unwrap() {
        let path = entry.unwrap().path();
        if path.file_name().unwrap() == "secret" {
            continue;
        }
        let bytes = fs::read(&path).unwrap();
        looked_at += bytes.len();
        for secret in &secrets {
            assert!(
                !bytes.windows(secret.len()).any(|window| window == secret.as_bytes()),
                "{} holds a secret",
                path.display()
            );
        }
    }
    assert!(looked_at > 10_000, "the database was looked at");
}
