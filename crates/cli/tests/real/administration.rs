//! `gatepass admin` while the server runs.

use crate::support::{Person, Place, Server};
use gatepass_testkit::{
    Answer, PASSWORD, Pkce, RegisteredClient, USER,
    keys::{Clock, Entropy, SealingKey, SigningKey},
    tokio,
};
use serde_json::{Value, json};
use std::fs;

on_both_engines!(people_are_added_and_listed, clients_are_added_and_work_at_once, what_happened_is_shown);

async fn people_are_added_and_listed(place: Place) {
    let server = place.serve();
    let ada = place.add_user(USER);
    assert_eq!((ada["email"].as_str(), ada["email_verified"].as_bool()), (Some(USER), Some(true)));
    Person::signed_in(&server).await;
    place.admin_with(&["user", "add", "bob@example.com", "--unverified", "--password-stdin"], PASSWORD).done();
    let bob = Person::at(&server).sign_in("bob@example.com").await;
    assert!(bob.html.contains("EMAIL_NOT_VERIFIED"), "{}", bob.html);

    let listed = place.admin(&["user", "list", "--json"]).done();
    let emails: Vec<Value> =
        listed.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()["email"].clone()).collect();
    assert_eq!(emails, [USER, "bob@example.com"]);
    assert!(place.admin(&["user", "list"]).done().contains("bob@example.com  unverified"));

    let unknown = place.admin(&["user", "verify", "nobody@example.com"]).failed(5);
    assert!(unknown.ends_with("hint: see the accounts with\n  gatepass admin user list\n"), "{unknown}");
    assert_eq!(place.admin(&["user", "verify", "Bob@Example.com"]).done(), "bob@example.com is verified\n");
    assert_eq!(Person::at(&server).sign_in("bob@example.com").await.heading(), "You are signed in");
    let again = place.admin(&["user", "verify", "bob@example.com", "--json"]).json();
    assert_eq!(again["email_verified"], true, "once more does no harm");

    let person = Person::signed_in(&server).await;
    place.admin_with(&["user", "set-password", USER, "--password-stdin"], "another long password\n").done();
    assert_eq!(person.open("/").await.heading(), "Sign in to gatepass", "its web sessions are over");
    assert_ne!(Person::at(&server).sign_in(USER).await.heading(), "You are signed in");

    let add = |email: &str, password: &str| place.admin_with(&["user", "add", email, "--password-stdin"], password);
    assert!(add(USER, PASSWORD).failed(5).contains(USER));
    add("nobody", PASSWORD).failed(2);
    add("c@example.com", "short").failed(2);
    assert!(place.admin(&["user", "add", "c@example.com"]).failed(2).contains("--password-stdin"));
    place.admin_with(&["user", "set-password", "nobody@example.com", "--password-stdin"], PASSWORD).failed(5);
    assert_eq!(place.admin(&["user", "list"]).done().lines().count(), 2, "a refusal adds nobody");
}

async fn clients_are_added_and_work_at_once(place: Place) {
    let server = place.serve_with_user();
    let web = place.add_client(&["--confidential", "--name", "Web", "--redirect-uri", gatepass_testkit::REDIRECT_URI]);
    let pkce = Pkce::new();
    let code = Person::signed_in(&server).await.allow(&web, &pkce, "openid").await;
    assert_eq!(server.redeem(&web, &code, &pkce).await.status, 200);

    let service = place.add_client(&["--confidential", "--name", "Service", "--scope", "api:read"]);
    let grant = [("grant_type", "client_credentials")];
    assert!(server.post("/token", &service, &grant).await.text("access_token").starts_with("gpa_"));
    let wrong = RegisteredClient { secret: web.secret.clone(), ..service.clone() };
    assert_eq!(server.post("/token", &wrong, &grant).await.error(), "invalid_client");

    let device = place.add_client(&["--public", "--name", "Device"]);
    assert_eq!(device.secret, "", "a public client has no secret");
    let started = server.post("/device_authorization", &device, &[("scope", "openid")]).await;
    assert!(started.text("device_code").starts_with("gpd_"));

    let listed = place.admin(&["client", "list"]).done();
    for (client, method) in [(&web, "client_secret_basic"), (&service, "client_secret_basic"), (&device, "none")] {
        assert!(listed.lines().any(|line| line.starts_with(&format!("{}  {method}  ", client.id))), "{listed}");
    }
    for client in [&web, &service] {
        assert!(!listed.contains(&client.secret), "a secret is shown once");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2, crate = "gatepass_testkit::tokio")]
