//! `POST /par`, and `GET /authorize` with what it answered.

use gatepass_testkit::{
    Answer, Browser, Engine, Options, PASSWORD, Pkce, REDIRECT_URI, RegisteredClient, TestServer, USER,
    on_both_engines, tokio,
};
use std::{sync::Arc, time::Duration};

async fn push(server: &TestServer, client: &RegisteredClient, pkce: &Pkce, extra: &[(&str, &str)]) -> Answer {
    let mut form = vec![
        ("response_type", "code"),
        ("redirect_uri", REDIRECT_URI),
        ("state", "xyz"),
        ("scope", "openid"),
        ("code_challenge", pkce.challenge.as_str()),
        ("code_challenge_method", "S256"),
    ];
    form.retain(|(name, _)| !extra.iter().any(|(other, _)| other == name));
    form.extend(extra.iter().filter(|(_, value)| !value.is_empty()));
    server.post("/par", client, &form).await
}

fn link(client: &RegisteredClient, pushed: &Answer) -> String {
    format!("/authorize?client_id={}&request_uri={}", client.id, pushed.text("request_uri").replace(':', "%3A"))
}

async fn signed_in(server: &TestServer) -> Browser {
    let browser = Browser::at(server);
    browser.sign_in(USER).await;
    browser
}

