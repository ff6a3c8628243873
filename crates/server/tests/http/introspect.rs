//! `POST /introspect` (RFC 7662, RFC 9701).

use crate::grants::{API, register, resource};
use gatepass_oauth::TokenFormat;
use gatepass_testkit::{
    RegisteredClient, TestServer, USER,
    authority::add_resource::NewResource,
    keys::{Algorithm, SigningKey, jws},
    on_both_engines,
};
use serde_json::{Value, json};
use std::time::Duration;

async fn introspect(server: &TestServer, asker: &RegisteredClient, token: &str) -> Value {
    let answer = server.post("/introspect", asker, &[("token", token)]).await;
    assert_eq!(answer.status, 200, "{}", answer.json);
    answer.json
}

on_both_engines! {
    async fn a_resource_server_is_told_what_a_token_for_it_stands_for(server: TestServer) {
        let asker = register(&server, resource(API, TokenFormat::Opaque)).await;
        let client = server.client().await;
        let tokens = server.tokens(&client, &[("scope", "openid email api:read"), ("resource", API)]).await;
        let said = introspect(&server, &asker, &tokens.text("access_token")).await;
        assert_eq!(said["active"], true);
        assert_eq!(said["iss"], server.url);
        assert_eq!(said["aud"], API);
        assert_eq!(said["client_id"], client.id);
        assert_eq!(said["scope"], "api:read email openid");
        assert_eq!(said["token_type"], "Bearer");
        assert_eq!(said["username"], USER);
        assert_eq!(said["acr"], "urn:gatepass:acr:1fa");
        assert_eq!(said["exp"].as_i64().unwrap() - said["iat"].as_i64().unwrap(), 3600);
        assert_eq!(said["auth_time"], 1_790_000_000);
        assert_eq!(said["jti"].as_str().unwrap().len(), 32);
        let own = server.post("/token", &client, &[("grant_type", "client_credentials"), ("resource", API)]).await;
        let said = introspect(&server, &asker, &own.text("access_token")).await;
        assert_eq!((said["sub"].as_str().unwrap(), said.get("auth_time")), (client.id.as_str(), None));
        let nameless = server.tokens(&client, &[("scope", "api:read"), ("resource", API)]).await;
        let said = introspect(&server, &asker, &nameless.text("access_token")).await;
        assert_eq!((said["active"].as_bool(), said.get("username")), (Some(true), None), "`email` was not allowed");
    }

    async fn about_anything_else_it_hears_that_it_is_not_active(server: TestServer) {
        let asker = register(&server, resource(API, TokenFormat::Opaque)).await;
        let other = register(&server, resource("https://other.example", TokenFormat::Jwt)).await;
        let client = server.client().await;
        let tokens = server.tokens(&client, &[("scope", "api:read"), ("resource", API)]).await;
        let access = tokens.text("access_token");
        let ours = server.tokens(&client, &[("scope", "account")]).await.text("access_token");
        let over = json!({ "active": false });
        assert_eq!(introspect(&server, &other, &access).await, over, "another resource's");
        assert_eq!(introspect(&server, &client, &access).await, over, "a client that serves nothing");
        for token in [tokens.text("refresh_token").as_str(), &ours, "nonsense", "gpa_nonsense", "a.b.c"] {
            assert_eq!(introspect(&server, &asker, token).await, over, "{token}");
        }
        assert_eq!(introspect(&server, &asker, &access).await["active"], true);
        server.post("/revoke", &client, &[("token", &access)]).await;
        assert_eq!(introspect(&server, &asker, &access).await, over, "revoked");
        let late = server.refresh(&client, &tokens.text("refresh_token")).await.text("access_token");
        assert_eq!(introspect(&server, &asker, &late).await["active"], true);
        server.advance(Duration::from_secs(3600));
        assert_eq!(introspect(&server, &asker, &late).await, over, "expired");
    }

    async fn only_a_client_that_proves_itself_may_ask(server: TestServer) {
        let asker = register(&server, resource(API, TokenFormat::Opaque)).await;
        let public = server.post_public("/introspect", &[("token", "x")]).await;
        assert_eq!((public.status.as_u16(), public.error().as_str()), (401, "invalid_client"));
        let wrong = RegisteredClient { secret: "wrong".into(), ..asker.clone() };
        let refused = server.post("/introspect", &wrong, &[("token", "x")]).await;
        assert_eq!((refused.status.as_u16(), refused.error().as_str()), (401, "invalid_client"));
        assert_eq!(server.post("/introspect", &asker, &[]).await.error(), "invalid_request");
        let token = server.post("/token", &asker, &[("grant_type", "client_credentials")]).await;
        assert_eq!(token.error(), "unauthorized_client", "the credential of a resource server gets no tokens");
    }

    async fn a_signed_answer_is_addressed_to_who_asked(server: TestServer) {
        let asker = register(&server, resource(API, TokenFormat::Opaque)).await;
        let client = server.client().await;
        let token = server.post("/token", &client, &[("grant_type", "client_credentials"), ("resource", API)]).await.text("access_token");
        for (token, active) in [(token.as_str(), true), ("nonsense", false)] {
            let request = server.http().post(server.path("/introspect")).basic_auth(&asker.id, Some(&asker.secret)).form(&[("token", token)]);
            let answer = request.header("accept", "application/token-introspection+jwt").send().await.unwrap();
            assert_eq!(answer.headers()["content-type"], "application/token-introspection+jwt");
            let text = answer.text().await.unwrap();
            let (header, _) = gatepass_testkit::keys::jose::unverified::<Value>(&text).unwrap();
            assert!(header.is_of_type("token-introspection+jwt"));
            let claims: Value = jws::verify(&text, &server.authority().jwks()).unwrap();
            assert_eq!((claims["iss"].as_str(), claims["aud"].as_str()), (Some(server.url.as_str()), Some(asker.id.as_str())));
            assert_eq!(claims["iat"], 1_790_000_000);
            assert_eq!(claims["token_introspection"]["active"], active);
            assert!(active || claims["token_introspection"] == json!({ "active": false }), "{claims}");
            assert_eq!((claims.get("sub"), claims.get("exp")), (None, None), "it must not be taken for an access token");
        }
    }

    async fn an_answer_is_signed_as_the_operator_chose_for_the_resource(server: TestServer) {
        for (index, alg) in SigningKey::ALGORITHMS.iter().enumerate() {
            let uri = format!("https://api-{index}.example");
            let asker = register(&server, NewResource { signing_alg: *alg, ..resource(&uri, TokenFormat::Jwt) }).await;
            let client = server.client_with(|new| new.resources = vec![uri.parse().unwrap()]).await;
            let token = server.post("/token", &client, &[("grant_type", "client_credentials"), ("resource", &uri)]).await.text("access_token");
            let request = server.http().post(server.path("/introspect")).basic_auth(&asker.id, Some(&asker.secret)).form(&[("token", &token)]);
            let answer = request.header("accept", "application/token-introspection+jwt").send().await.unwrap().text().await.unwrap();
            for (jwt, kind) in [(&token, "at+jwt"), (&answer, "token-introspection+jwt")] {
                let (header, _) = gatepass_testkit::keys::jose::unverified::<Value>(jwt).unwrap();
                assert!(header.is_of_type(kind) && header.alg == alg.as_str(), "{kind} {alg}");
                let _: Value = jws::verify(jwt, &server.authority().jwks()).unwrap();
            }
            assert_eq!(introspect(&server, &asker, &token).await["active"], true);
        }
        let by_secret = NewResource { signing_alg: Algorithm::Ps256, ..resource("https://other.example", TokenFormat::Jwt) };
        assert!(server.authority().add_resource(by_secret).await.is_err(), "the server has no such key");
    }

    async fn a_resource_that_was_removed_hears_nothing(server: TestServer) {
        let asker = register(&server, resource(API, TokenFormat::Opaque)).await;
        let client = server.client().await;
        let token = server.post("/token", &client, &[("grant_type", "client_credentials"), ("resource", API)]).await.text("access_token");
        server.authority().remove_resource(&API.parse().unwrap()).await.unwrap();
        assert_eq!(introspect(&server, &asker, &token).await, json!({ "active": false }));
        assert!(server.authority().remove_resource(&API.parse().unwrap()).await.is_err());
    }
}
