//! What somebody should look at raises an alarm, once.

use crate::audit::events;
use gatepass_testkit::{
    Answer, Browser, Engine, Options, RegisteredClient, TestServer, USER, authority::EventKind, on_both_engines, tokio,
};

on_both_engines! {
    async fn guessing_raises_one_alarm(server: TestServer) {
        let browser = Browser::at(&server);
        let page = browser.open("/login").await;
        for number in 0..14 {
            let answer = browser.submit(&page.form(), &[("email", USER), ("password", "wrong password")]).await;
            assert_eq!(answer.status, if number < 10 { 422 } else { 429 });
        }
        let alarms = events(&server, EventKind::Guessing, 1).await;
        assert_eq!(alarms.len(), 1);
        assert_eq!((alarms[0].detail.as_str(), alarms[0].address.as_str()), ("password", "127.0.0.1"));
        assert_eq!(events(&server, EventKind::SignInFailed, 10).await.len(), 10, "what is not judged has not failed");

        let client = RegisteredClient { secret: "wrong".into(), ..server.client().await };
        for _ in 0..40 {
            server.post("/token", &client, &[("grant_type", "client_credentials")]).await;
        }
        assert_eq!(events(&server, EventKind::Guessing, 2).await.len(), 2);
        assert_eq!(events(&server, EventKind::ClientRefused, 1).await.len(), 1, "a flood leaves no flood of rows");
    }

    async fn a_code_that_comes_again_is_an_alarm(server: TestServer) {
        let client = server.client().await;
        let browser = Browser::at(&server);
        browser.sign_in(USER).await;
        let pkce = gatepass_testkit::Pkce::new();
        let code = server.code(&browser, &client, &pkce, &[("scope", "account")]).await;
        assert_eq!(server.redeem(&client, &code, &pkce).await.status, 200);
        for _ in 0..3 {
            assert_eq!(server.redeem(&client, &code, &pkce).await.error(), "invalid_grant");
        }
        assert_eq!(events(&server, EventKind::CodeReused, 1).await.len(), 1);
        let count = server.authority().tally().events().find(|(kind, _)| *kind == EventKind::CodeReused);
        assert_eq!(count.map(|(_, count)| count), Some(1));
    }
}

/// Approves a device of a plain client that asked from `address`.
async fn approved_from(server: &TestServer, client: &RegisteredClient, address: &str, approver: &str) {
    approved(server, client, &[("scope", "account")], [address, approver]).await;
}

/// The same with what the device says, and with its number if it has one.
async fn approved(
    server: &TestServer,
    client: &RegisteredClient,
    form: &[(&str, &str)],
    [address, approver]: [&str; 2],
) {
    let request = server.http().post(server.path("/device_authorization")).header("x-forwarded-for", address);
    let device = Answer::of(request.basic_auth(&client.id, Some(&client.secret)).form(form)).await;
    let browser = Browser::at(server);
    browser.sign_in(USER).await;
    let path = device.text("verification_uri_complete");
    let number = device.json["number_match"].as_str().unwrap_or_default();
    let page = browser.open(&path).await;
    let form = page.form();
    let user = form.fields.iter().find(|(name, _)| name == "user").unwrap().1.clone();
    let answer = server
        .http()
        .post(server.path(&form.action))
        .header("x-forwarded-for", approver)
        .header("origin", &server.url)
        .header("cookie", browser.cookie_header())
        .form(&[("answer", "approve"), ("user", user.as_str()), ("number", number)]);
    assert_eq!(answer.send().await.unwrap().status(), 200);
}

async fn an_approval_from_afar_is_an_alarm(engine: Engine) {
    let options = Options { trusted_proxies: vec!["127.0.0.1".into()], ..Options::default() };
    let server = TestServer::with(engine, options).await;
    let client = server.client().await;
    approved_from(&server, &client, "203.0.113.9", "203.0.77.1").await;
    assert_eq!(events(&server, EventKind::DeviceApproved, 1).await.len(), 1);
    assert!(events(&server, EventKind::DeviceApprovedFar, 0).await.is_empty(), "the same network");
    approved_from(&server, &client, "203.0.113.9", "198.51.100.1").await;
    let alarms = events(&server, EventKind::DeviceApprovedFar, 1).await;
    assert_eq!(alarms[0].detail, "the device asked from 203.0.113.9; its number was not asked");
    assert_eq!(alarms[0].address, "198.51.100.1");
    let shown = [("scope", "account"), ("number_match", "true")];
    approved(&server, &client, &shown, ["203.0.113.9", "198.51.100.1"]).await;
    let alarms = events(&server, EventKind::DeviceApprovedFar, 2).await;
    assert!(alarms.iter().any(|alarm| alarm.detail == "the device asked from 203.0.113.9; its number was matched"));
    approved(&server, &client, &shown, ["2001:db8::9", "198.51.100.1"]).await;
    assert_eq!(events(&server, EventKind::DeviceApprovedFar, 2).await.len(), 2, "one place may have both kinds");
    approved_from(&server, &client, "2001:db8::9", "198.51.100.1").await;
    assert_eq!(events(&server, EventKind::DeviceApprovedFar, 3).await.len(), 3, "but nothing speaks for that here");
}

#[tokio::test(flavor = "multi_thread", crate = "gatepass_testkit::tokio")]
async fn an_approval_from_afar_is_an_alarm_on_sqlite() {
    an_approval_from_afar_is_an_alarm(Engine::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", crate = "gatepass_testkit::tokio")]
async fn an_approval_from_afar_is_an_alarm_on_postgres() {
    an_approval_from_afar_is_an_alarm(Engine::Postgres).await;
}
