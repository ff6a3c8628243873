//! `POST /device_authorization`, the device pages, and the polls.

use gatepass_testkit::{Answer, Browser, Options, Pkce, TestServer, USER, on_both_engines, tokio};
use std::{sync::Arc, time::Duration};

const GRANT: &str = "urn:ietf:params:oauth:grant-type:device_code";

async fn start(server: &TestServer, extra: &[(&str, &str)]) -> Answer {
    server.post_public("/device_authorization", extra).await
}

async fn poll(server: &TestServer, device: &Answer) -> Answer {
    server.post_public("/token", &[("grant_type", GRANT), ("device_code", &device.text("device_code"))]).await
}

async fn signed_in(server: &TestServer) -> Browser {
    let browser = Browser::at(server);
    browser.sign_in(USER).await;
    browser
}

async fn approve(server: &TestServer, device: &Answer) {
    let browser = signed_in(server).await;
    let page = browser.open(&device.text("verification_uri_complete")).await;
    let done = browser.submit(&page.form(), &[("answer", "approve")]).await;
    assert_eq!(done.heading(), "The device is signed in");
}

on_both_engines! {
    async fn a_device_waits_is_approved_by_its_typed_code_and_signed_in_once(server: TestServer) {
        let device = start(&server, &[("scope", "openid account"), ("device_name", "build-7")]).await;
        assert_eq!(device.headers["content-type"], "application/json");
        assert_eq!(device.json["interval"], 5);
        assert_eq!(device.json["expires_in"], 600);
        assert_eq!(device.text("verification_uri"), server.path("/device"));
        assert_eq!(poll(&server, &device).await.error(), "authorization_pending");

        let browser = signed_in(&server).await;
        let enter = browser.open("/device").await;
        let typed = device.text("user_code").to_lowercase().replace('-', " ");
        let question = browser.submit(&enter.form(), &[("user_code", &typed)]).await;
        assert_eq!(question.heading(), "Sign in this device?");
        for shown in ["gatepass command line", "build-7", "127.0.0.1", USER, &device.text("user_code")] {
            assert!(question.html.contains(shown), "{shown} is not shown");
        }
        server.advance(Duration::from_secs(5));
        assert_eq!(poll(&server, &device).await.error(), "authorization_pending", "opening the page decides nothing");
        browser.submit(&question.form(), &[("answer", "approve")]).await;

        let tokens = poll(&server, &device).await;
        assert_eq!(server.whoami(&tokens.text("access_token")).await.json["result"]["email"], USER);
        assert!(tokens.text("id_token").contains('.'));
        assert_eq!(poll(&server, &device).await.error(), "invalid_grant", "a device code is good once");
    }

    async fn a_denied_device_is_told_so(server: TestServer) {
        let device = start(&server, &[]).await;
        let browser = signed_in(&server).await;
        let page = browser.open(&device.text("verification_uri_complete")).await;
        assert_eq!(browser.submit(&page.form(), &[("answer", "deny")]).await.heading(), "The device was refused");
        assert_eq!(poll(&server, &device).await.error(), "access_denied");
        let again = browser.submit(&page.form(), &[("answer", "approve")]).await;
        assert_eq!(again.status, 422, "a decision stands");
        assert_eq!(poll(&server, &device).await.error(), "access_denied");
    }

    async fn polls_that_come_too_fast_slow_down_for_good(server: TestServer) {
        let device = start(&server, &[]).await;
        assert_eq!(poll(&server, &device).await.error(), "authorization_pending");
        server.advance(Duration::from_secs(1));
        assert_eq!(poll(&server, &device).await.error(), "slow_down");
        server.advance(Duration::from_secs(5));
        assert_eq!(poll(&server, &device).await.error(), "slow_down", "the interval is ten seconds now");
        server.advance(Duration::from_secs(15));
        assert_eq!(poll(&server, &device).await.error(), "authorization_pending");
        server.advance(Duration::from_secs(10));
        assert_eq!(poll(&server, &device).await.error(), "slow_down", "and stays at fifteen");
        approve(&server, &device).await;
        assert_eq!(poll(&server, &device).await.status, 200, "an approved device does not wait");
    }

    async fn a_device_code_expires(server: TestServer) {
        let device = start(&server, &[]).await;
        server.advance(Duration::from_secs(600));
        assert_eq!(poll(&server, &device).await.error(), "expired_token");
        let page = signed_in(&server).await.open(&device.text("verification_uri_complete")).await;
        assert_eq!(page.status, 422);
        assert!(page.html.contains("Nothing waits under this code"));
    }

    async fn of_a_hundred_pollers_at_once_one_is_signed_in(server: TestServer) {
        let device = Arc::new(start(&server, &[]).await);
        approve(&server, &device).await;
        let server = Arc::new(server);
        let pollers: Vec<_> = (0..100)
            .map(|_| {
                let (server, device) = (server.clone(), device.clone());
                tokio::spawn(async move { poll(&server, &device).await.status.as_u16() })
            })
            .collect();
        let mut won = 0;
        for poller in pollers {
            match poller.await.unwrap() {
                200 => won += 1,
                status => assert_eq!(status, 400),
            }
        }
        assert_eq!(won, 1);
    }

    async fn who_bound_the_request_to_itself_must_prove_it(server: TestServer) {
        let pkce = Pkce::new();
        let device = start(&server, &[("code_challenge", &pkce.challenge), ("code_challenge_method", "S256")]).await;
        approve(&server, &device).await;
        let code = device.text("device_code");
        assert_eq!(poll(&server, &device).await.error(), "invalid_grant");
        let wrong = Pkce::new().verifier;
        let form = |verifier| [("grant_type", GRANT), ("device_code", code.as_str()), ("code_verifier", verifier)];
        assert_eq!(server.post_public("/token", &form(&wrong)).await.error(), "invalid_grant");
        assert_eq!(server.post_public("/token", &form(&pkce.verifier)).await.status, 200);
    }

    async fn a_code_is_bound_to_its_client(server: TestServer) {
        let device = start(&server, &[]).await;
        let other = server.client().await;
        let answer = server.post("/token", &other, &[("grant_type", GRANT), ("device_code", &device.text("device_code"))]).await;
        assert_eq!(answer.error(), "invalid_grant");
    }

    async fn the_pages_want_a_person_and_our_own_origin(server: TestServer) {
        let device = start(&server, &[]).await;
        let stranger = Browser::at(&server);
        let login = stranger.open(&device.text("verification_uri_complete")).await;
        assert_eq!(login.heading(), "Sign in");
        let question = stranger.submit(&login.form(), &[("email", USER), ("password", gatepass_testkit::PASSWORD)]).await;
        assert_eq!(question.heading(), "Sign in this device?", "after signing in the person is where they wanted to be");
        let path = server.path(&question.form().action);
        let forged = server.http().post(path).header("cookie", stranger.cookie_header()).header("origin", "https://evil.example");
        assert_eq!(forged.form(&[("answer", "approve")]).send().await.unwrap().status(), 403);
        assert_eq!(poll(&server, &device).await.error(), "authorization_pending");
    }

    async fn a_page_of_one_person_is_not_answered_by_another(server: TestServer) {
        server.add_user("eve@example.com").await;
        let device = start(&server, &[]).await;
        let (ada, eve) = (signed_in(&server).await, Browser::at(&server));
        eve.sign_in("eve@example.com").await;
        let page = ada.open(&device.text("verification_uri_complete")).await;
        assert_eq!(eve.submit(&page.form(), &[("answer", "approve")]).await.status, 409);
        assert_eq!(poll(&server, &device).await.error(), "authorization_pending");
    }

    async fn guessing_user_codes_is_bounded(server: TestServer) {
        let browser = signed_in(&server).await;
        let own = start(&server, &[]).await;
        for _ in 0..10 {
            assert_eq!(browser.open("/device/BBBB-BBBB").await.status, 422);
            // A code of one's own in between does not begin the count anew, nor does it count.
            browser.open(&own.text("verification_uri_complete")).await;
        }
        let bounded = browser.open("/device/BBBB-BBBB").await;
        assert_eq!(bounded.status, 429);
        assert!(bounded.headers["retry-after"].to_str().unwrap().parse::<u64>().unwrap() <= 600);
        let device = start(&server, &[]).await;
        assert_eq!(browser.open(&device.text("verification_uri_complete")).await.status, 429, "a right guess is bounded too");
        server.advance(Duration::from_secs(601));
        assert_eq!(browser.open("/device/BBBB-BBBB").await.status, 422);
    }
}

