//! `GET /setup/{token}`, `POST /setup/{token}`.

use gatepass_testkit::{Browser, Engine, Options, PASSWORD, TestServer, tokio};
use std::sync::Arc;

async fn empty(engine: Engine) -> (TestServer, String) {
    let server = TestServer::with(engine, Options { empty: true, ..Options::default() }).await;
    let token = server.authority().set_up_link().await.unwrap().unwrap();
    let path = format!("/setup/{}", token.expose());
    (server, path)
}

async fn the_link_makes_the_owner_once(engine: Engine) {
    let (server, path) = empty(engine).await;
    let browser = Browser::at(&server);
    let page = browser.open(&path).await;
    let short = browser.submit(&page.form(), &[("email", "me@example.com"), ("password", "short")]).await;
    assert_eq!(short.status, 422, "a password that will not do leaves the link as it was");
    let home = browser.submit(&page.form(), &[("email", "me@example.com"), ("password", PASSWORD)]).await;
    assert_eq!(home.heading(), "You are signed in");
    assert_eq!(Browser::at(&server).open(&path).await.status, 404);
    assert!(server.authority().set_up_link().await.unwrap().is_none());
    let users = server.authority().users(None, 10).await.unwrap();
    assert!(users.len() == 1 && users[0].owner_since.is_some());
}

async fn of_twenty_at_once_one_is_the_owner(engine: Engine) {
    let (server, path) = empty(engine).await;
    let (server, path) = (Arc::new(server), Arc::new(path));
    let tries: Vec<_> = (0..20)
        .map(|n| {
            let (server, path) = (server.clone(), path.clone());
            tokio::spawn(async move {
                let form = [("email", format!("p{n}@example.com")), ("password", PASSWORD.to_owned())];
                server
                    .http()
                    .post(server.path(&path))
                    .header("origin", &server.url)
                    .form(&form)
                    .send()
                    .await
                    .unwrap()
                    .status()
                    .as_u16()
            })
        })
        .collect();
    let mut owners = 0;
    for attempt in tries {
        match attempt.await.unwrap() {
            303 => owners += 1,
            status => assert_eq!(status, 404),
        }
    }
    assert_eq!((owners, server.authority().users(None, 100).await.unwrap().len()), (1, 1));
}

on_both!(the_link_makes_the_owner_once, of_twenty_at_once_one_is_the_owner);
