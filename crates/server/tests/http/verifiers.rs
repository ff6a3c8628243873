//! The verifiers of `gatepass-resource`, against the real server.

use crate::grants::{API, register, resource};
use gatepass_oauth::{ResourceUri, TokenFormat};
use gatepass_resource::{Introspection, IntrospectionVerifier, JwtVerifier, Unavailable, Verifier};
use gatepass_testkit::{
    RegisteredClient, TestServer,
    keys::{Algorithm, Clock, jws},
    on_both_engines,
};
use serde_json::{Value, json};
use std::time::Duration;

pub(crate) fn jwt_verifier(server: &TestServer, audience: &str) -> JwtVerifier {
    let audience: ResourceUri = audience.parse().unwrap();
    JwtVerifier::with(server.url.parse().unwrap(), audience, Default::default(), server.clock.clone())
}

/// One for [`API`] that keeps an answer for so many seconds.
pub(crate) fn introspecting(server: &TestServer, asker: &RegisteredClient, seconds: u64) -> IntrospectionVerifier {
    let asked = Introspection {
        issuer: server.url.parse().unwrap(),
        endpoint: server.path("/introspect"),
        client_id: asker.id.parse().unwrap(),
        client_secret: asker.secret.as_str().into(),
    };
    let (audience, fresh) = (API.parse().unwrap(), Duration::from_secs(seconds));
    IntrospectionVerifier::with(asked, audience, fresh, Default::default(), server.clock.clone())
}

on_both_engines! {
    async fn a_jwt_is_verified_with_the_published_keys(server: TestServer) {
        register(&server, resource(API, TokenFormat::Jwt)).await;
        let client = server.client().await;
        let tokens = server.tokens(&client, &[("scope", "openid api:read"), ("resource", API)]).await;
        let (token, verifier) = (tokens.text("access_token"), jwt_verifier(&server, API));
        let verified = verifier.verify(&token).await.unwrap().unwrap();
        assert_eq!((verified.scope.to_string().as_str(), verified.client_id.unwrap().as_str()), ("api:read openid", client.id.as_str()));
        assert_eq!(verified.audience.as_str(), API);
        assert!(jwt_verifier(&server, "https://other.example").verify(&token).await.unwrap().is_none(), "for another audience");
        let (signed, signature) = token.rsplit_once('.').unwrap();
        let payload = signed.split_once('.').unwrap().1;
        let header = |alg: &str, typ: &str| jws::base64url(json!({ "alg": alg, "typ": typ }).to_string().as_bytes());
        for bad in [
            tokens.text("id_token"),
            "nonsense".into(),
            format!("{}.{payload}.", header("none", "at+jwt")),
            format!("{}.{payload}.{signature}", header("ES256", "at+jwt")),
            crate::grants::key().sign("at+jwt", &json!({ "iss": server.url, "aud": API, "sub": "x", "exp": i64::MAX })).unwrap(),
        ] {
            assert!(verifier.verify(&bad).await.unwrap().is_none(), "{bad}");
        }
        server.advance(Duration::from_secs(3600));
        assert!(verifier.verify(&token).await.unwrap().is_none(), "expired");
    }

    async fn a_jwt_is_taken_only_as_an_access_token_from_there_for_here_and_for_now(server: TestServer) {
        let (verifier, now) = (jwt_verifier(&server, API), server.authority().now().seconds());
        let good = json!({ "iss": server.url, "aud": API, "sub": "u", "exp": now + 60, "iat": now, "nbf": now });
        let is_taken = async |typ: &str, claims: &Value| {
            let token = server.authority().sign(Algorithm::Es256, typ, claims).await.unwrap();
            verifier.verify(&token).await.unwrap().is_some()
        };
        for typ in ["at+jwt", "application/at+jwt"] {
            assert!(is_taken(typ, &good).await, "{typ}");
        }
        for typ in ["JWT", "logout+jwt", "token-introspection+jwt", "dpop+jwt"] {
            assert!(!is_taken(typ, &good).await, "{typ}");
        }
        let table = [
            ("aud", json!(["https://other.example", API]), true),
            ("aud", json!(["https://other.example"]), false),
            ("aud", Value::Null, false),
            ("iss", json!("https://other.example"), false),
            ("iss", Value::Null, false),
            ("sub", Value::Null, false),
            ("exp", json!(now), false),
            ("exp", Value::Null, false),
            ("nbf", json!(now + 60), false),
            ("cnf", json!({ "x": 1 }), false),
        ];
        for (name, value, taken) in table {
            let mut claims = good.clone();
            claims[name] = value;
            assert_eq!(is_taken("at+jwt", &claims).await, taken, "{claims}");
        }
    }

    async fn an_introspecting_verifier_sees_a_revocation_when_its_memory_fades(server: TestServer) {
        let asker = register(&server, resource(API, TokenFormat::Opaque)).await;
        let client = server.client().await;
        let token = server.tokens(&client, &[("scope", "api:read"), ("resource", API)]).await.text("access_token");
        let good = introspecting(&server, &asker, 2);
        let verified = good.verify(&token).await.unwrap().unwrap();
        assert_eq!((verified.scope.to_string().as_str(), verified.claims["acr"].as_str()), ("api:read", Some("urn:gatepass:acr:1fa")));
        server.post("/revoke", &client, &[("token", &token)]).await;
        assert!(good.verify(&token).await.unwrap().is_some(), "an answer is kept for two seconds");
        server.advance(Duration::from_secs(2));
        assert!(good.verify(&token).await.unwrap().is_none());
        let wrong = introspecting(&server, &RegisteredClient { secret: "wrong".into(), ..asker }, 2);
        assert_eq!(wrong.verify("another").await.unwrap_err(), Unavailable, "nobody comes in by accident");
    }

    async fn an_answer_is_kept_no_longer_than_its_token_lives(server: TestServer) {
        let asker = register(&server, resource(API, TokenFormat::Opaque)).await;
        let client = server.client().await;
        let token = server.tokens(&client, &[("scope", "api:read"), ("resource", API)]).await.text("access_token");
        let patient = introspecting(&server, &asker, 7200);
        assert!(patient.verify(&token).await.unwrap().is_some());
        server.advance(Duration::from_secs(3600));
        assert!(patient.verify(&token).await.unwrap().is_none());
    }
}

#[gatepass_testkit::tokio::test(crate = "gatepass_testkit::tokio")]
async fn without_the_keys_nobody_comes_in() {
    let verifier = JwtVerifier::with(
        "http://127.0.0.1:1".parse().unwrap(),
        API.parse().unwrap(),
        Default::default(),
        Clock::System,
    );
    let token = crate::grants::key().sign("at+jwt", &json!({ "sub": "x" })).unwrap();
    assert_eq!(verifier.verify(&token).await.unwrap_err(), Unavailable);
    assert!(verifier.verify("nonsense").await.unwrap().is_none(), "junk costs no request");
}
