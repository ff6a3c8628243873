//! `POST /token` with `grant_type=authorization_code`, and with `client_credentials`.

use gatepass_testkit::{Browser, Pkce, USER, on_both_engines};
use std::{sync::Arc, time::Duration};

on_both_engines! {
    async fn a_code_becomes_tokens_that_open_the_api(server: TestServer) {
        let client = server.client().await;
        let tokens = server.tokens(&client, &[("scope", "openid email account"), ("nonce", "n-1")]).await;
        assert_eq!(tokens.status, 200);
        assert_eq!(tokens.headers["cache-control"], "no-store");
        assert_eq!(tokens.headers["pragma"], "no-cache");
        assert_eq!(tokens.headers["content-type"], "application/json");
        assert_eq!(tokens.json["token_type"], "Bearer");
        assert_eq!(tokens.json["expires_in"], 3600);
        assert_eq!(tokens.json["scope"], "account email openid");
        assert!(tokens.text("refresh_token").starts_with("gpr_"));
        let who = server.whoami(&tokens.text("access_token")).await;
        assert_eq!(who.json["result"]["email"], USER);
        assert_eq!(who.json["result"]["client_id"], client.id);
    }

    async fn an_id_token_verifies_and_says_who_when_and_for_whom(server: TestServer) {
        let client = server.client().await;
        let tokens = server.tokens(&client, &[("scope", "openid email profile"), ("nonce", "n-1")]).await;
        let claims: serde_json::Value = gatepass_testkit::keys::jws::verify(&tokens.text("id_token"), &server.authority().jwks()).unwrap();
        assert_eq!(claims["iss"], server.url);
        assert_eq!(claims["aud"], client.id);
        assert_eq!(claims["nonce"], "n-1");
        assert_eq!(claims["email"], USER);
        assert_eq!(claims["email_verified"], true);
        assert_eq!(claims["name"], "Ada");
        assert_eq!(claims["auth_time"], 1_790_000_000);
        assert_eq!(claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(), 3600);
        let hash = gatepass_testkit::keys::HashedToken::of(&tokens.text("access_token")).0;
        assert_eq!(claims["at_hash"], gatepass_testkit::keys::jws::base64url(&hash[..16]));
        let without = server.tokens(&client, &[("scope", "account")]).await;
        assert_eq!(without.json.get("id_token"), None);
    }

    async fn a_code_is_good_once_and_its_second_use_revokes_what_the_first_gave(server: TestServer) {
        let (client, pkce, browser) = (server.client().await, Pkce::new(), Browser::at(&server));
        browser.sign_in(USER).await;
        let code = server.code(&browser, &client, &pkce, &[("scope", "account")]).await;
        let tokens = server.redeem(&client, &code, &pkce).await;
        assert_eq!(server.whoami(&tokens.text("access_token")).await.status, 200);
        assert_eq!(server.redeem(&client, &code, &pkce).await.error(), "invalid_grant");
        assert_eq!(server.whoami(&tokens.text("access_token")).await.status, 401);
        assert_eq!(server.refresh(&client, &tokens.text("refresh_token")).await.error(), "invalid_grant");
    }

    async fn of_a_hundred_redeemers_at_once_one_wins(server: TestServer) {
        let (client, pkce, browser) = (server.client().await, Arc::new(Pkce::new()), Browser::at(&server));
        browser.sign_in(USER).await;
        let code = server.code(&browser, &client, &pkce, &[]).await;
        let server = Arc::new(server);
        let redeemers: Vec<_> = (0..100)
            .map(|_| {
                let (server, client, code, pkce) = (server.clone(), client.clone(), code.clone(), pkce.clone());
                gatepass_testkit::tokio::spawn(async move { server.redeem(&client, &code, &pkce).await.status.as_u16() })
            })
            .collect();
        let mut won = 0;
        for redeemer in redeemers {
            match redeemer.await.unwrap() {
                200 => won += 1,
                status => assert_eq!(status, 400),
            }
        }
        assert_eq!(won, 1);
    }

    async fn a_code_is_bound_to_client_redirect_uri_verifier_and_time(server: TestServer) {
        let (client, other, browser) = (server.client().await, server.client().await, Browser::at(&server));
        browser.sign_in(USER).await;
        let (pkce, wrong) = (Pkce::new(), Pkce::new());
        let code = server.code(&browser, &client, &pkce, &[]).await;
        assert_eq!(server.redeem(&other, &code, &pkce).await.error(), "invalid_grant");
        assert_eq!(server.redeem(&client, &code, &wrong).await.error(), "invalid_grant");
        let form = |redirect: &'static str| [("grant_type", "authorization_code"), ("code", code.as_str()), ("redirect_uri", redirect), ("code_verifier", pkce.verifier.as_str())];
        assert_eq!(server.post("/token", &client, &form("https://app.example/other")).await.error(), "invalid_grant");
        assert_eq!(server.post("/token", &client, &form("not a uri")).await.error(), "invalid_grant");
        let mut with_resource = form("https://app.example/cb").to_vec();
        with_resource.push(("resource", "https://api.example"));
        assert_eq!(server.post("/token", &client, &with_resource).await.error(), "invalid_target");
        assert_eq!(server.redeem(&client, &code, &pkce).await.status, 200, "a wrong try does not use a code up");
        let late = server.code(&browser, &client, &pkce, &[]).await;
        server.advance(Duration::from_secs(60));
        assert_eq!(server.redeem(&client, &late, &pkce).await.error(), "invalid_grant");
    }

    async fn the_redirect_uri_may_be_left_out_as_oauth_2_1_has_it_but_not_the_verifier(server: TestServer) {
        let (client, pkce, browser) = (server.client().await, Pkce::new(), Browser::at(&server));
        browser.sign_in(USER).await;
        let code = server.code(&browser, &client, &pkce, &[]).await;
        let form = [("grant_type", "authorization_code"), ("code", code.as_str())];
        assert_eq!(server.post("/token", &client, &form).await.error(), "invalid_request");
        let proven = [form[0], form[1], ("code_verifier", pkce.verifier.as_str())];
        assert_eq!(server.post("/token", &client, &proven).await.status, 200);
    }

    async fn a_token_for_one_audience_is_refused_at_another(server: TestServer) {
        let client = server.client().await;
        let elsewhere = server.tokens(&client, &[("scope", "account"), ("resource", "https://api.example")]).await;
        let refused = server.whoami(&elsewhere.text("access_token")).await;
        assert_eq!(refused.status, 401);
        assert!(refused.headers["www-authenticate"].to_str().unwrap().contains("error=\"invalid_token\""));
        let here = server.tokens(&client, &[("scope", "account"), ("resource", server.url.as_str())]).await;
        assert_eq!(server.whoami(&here.text("access_token")).await.status, 200);
    }

    async fn a_confidential_client_gets_a_token_of_its_own(server: TestServer) {
        let client = server.client().await;
        let token = server.post("/token", &client, &[("grant_type", "client_credentials"), ("scope", "account")]).await;
        assert_eq!(token.status, 200);
        assert_eq!(token.json.get("refresh_token"), None);
        let who = server.whoami(&token.text("access_token")).await;
        assert_eq!(who.json["result"]["type"], "client");
        assert_eq!(who.json["result"]["id"], client.id);
        let default = server.post("/token", &client, &[("grant_type", "client_credentials")]).await;
        assert_eq!(default.json["scope"], "account api:read");
        let more = server.post("/token", &client, &[("grant_type", "client_credentials"), ("scope", "admin")]).await;
        assert_eq!(more.error(), "invalid_scope");
        assert_eq!(server.post_public("/token", &[("grant_type", "client_credentials")]).await.error(), "unauthorized_client");
    }
}
