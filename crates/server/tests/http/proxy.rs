//! Forwarded headers.

use gatepass_testkit::{Answer, Browser, Engine, Options, TestServer, USER, tokio};

async fn address_shown(trusted: &[&str]) -> String {
    let options =
        Options { trusted_proxies: trusted.iter().map(|text| (*text).to_owned()).collect(), ..Options::default() };
    let server = TestServer::with(Engine::Sqlite, options).await;
    let request = server.http().post(server.path("/device_authorization")).header("x-forwarded-for", "203.0.113.9");
    let device = Answer::of(request.form(&[("client_id", "gatepass-cli")])).await;
    let browser = Browser::at(&server);
    browser.sign_in(USER).await;
    browser.open(&device.text("verification_uri_complete")).await.html
}

#[tokio::test(flavor = "multi_thread", crate = "gatepass_testkit::tokio")]
async fn forwarded_headers_count_from_a_trusted_proxy_only() {
    assert!(address_shown(&["127.0.0.0/8"]).await.contains("<code>203.0.113.9</code>"));
    assert!(address_shown(&[]).await.contains("<code>127.0.0.1</code>"));
    assert!(address_shown(&["10.0.0.0/8"]).await.contains("<code>127.0.0.1</code>"));
}
