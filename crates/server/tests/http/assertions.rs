//! `POST /token` with an assertion (RFC 7523 §2.1): workload identity.

use crate::grants::{API, key, register, resource};
use axum::{Json, Router, routing::get};
use gatepass_oauth::{GrantType, TokenFormat};
use gatepass_testkit::{
    Answer, TestServer,
    authority::trust::{NewTrust, Repeats, StandsFor, trust_name},
    keys::{Algorithm, JwkSet, PrivateKey, SigningKey, jws, private_key::Encoding},
    on_both_engines, tokio,
};
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

const GRANT: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";
const ISSUER: &str = "https://token.actions.example";
const SUBJECT: &str = "repo:acme/app:ref:refs/heads/main";

/// A policy as GitHub Actions needs it.
fn policy(key: &SigningKey) -> NewTrust {
    NewTrust {
        issuer: ISSUER.into(),
        jwks: Some(JwkSet { keys: vec![key.public().clone()] }),
        subject: "repo:acme/*:ref:refs/heads/main".into(),
        audiences: vec!["gatepass".into()],
        claims: BTreeMap::from([("event_name".into(), "push".into())]),
        stands_for: StandsFor::Service("ci".into()),
        scope: "account api:read".parse().unwrap(),
        resource: None,
        lifetime: Duration::from_secs(900),
        repeats: Repeats::Refused,
    }
}

fn claims(server: &TestServer, jti: &str) -> Value {
    let now = server.authority().now().seconds();
    json!({ "iss": ISSUER, "sub": SUBJECT, "aud": server.url, "exp": now + 300, "iat": now, "nbf": now, "jti": jti, "event_name": "push" })
}

async fn bring(server: &TestServer, assertion: &str, extra: &[(&str, &str)]) -> Answer {
    let mut form = vec![("grant_type", GRANT), ("assertion", assertion)];
    form.extend_from_slice(extra);
    Answer::of(server.http().post(server.path("/token")).form(&form)).await
}

async fn trusting(server: &TestServer, change: impl FnOnce(&mut NewTrust)) -> SigningKey {
    let key = key();
    server.authority().add_service("ci", "").await.unwrap();
    let mut policy = policy(&key);
    change(&mut policy);
    server.authority().add_trust(policy).await.unwrap();
    key
}

/// An issuer with discovery, whose keys can be changed and whose requests are counted.
struct Issuer {
    url: String,
    keys: Arc<Mutex<Value>>,
    asked: Arc<AtomicUsize>,
}

impl Issuer {
    async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (keys, asked) = (Arc::new(Mutex::new(json!({ "keys": [] }))), Arc::new(AtomicUsize::new(0)));
        let document = json!({ "issuer": url, "jwks_uri": format!("{url}/jwks") });
        let (served, counted) = (keys.clone(), asked.clone());
        let router =
            Router::new().route("/.well-known/openid-configuration", get(move || async move { Json(document) })).route(
                "/jwks",
                get(move || async move {
                    counted.fetch_add(1, Ordering::SeqCst);
                    Json(served.lock().unwrap().clone())
                }),
            );
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { url, keys, asked }
    }

    fn publish(&self, key: &SigningKey) {
        *self.keys.lock().unwrap() = json!({ "keys": [key.public()] });
    }
}

