//! `GET /jwks` while keys change, and ID tokens in each algorithm.

use gatepass_testkit::{
    Answer, Options, TestServer,
    authority::key_ring::{KeyState, TakeOver},
    keys::{Algorithm, jws},
    on_both_engines, tokio,
};
use serde_json::Value;
use std::time::Duration;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

async fn published(server: &TestServer) -> Vec<String> {
    let set = Answer::of(server.http().get(server.path("/jwks"))).await;
    assert_eq!(set.headers["cache-control"], "public, max-age=300");
    set.json["keys"].as_array().unwrap().iter().map(|key| key["kid"].as_str().unwrap().to_owned()).collect()
}

fn header(token: &str) -> Value {
    let text = token.split('.').next().unwrap();
    let table = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let bits: String = text.bytes().map(|b| format!("{:06b}", table.iter().position(|c| *c == b).unwrap())).collect();
    let bytes: Vec<u8> = bits
        .as_bytes()
        .chunks_exact(8)
        .map(|byte| u8::from_str_radix(std::str::from_utf8(byte).unwrap(), 2).unwrap())
        .collect();
    serde_json::from_slice(&bytes).unwrap()
}

async fn sign(server: &TestServer) -> String {
    let token = server.authority().sign(Algorithm::Es256, "JWT", &serde_json::json!({"sub": "u"})).await.unwrap();
    header(&token)["kid"].as_str().unwrap().to_owned()
}

on_both_engines! {
    async fn a_key_is_published_a_day_before_it_signs_and_until_its_last_token_is_over(server: TestServer) {
        let first = sign(&server).await;
        assert_eq!(published(&server).await, std::slice::from_ref(&first));
        server.advance(DAY * 89 - Duration::from_secs(1));
        assert_eq!(published(&server).await, std::slice::from_ref(&first));
        server.advance(Duration::from_secs(61));
        assert_eq!(sign(&server).await, first, "the next one is only published yet");
        let both = published(&server).await;
        assert_eq!(both.len(), 2);
        server.advance(DAY);
        let second = sign(&server).await;
        assert!(second != first && both.contains(&second));
        assert_eq!(published(&server).await.len(), 2, "the first one's tokens live for an hour");
        server.advance(Duration::from_secs(70 * 60));
        assert_eq!(published(&server).await, [second]);
    }

    async fn an_operator_rotates_ahead_or_at_once(server: TestServer) {
        let first = sign(&server).await;
        for _ in 0..2 {
            server.authority().rotate_keys(Algorithm::Es256, TakeOver::Ahead).await.unwrap();
        }
        assert_eq!((sign(&server).await, published(&server).await.len()), (first.clone(), 2), "one that waits is enough");
        server.authority().rotate_keys(Algorithm::Es256, TakeOver::Now).await.unwrap();
        let now = sign(&server).await;
        assert_ne!(now, first);
        let states: Vec<KeyState> = server.authority().keys().await.unwrap().iter().map(|key| key.state).collect();
        assert_eq!(states.iter().filter(|state| **state == KeyState::Signing).count(), 1, "{states:?}");
        server.advance(DAY * 2);
        assert_eq!(sign(&server).await, now, "the one that was overtaken never signs");
    }

    async fn a_key_that_may_be_stolen_is_trusted_no_longer(server: TestServer) {
        let stolen = server.authority().sign(Algorithm::Es256, "JWT", &serde_json::json!({"sub": "u"})).await.unwrap();
        let waiting = { server.authority().rotate_keys(Algorithm::Es256, TakeOver::Ahead).await.unwrap(); published(&server).await };
        server.authority().rotate_keys(Algorithm::Es256, TakeOver::Now).await.unwrap();
        let now = sign(&server).await;
        assert!(!waiting.contains(&now));
        assert_eq!(published(&server).await, [now], "at once");
        assert!(jws::verify::<Value>(&stolen, &server.authority().jwks()).is_err());
    }

    async fn of_many_who_rotate_at_once_one_makes_the_next_key(server: TestServer) {
        server.advance(DAY * 89 + Duration::from_secs(1));
        let authority = server.authority().clone();
        let tasks: Vec<_> = (0..20)
            .map(|_| {
                let authority = authority.clone();
                tokio::spawn(async move { authority.rotate_keys(Algorithm::Es256, TakeOver::Ahead).await.unwrap() })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
        assert_eq!(published(&server).await.len(), 2);
    }

    async fn an_id_token_is_signed_as_its_client_chose(server: TestServer) {
        for algorithm in [Algorithm::Rs256, Algorithm::EdDsa, Algorithm::Es256] {
            let chosen = Some(algorithm.to_string());
            let client = server.client_with(|new| new.metadata.id_token_signed_response_alg = chosen).await;
            let tokens = server.tokens(&client, &[("scope", "openid"), ("nonce", "n-1")]).await;
            let id_token = tokens.text("id_token");
            assert_eq!(header(&id_token)["alg"], algorithm.as_str());
            let claims: Value = jws::verify(&id_token, &server.authority().jwks()).unwrap();
            assert_eq!(claims["at_hash"], algorithm.half_hash(&tokens.text("access_token")));
            assert_eq!((claims["acr"].as_str(), claims["amr"].clone()), (Some("urn:gatepass:acr:1fa"), serde_json::json!(["pwd"])));
            assert!(claims["auth_time"].is_i64() && claims["sid"].is_string());
            let refreshed = server.refresh(&client, &tokens.text("refresh_token")).await;
            assert_eq!(refreshed.json.get("id_token"), None, "a refresh proves nobody anew");
        }
        assert_eq!(published(&server).await.len(), 3);
        let document = Answer::of(server.http().get(server.path("/.well-known/openid-configuration"))).await.json;
        assert_eq!(document["id_token_signing_alg_values_supported"], serde_json::json!(["ES256", "EdDSA", "RS256"]));
    }

    async fn another_node_signs_with_the_same_keys_within_a_minute(server: TestServer) {
        let first = sign(&server).await;
        let (database, clock) = server.stop().await;
        let server = TestServer::on(database, clock, Options { empty: true, ..Options::default() }).await;
        assert_eq!(sign(&server).await, first);
    }
}
