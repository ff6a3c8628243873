//! Access tokens as JWTs (RFC 9068), and which resources there are tokens for (RFC 8707).

use crate::grants::{API, register, resource};
use gatepass_oauth::TokenFormat;
use gatepass_testkit::{
    Answer, Browser, TestServer, USER,
    authority::add_resource::Offered,
    keys::{jose, jws},
    on_both_engines,
};
use serde_json::Value;

fn claims(server: &TestServer, answer: &Answer) -> Value {
    let token = answer.text("access_token");
    assert!(jose::unverified::<Value>(&token).unwrap().0.is_of_type("at+jwt"));
    jws::verify(&token, &server.authority().jwks()).unwrap()
}

on_both_engines! {
    async fn a_jwt_has_the_claims_of_rfc_9068(server: TestServer) {
        register(&server, resource(API, TokenFormat::Jwt)).await;
        let client = server.client().await;
        let tokens = server.tokens(&client, &[("scope", "openid api:read"), ("resource", API)]).await;
        let said = claims(&server, &tokens);
        assert_eq!((said["iss"].as_str(), said["aud"].as_str()), (Some(server.url.as_str()), Some(API)));
        assert_eq!(said["client_id"], client.id);
        assert_eq!(said["scope"], "api:read openid");
        assert_eq!(said["exp"].as_i64().unwrap() - said["iat"].as_i64().unwrap(), 3600);
        assert_eq!((said["auth_time"].as_i64(), said["acr"].as_str()), (Some(1_790_000_000), Some("urn:gatepass:acr:1fa")));
        assert_eq!(said["amr"], serde_json::json!(["pwd"]));
        let id: Value = jws::verify(&tokens.text("id_token"), &server.authority().jwks()).unwrap();
        assert_eq!(said["sub"], id["sub"]);
        let hash = gatepass_testkit::keys::HashedToken::of(&tokens.text("access_token")).0;
        assert_eq!(id["at_hash"], jws::base64url(&hash[..16]));
    }

    async fn every_grant_gives_the_form_that_the_resource_asks_for(server: TestServer) {
        let asker = register(&server, resource(API, TokenFormat::Jwt)).await;
        let client = server.client().await;
        let code = server.tokens(&client, &[("scope", "api:read"), ("resource", API)]).await;
        let first = claims(&server, &code);
        let refreshed = server.refresh(&client, &code.text("refresh_token")).await;
        let second = claims(&server, &refreshed);
        assert_ne!(first["jti"], second["jti"]);
        assert_eq!((&first["sub"], &first["auth_time"]), (&second["sub"], &second["auth_time"]));
        let again = server.refresh(&client, &code.text("refresh_token")).await;
        assert_eq!(again.text("access_token"), refreshed.text("access_token"), "a repeat gets the very same JWT");
        let own = server.post("/token", &client, &[("grant_type", "client_credentials"), ("resource", API)]).await;
        let said = claims(&server, &own);
        assert_eq!((said["sub"].as_str(), said.get("auth_time")), (Some(client.id.as_str()), None));
        let device = server.post("/device_authorization", &client, &[("resource", API), ("scope", "api:read")]).await;
        let browser = Browser::at(&server);
        browser.sign_in(USER).await;
        let page = browser.open(&format!("/device/{}", device.text("user_code"))).await;
        browser.submit(&page.form(), &[("answer", "approve")]).await;
        let form = [("grant_type", "urn:ietf:params:oauth:grant-type:device_code"), ("device_code", &device.text("device_code"))];
        let by_device = server.post("/token", &client, &form).await;
        assert_eq!(claims(&server, &by_device)["sub"], first["sub"]);
        for answer in [&code, &refreshed, &own, &by_device] {
            let said = server.post("/introspect", &asker, &[("token", &answer.text("access_token"))]).await;
            assert_eq!((said.json["active"].as_bool(), &said.json["jti"]), (Some(true), &claims(&server, answer)["jti"]));
        }
    }

    async fn a_jwt_is_no_token_for_this_servers_own_api_and_can_be_revoked(server: TestServer) {
        let asker = register(&server, resource(API, TokenFormat::Jwt)).await;
        let client = server.client().await;
        let token = server.tokens(&client, &[("scope", "api:read"), ("resource", API)]).await.text("access_token");
        assert_eq!(server.whoami(&token).await.status, 401);
        let active = async || server.post("/introspect", &asker, &[("token", &token)]).await.json["active"] == true;
        assert!(active().await);
        let forged = format!("{}A", &token[..token.len() - 1]);
        let said = server.post("/introspect", &asker, &[("token", &forged)]).await;
        assert!(forged == token || said.json["active"] == false);
        assert_eq!(server.post("/revoke", &client, &[("token", &token)]).await.status, 200);
        assert!(!active().await);
        let ours = server.tokens(&client, &[("scope", "account")]).await.text("access_token");
        assert!(ours.starts_with("gpa_"));
    }

    async fn a_resource_is_for_who_is_registered_for_it_or_for_all(server: TestServer) {
        register(&server, resource("https://closed.example", TokenFormat::Opaque)).await;
        let mut open = resource("https://open.example/", TokenFormat::Opaque);
        open.offered = Offered::ToAll;
        register(&server, open).await;
        let client = server.client().await;
        let ask = async |resource: &str, scope: &str| {
            let form = [("grant_type", "client_credentials"), ("resource", resource), ("scope", scope)];
            server.post("/token", &client, &form).await
        };
        assert_eq!(ask("https://closed.example", "api:read").await.error(), "invalid_target");
        assert_eq!(ask("https://unknown.example", "api:read").await.error(), "invalid_target");
        let given = ask("https://OPEN.example:443", "api:read account").await;
        assert_eq!(given.json["scope"], "api:read", "a token carries the scopes of its resource only");
        assert_eq!(ask("https://open.example", "account").await.error(), "invalid_scope");
        assert_eq!(ask("https://open.example", "api:write").await.error(), "invalid_scope", "not the client's");
        let two = [("grant_type", "client_credentials"), ("resource", "https://open.example"), ("resource", API)];
        assert_eq!(server.post("/token", &client, &two).await.error(), "invalid_target");
        let taken = server.authority().add_resource(resource("https://open.example", TokenFormat::Jwt)).await;
        assert!(taken.unwrap_err().to_string().contains("registered already"));
        let own = server.authority().add_resource(resource(&server.url, TokenFormat::Jwt)).await;
        assert!(own.unwrap_err().to_string().contains("own API"));
    }
}
