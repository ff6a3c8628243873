//! `acr_values`, `id_token_hint`, `response_mode`, `dpop_jkt` at `GET /authorize`.

use gatepass_testkit::{Browser, PASSWORD, Pkce, REDIRECT_URI, TestServer, USER, on_both_engines};

async fn signed_in(server: &TestServer) -> Browser {
    let browser = Browser::at(server);
    browser.sign_in(USER).await;
    browser
}

on_both_engines! {
    async fn a_class_that_nobody_reaches_here_is_refused_and_one_of_ours_is_met(server: TestServer) {
        let (client, pkce, browser) = (server.client().await, Pkce::new(), signed_in(&server).await);
        let ask = |acr: &'static str| browser.open(server.authorize_path(&client, &pkce, &[("scope", "openid"), ("acr_values", acr)]).leak());
        assert_eq!(ask("urn:x:hardware").await.answer("error").unwrap(), "unmet_authentication_requirements");
        assert_eq!(ask("urn:x:hardware urn:gatepass:acr:1fa").await.heading(), "Allow Test app?");
    }

    async fn a_hint_of_another_person_asks_for_that_person(server: TestServer) {
        server.add_user("eve@example.com").await;
        let (client, pkce, ada, eve) = (server.client().await, Pkce::new(), signed_in(&server).await, Browser::at(&server));
        eve.sign_in("eve@example.com").await;
        let code = server.code(&ada, &client, &pkce, &[("scope", "openid")]).await;
        server.code(&eve, &client, &pkce, &[("scope", "openid")]).await;
        let hint = server.redeem(&client, &code, &pkce).await.text("id_token");
        let path = |extra: &[(&str, &str)]| {
            let mut all = vec![("scope", "openid"), ("id_token_hint", hint.as_str())];
            all.extend_from_slice(extra);
            server.authorize_path(&client, &pkce, &all)
        };
        assert!(ada.open(&path(&[("prompt", "none")])).await.answer("code").is_some());
        assert_eq!(eve.open(&path(&[("prompt", "none")])).await.answer("error").unwrap(), "login_required");
        let login = eve.open(&path(&[])).await;
        assert_eq!(login.heading(), "Sign in");
        let still_eve = eve.submit(&login.form(), &[("email", "eve@example.com"), ("password", PASSWORD)]).await;
        assert_eq!(still_eve.answer("error").unwrap(), "login_required", "asked once, not in a circle");
        let as_ada = eve.submit(&login.form(), &[("email", USER), ("password", PASSWORD)]).await;
        assert!(as_ada.answer("code").is_some());
        let forged = format!("{}.AAAA", hint.rsplit_once('.').unwrap().0);
        for bad in ["x", "eyJhbGciOiJub25lIn0.e30.", &forged] {
            let page = ada.open(&server.authorize_path(&client, &pkce, &[("id_token_hint", bad)])).await;
            assert_eq!(page.answer("error").unwrap(), "invalid_request");
        }
    }

    async fn max_age_zero_always_asks_for_a_new_sign_in_once(server: TestServer) {
        let (client, pkce, browser) = (server.client().await, Pkce::new(), signed_in(&server).await);
        server.code(&browser, &client, &pkce, &[("scope", "openid")]).await;
        let none = browser.open(&server.authorize_path(&client, &pkce, &[("scope", "openid"), ("max_age", "0"), ("prompt", "none")])).await;
        assert_eq!(none.answer("error").unwrap(), "login_required");
        let login = browser.open(&server.authorize_path(&client, &pkce, &[("scope", "openid"), ("max_age", "0")])).await;
        assert_eq!(login.heading(), "Sign in");
        let back = browser.submit(&login.form(), &[("email", USER), ("password", PASSWORD)]).await;
        assert!(back.answer("code").is_some());
    }

    async fn a_response_may_be_posted_by_a_page_with_a_button(server: TestServer) {
        let (client, pkce, browser) = (server.client().await, Pkce::new(), signed_in(&server).await);
        server.code(&browser, &client, &pkce, &[("scope", "openid")]).await;
        let page = browser.open(&server.authorize_path(&client, &pkce, &[("scope", "openid"), ("response_mode", "form_post")])).await;
        let form = page.form();
        assert_eq!((form.action.as_str(), page.status.as_u16()), (REDIRECT_URI, 200));
        let posts = format!("<form method=\"post\" action=\"{REDIRECT_URI}\">");
        assert!(page.html.contains(&posts), "{}", page.html);
        let field = |name: &str| form.fields.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone());
        assert_eq!((field("state").as_deref(), field("iss").as_ref()), (Some("xyz"), Some(&server.url)));
        assert_eq!(server.redeem(&client, &field("code").unwrap(), &pkce).await.status, 200);
        let policy = page.headers["content-security-policy"].to_str().unwrap();
        assert!(policy.contains("form-action 'self' https:;") && policy.ends_with("script-src 'self'"), "{policy}");
        assert_eq!(page.headers["cache-control"], "no-store");
        assert!(page.html.contains("<button>") && page.html.contains("<script src=\"/assets/submit.js"));
        let refused = browser.open(&server.authorize_path(&client, &pkce, &[("scope", "admin"), ("response_mode", "form_post")])).await;
        assert!(refused.form().fields.contains(&("error".into(), "invalid_scope".into())), "errors travel alike");
        assert!(refused.html.contains(&posts), "{}", refused.html);
    }

    async fn what_is_ignored_by_rule_changes_nothing(server: TestServer) {
        let (client, pkce, browser) = (server.client().await, Pkce::new(), signed_in(&server).await);
        let extra = [
            ("scope", "openid"), ("display", "touch"), ("ui_locales", "fr"), ("claims_locales", "de fr"),
            ("claims", "{\"id_token\":{\"x\":null}}"), ("login_hint", "x"), ("registration", "{}"),
        ];
        assert!(!server.code(&browser, &client, &pkce, &extra).await.is_empty());
    }

    async fn a_malformed_dpop_thumbprint_is_refused(server: TestServer) {
        let (client, pkce, browser) = (server.client().await, Pkce::new(), signed_in(&server).await);
        let page = browser.open(&server.authorize_path(&client, &pkce, &[("dpop_jkt", "short")])).await;
        assert_eq!(page.answer("error").unwrap(), "invalid_request");
        let good = "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs";
        assert_eq!(browser.open(&server.authorize_path(&client, &pkce, &[("dpop_jkt", good)])).await.heading(), "Allow Test app?");
    }
}
