//! The verifiers of `gatepass-resource`, against the real server.

use crate::grants::{API, register, resource};
use gatepass_oauth::{ResourceUri, TokenFormat};
use gatepass_resource::{Introspection, IntrospectionVerifier, JwtVerifier, Unavailable, Verifier};
use gatepass_testkit::{
    TestServer,
    keys::{Clock, jws},
    on_both_engines,
};
use serde_json::json;
use std::time::Duration;

fn jwt_verifier(server: &TestServer, audience: &str) -> JwtVerifier {
    let audience: ResourceUri = audience.parse().unwrap();
    JwtVerifier::with(server.url.parse().unwrap(), audience, Default::default(), server.clock.clone())
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

    async fn an_introspecting_verifier_sees_a_revocation_when_its_memory_fades(server: TestServer) {
        let asker = register(&server, resource(API, TokenFormat::Opaque)).await;
        let client = server.client().await;
        let token = server.tokens(&client, &[("scope", "api:read"), ("resource", API)]).await.text("access_token");
        let asked = Introspection {
            issuer: server.url.parse().unwrap(),
            endpoint: server.path("/introspect"),
            client_id: asker.id.parse().unwrap(),
            client_secret: asker.secret.as_str().into(),
        };
        let verifier = |asked: Introspection| {
            IntrospectionVerifier::with(asked, API.parse().unwrap(), Duration::from_secs(2), Default::default(), server.clock.clone())
        };
        let good = verifier(asked.clone());
        let verified = good.verify(&token).await.unwrap().unwrap();
        assert_eq!((verified.scope.to_string().as_str(), verified.claims["acr"].as_str()), ("api:read", Some("urn:gatepass:acr:1fa")));
        server.post("/revoke", &client, &[("token", &token)]).await;
        assert!(good.verify(&token).await.unwrap().is_some(), "an answer is kept for two seconds");
        server.advance(Duration::from_secs(2));
        assert!(good.verify(&token).await.unwrap().is_none());
        let wrong = verifier(Introspection { client_secret: "wrong".into(), ..asked });
        assert_eq!(wrong.verify("another").await.unwrap_err(), Unavailable, "nobody comes in by accident");
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
