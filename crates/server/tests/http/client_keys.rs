//! Keys that lie at a client's `jwks_uri`.

use crate::site::{Reply, Site, policy, server};
use gatepass_oauth::{ClientAuthMethod, ClientMetadata};
use gatepass_testkit::{
    Answer, Engine, RegisteredClient, TestServer,
    authority::ClientPolicy,
    keys::{Entropy, SealingKey, SigningKey},
    tokio,
};
use serde_json::json;
use std::time::Duration;

fn key() -> SigningKey {
    let entropy = Entropy::system();
    SigningKey::generate(&SealingKey::generate(&entropy).unwrap(), &entropy).unwrap().0
}

fn publish(site: &Site, key: &SigningKey) {
    site.answers("/keys", Reply::json(&json!({ "keys": [key.public()] })));
}

async fn client(server: &TestServer, url: &str) -> RegisteredClient {
    let url = url.to_owned();
    server
        .client_with(|new| {
            new.auth_method = ClientAuthMethod::PrivateKeyJwt;
            new.metadata = ClientMetadata { jwks_uri: Some(url), ..ClientMetadata::default() };
        })
        .await
}

async fn token(server: &TestServer, client: &RegisteredClient, key: &SigningKey) -> Answer {
    let now = server.authority().now().seconds();
    let jti = format!("{:?}", Entropy::system().bytes::<16>().unwrap());
    let claims = json!({ "iss": client.id, "sub": client.id, "aud": server.url, "exp": now + 60, "jti": jti });
    let assertion = key.sign("JWT", &claims).unwrap();
    let form = [
        ("grant_type", "client_credentials"),
        ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"),
        ("client_assertion", assertion.as_str()),
    ];
    Answer::of(server.http().post(server.path("/token")).form(&form)).await
}

async fn keys_are_fetched_kept_and_fetched_again_for_a_new_one(engine: Engine) {
    let (site, server) = (Site::start().await, server(engine, ClientPolicy::default()).await);
    let (old, new) = (key(), key());
    publish(&site, &old);
    let client = client(&server, &site.id("/keys")).await;
    for _ in 0..3 {
        assert_eq!(token(&server, &client, &old).await.status, 200, "an operator's client may have its keys inside");
    }
    assert_eq!(site.asked().len(), 1);
    publish(&site, &new);
    for _ in 0..5 {
        assert_eq!(token(&server, &client, &new).await.error(), "invalid_client");
    }
    assert_eq!(site.asked().len(), 1, "not within thirty seconds");
    server.advance(Duration::from_secs(30));
    assert_eq!(token(&server, &client, &new).await.status, 200);
    assert_eq!(
        token(&server, &client, &old).await.error(),
        "invalid_client",
        "what is no longer there is no longer good"
    );
    assert_eq!(site.asked().len(), 2);
    site.answers("/keys", Reply::status(503));
    server.advance(Duration::from_secs(600));
    assert_eq!(token(&server, &client, &new).await.status, 200, "a site that is down does not stop the client");
    server.advance(Duration::from_secs(24 * 60 * 60));
    assert_eq!(token(&server, &client, &new).await.error(), "invalid_client", "but not for ever");
}

#[tokio::test(flavor = "multi_thread", crate = "gatepass_testkit::tokio")]
async fn sets_that_are_too_large_private_or_no_sets_are_refused() {
    let (site, server) = (Site::start().await, server(Engine::Sqlite, policy()).await);
    let key = key();
    let mut private = serde_json::to_value(key.public()).unwrap();
    private["d"] = json!("AAAA");
    let table = [
        ("/many", Reply::json(&json!({ "keys": vec![json!({"kty": "x"}); 10_000] }))),
        ("/some", Reply::json(&json!({ "keys": vec![json!(key.public()); 33] }))),
        ("/private", Reply::json(&json!({ "keys": [private] }))),
        ("/none", Reply::json(&json!({}))),
        ("/broken", Reply { body: "{".into(), ..Reply::status(200) }),
        ("/redirect", Reply::status(302).with("location", &site.id("/keys"))),
        ("/gone", Reply::status(404)),
    ];
    publish(&site, &key);
    for (path, reply) in table {
        site.answers(path, reply);
        let client = client(&server, &site.id(path)).await;
        assert_eq!(token(&server, &client, &key).await.error(), "invalid_client", "{path}");
    }
    assert!(site.asked().iter().all(|head| !head.starts_with("get /keys")), "no redirect was followed");
}

async fn a_client_with_a_document_signs_with_the_keys_that_it_names(engine: Engine) {
    let (site, server) = (Site::start().await, server(engine, policy()).await);
    let key = key();
    publish(&site, &key);
    for (path, name, value) in
        [("/a", "jwks_uri", json!(site.id("/keys"))), ("/b", "jwks", json!({ "keys": [key.public()] }))]
    {
        let mut document = site.document(path);
        (document["token_endpoint_auth_method"], document[name]) = (json!("private_key_jwt"), value);
        site.answers(path, Reply::json(&document));
        let client = RegisteredClient { id: site.id(path), secret: String::new() };
        let proven = token(&server, &client, &key).await;
        assert_eq!(proven.error(), "unauthorized_client", "it has proven itself, and may not act for itself");
        assert_eq!(token(&server, &client, &self::key()).await.error(), "invalid_client");
        let unsigned = [("grant_type", "refresh_token"), ("client_id", client.id.as_str()), ("refresh_token", "x")];
        assert_eq!(
            Answer::of(server.http().post(server.path("/token")).form(&unsigned)).await.error(),
            "invalid_client"
        );
    }
}

on_both!(keys_are_fetched_kept_and_fetched_again_for_a_new_one);
on_both!(a_client_with_a_document_signs_with_the_keys_that_it_names);
