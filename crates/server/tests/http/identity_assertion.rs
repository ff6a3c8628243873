//! `POST /token` with an identity assertion (ID-JAG): a client acts for a person whom the enterprise has signed in.

use crate::grants::key;
use gatepass_testkit::{
    Answer, RegisteredClient, TestServer, USER,
    authority::{
        end::EndTarget,
        trust::{EmailProof, NewTrust, Repeats, StandsFor},
    },
    keys::{Entropy, JwkSet, ProofKey, SigningKey, dpop::Wanted},
    on_both_engines,
};
use serde_json::{Value, json};
use std::{collections::BTreeMap, time::Duration};

const IDP: &str = "https://idp.example";
const TYP: &str = "oauth-id-jag+jwt";

async fn trusting(server: &TestServer) -> SigningKey {
    trusting_by(server, EmailProof::Claimed).await
}

async fn trusting_by(server: &TestServer, email: EmailProof) -> SigningKey {
    let key = key();
    let policy = NewTrust {
        issuer: IDP.into(),
        jwks: Some(JwkSet { keys: vec![key.public().clone()] }),
        subject: "*".into(),
        audiences: vec!["an-app-at-the-provider".into()],
        claims: BTreeMap::new(),
        stands_for: StandsFor::UserByEmail(email),
        scope: "account email api:read".parse().unwrap(),
        resource: None,
        lifetime: Duration::from_secs(600),
        repeats: Repeats::Refused,
    };
    server.authority().add_trust(policy).await.unwrap();
    key
}

fn claims(server: &TestServer, client: &RegisteredClient, jti: &str) -> Value {
    let now = server.authority().now().seconds();
    json!({ "iss": IDP, "sub": "u-1", "aud": server.url, "client_id": client.id, "exp": now + 300, "iat": now, "jti": jti,
        "email": "Ada@Example.com", "email_verified": true })
}

async fn bring(server: &TestServer, client: &RegisteredClient, assertion: &str, extra: &[(&str, &str)]) -> Answer {
    let mut form = vec![("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer"), ("assertion", assertion)];
    form.extend_from_slice(extra);
    server.post("/token", client, &form).await
}

