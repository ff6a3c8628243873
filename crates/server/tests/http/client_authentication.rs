//! How clients prove themselves at the token endpoint.

use gatepass_authority::add_client::NewClient;
use gatepass_oauth::ClientAuthMethod;
use gatepass_testkit::{
    Answer, RegisteredClient, TestServer,
    keys::{Algorithm, Entropy, Jwk, JwkSet, PrivateKey, SealingKey, SigningKey, private_key::Encoding},
    on_both_engines,
};
use serde_json::{Value, json};

fn key() -> SigningKey {
    let entropy = Entropy::system();
    SigningKey::generate(&SealingKey::generate(&entropy).unwrap(), &entropy).unwrap().0
}

async fn assert_with(server: &TestServer, claims: &Value, key: &SigningKey) -> Answer {
    post_with(server, "/token", ("grant_type", "client_credentials"), claims, key).await
}

async fn post_with(server: &TestServer, path: &str, field: (&str, &str), claims: &Value, key: &SigningKey) -> Answer {
    let assertion = key.sign("JWT", claims).unwrap();
    let form = [
        field,
        ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"),
        ("client_assertion", assertion.as_str()),
    ];
    Answer::of(server.http().post(server.path(path)).form(&form)).await
}

/// The same, and the request names the client besides (RFC 7521 §4.2).
async fn named_with(server: &TestServer, client: &RegisteredClient, claims: &Value, key: &SigningKey) -> Answer {
    let assertion = key.sign("JWT", claims).unwrap();
    let form = [
        ("grant_type", "client_credentials"),
        ("client_id", client.id.as_str()),
        ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"),
        ("client_assertion", assertion.as_str()),
    ];
    Answer::of(server.http().post(server.path("/token")).form(&form)).await
}

/// A client that proves itself with this key.
async fn client_of(server: &TestServer, key: &SigningKey) -> RegisteredClient {
    let jwks = JwkSet { keys: vec![key.public().clone()] };
    let registration = |new: &mut NewClient| {
        new.auth_method = ClientAuthMethod::PrivateKeyJwt;
        new.jwks = Some(jwks);
    };
    server.client_with(registration).await
}

fn claims(server: &TestServer, client: &RegisteredClient, jti: &str) -> Value {
    let now = server.authority().now().seconds();
    json!({ "iss": client.id, "sub": client.id, "aud": server.url, "exp": now + 60, "iat": now, "jti": jti })
}

