//! `GET /l/{code}`.

use gatepass_testkit::{Answer, Browser, PASSWORD, Pkce, TestServer, USER, on_both_engines};
use std::time::Duration;

async fn push(server: &TestServer, pkce: &Pkce) -> Answer {
    let form = [
        ("response_type", "code"),
        ("redirect_uri", "http://127.0.0.1:4711/callback"),
        ("state", "s"),
        ("code_challenge", pkce.challenge.as_str()),
        ("code_challenge_method", "S256"),
    ];
    server.post_public("/par", &form).await
}

on_both_engines! {
    async fn a_short_link_leads_to_the_same_sign_in(server: TestServer) {
        let (pkce, browser) = (Pkce::new(), Browser::at(&server));
        let pushed = push(&server, &pkce).await;
        let short = pushed.text("sign_in_uri");
        assert_eq!(short.len(), server.url.len() + "/l/XXXX-XXXX".len());
        let login = browser.open(&short.to_lowercase()).await;
        assert_eq!(login.heading(), "Sign in");
        let back = browser.submit(&login.form(), &[("email", USER), ("password", PASSWORD)]).await;
        assert!(back.left_for.as_ref().unwrap().starts_with("http://127.0.0.1:4711/callback?code=gpc_"));
        assert_eq!(browser.open(&short).await.status, 404, "it is used");
    }

    async fn opening_a_link_uses_nothing_up_and_it_ends_with_its_request(server: TestServer) {
        let short = push(&server, &Pkce::new()).await.text("sign_in_uri");
        for _ in 0..3 {
            let answer = server.http().get(&short).send().await.unwrap();
            assert_eq!(answer.status(), 303);
        }
        server.advance(Duration::from_secs(599));
        assert_eq!(server.http().get(&short).send().await.unwrap().status(), 303, "as long as a device's code");
        server.advance(Duration::from_secs(1));
        assert_eq!(server.http().get(&short).send().await.unwrap().status(), 404);
    }

    async fn guessing_short_links_is_bounded_per_address(server: TestServer) {
        let short = push(&server, &Pkce::new()).await.text("sign_in_uri");
        for letters in 0..30 {
            let path = format!("/l/BBBB-BB{}{}", char::from(b"BCDFGHJKLM"[letters % 10]), char::from(b"BCDFGHJKLM"[letters / 10]));
            assert_eq!(server.http().get(server.path(&path)).send().await.unwrap().status(), 404);
        }
        assert_eq!(server.http().get(&short).send().await.unwrap().status(), 429, "the right one does not pass either");
        server.advance(Duration::from_secs(600));
        assert_eq!(server.http().get(server.path("/l/nonsense")).send().await.unwrap().status(), 404);
    }
}