on_both_engines! {
    async fn a_client_gets_a_token_for_the_person_and_no_refresh_token(server: TestServer) {
        let (key, client) = (trusting(&server).await, server.client().await);
        let assertion = key.sign(TYP, &claims(&server, &client, "1")).unwrap();
        let answer = bring(&server, &client, &assertion, &[("scope", "account")]).await;
        assert_eq!((answer.json["scope"].as_str(), answer.json.get("refresh_token")), (Some("account"), None), "{}", answer.json);
        let who = server.whoami(&answer.text("access_token")).await;
        assert_eq!((who.json["result"]["email"].as_str(), who.json["result"]["client_id"].as_str()), (Some(USER), Some(client.id.as_str())));
        assert_eq!(bring(&server, &client, &assertion, &[]).await.error(), "invalid_grant", "once");
        let mut narrow = claims(&server, &client, "2");
        narrow["scope"] = json!("api:read");
        narrow["resource"] = json!("https://api.example");
        let narrow = bring(&server, &client, &key.sign(TYP, &narrow).unwrap(), &[]).await;
        assert_eq!(narrow.json["scope"], "api:read");
        assert_eq!(server.whoami(&narrow.text("access_token")).await.status, 401, "it is for the resource that the assertion names");
    }

    async fn an_assertion_that_is_bound_to_a_key_needs_a_proof_of_it(server: TestServer) {
        let (key, client) = (trusting(&server).await, server.client().await);
        let (ours, theirs) = (ProofKey::ephemeral().unwrap(), ProofKey::ephemeral().unwrap());
        let mut bound = claims(&server, &client, "bound");
        bound["cnf"] = json!(ours.confirmation());
        let assertion = key.sign(TYP, &bound).unwrap();
        let prove = |by: &ProofKey| {
            let (url, nonce) = (server.path("/token"), server.authority().dpop_nonce());
            let wanted = Wanted { method: "POST", url: &url, nonce: Some(&nonce), access_token: None };
            by.prove(&wanted, &server.clock, &Entropy::system()).unwrap().expose().to_owned()
        };
        let bring = async |by: &ProofKey| {
            let form = [("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer"), ("assertion", &assertion)];
            let request = server.http().post(server.path("/token")).form(&form).header("dpop", prove(by));
            Answer::of(request.basic_auth(&client.id, Some(&client.secret))).await
        };
        assert_eq!(self::bring(&server, &client, &assertion, &[]).await.error(), "invalid_grant", "without a proof");
        assert_eq!(bring(&theirs).await.error(), "invalid_grant", "by another key");
        assert_eq!(bring(&ours).await.json["token_type"], "DPoP", "nobody else has used it up");
    }

    async fn such_a_token_ends_with_all_that_the_person_has(server: TestServer) {
        let (key, client) = (trusting(&server).await, server.client().await);
        let assertion = key.sign(TYP, &claims(&server, &client, "1")).unwrap();
        let token = bring(&server, &client, &assertion, &[("scope", "account")]).await.text("access_token");
        assert_eq!(server.whoami(&token).await.status, 200);
        assert_eq!(server.authority().end(&EndTarget::User(USER.into())).await.unwrap(), 1);
        assert_eq!(server.whoami(&token).await.status, 401);
    }

    async fn of_a_provider_that_governs_its_addresses_email_verified_is_not_asked_but_its_no_counts(server: TestServer) {
        let (key, client) = (trusting_by(&server, EmailProof::Governed).await, server.client().await);
        let said = async |jti: &str, verified: Option<bool>| {
            let mut claims = claims(&server, &client, jti);
            match verified {
                Some(verified) => claims["email_verified"] = json!(verified),
                None => drop(claims.as_object_mut().unwrap().remove("email_verified")),
            }
            bring(&server, &client, &key.sign(TYP, &claims).unwrap(), &[]).await.status.as_u16()
        };
        assert_eq!((said("1", None).await, said("2", Some(true)).await, said("3", Some(false)).await), (200, 200, 400));
        let document = Answer::of(server.http().get(server.path("/.well-known/oauth-authorization-server"))).await.json;
        assert_eq!(document["authorization_grant_profiles_supported"], json!(["urn:ietf:params:oauth:grant-profile:id-jag"]));
    }

    async fn of_several_resources_that_an_assertion_names_one_is_asked_for(server: TestServer) {
        let (key, client) = (trusting(&server).await, server.client().await);
        let api = "https://api.example";
        let asked = async |resource: Value, asked: Option<&str>| {
            let mut claims = claims(&server, &client, "-");
            claims["jti"] = json!(format!("{resource} {asked:?}"));
            claims["resource"] = resource;
            let asked: Vec<(&str, &str)> = asked.into_iter().map(|asked| ("resource", asked)).collect();
            let answer = bring(&server, &client, &key.sign(TYP, &claims).unwrap(), &asked).await;
            answer.json["error"].as_str().unwrap_or("none").to_owned()
        };
        assert_eq!(asked(json!([api]), None).await, "none");
        assert_eq!(asked(json!([api, "https://other.example"]), Some("https://API.example/")).await, "none");
        assert_eq!(asked(json!([api, server.url]), Some(server.url.as_str())).await, "none");
        assert_eq!(asked(json!([api, server.url]), None).await, "invalid_target");
        assert_eq!(asked(json!([]), None).await, "invalid_target");
        assert_eq!(asked(json!([api]), Some(server.url.as_str())).await, "invalid_target");
        assert_eq!(asked(json!(["https://other.example"]), None).await, "invalid_target", "not the client's");
        for bad in [json!(7), json!("no uri"), json!([api, 7])] {
            assert_eq!(asked(bad, None).await, "invalid_grant");
        }
    }

    async fn an_identity_assertion_that_will_not_do_is_refused(server: TestServer) {
        let (key, client) = (trusting(&server).await, server.client().await);
        server.add_user("grace@example.com").await;
        let table: [(&str, Value, &str); 14] = [
            ("client_id", json!("another"), "invalid_grant"),
            ("client_id", Value::Null, "invalid_grant"),
            ("aud", json!("an-app-at-the-provider"), "invalid_grant"),
            ("aud", json!([server.url, "https://other.example"]), "invalid_grant"),
            ("email_verified", json!(false), "invalid_grant"),
            ("email_verified", Value::Null, "invalid_grant"),
            ("email", json!("nobody@example.com"), "invalid_grant"),
            ("email", Value::Null, "invalid_grant"),
            ("jti", Value::Null, "invalid_grant"),
            ("iat", Value::Null, "invalid_grant"),
            ("authorization_details", json!([{ "type": "x" }]), "invalid_grant"),
            ("cnf", json!({ "jkt": "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs" }), "invalid_grant"),
            ("cnf", json!({ "jkt": 1 }), "invalid_grant"),
            ("cnf", json!({ "jwk": {} }), "invalid_grant"),
        ];
        for (index, (name, value, error)) in table.into_iter().enumerate() {
            let mut bad = claims(&server, &client, &format!("bad-{index}"));
            bad[name] = value;
            assert_eq!(bring(&server, &client, &key.sign(TYP, &bad).unwrap(), &[]).await.error(), error, "{bad}");
        }
        let good = claims(&server, &client, "good");
        let id_token = bring(&server, &client, &key.sign("JWT", &good).unwrap(), &[]).await;
        assert_eq!(id_token.error(), "invalid_grant", "an ID token of the provider will not do");
        let assertion = key.sign(TYP, &good).unwrap();
        let form = [("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer"), ("assertion", assertion.as_str())];
        let nobody = Answer::of(server.http().post(server.path("/token")).form(&form)).await;
        assert_eq!(nobody.error(), "unauthorized_client", "the client proves itself");
        let mut bound = claims(&server, &client, "bound");
        bound["resource"] = json!("https://api.example");
        let other = bring(&server, &client, &key.sign(TYP, &bound).unwrap(), &[("resource", &server.url)]).await;
        assert_eq!(other.error(), "invalid_target");
        let more = bring(&server, &client, &assertion, &[("scope", "account offline_access")]).await;
        assert_eq!(more.error(), "invalid_scope");
        assert_eq!(bring(&server, &client, &assertion, &[]).await.status, 200, "none of them has used it up");
    }
}