async fn a_client_with_a_key_file_proves_itself_by_signature() {
    let place = Place::sqlite().await;
    let server = place.serve();
    let entropy = Entropy::system();
    let (key, _) = SigningKey::generate(&SealingKey::generate(&entropy).unwrap(), &entropy).unwrap();
    let file = place.folder().join("keys.json");
    fs::write(&file, json!({ "keys": [key.public()] }).to_string()).unwrap();
    let path = file.to_str().unwrap();
    let client = place.add_client(&["--confidential", "--name", "Signs", "--scope", "api:read", "--jwks-file", path]);
    assert_eq!(client.secret, "");

    let now = Clock::System.now().seconds();
    let claims =
        json!({"iss": client.id, "sub": client.id, "aud": server.url, "exp": now + 60, "iat": now, "jti": "one"});
    let assertion = key.sign("JWT", &claims).unwrap();
    let form = [
        ("grant_type", "client_credentials"),
        ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"),
        ("client_assertion", assertion.as_str()),
    ];
    let ask = || Answer::of(Server::http().post(server.path("/token")).form(&form));
    assert_eq!(ask().await.status, 200);
    assert_eq!(ask().await.error(), "invalid_client", "an assertion is good once");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2, crate = "gatepass_testkit::tokio")]
async fn a_client_with_a_certificate_is_registered_by_its_key_or_by_its_subject() {
    let place = Place::sqlite().await;
    let file = place.folder().join("client.pem");
    let path = file.to_str().unwrap();
    fs::write(&file, rcgen::generate_simple_self_signed(["build.example".to_owned()]).unwrap().cert.pem()).unwrap();
    let add = |arguments: &[&str]| place.add_client(&[&["--confidential", "--name", "Build"], arguments].concat());
    let by_key = add(&["--certificate-file", path]);
    let by_name = add(&["--auth-method", "tls_client_auth", "--tls-san-dns", "build.example"]);
    let by_subject = add(&["--tls-subject-dn", "CN=build,O=Example", "--certificate-bound"]);
    let listed = place.admin(&["client", "list"]).done();
    for (client, method) in
        [(&by_key, "self_signed_tls_client_auth"), (&by_name, "tls_client_auth"), (&by_subject, "tls_client_auth")]
    {
        assert_eq!(client.secret, "");
        assert!(listed.lines().any(|line| line.starts_with(&format!("{}  {method}  ", client.id))), "{listed}");
    }
    let refused = |arguments: &[&str]| {
        place.admin(&[&["client", "add", "--name", "X", "--confidential"], arguments].concat()).failed(2)
    };
    refused(&["--auth-method", "tls_client_auth"]);
    refused(&["--auth-method", "self_signed_tls_client_auth"]);
    refused(&["--auth-method", "client_secret_basic", "--tls-san-dns", "a.example"]);
    refused(&["--tls-san-dns", "a.example", "--tls-san-uri", "https://a.example"]);
    assert!(refused(&["--tls-subject-dn", "somebody"]).contains("RFC 4514"));
    fs::write(&file, "nonsense").unwrap();
    assert!(refused(&["--certificate-file", path]).contains("PEM"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2, crate = "gatepass_testkit::tokio")]
async fn a_client_that_makes_no_sense_is_refused() {
    let place = Place::sqlite().await;
    let file = place.folder().join("keys.json");
    let path = file.to_str().unwrap();
    let add = |arguments: &[&str]| place.admin(&[&["client", "add", "--name", "X"], arguments].concat()).failed(2);
    add(&[]);
    add(&["--public", "--confidential"]);
    add(&["--public", "--grant", "client_credentials"]);
    add(&["--public", "--grant", "authorization_code"]);
    add(&["--public", "--auth-method", "client_secret_basic"]);
    add(&["--confidential", "--grant", "password"]);
    add(&["--confidential", "--redirect-uri", "http://app.example/cb"]);
    add(&["--confidential", "--auth-method", "private_key_jwt"]);
    assert!(add(&["--confidential", "--jwks-file", path]).contains(path), "no such file");
    fs::write(&file, r#"{"keys":[{"kty":"oct","k":"c2VjcmV0"}]}"#).unwrap();
    assert!(add(&["--confidential", "--jwks-file", path]).contains("private key"));
    assert_eq!(place.admin(&["client", "list"]).done(), "", "a refusal adds nothing");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2, crate = "gatepass_testkit::tokio")]
async fn resources_service_accounts_and_trust_are_added_and_work_at_once() {
    let place = Place::sqlite().await;
    let server = place.serve();
    let add = ["resource", "add", "--uri", "https://api.example", "--token-format", "jwt", "--scope", "read", "--json"];
    let api = place.admin(&add).json();
    place.admin(&add).failed(5);
    assert_eq!(place.admin(&["service", "add", "ci", "--json"]).json()["name"], "ci");
    place.admin(&["service", "add", "CI"]).failed(2);
    place.admin(&["service", "disable", "unknown"]).failed(5);

    let entropy = Entropy::system();
    let (key, _) = SigningKey::generate(&SealingKey::generate(&entropy).unwrap(), &entropy).unwrap();
    let file = place.folder().join("keys.json");
    fs::write(&file, json!({ "keys": [key.public()] }).to_string()).unwrap();
    let trust = |arguments: &[&str]| {
        let fixed = ["trust", "add", "--issuer", "https://ci.example", "--jwks-file", file.to_str().unwrap(), "--json"];
        place.admin(&[&fixed, arguments].concat())
    };
    let good = ["--subject", "repo:acme/*", "--service-account", "ci", "--claim", "ref=main", "--scope", "read"];
    let made = trust(&[&good[..], &["--resource", "https://api.example"]].concat()).json();
    assert_eq!((made["lifetime_seconds"].as_i64(), made["claims"]["ref"].as_str()), (Some(900), Some("main")));
    trust(&["--subject", "*", "--service-account", "ci"]).failed(2);
    trust(&["--subject", "x"]).failed(2);
    trust(&["--subject", "x", "--service-account", "unknown"]).failed(5);

    let now = Clock::System.now().seconds();
    let claims = json!({"iss": "https://ci.example", "sub": "repo:acme/app", "aud": server.url, "exp": now + 60, "jti": "1", "ref": "main"});
    let assertion = key.sign("JWT", &claims).unwrap();
    let form = [("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer"), ("assertion", assertion.as_str())];
    let token = Answer::of(Server::http().post(server.path("/token")).form(&form)).await.text("access_token");
    let text = |name: &str| api[name].as_str().unwrap().to_owned();
    let asker = RegisteredClient { id: text("client_id"), secret: text("client_secret") };
    let said = server.post("/introspect", &asker, &[("token", &token)]).await;
    assert_eq!(
        (said.json["active"].as_bool(), said.json["username"].as_str()),
        (Some(true), Some("ci")),
        "{}",
        said.json
    );

    assert!(!place.admin(&["resource", "list"]).done().contains(&asker.secret), "a secret is shown once");
    assert!(place.admin(&["service", "list"]).done().contains("ci  enabled"));
    let name = made["id"].as_str().unwrap();
    assert!(place.admin(&["trust", "list"]).done().starts_with(name));
    place.admin(&["trust", "remove", name]).done();
    place.admin(&["trust", "remove", name]).failed(5);
    place.admin(&["resource", "remove", "https://api.example"]).done();
    place.admin(&["service", "disable", "ci"]).done();
}

async fn what_happened_is_shown(place: Place) {
    let server = place.serve_with_user();
    Person::signed_in(&server).await;
    let service = place.add_client(&["--confidential", "--name", "Service", "--scope", "api:read"]);
    let grant = [("grant_type", "client_credentials")];
    assert_eq!(server.post("/token", &service, &grant).await.status, 200);
    let wrong = RegisteredClient { secret: "wrong".into(), ..service.clone() };
    assert_eq!(server.post("/token", &wrong, &grant).await.status, 401);

    let listed =
        place.admin(&["audit", "--json", "--kind", "signed_in", "--kind", "user_added", "--user", USER]).done();
    let events: Vec<Value> = listed.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let kinds: Vec<_> = events.iter().map(|event| event["event"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["user_added", "signed_in"]);
    assert_eq!((events[0]["actor"].as_str(), events[1]["address"].as_str()), (Some("operator"), Some("127.0.0.1")));
    // Routine events come a moment later.
    for attempt in 0.. {
        let listed = place.admin(&["audit", "--client", &service.id]).done();
        if listed.contains("token_issued") {
            assert!(listed.contains("client_refused") && listed.contains("client_added"), "{listed}");
            assert!(listed.lines().all(|line| line.chars().count() <= 110), "{listed}");
            assert!(!listed.contains(&service.secret));
            break;
        }
        assert!(attempt < 50, "{listed}");
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    assert_eq!(place.admin(&["audit", "--since", "1h", "--limit", "1", "--json"]).done().lines().count(), 1);
    assert!(place.admin(&["audit", "--until", "1h"]).done().is_empty());
    assert!(place.admin(&["audit", "--since", "soon"]).failed(2).contains("2026-11-22T10:00:00Z"));
    assert!(place.admin(&["audit", "--kind", "nothing"]).failed(2).contains("no kind of event"));
    place.admin(&["audit", "--user", "nobody@example.com"]).failed(5);
}
