//! `GET /login`, `POST /login`, `POST /logout`.

use gatepass_testkit::{
    Browser, PASSWORD, Page, TestServer, USER,
    authority::add_user::{EmailState, NewUser},
    on_both_engines,
};
use std::time::Duration;

async fn submit_password(server: &TestServer, email: &str, password: &str) -> Page {
    let browser = Browser::at(server);
    let login = browser.open("/login").await;
    browser.submit(&login.form(), &[("email", email), ("password", password)]).await
}

async fn try_password(server: &TestServer, email: &str, password: &str) -> u16 {
    submit_password(server, email, password).await.status.as_u16()
}

on_both_engines! {
    async fn a_person_signs_in_and_out(server: TestServer) {
        let browser = Browser::at(&server);
        let home = browser.sign_in("ADA@example.com ").await;
        assert_eq!(home.heading(), "You are signed in");
        let cookie = browser.cookie_header();
        let out = browser.submit(&home.form(), &[]).await;
        assert_eq!(out.heading(), "Sign in to gatepass");
        assert_eq!(browser.cookie_header(), "");
        let stale = server.http().get(server.path("/")).header("cookie", cookie).send().await.unwrap().text().await.unwrap();
        assert!(stale.contains("Sign in to gatepass"), "the old cookie is worth nothing");
    }

    async fn the_cookie_is_for_this_server_only_and_new_at_each_sign_in(server: TestServer) {
        let form = [("email", USER), ("password", PASSWORD)];
        let request = || server.http().post(server.path("/login")).header("origin", &server.url).form(&form);
        let (first, second) = (request().send().await.unwrap(), request().send().await.unwrap());
        let cookie = first.headers()["set-cookie"].to_str().unwrap().to_owned();
        assert!(cookie.ends_with("; Path=/; HttpOnly; SameSite=Lax; Max-Age=34560000"), "{cookie}");
        assert_ne!(cookie, second.headers()["set-cookie"].to_str().unwrap());
    }

    async fn a_new_sign_in_ends_the_one_before_in_the_same_browser(server: TestServer) {
        let browser = Browser::at(&server);
        browser.sign_in(USER).await;
        let before = browser.cookie_header();
        browser.sign_in(USER).await;
        let home = server.http().get(server.path("/")).header("cookie", before).send().await.unwrap().text().await.unwrap();
        assert!(home.contains("Sign in to gatepass"));
    }

    async fn an_office_that_signs_in_well_is_not_bounded(server: TestServer) {
        // One address, and more good sign-ins than wrong ones would be let through.
        server.add_user("b@example.com").await;
        for round in 0..12 {
            assert_eq!(try_password(&server, USER, PASSWORD).await, 200, "{round}");
            assert_eq!(try_password(&server, "b@example.com", PASSWORD).await, 200, "{round}");
        }
    }

    async fn a_wrong_password_and_an_unknown_address_look_the_same(server: TestServer) {
        assert_eq!(try_password(&server, USER, "wrong password").await, 422);
        assert_eq!(try_password(&server, "nobody@example.com", PASSWORD).await, 422);
        assert_eq!(try_password(&server, "", "").await, 422);
    }

    async fn guessing_passwords_is_bounded_per_account_and_a_success_begins_anew(server: TestServer) {
        for _ in 0..9 {
            assert_eq!(try_password(&server, USER, "wrong password").await, 422);
        }
        assert_eq!(try_password(&server, USER, PASSWORD).await, 200);
        for _ in 0..10 {
            assert_eq!(try_password(&server, USER, "wrong password").await, 422);
        }
        let bounded = submit_password(&server, USER, PASSWORD).await;
        assert_eq!(bounded.status, 429, "the right one does not pass either");
        let wait: u64 = bounded.headers["retry-after"].to_str().unwrap().parse().unwrap();
        assert!((1..=15 * 60).contains(&wait), "{wait}");
        server.advance(Duration::from_secs(wait));
        assert_eq!(try_password(&server, USER, PASSWORD).await, 200);
    }

    async fn an_unverified_address_gets_no_session(server: TestServer) {
        let new = NewUser { email: "new@example.com".into(), name: String::new(), password: PASSWORD.into(), email_state: EmailState::Unverified };
        server.authority().add_user(new).await.unwrap();
        let browser = Browser::at(&server);
        let login = browser.open("/login").await;
        let refused = browser.submit(&login.form(), &[("email", "new@example.com"), ("password", PASSWORD)]).await;
        assert_eq!(refused.status, 403);
        assert!(refused.html.contains("EMAIL_NOT_VERIFIED"));
        assert_eq!(browser.cookie_header(), "");
    }

    async fn another_sites_form_signs_nobody_in_or_out(server: TestServer) {
        for path in ["/login", "/logout"] {
            let request = server.http().post(server.path(path)).header("origin", "https://evil.example").form(&[("email", USER), ("password", PASSWORD)]);
            let response = request.send().await.unwrap();
            assert_eq!(response.status(), 403);
            assert!(!response.headers().contains_key("set-cookie"));
        }
    }

    async fn a_session_rolls_on_while_it_is_used_and_ends_when_it_is_not(server: TestServer) {
        let browser = Browser::at(&server);
        browser.sign_in(USER).await;
        for _ in 0..3 {
            server.advance(Duration::from_secs(6 * 24 * 3600));
            assert_eq!(browser.open("/").await.heading(), "You are signed in");
        }
        server.advance(Duration::from_secs(7 * 24 * 3600));
        assert_eq!(browser.open("/").await.heading(), "Sign in to gatepass");
    }
}
