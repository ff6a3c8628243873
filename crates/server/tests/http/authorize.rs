//! `GET /authorize`, `POST /authorize`.

use gatepass_testkit::{Browser, Pkce, REDIRECT_URI, TestServer, USER, on_both_engines};
use std::time::Duration;

async fn signed_in(server: &TestServer) -> Browser {
    let browser = Browser::at(server);
    browser.sign_in(USER).await;
    browser
}

on_both_engines! {
    async fn a_person_signs_in_allows_and_is_sent_back_with_code_state_and_iss(server: TestServer) {
        let (client, pkce, browser) = (server.client().await, Pkce::new(), Browser::at(&server));
        let login = browser.open(&server.authorize_path(&client, &pkce, &[("scope", "openid")])).await;
        assert_eq!(login.heading(), "Sign in");
        let consent = browser.submit(&login.form(), &[("email", USER), ("password", gatepass_testkit::PASSWORD)]).await;
        assert_eq!(consent.heading(), "Allow Test app?");
        let back = browser.submit(&consent.form(), &[("answer", "allow")]).await;
        assert!(back.left_for.as_ref().unwrap().starts_with(REDIRECT_URI));
        assert_eq!(back.answer("state").unwrap(), "xyz");
        assert_eq!(back.status, 303, "the browser takes none of the form along");
        assert_eq!(back.answer("iss").unwrap(), server.url);
        assert!(back.answer("code").unwrap().starts_with("gpc_"));
    }

    async fn consent_is_remembered_for_the_same_scopes_and_asked_for_more(server: TestServer) {
        let (client, pkce, browser) = (server.client().await, Pkce::new(), signed_in(&server).await);
        server.code(&browser, &client, &pkce, &[("scope", "openid email")]).await;
        let again = browser.open(&server.authorize_path(&client, &pkce, &[("scope", "openid")])).await;
        assert!(again.answer("code").is_some());
        let offline = server.authorize_path(&client, &pkce, &[("scope", "openid offline_access")]);
        assert_eq!(browser.open(&offline).await.heading(), "Allow Test app?", "to outlive the sign-in is allowed too");
        let more = browser.open(&server.authorize_path(&client, &pkce, &[("scope", "openid api:read")])).await;
        assert_eq!(more.heading(), "Allow Test app?");
        let asked = browser.open(&server.authorize_path(&client, &pkce, &[("scope", "openid"), ("prompt", "consent")])).await;
        assert_eq!(asked.heading(), "Allow Test app?");
        let other_resource = browser.open(&server.authorize_path(&client, &pkce, &[("scope", "openid"), ("resource", "https://api.example")])).await;
        assert_eq!(other_resource.heading(), "Allow Test app?");
    }

    async fn a_person_who_says_no_is_sent_back_with_access_denied(server: TestServer) {
        let (client, pkce, browser) = (server.client().await, Pkce::new(), signed_in(&server).await);
        let consent = browser.open(&server.authorize_path(&client, &pkce, &[])).await;
        let back = browser.submit(&consent.form(), &[("answer", "deny")]).await;
        assert_eq!(back.answer("error").unwrap(), "access_denied");
        assert_eq!(back.answer("state").unwrap(), "xyz");
        assert_eq!(back.answer("iss").unwrap(), server.url);
    }

    async fn before_client_and_redirect_uri_are_known_errors_are_pages(server: TestServer) {
        let (client, pkce, browser) = (server.client().await, Pkce::new(), signed_in(&server).await);
        let good = server.authorize_path(&client, &pkce, &[]);
        let bad = [
            good.replace(&client.id, "unknown"),
            good.replace("client_id=", "client=" ),
            good.replace("app.example", "evil.example"),
            good.replace("%2Fcb", "%2Fcb%23fragment"),
            format!("{good}&redirect_uri=https%3A%2F%2Fapp.example%2Fcb"),
            format!("{good}&state=again"),
            format!("{good}&client_id={}", client.id),
            format!("{good}&response_mode=query&response_mode=form_post"),
            format!("{good}&response_mode=fragment"),
            format!("{good}&request_uri=urn%3Aietf%3Aparams%3Aoauth%3Arequest_uri%3Ax&x=1&x=2"),
            format!("{good}&x=%ff"),
        ];
        for path in bad {
            let page = browser.open(&path).await;
            assert_eq!((page.status.as_u16(), page.left_for), (400, None), "{path}");
            assert_eq!(page.headers["content-type"], "text/html; charset=utf-8");
        }
    }

    async fn after_that_errors_travel_to_the_client(server: TestServer) {
        let (client, pkce, browser) = (server.client().await, Pkce::new(), signed_in(&server).await);
        let good = server.authorize_path(&client, &pkce, &[]);
        let table = [
            (good.replace("response_type=code", "response_type=token"), "unsupported_response_type"),
            (good.replace("response_type=code&", ""), "invalid_request"),
            (good.replace("S256", "plain"), "invalid_request"),
            (good.replace("code_challenge_method=S256", ""), "invalid_request"),
            (good.replace(&pkce.challenge, "short"), "invalid_request"),
            (format!("{good}&scope=admin"), "invalid_scope"),
            (format!("{good}&scope=%22"), "invalid_scope"),
            (format!("{good}&resource=https%3A%2F%2Fother.example"), "invalid_target"),
            (format!("{good}&request=x"), "request_not_supported"),
            (format!("{good}&prompt=none+login"), "invalid_request"),
            (format!("{good}&max_age=x"), "invalid_request"),
            (format!("{good}&prompt=none"), "consent_required"),
            (format!("{good}&scope=openid&scope=openid"), "invalid_request"),
            (format!("{good}&code_challenge={}", pkce.challenge), "invalid_request"),
            (format!("{good}&prompt=none&prompt=login"), "invalid_request"),
            (format!("{good}&unknown=1&unknown=2"), "invalid_request"),
            (format!("{good}&resource=https%3A%2F%2Fapi.example&resource=https%3A%2F%2Fother.example"), "invalid_target"),
        ];
        for (path, error) in table {
            let page = browser.open(&path).await;
            assert_eq!(page.answer("error").as_deref(), Some(error), "{path}");
            assert_eq!(page.answer("state").as_deref(), Some("xyz"), "{path}");
            assert_eq!(page.answer("iss").as_ref(), Some(&server.url), "{path}");
        }
    }

    async fn a_form_of_a_client_with_a_repeated_parameter_goes_back_to_it_too(server: TestServer) {
        let (client, browser) = (server.client().await, signed_in(&server).await);
        let path = format!("{}&x=1&x=2", server.authorize_path(&client, &Pkce::new(), &[]));
        let request = server.http().post(server.path("/authorize")).header("content-type", "application/x-www-form-urlencoded");
        let sent = request.body(path.split_once('?').unwrap().1.to_owned()).send().await.unwrap();
        assert_eq!(sent.headers()["location"].to_str().unwrap(), path);
        assert_eq!(browser.open(&path).await.answer("error").as_deref(), Some("invalid_request"));
    }

    async fn prompt_and_max_age_are_obeyed(server: TestServer) {
        let (client, pkce) = (server.client().await, Pkce::new());
        let nobody = Browser::at(&server).open(&server.authorize_path(&client, &pkce, &[("prompt", "none")])).await;
        assert_eq!(nobody.answer("error").unwrap(), "login_required");

        let browser = signed_in(&server).await;
        server.code(&browser, &client, &pkce, &[("scope", "openid")]).await;
        for demand in [("prompt", "login"), ("prompt", "select_account")] {
            let login = browser.open(&server.authorize_path(&client, &pkce, &[("scope", "openid"), demand])).await;
            assert_eq!(login.heading(), "Sign in");
            let back = browser.submit(&login.form(), &[("email", USER), ("password", gatepass_testkit::PASSWORD)]).await;
            assert!(back.answer("code").is_some());
        }
        server.advance(Duration::from_secs(100));
        let recent = browser.open(&server.authorize_path(&client, &pkce, &[("scope", "openid"), ("max_age", "200")])).await;
        assert!(recent.answer("code").is_some());
        let old = browser.open(&server.authorize_path(&client, &pkce, &[("scope", "openid"), ("max_age", "50")])).await;
        assert_eq!(old.heading(), "Sign in");
    }

    async fn a_client_with_one_redirect_uri_may_leave_it_out_and_login_hint_fills_the_form(server: TestServer) {
        let (client, pkce, browser) = (server.client().await, Pkce::new(), Browser::at(&server));
        let path = server.authorize_path(&client, &pkce, &[("login_hint", "a@b.example")]);
        let login = browser.open(&path).await;
        assert!(login.form().fields.contains(&("email".into(), "a@b.example".into())));
        let without = path.replace("redirect_uri=https%3A%2F%2Fapp.example%2Fcb&", "");
        assert_eq!(browser.open(&without).await.heading(), "Sign in");
    }

    async fn a_client_with_several_redirect_uris_says_which_one_it_means(server: TestServer) {
        let client = server.client_with(|new| new.redirect_uris.push("https://app.example/two".parse().unwrap())).await;
        let browser = Browser::at(&server);
        let path = server.authorize_path(&client, &Pkce::new(), &[]);
        let silent = browser.open(&path.replace("redirect_uri=https%3A%2F%2Fapp.example%2Fcb&", "")).await;
        assert_eq!((silent.status.as_u16(), silent.left_for), (400, None));
        assert_eq!(browser.open(&path.replace("app.example%2Fcb", "app.example%2Ftwo")).await.heading(), "Sign in");
    }

    async fn the_first_party_command_line_needs_no_consent_on_loopback_at_any_port(server: TestServer) {
        let (browser, pkce) = (signed_in(&server).await, Pkce::new());
        let query = |redirect: &str| format!(
            "/authorize?response_type=code&client_id=gatepass-cli&state=s&code_challenge_method=S256&code_challenge={}&redirect_uri={redirect}",
            pkce.challenge
        );
        for redirect in ["http%3A%2F%2F127.0.0.1%3A49152%2Fcallback", "http%3A%2F%2F%5B%3A%3A1%5D%3A4000%2Fcallback"] {
            assert!(browser.open(&query(redirect)).await.answer("code").is_some(), "{redirect}");
        }
        for redirect in ["http%3A%2F%2F127.0.0.1%3A49152%2Fother", "http%3A%2F%2Flocalhost%3A1%2Fcallback", "https%3A%2F%2F127.0.0.1%2Fcallback"] {
            assert_eq!(browser.open(&query(redirect)).await.status, 400, "{redirect}");
        }
    }

    async fn a_consent_that_another_site_sends_changes_nothing(server: TestServer) {
        let (client, pkce, browser) = (server.client().await, Pkce::new(), signed_in(&server).await);
        let consent = browser.open(&server.authorize_path(&client, &pkce, &[])).await;
        let mut fields = consent.form().fields;
        fields.push(("answer".into(), "allow".into()));
        for origin in [Some("https://evil.example"), Some("null"), None] {
            let request = server.http().post(server.path("/authorize")).header("cookie", browser.cookie_header()).form(&fields);
            let request = match origin {
                Some(origin) => request.header("origin", origin),
                None => request,
            };
            assert_eq!(request.send().await.unwrap().status(), 403, "{origin:?}");
        }
        assert_eq!(browser.open(&server.authorize_path(&client, &pkce, &[])).await.heading(), "Allow Test app?");
    }

    async fn the_consent_page_may_lead_its_form_to_the_client(server: TestServer) {
        let (client, pkce, browser) = (server.client().await, Pkce::new(), signed_in(&server).await);
        let consent = browser.open(&server.authorize_path(&client, &pkce, &[])).await;
        let policy = consent.headers["content-security-policy"].to_str().unwrap();
        assert!(policy.contains("form-action 'self' https:;"), "{policy}");
        let shown = browser.open(&server.authorize_path(&client, &pkce, &[("prompt", "login")])).await;
        assert!(shown.headers["content-security-policy"].to_str().unwrap().contains("form-action 'self' https:;"));
    }

    async fn a_client_may_send_the_request_as_a_form(server: TestServer) {
        let (client, pkce, browser) = (server.client().await, Pkce::new(), signed_in(&server).await);
        let path = server.authorize_path(&client, &pkce, &[]);
        let body = path.split_once('?').unwrap().1.to_owned();
        let request = server.http().post(server.path("/authorize")).header("content-type", "application/x-www-form-urlencoded");
        let answer = request.header("origin", "https://app.example").body(body).send().await.unwrap();
        assert_eq!((answer.status().as_u16(), answer.headers()["location"].to_str().unwrap()), (303, path.as_str()));
        assert_eq!(browser.open(&path).await.heading(), "Allow Test app?");
    }

    async fn no_code_of_a_person_stands_in_a_query(server: TestServer) {
        let device = server.post_public("/device_authorization", &[]).await;
        let login = Browser::at(&server).open(&device.text("verification_uri_complete")).await;
        assert_eq!(login.heading(), "Sign in");
        assert!(!login.path.contains('?'), "{}", login.path);
    }

    async fn a_consent_page_of_one_person_is_not_answered_by_another(server: TestServer) {
        server.add_user("eve@example.com").await;
        let (client, pkce, ada, eve) = (server.client().await, Pkce::new(), signed_in(&server).await, Browser::at(&server));
        eve.sign_in("eve@example.com").await;
        let page = ada.open(&server.authorize_path(&client, &pkce, &[])).await;
        let answered = eve.submit(&page.form(), &[("answer", "allow")]).await;
        assert_eq!((answered.status.as_u16(), answered.left_for), (409, None));
    }

    async fn a_prompt_of_two_words_demands_both_pages(server: TestServer) {
        let (client, pkce, browser) = (server.client().await, Pkce::new(), signed_in(&server).await);
        server.code(&browser, &client, &pkce, &[("scope", "openid")]).await;
        for prompt in ["login consent", "consent login"] {
            let path = server.authorize_path(&client, &pkce, &[("scope", "openid"), ("prompt", prompt)]);
            let login = browser.open(&path).await;
            assert_eq!(login.heading(), "Sign in", "{prompt}");
            let consent = browser.submit(&login.form(), &[("email", USER), ("password", gatepass_testkit::PASSWORD)]).await;
            assert_eq!(consent.heading(), "Allow Test app?", "{prompt}");
        }
    }

    async fn the_login_form_may_lead_to_a_registered_uri_only(server: TestServer) {
        let (client, pkce, browser) = (server.client().await, Pkce::new(), Browser::at(&server));
        let policy = async |path: String| browser.open(&path).await.headers["content-security-policy"].to_str().unwrap().to_owned();
        let good = server.authorize_path(&client, &pkce, &[]);
        let left_out = good.replace("redirect_uri=https%3A%2F%2Fapp.example%2Fcb&", "");
        assert!(policy(left_out).await.contains("form-action 'self' https:;"));
        for strange in ["https://evil.example/", "https://a;sandbox;x/", "javascript:x"] {
            let next = url(&format!("/authorize?client_id={}&redirect_uri={}", client.id, url(strange)));
            let policy = policy(format!("/login?next={next}")).await;
            assert!(policy.contains("form-action 'self';"), "{strange}: {policy}");
        }
    }
}

fn url(text: &str) -> String {
    text.bytes().map(|b| format!("%{b:02X}")).collect()
}