on_both_engines! {
    async fn a_pushed_request_becomes_a_code_once(server: TestServer) {
        let (client, pkce, browser) = (server.client().await, Pkce::new(), Browser::at(&server));
        let pushed = push(&server, &client, &pkce, &[]).await;
        assert_eq!((pushed.status.as_u16(), pushed.json["expires_in"].as_u64()), (201, Some(90)));
        assert_eq!(pushed.headers["cache-control"], "no-store");
        assert!(pushed.text("request_uri").starts_with("urn:ietf:params:oauth:request_uri:gpp_"));
        assert_eq!(pushed.json.get("sign_in_uri"), None, "a short link is for the server's own programs");
        let login = browser.open(&link(&client, &pushed)).await;
        assert_eq!(login.heading(), "Sign in");
        assert!(login.headers["content-security-policy"].to_str().unwrap().contains("form-action 'self' https:;"));
        let consent = browser.submit(&login.form(), &[("email", USER), ("password", PASSWORD)]).await;
        assert_eq!(consent.heading(), "Allow Test app?");
        let back = browser.submit(&consent.form(), &[("answer", "allow")]).await;
        assert_eq!((back.answer("state").as_deref(), back.answer("iss").as_ref()), (Some("xyz"), Some(&server.url)));
        assert_eq!(server.redeem(&client, &back.answer("code").unwrap(), &pkce).await.status, 200);
        let again = browser.open(&link(&client, &pushed)).await;
        assert_eq!((again.status.as_u16(), again.left_for), (400, None));
        assert!(again.html.contains("invalid_request_uri"));
    }

    async fn parameters_beside_the_reference_do_not_count(server: TestServer) {
        let (client, pkce, browser) = (server.client().await, Pkce::new(), signed_in(&server).await);
        let pushed = push(&server, &client, &pkce, &[]).await;
        let consent = browser.open(&format!("{}&state=other&scope=account&redirect_uri=https%3A%2F%2Fevil.example%2F", link(&client, &pushed))).await;
        let back = browser.submit(&consent.form(), &[("answer", "allow")]).await;
        assert!(back.left_for.as_ref().unwrap().starts_with(REDIRECT_URI));
        assert_eq!(back.answer("state").unwrap(), "xyz");
        assert_eq!(server.redeem(&client, &back.answer("code").unwrap(), &pkce).await.json["scope"], "openid");
    }

    async fn a_reference_that_is_over_unknown_or_anothers_is_a_page(server: TestServer) {
        let (client, other, pkce, browser) = (server.client().await, server.client().await, Pkce::new(), signed_in(&server).await);
        let pushed = push(&server, &client, &pkce, &[]).await;
        let good = link(&client, &pushed);
        for bad in [
            link(&other, &pushed),
            good.replace("client_id=", "x="),
            format!("{good}x"),
            good.replace("gpp_", "gpa_"),
            format!("/authorize?client_id={}&request_uri=urn%3Aietf%3Aparams%3Aoauth%3Arequest_uri%3A", client.id),
        ] {
            let page = browser.open(&bad).await;
            assert_eq!((page.status.as_u16(), page.left_for), (400, None), "{bad}");
        }
        server.advance(Duration::from_secs(90));
        assert!(browser.open(&good).await.html.contains("invalid_request_uri"));
    }

    async fn while_a_person_signs_in_the_reference_lives_longer(server: TestServer) {
        let (client, pkce, browser) = (server.client().await, Pkce::new(), Browser::at(&server));
        let pushed = push(&server, &client, &pkce, &[]).await;
        let login = browser.open(&link(&client, &pushed)).await;
        server.advance(Duration::from_secs(14 * 60));
        let consent = browser.submit(&login.form(), &[("email", USER), ("password", PASSWORD)]).await;
        assert_eq!(consent.heading(), "Allow Test app?");
        server.advance(Duration::from_secs(60));
        let late = browser.submit(&consent.form(), &[("answer", "allow")]).await;
        assert_eq!((late.status.as_u16(), late.left_for), (400, None), "but not for ever");
    }

    async fn a_no_uses_the_reference_too(server: TestServer) {
        let (client, pkce, browser) = (server.client().await, Pkce::new(), signed_in(&server).await);
        let pushed = push(&server, &client, &pkce, &[]).await;
        let consent = browser.open(&link(&client, &pushed)).await;
        assert_eq!(browser.submit(&consent.form(), &[("answer", "deny")]).await.answer("error").unwrap(), "access_denied");
        assert_eq!(browser.submit(&consent.form(), &[("answer", "allow")]).await.status, 400);
    }

    async fn every_parameter_is_checked_when_it_is_pushed(server: TestServer) {
        let (client, pkce) = (server.client().await, Pkce::new());
        let table: &[(&[(&str, &str)], &str)] = &[
            (&[("response_type", "token")], "unsupported_response_type"),
            (&[("response_type", "")], "invalid_request"),
            (&[("redirect_uri", "https://evil.example/cb")], "invalid_request"),
            (&[("redirect_uri", "javascript:x")], "invalid_request"),
            (&[("code_challenge", "")], "invalid_request"),
            (&[("code_challenge_method", "plain")], "invalid_request"),
            (&[("scope", "admin")], "invalid_scope"),
            (&[("resource", "https://other.example")], "invalid_target"),
            (&[("prompt", "none login")], "invalid_request"),
            (&[("max_age", "soon")], "invalid_request"),
            (&[("response_mode", "fragment")], "invalid_request"),
            (&[("dpop_jkt", "short")], "invalid_request"),
            (&[("request", "eyJ")], "request_not_supported"),
            (&[("request_uri", "urn:ietf:params:oauth:request_uri:x")], "invalid_request"),
            (&[("client_id", "gatepass-cli")], "invalid_request"),
        ];
        for (extra, error) in table {
            let answer = push(&server, &client, &pkce, extra).await;
            assert_eq!((answer.status.as_u16(), answer.error().as_str()), (400, *error), "{extra:?}");
        }
        let long = "x".repeat(15_000);
        assert_eq!(push(&server, &client, &pkce, &[("a", &long), ("b", &long)]).await.error(), "invalid_request");
        let wrong = RegisteredClient { secret: "gpx_wrong".into(), ..client.clone() };
        assert_eq!(push(&server, &wrong, &pkce, &[]).await.status, 401);
        assert_eq!(server.http().get(server.path("/par")).send().await.unwrap().status(), 405);
    }

    async fn a_demand_for_a_new_sign_in_is_fulfilled_by_one_after_the_push(server: TestServer) {
        let (client, pkce, browser) = (server.client().await, Pkce::new(), signed_in(&server).await);
        server.code(&browser, &client, &pkce, &[("scope", "openid")]).await;
        for demand in [("prompt", "login"), ("max_age", "0"), ("prompt", "select_account")] {
            server.advance(Duration::from_secs(1));
            let pushed = push(&server, &client, &pkce, &[demand]).await;
            let login = browser.open(&link(&client, &pushed)).await;
            assert_eq!(login.heading(), "Sign in", "{demand:?}");
            let back = browser.submit(&login.form(), &[("email", USER), ("password", PASSWORD)]).await;
            assert!(back.answer("code").is_some(), "{demand:?}");
        }
    }

    async fn a_client_may_be_bound_to_push(server: TestServer) {
        let client = server.client_with(|new| new.metadata.require_pushed_authorization_requests = true).await;
        let (pkce, browser) = (Pkce::new(), signed_in(&server).await);
        let plain = browser.open(&server.authorize_path(&client, &pkce, &[])).await;
        assert_eq!(plain.answer("error").unwrap(), "invalid_request");
        let pushed = push(&server, &client, &pkce, &[]).await;
        assert_eq!(browser.open(&link(&client, &pushed)).await.heading(), "Allow Test app?");
    }

    async fn of_a_hundred_browsers_with_one_reference_one_gets_a_code(server: TestServer) {
        let (client, pkce, browser) = (server.client().await, Pkce::new(), signed_in(&server).await);
        server.code(&browser, &client, &pkce, &[("scope", "openid")]).await;
        let pushed = push(&server, &client, &pkce, &[]).await;
        let (server, path, cookie) = (Arc::new(server), link(&client, &pushed), browser.cookie_header());
        let tasks: Vec<_> = (0..100)
            .map(|_| {
                let (server, path, cookie) = (server.clone(), path.clone(), cookie.clone());
                tokio::spawn(async move {
                    let answer = server.http().get(server.path(&path)).header("cookie", cookie).send().await.unwrap();
                    answer.headers().get("location").is_some_and(|to| to.to_str().unwrap().contains("code=gpc_"))
                })
            })
            .collect();
        let mut won = 0;
        for task in tasks {
            won += i32::from(task.await.unwrap());
        }
        assert_eq!(won, 1);
    }
}

#[tokio::test(flavor = "multi_thread", crate = "gatepass_testkit::tokio")]
async fn a_server_may_want_every_request_pushed() {
    let options = Options { require_pushed_authorization_requests: true, ..Options::default() };
    let server = TestServer::with(Engine::Sqlite, options).await;
    let (client, pkce, browser) = (server.client().await, Pkce::new(), Browser::at(&server));
    let plain = browser.open(&server.authorize_path(&client, &pkce, &[])).await;
    assert_eq!(plain.answer("error").unwrap(), "invalid_request");
    let document = Answer::of(server.http().get(server.path("/.well-known/openid-configuration"))).await;
    assert_eq!(document.json["require_pushed_authorization_requests"], true);
}