/// A person elsewhere than the device must enter the number that only its screen shows.
async fn number_match(engine: gatepass_testkit::Engine) {
    let server =
        TestServer::with(engine, Options { trusted_proxies: vec!["127.0.0.1".into()], ..Options::default() }).await;
    let request = server.http().post(server.path("/device_authorization")).header("x-forwarded-for", "203.0.113.9");
    // Whoever starts in gatepass's own name cannot leave the number out.
    let device = Answer::of(request.form(&[("client_id", "gatepass-cli")])).await;
    let number = device.text("number_match");
    let wrong = if number == "10" { "11" } else { "10" };
    let browser = signed_in(&server).await;
    let page = browser.open(&device.text("verification_uri_complete")).await;
    assert!(page.html.contains("(not yours)") && !page.html.contains(&format!(">{number}<")));
    let again = browser.submit(&page.form(), &[("answer", "approve"), ("number", wrong)]).await;
    assert_eq!(again.status, 422);
    assert!(again.html.contains("not the number"));
    assert_eq!(browser.submit(&page.form(), &[("answer", "approve")]).await.status, 422, "no number is a wrong number");
    assert_eq!(
        browser.submit(&page.form(), &[("answer", "approve"), ("number", &number)]).await.heading(),
        "The device is signed in"
    );

    let second = server.http().post(server.path("/device_authorization")).header("x-forwarded-for", "203.0.113.9");
    let second = Answer::of(second.form(&[("client_id", "gatepass-cli")])).await;
    let page = browser.open(&second.text("verification_uri_complete")).await;
    for _ in 0..3 {
        assert_eq!(browser.submit(&page.form(), &[("answer", "approve"), ("number", "00")]).await.status, 422);
    }
    let right = second.text("number_match");
    let fourth = browser.submit(&page.form(), &[("answer", "approve"), ("number", &right)]).await;
    assert_eq!(fourth.heading(), "The device was refused", "three tries, and the right number comes too late");
}

#[tokio::test(crate = "gatepass_testkit::tokio")]
async fn a_device_elsewhere_needs_its_number_sqlite() {
    number_match(gatepass_testkit::Engine::Sqlite).await;
}

#[tokio::test(crate = "gatepass_testkit::tokio")]
async fn a_device_elsewhere_needs_its_number_postgres() {
    number_match(gatepass_testkit::Engine::Postgres).await;
}
