//! What every page and answer carries.

use gatepass_testkit::{Browser, Engine, Options, Pkce, TestServer, USER, on_both_engines, tokio};
use reqwest::Method;

on_both_engines! {
    async fn every_page_forbids_framing_scripts_and_keeping(server: TestServer) {
        let browser = Browser::at(&server);
        browser.sign_in(USER).await;
        let device = server.post_public("/device_authorization", &[]).await;
        let client = server.client().await;
        let consent = server.authorize_path(&client, &Pkce::new(), &[]);
        for path in ["/", "/login", "/device", "/setup/x", "/authorize", "/nothing", &device.text("verification_uri_complete"), &consent] {
            let request = server.http().get(server.path(path.strip_prefix(&server.url).unwrap_or(path)));
            let response = request.header("accept", "text/html").header("cookie", browser.cookie_header()).send().await.unwrap();
            let policy = response.headers()["content-security-policy"].to_str().unwrap().to_owned();
            assert!(policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'") && !policy.contains("unsafe"), "{path}: {policy}");
            assert_eq!(response.headers()["cache-control"], "no-store", "{path}");
            assert_eq!(response.headers()["referrer-policy"], "same-origin", "{path}");
            assert_eq!(response.headers()["x-content-type-options"], "nosniff", "{path}");
            let html = response.text().await.unwrap();
            assert!(!html.contains("<script") && !html.contains(" style=") && !html.contains(" onclick"), "{path}");
        }
    }

    async fn no_script_of_another_site_is_let_in_where_people_are_asked(server: TestServer) {
        let asked = server.authorize_path(&server.client().await, &Pkce::new(), &[]);
        for (method, path) in [(Method::GET, asked.as_str()), (Method::OPTIONS, "/authorize")] {
            let request = server.http().request(method, server.path(path)).header("origin", "https://evil.example");
            let answer = request.header("access-control-request-method", "GET").send().await.unwrap();
            let told = answer.headers();
            assert!(told.keys().all(|name| !name.as_str().starts_with("access-control-")), "{told:?}");
        }
    }

    async fn a_clients_name_is_shown_harmlessly(server: TestServer) {
        let client = server.client_with(|new| new.name = "<b>\"Bank\" \u{202e}knab".into()).await;
        let browser = Browser::at(&server);
        browser.sign_in(USER).await;
        let page = browser.open(&server.authorize_path(&client, &Pkce::new(), &[])).await;
        assert!(!page.html.contains("<b>") && page.html.contains("<bdi>&#60;b&#62;"), "{}", page.html);
    }
}

#[tokio::test(flavor = "multi_thread", crate = "gatepass_testkit::tokio")]
async fn over_https_the_cookie_is_host_bound_and_the_browser_is_told_to_stay() {
    let options = Options { public_url: Some("https://auth.example".into()), ..Options::default() };
    let server = TestServer::with(Engine::Sqlite, options).await;
    let form = [("email", USER), ("password", gatepass_testkit::PASSWORD)];
    let response = server
        .http()
        .post(server.path("/login"))
        .header("origin", "https://auth.example")
        .form(&form)
        .send()
        .await
        .unwrap();
    assert_eq!(response.status(), 303, "the browser does not send the password on");
    assert!(response.headers()["set-cookie"].to_str().unwrap().starts_with("__Host-gatepass=gps_"));
    assert!(response.headers()["set-cookie"].to_str().unwrap().contains("; Secure;"));
    assert!(response.headers().contains_key("strict-transport-security"));
}