on_both_engines! {
    async fn who_may_only_ask_about_people_gets_a_token_without_a_scope(server: TestServer) {
        let client = server.client_with(|new| new.scope = "openid email".parse().unwrap()).await;
        let answer = server.post("/token", &client, &[("grant_type", "client_credentials")]).await;
        assert_eq!(answer.status, 200);
        assert_eq!(answer.json.get("scope"), None, "there is no person that they could speak of");
        let asked = [("token", answer.text("access_token")), ("token_type_hint", "access_token".into())];
        let asked: Vec<_> = asked.iter().map(|(name, value)| (*name, value.as_str())).collect();
        assert_eq!(server.post("/revoke", &client, &asked).await.status, 200);
    }

    async fn a_secret_works_only_where_it_is_registered_to_stand(server: TestServer) {
        let basic = server.client().await;
        let post = server.client_with(|new| new.auth_method = ClientAuthMethod::ClientSecretPost).await;
        let in_body = |client: &RegisteredClient| {
            let form = [("grant_type", "client_credentials"), ("client_id", client.id.as_str()), ("client_secret", client.secret.as_str())];
            Answer::of(server.http().post(server.path("/token")).form(&form))
        };
        let grant = [("grant_type", "client_credentials")];
        assert_eq!(server.post("/token", &basic, &grant).await.status, 200);
        assert_eq!(in_body(&post).await.status, 200);
        assert_eq!(in_body(&basic).await.error(), "invalid_client");
        let in_query = format!("/token?client_id={}&client_secret={}", post.id, post.secret);
        let refused = Answer::of(server.http().post(server.path(&in_query)).form(&grant)).await;
        assert_eq!((refused.status.as_u16(), refused.error().as_str()), (401, "invalid_client"), "nowhere in a query");
        let refused = server.post("/token", &post, &grant).await;
        assert_eq!((refused.status.as_u16(), refused.error().as_str()), (401, "invalid_client"));
        assert!(refused.headers["www-authenticate"].to_str().unwrap().starts_with("Basic"));
        let wrong = RegisteredClient { secret: "wrong".into(), ..basic.clone() };
        assert_eq!(server.post("/token", &wrong, &grant).await.error(), "invalid_client");
        let unknown = RegisteredClient { id: "unknown".into(), ..basic };
        assert_eq!(server.post("/token", &unknown, &grant).await.error(), "invalid_client");
    }

    async fn guessing_a_secret_is_bounded(server: TestServer) {
        let client = server.client().await;
        let wrong = RegisteredClient { secret: "wrong".into(), ..client.clone() };
        let grant = [("grant_type", "client_credentials")];
        for _ in 0..30 {
            assert_eq!(server.post("/token", &wrong, &grant).await.status, 401);
        }
        let bounded = server.post("/token", &wrong, &grant).await;
        assert_eq!(bounded.status, 429);
        assert!(bounded.headers.contains_key("retry-after"));
        assert_eq!(server.post("/token", &client, &grant).await.status, 200, "who knows the secret is not kept out");
    }

    async fn a_signed_assertion_is_good_once(server: TestServer) {
        let key = key();
        let client = client_of(&server, &key).await;
        let good = claims(&server, &client, "once");
        assert_eq!(assert_with(&server, &good, &key).await.status, 200);
        assert_eq!(assert_with(&server, &good, &key).await.error(), "invalid_client", "a jti comes once");
        let mut to_token_endpoint = claims(&server, &client, "two");
        to_token_endpoint["aud"] = json!([server.path("/token"), "https://other.example"]);
        assert_eq!(assert_with(&server, &to_token_endpoint, &key).await.status, 200);

        let now = server.authority().now().seconds();
        let table: [(&str, Value); 13] = [
            ("iss", Value::Null),
            ("sub", Value::Null),
            ("aud", Value::Null),
            ("exp", Value::Null),
            ("iss", json!("other")),
            ("sub", json!("other")),
            ("aud", json!("https://other.example")),
            ("exp", json!(now - 61)),
            ("exp", json!(now + 3600 + 61)),
            ("nbf", json!(now + 120)),
            ("iat", json!(now + 120)),
            ("jti", json!("")),
            ("jti", Value::Null),
        ];
        for (index, (name, value)) in table.into_iter().enumerate() {
            let mut bad = claims(&server, &client, &format!("bad-{index}"));
            bad[name] = value;
            assert_eq!(assert_with(&server, &bad, &key).await.error(), "invalid_client", "{bad}");
            let named = named_with(&server, &client, &bad, &key).await;
            assert_eq!(named.error(), "invalid_client", "with the client's name beside it: {bad}");
        }
        let seconds_and_a_half = |seconds: i64| serde_json::from_str::<Value>(&format!("{seconds}.5")).unwrap();
        let mut fractions = claims(&server, &client, "fractions");
        (fractions["exp"], fractions["iat"]) = (seconds_and_a_half(now + 60), seconds_and_a_half(now - 1));
        assert_eq!(assert_with(&server, &fractions, &key).await.status, 200, "a date may have a fraction");
        for (typ, status) in [("client-authentication+jwt", 200), ("at+jwt", 401), ("application/dpop+JWT", 401)] {
            let assertion = key.sign(typ, &claims(&server, &client, typ)).unwrap();
            let form = [
                ("grant_type", "client_credentials"),
                ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"),
                ("client_assertion", assertion.as_str()),
            ];
            let answer = Answer::of(server.http().post(server.path("/token")).form(&form)).await;
            assert_eq!(answer.status, status, "{typ}");
        }
        let beside = claims(&server, &client, "named");
        assert_eq!(named_with(&server, &client, &beside, &key).await.status, 200);
        let forged = claims(&server, &client, "forged");
        assert_eq!(assert_with(&server, &forged, &self::key()).await.error(), "invalid_client");
    }

    async fn a_key_of_each_kind_proves_a_client_by_the_algorithm_that_it_is_registered_for(server: TestServer) {
        let rsa = || rcgen::KeyPair::generate_for(&rcgen::PKCS_RSA_SHA256).unwrap();
        let table = [
            (Algorithm::Es256, rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap(), None),
            (Algorithm::EdDsa, rcgen::KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap(), None),
            (Algorithm::Rs256, rsa(), Some(Algorithm::Ps256)),
            (Algorithm::Ps256, rsa(), Some(Algorithm::Rs256)),
        ];
        for (algorithm, pair, other) in table {
            let key = PrivateKey::from_der(&pair.serialize_der(), Encoding::Pkcs8).unwrap();
            let public = Jwk { alg: Some(algorithm.to_string()), ..key.public().clone() };
            let client = server.client_with(|new| {
                new.auth_method = ClientAuthMethod::PrivateKeyJwt;
                new.jwks = Some(JwkSet { keys: vec![public.clone()] });
            }).await;
            let prove = async |algorithm: Algorithm, jti: &str| {
                let assertion = key.sign(algorithm, public.kid.as_deref(), &claims(&server, &client, jti)).unwrap();
                let form = [
                    ("grant_type", "client_credentials"),
                    ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"),
                    ("client_assertion", assertion.expose()),
                ];
                Answer::of(server.http().post(server.path("/token")).form(&form)).await
            };
            assert_eq!(prove(algorithm, "right").await.status, 200, "{algorithm}");
            if let Some(other) = other {
                assert_eq!(prove(other, "other").await.error(), "invalid_client", "{other} with a key that is for {algorithm}");
            }
        }
    }

    async fn an_assertion_may_live_an_hour_and_no_longer(server: TestServer) {
        let key = key();
        let client = client_of(&server, &key).await;
        let mut long = claims(&server, &client, "long");
        long["exp"] = json!(server.authority().now().seconds() + 3600);
        assert_eq!(assert_with(&server, &long, &key).await.status, 200);
        let mut longer = claims(&server, &client, "longer");
        longer["exp"] = json!(server.authority().now().seconds() + 3600 + 61);
        assert_eq!(assert_with(&server, &longer, &key).await.error(), "invalid_client");
    }

    async fn an_assertion_may_be_for_the_endpoint_that_it_is_sent_to(server: TestServer) {
        let key = key();
        let client = client_of(&server, &key).await;
        for (path, field) in [("/token", ("grant_type", "client_credentials")), ("/revoke", ("token", "nonsense"))] {
            let mut to_endpoint = claims(&server, &client, path);
            to_endpoint["aud"] = json!(server.path(path));
            assert_eq!(post_with(&server, path, field, &to_endpoint, &key).await.status, 200, "{path}");
        }
        // RFC 9126 §2: what a pushed request shows may be for any of these. The request itself is not whole.
        for audience in [server.url.clone(), server.path("/token"), server.path("/par")] {
            let mut pushed = claims(&server, &client, &format!("pushed for {audience}"));
            pushed["aud"] = json!(audience);
            let answer = post_with(&server, "/par", ("response_type", "code"), &pushed, &key).await;
            assert_eq!((answer.status.as_u16(), answer.error().as_str()), (400, "invalid_request"), "{audience}");
        }
        // Names are compared as texts (RFC 7523 §3).
        for nowhere in [server.path("/device"), server.path("/"), server.url.to_uppercase()] {
            let mut to_no_endpoint = claims(&server, &client, &nowhere);
            to_no_endpoint["aud"] = json!(nowhere);
            assert_eq!(assert_with(&server, &to_no_endpoint, &key).await.error(), "invalid_client", "{nowhere}");
        }
    }
}
