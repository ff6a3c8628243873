//! Service accounts.

use crate::grants::key;
use gatepass_testkit::{
    Answer,
    authority::trust::{NewTrust, Repeats, StandsFor},
    keys::JwkSet,
    on_both_engines,
};
use serde_json::json;
use std::{collections::BTreeMap, time::Duration};

on_both_engines! {
    async fn a_service_account_says_who_it_is_until_it_is_disabled(server: TestServer) {
        let (account, key) = (server.authority().add_service("ci", "builds").await.unwrap(), key());
        server.authority().add_trust(NewTrust {
            issuer: "https://ci.example".into(),
            jwks: Some(JwkSet { keys: vec![key.public().clone()] }),
            subject: "job".into(),
            audiences: Vec::new(),
            claims: BTreeMap::new(),
            stands_for: StandsFor::Service("ci".into()),
            scope: "account".parse().unwrap(),
            resource: None,
            lifetime: Duration::from_secs(900),
            repeats: Repeats::Refused,
        }).await.unwrap();
        let bring = async |jti: &str| {
            let now = server.authority().now().seconds();
            let assertion = key.sign("JWT", &json!({ "iss": "https://ci.example", "sub": "job", "aud": server.url, "exp": now + 60, "jti": jti })).unwrap();
            let form = [("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer"), ("assertion", assertion.as_str())];
            Answer::of(server.http().post(server.path("/token")).form(&form)).await
        };
        let token = bring("1").await.text("access_token");
        let who = server.whoami(&token).await;
        assert_eq!(who.json["result"]["type"], "service");
        assert_eq!(who.json["result"]["id"], account.id.to_string());
        assert_eq!(who.json["result"]["name"], "ci");
        assert_eq!(who.json["result"].get("email"), None);
        server.authority().disable_service("ci").await.unwrap();
        assert_eq!(server.whoami(&token).await.status, 401, "its tokens end with it");
        assert_eq!(bring("2").await.error(), "invalid_grant");
        assert!(server.authority().disable_service("ci").await.is_err());
    }

    async fn a_name_is_taken_once_and_plain(server: TestServer) {
        server.authority().add_service("ci", "").await.unwrap();
        for bad in ["ci", "", "Upper", "with space", "a/b", "ü", &"x".repeat(65)] {
            assert!(server.authority().add_service(bad, "").await.is_err(), "{bad}");
        }
        assert_eq!(server.authority().services("", 10).await.unwrap().len(), 1);
    }
}