on_both_engines! {
    async fn a_workload_gets_a_token_for_its_service_account_without_any_client(server: TestServer) {
        let key = trusting(&server, |_| {}).await;
        let assertion = key.sign("JWT", &claims(&server, "1")).unwrap();
        let answer = bring(&server, &assertion, &[]).await;
        assert_eq!((answer.status.as_u16(), answer.json["expires_in"].as_i64()), (200, Some(900)), "{}", answer.json);
        assert_eq!((answer.json["scope"].as_str(), answer.json.get("refresh_token")), (Some("account api:read"), None));
        assert_eq!(server.whoami(&answer.text("access_token")).await.json["result"]["type"], "service");
        assert_eq!(bring(&server, &assertion, &[]).await.error(), "invalid_grant", "a jti comes once");
        let mut listed = claims(&server, "2");
        listed["aud"] = json!(["https://elsewhere.example", "gatepass"]);
        let less = bring(&server, &key.sign("JWT", &listed).unwrap(), &[("scope", "account")]).await;
        assert_eq!(less.json["scope"], "account");
        let more = bring(&server, &key.sign("JWT", &claims(&server, "3")).unwrap(), &[("scope", "admin")]).await;
        assert_eq!(more.error(), "invalid_scope");
        let named = bring(&server, &key.sign("JWT", &claims(&server, "4")).unwrap(), &[("client_id", "unknown")]).await;
        assert_eq!(named.error(), "invalid_client", "who names a client must be it");
    }

    async fn a_job_of_gitlab_is_known_by_its_project_and_its_protected_branch(server: TestServer) {
        const ISSUER: &str = "https://gitlab.example";
        let key = trusting(&server, |policy| {
            policy.issuer = ISSUER.into();
            policy.subject = "project_path:acme/*:ref_type:branch:ref:main".into();
            policy.claims = BTreeMap::from([("ref_protected".into(), "true".into()), ("namespace_id".into(), "72".into())]);
            policy.audiences = Vec::new();
        }).await;
        let now = server.authority().now().seconds();
        // As its documentation has them: numbers and truths as text, but for the runner's.
        let job = |jti: &str| json!({
            "iss": ISSUER, "sub": "project_path:acme/tools/app:ref_type:branch:ref:main", "aud": server.url,
            "exp": now + 3600, "nbf": now - 5, "iat": now, "jti": format!("4bd8767e-3d66-4958-8b83-{jti}"),
            "namespace_id": "72", "namespace_path": "acme", "project_id": "20", "project_path": "acme/tools/app",
            "user_id": "1", "user_login": "ada", "user_email": "ada@example.com", "user_access_level": "developer",
            "user_identities": [{ "provider": "github", "extern_uid": "2435223452345" }], "groups_direct": ["acme"],
            "pipeline_id": "574", "pipeline_source": "push", "job_id": "302", "ref": "main", "ref_type": "branch",
            "ref_path": "refs/heads/main", "ref_protected": "true", "environment": "production",
            "environment_protected": "false", "deployment_tier": "production", "runner_id": 1,
            "runner_environment": "self-hosted", "sha": "714a629c0b401fdce83e847fc9589983fc6f46bc",
            "ci_config_ref_uri": "gitlab.example/acme/tools/app//.gitlab-ci.yml@refs/heads/main",
        });
        let answer = bring(&server, &key.sign("JWT", &job("1")).unwrap(), &[]).await;
        assert_eq!(answer.status, 200, "{}", answer.json);
        assert_eq!(server.whoami(&answer.text("access_token")).await.json["result"]["name"], "ci");
        let mut several = job("2");
        several["aud"] = json!([server.url, "https://vault.example"]);
        assert_eq!(bring(&server, &key.sign("JWT", &several).unwrap(), &[]).await.status, 200, "`aud` may be a list there");
        let table = [
            ("ref_protected", json!("false"), "claims match no policy"),
            ("namespace_id", json!("73"), "claims match no policy"),
            ("sub", json!("project_path:acme/tools/app:ref_type:branch:ref:mine"), "sub matches no policy"),
            ("sub", json!("project_path:acme/tools/app:ref_type:tag:ref:main"), "sub matches no policy"),
            ("sub", json!("project_path:acme-evil/app:ref_type:branch:ref:main"), "sub matches no policy"),
            ("aud", json!("https://gitlab.example"), "aud is not this server"),
        ];
        for (index, (name, value, why)) in table.into_iter().enumerate() {
            let mut bad = job(&format!("bad-{index}"));
            bad[name] = value;
            let answer = bring(&server, &key.sign("JWT", &bad).unwrap(), &[]).await;
            assert_eq!((answer.status.as_u16(), answer.error().as_str()), (400, "invalid_grant"), "{name}");
            assert!(answer.text("error_description").contains(why), "{name}: {}", answer.json);
        }
    }

    async fn a_pod_of_kubernetes_is_known_by_its_service_account_and_its_namespace(server: TestServer) {
        const ISSUER: &str = "https://kubernetes.default.svc.cluster.local";
        let key = trusting(&server, |policy| {
            policy.issuer = ISSUER.into();
            policy.subject = "system:serviceaccount:prod:deploy".into();
            policy.claims = BTreeMap::from([("/kubernetes.io/namespace".into(), "prod".into())]);
            policy.audiences = Vec::new();
            policy.repeats = Repeats::Taken;
        }).await;
        let now = server.authority().now().seconds();
        // As its documentation has a projected token.
        let pod = json!({
            "iss": ISSUER, "sub": "system:serviceaccount:prod:deploy", "aud": [server.url], "exp": now + 3607, "iat": now,
            "nbf": now, "jti": "aed34954-b33a-4142-b1ec-389d6bbb4936",
            "kubernetes.io": {
                "namespace": "prod", "warnafter": now + 3000,
                "node": { "name": "node-1", "uid": "646e7c5e-32d6-4d42-9dbd-e504e6cbe6b1" },
                "pod": { "name": "app-0", "uid": "5e0bd49b-f040-43b0-99b7-22765a53f7f3" },
                "serviceaccount": { "name": "deploy", "uid": "14ee3fa4-a7e2-420f-9f9a-dbc4507c3798" },
            },
        });
        let shown = key.sign("JWT", &pod).unwrap();
        for _ in 0..2 {
            let answer = bring(&server, &shown, &[]).await;
            assert_eq!(answer.status, 200, "the same token comes until it is replaced: {}", answer.json);
            assert_eq!(server.whoami(&answer.text("access_token")).await.json["result"]["name"], "ci");
        }
        for (path, value, why) in [
            ("/sub", json!("system:serviceaccount:test:deploy"), "sub matches no policy"),
            ("/kubernetes.io/namespace", json!("test"), "claims match no policy"),
            ("/kubernetes.io", json!("prod"), "claims match no policy"),
            ("/aud", json!(["https://kubernetes.default.svc"]), "aud is not this server"),
        ] {
            let mut bad = pod.clone();
            *bad.pointer_mut(path).unwrap() = value;
            let answer = bring(&server, &key.sign("JWT", &bad).unwrap(), &[]).await;
            assert!(answer.text("error_description").contains(why), "{path}: {}", answer.json);
        }
    }

    async fn an_issuer_may_sign_by_rsa_as_most_of_them_do(server: TestServer) {
        let pair = rcgen::KeyPair::generate_for(&rcgen::PKCS_RSA_SHA256).unwrap();
        let key = PrivateKey::from_der(&pair.serialize_der(), Encoding::Pkcs8).unwrap();
        trusting(&server, |policy| policy.jwks = Some(JwkSet { keys: vec![key.public().clone()] })).await;
        let assertion = key.sign(Algorithm::Rs256, key.public().kid.as_deref(), &claims(&server, "1")).unwrap();
        let answer = bring(&server, assertion.expose(), &[]).await;
        assert_eq!(answer.status, 200, "{}", answer.json);
    }

    async fn claims_that_mean_nothing_here_may_have_any_form(server: TestServer) {
        let key = trusting(&server, |_| {}).await;
        let mut claims = claims(&server, "1");
        for (name, value) in [("scope", json!(["a"])), ("resource", json!("nonsense")), ("client_id", json!(7)), ("nul", json!("\0"))] {
            claims[name] = value;
        }
        let answer = bring(&server, &key.sign("JWT", &claims).unwrap(), &[]).await;
        assert_eq!(answer.status, 200, "{}", answer.json);
    }

    async fn a_policy_for_a_client_gives_only_what_the_client_may_have(server: TestServer) {
        let unregistered = server.client_with(|new| new.grant_types.retain(|grant| *grant != GrantType::JwtBearer)).await;
        let bound = server.client_with(|new| new.metadata.dpop_bound_access_tokens = true).await;
        let certified = server.client_with(|new| new.metadata.tls_client_certificate_bound_access_tokens = true).await;
        let key = key();
        for (client, error) in [(&unregistered, "unauthorized_client"), (&bound, "invalid_dpop_proof"), (&certified, "invalid_request")] {
            let policy = NewTrust { stands_for: StandsFor::Client(client.id.parse().unwrap()), ..policy(&key) };
            let made = server.authority().add_trust(policy).await.unwrap();
            let assertion = key.sign("JWT", &claims(&server, "1")).unwrap();
            assert_eq!(bring(&server, &assertion, &[]).await.error(), error);
            server.authority().remove_trust(&trust_name(&made)).await.unwrap();
        }
    }

    async fn an_assertion_that_will_not_do_is_told_why_and_not_what_would(server: TestServer) {
        let key = trusting(&server, |_| {}).await;
        let now = server.authority().now().seconds();
        let table: [(&str, Value, &str); 20] = [
            ("iss", json!("https://other.example"), "issuer is not trusted"),
            ("iss", json!(format!("{ISSUER}/")), "issuer is not trusted"),
            ("iss", json!(ISSUER.to_uppercase()), "issuer is not trusted"),
            ("iss", json!(format!("{ISSUER}\0")), "issuer is not trusted"),
            ("iss", json!("i".repeat(4000)), "issuer is not trusted"),
            ("sub", json!(format!("{SUBJECT}\0")), "sub matches no policy"),
            ("sub", json!("repo:evil/app:ref:refs/heads/main"), "sub matches no policy"),
            ("sub", json!("repo:acme/app:ref:refs/heads/main2"), "sub matches no policy"),
            ("sub", json!(""), "sub is empty"),
            ("aud", json!("https://other.example"), "aud is not this server"),
            ("aud", json!(server.path("/")), "aud is not this server"),
            ("aud", json!([]), "aud is not this server"),
            ("aud", json!(7), "is no JWT"),
            ("exp", json!(now - 61), "expired"),
            ("exp", json!(now + 90_000), "more than 24 hours"),
            ("nbf", json!(now + 120), "from the future"),
            ("iat", json!(now + 120), "from the future"),
            ("event_name", json!("pull_request"), "claims match no policy"),
            ("jti", json!(""), "jti is empty"),
            ("exp", Value::Null, "is no JWT"),
        ];
        for (index, (name, value, why)) in table.into_iter().enumerate() {
            let mut bad = claims(&server, &format!("bad-{index}"));
            bad[name] = value;
            let answer = bring(&server, &key.sign("JWT", &bad).unwrap(), &[]).await;
            assert_eq!((answer.status.as_u16(), answer.error().as_str()), (400, "invalid_grant"), "{bad}");
            let said = answer.text("error_description");
            assert!(said.contains(why), "{bad}: {said}");
            assert!(!said.contains("acme"), "{said}");
        }
    }

    async fn what_says_that_it_is_something_else_is_no_assertion(server: TestServer) {
        let key = trusting(&server, |_| {}).await;
        for typ in ["logout+jwt", "at+jwt", "application/secevent+JWT", "token-introspection+jwt"] {
            let answer = bring(&server, &key.sign(typ, &claims(&server, "typed")).unwrap(), &[]).await;
            assert_eq!(answer.error(), "invalid_grant", "{typ}");
            assert!(answer.text("error_description").contains("its type"), "{}", answer.json);
        }
        for typ in ["JWT", "authorization-grant+jwt", "application/authorization-grant+jwt"] {
            assert_eq!(bring(&server, &key.sign(typ, &claims(&server, typ)).unwrap(), &[]).await.status, 200, "{typ}");
        }
    }

    async fn a_workloads_assertion_that_is_bound_to_a_key_needs_a_proof_of_it(server: TestServer) {
        let key = trusting(&server, |_| {}).await;
        let mut bound = claims(&server, "bound");
        for cnf in [json!({ "jkt": "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs" }), json!({ "jwk": {} })] {
            bound["cnf"] = cnf;
            let answer = bring(&server, &key.sign("JWT", &bound).unwrap(), &[]).await;
            assert_eq!(answer.error(), "invalid_grant", "{bound}");
            assert!(answer.text("error_description").contains("it is bound"), "{}", answer.json);
        }
        bound.as_object_mut().unwrap().remove("cnf");
        assert_eq!(bring(&server, &key.sign("JWT", &bound).unwrap(), &[]).await.status, 200, "its jti is not used up");
    }

    async fn a_forged_signature_is_refused_in_every_fashion(server: TestServer) {
        let key = trusting(&server, |_| {}).await;
        let body = jws::base64url(claims(&server, "forged").to_string().as_bytes());
        let header = |alg: &str, kid: &str| jws::base64url(json!({ "alg": alg, "kid": kid, "typ": "JWT" }).to_string().as_bytes());
        let good = key.sign("JWT", &claims(&server, "forged")).unwrap();
        let (signed, signature) = good.rsplit_once('.').unwrap();
        let changed = format!("{}.{}.{signature}", signed.split('.').next().unwrap(), jws::base64url(claims(&server, "other").to_string().as_bytes()));
        let forged = [
            format!("{}.{body}.", header("none", key.kid())),
            format!("{}.{body}.{}", header("HS256", key.kid()), jws::base64url(&[7; 32])),
            format!("{}.{body}.{}", header("RS256", key.kid()), jws::base64url(&[7; 256])),
            format!("{}.{body}.{}", header("ES256", "unknown"), signature),
            format!("{}.{body}.{}", header("ES256", key.kid()), jws::base64url(&[0; 64])),
            self::key().sign("JWT", &claims(&server, "forged")).unwrap(),
            changed,
            format!("{signed}."),
        ];
        for assertion in &forged {
            let answer = bring(&server, assertion, &[]).await;
            assert_eq!(answer.error(), "invalid_grant", "{assertion}");
            assert!(answer.text("error_description").contains("signature"), "{}", answer.json);
        }
        for nonsense in ["x", "..", "a.b.c", "{}", &"x".repeat(16_000)] {
            assert!(bring(&server, nonsense, &[]).await.text("error_description").contains("no JWT"), "{nonsense}");
        }
        assert_eq!(bring(&server, "", &[]).await.error(), "invalid_request");
        assert_eq!(bring(&server, &"x".repeat(20_000), &[]).await.error(), "invalid_request");
        assert_eq!(bring(&server, &good, &[]).await.status, 200, "none of them has used the jti up");
    }

    async fn of_a_hundred_at_once_one_gets_the_token(server: TestServer) {
        let key = trusting(&server, |_| {}).await;
        let assertion = Arc::new(key.sign("JWT", &claims(&server, "once")).unwrap());
        let server = Arc::new(server);
        let tries: Vec<_> = (0..100).map(|_| {
            let (server, assertion) = (server.clone(), assertion.clone());
            tokio::spawn(async move { bring(&server, &assertion, &[]).await.status.as_u16() })
        }).collect();
        let mut won = 0;
        for tried in tries {
            match tried.await.unwrap() {
                200 => won += 1,
                status => assert_eq!(status, 400),
            }
        }
        assert_eq!(won, 1);
    }

    async fn without_a_jti_or_where_the_policy_lets_it_an_assertion_comes_again_and_lives_an_hour_at_most(server: TestServer) {
        let key = trusting(&server, |policy| policy.repeats = Repeats::Taken).await;
        let (repeated, mut long) = (key.sign("JWT", &claims(&server, "again")).unwrap(), claims(&server, "long"));
        for _ in 0..2 {
            assert_eq!(bring(&server, &repeated, &[]).await.status, 200);
        }
        long["exp"] = json!(server.authority().now().seconds() + 3700);
        assert_eq!(bring(&server, &key.sign("JWT", &long).unwrap(), &[]).await.error(), "invalid_grant");
        let mut nameless = claims(&server, "");
        nameless.as_object_mut().unwrap().remove("jti");
        assert_eq!(bring(&server, &key.sign("JWT", &nameless).unwrap(), &[]).await.status, 200);
    }

    async fn keys_are_found_by_discovery_and_fetched_again_with_restraint(server: TestServer) {
        let issuer = Issuer::start().await;
        let first = trusting(&server, |policy| {
            policy.issuer = issuer.url.clone();
            policy.jwks = None;
        }).await;
        issuer.publish(&first);
        let signed = |key: &SigningKey, jti: &str| {
            let mut claims = claims(&server, jti);
            claims["iss"] = json!(issuer.url);
            key.sign("JWT", &claims).unwrap()
        };
        assert_eq!(bring(&server, &signed(&first, "1"), &[]).await.status, 200);
        assert_eq!(bring(&server, &signed(&first, "2"), &[]).await.status, 200);
        assert_eq!(issuer.asked.load(Ordering::SeqCst), 1, "the keys are kept");
        let second = key();
        issuer.publish(&second);
        for jti in ["3", "4", "5"] {
            assert_eq!(bring(&server, &signed(&second, jti), &[]).await.error(), "invalid_grant");
        }
        assert_eq!(issuer.asked.load(Ordering::SeqCst), 1, "an unknown kid makes nobody ask again at once");
        server.advance(Duration::from_secs(30));
        assert_eq!(bring(&server, &signed(&second, "6"), &[]).await.status, 200);
        assert_eq!(issuer.asked.load(Ordering::SeqCst), 2);
        // A set of ten thousand keys is no set, and the old keys serve on.
        let endless: Vec<Value> = (0..10_000).map(|number| json!({ "kty": "EC", "kid": number.to_string() })).collect();
        *issuer.keys.lock().unwrap() = json!({ "keys": endless });
        server.advance(Duration::from_secs(601));
        assert_eq!(bring(&server, &signed(&second, "7"), &[]).await.status, 200);
        assert_eq!(issuer.asked.load(Ordering::SeqCst), 3);
    }

    async fn an_issuer_that_cannot_be_reached_is_refused_in_time(server: TestServer) {
        let key = trusting(&server, |policy| {
            policy.issuer = "http://127.0.0.1:1".into();
            policy.jwks = None;
        }).await;
        let mut claims = claims(&server, "1");
        claims["iss"] = json!("http://127.0.0.1:1");
        let answer = bring(&server, &key.sign("JWT", &claims).unwrap(), &[]).await;
        assert_eq!((answer.status.as_u16(), answer.error().as_str()), (400, "invalid_grant"));
        assert!(answer.text("error_description").contains("cannot be had now"));
    }

    async fn a_policy_can_stand_for_a_client_and_for_a_resource(server: TestServer) {
        let asker = register(&server, resource(API, TokenFormat::Jwt)).await;
        let (client, other) = (server.client().await, server.client().await);
        let key = trusting(&server, |policy| {
            policy.stands_for = StandsFor::Client(client.id.parse().unwrap());
            policy.resource = Some(API.parse().unwrap());
        }).await;
        let answer = bring(&server, &key.sign("JWT", &claims(&server, "1")).unwrap(), &[("resource", API)]).await;
        let said = server.post("/introspect", &asker, &[("token", &answer.text("access_token"))]).await.json;
        assert_eq!((said["sub"].as_str(), said["client_id"].as_str(), said["scope"].as_str()), (Some(client.id.as_str()), Some(client.id.as_str()), Some("api:read")));
        let elsewhere = bring(&server, &key.sign("JWT", &claims(&server, "2")).unwrap(), &[("resource", "https://other.example")]).await;
        assert_eq!(elsewhere.error(), "invalid_target");
        let assertion = key.sign("JWT", &claims(&server, "3")).unwrap();
        let form = [("grant_type", GRANT), ("assertion", assertion.as_str())];
        assert_eq!(server.post("/token", &other, &form).await.error(), "invalid_grant", "it stands for another client");
        assert_eq!(server.post("/token", &client, &form).await.status, 200);
    }

    async fn a_policy_that_was_removed_gives_nothing(server: TestServer) {
        let key = trusting(&server, |_| {}).await;
        let all = server.authority().trusts(None, 10).await.unwrap();
        assert_eq!(all.len(), 1);
        server.authority().remove_trust(&trust_name(&all[0])).await.unwrap();
        assert_eq!(bring(&server, &key.sign("JWT", &claims(&server, "1")).unwrap(), &[]).await.error(), "invalid_grant");
        assert!(server.authority().remove_trust("nonsense").await.is_err());
    }

    async fn a_policy_that_would_take_anything_is_not_made(server: TestServer) {
        let key = key();
        server.authority().add_service("ci", "").await.unwrap();
        let changes: [fn(&mut NewTrust); 6] = [
            |policy| { policy.subject = "*".into(); policy.claims.clear(); },
            |policy| { policy.subject = String::new(); policy.claims.clear(); },
            |policy| policy.issuer = "http://token.example".into(),
            |policy| policy.issuer = "nonsense".into(),
            |policy| policy.lifetime = Duration::from_secs(90_000),
            |policy| policy.stands_for = StandsFor::Service("unknown".into()),
        ];
        for change in changes {
            let mut policy = policy(&key);
            change(&mut policy);
            assert!(server.authority().add_trust(policy).await.is_err());
        }
    }
}
