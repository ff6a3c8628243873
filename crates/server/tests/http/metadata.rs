//! `GET /.well-known/…`, `GET /jwks`.
//!
//! The documents are compared whole, for each way of running the server: what is added to them, or taken away, shows here.
//! Then what they list is tried, and beside it what they do not list.

use crate::{
    grants::key,
    mutual_tls::{Authority, behind_proxy, http, with_tls},
};
use gatepass_oauth::GrantType;
use gatepass_testkit::{
    Answer, Browser, Engine, Options, Pkce, TestServer, USER, authority::ClientPolicy, keys::jws, on_both_engines,
    tokio,
};
use serde_json::{Value, json};
use std::collections::BTreeSet;

const DOCUMENTS: [&str; 2] = ["/.well-known/oauth-authorization-server", "/.well-known/openid-configuration"];

async fn get(server: &TestServer, path: &str) -> Answer {
    Answer::of(http(None).get(server.path(path))).await
}

/// What both documents say.
async fn said(server: &TestServer) -> Value {
    let [first, second] = DOCUMENTS;
    let (document, other) = (get(server, first).await, get(server, second).await);
    assert_eq!((document.status.as_u16(), &document.json), (200, &other.json));
    assert_eq!(document.headers["content-type"], "application/json");
    document.json
}

/// What a server says that nobody has told anything.
fn usual(url: &str) -> Value {
    let methods = ["none", "client_secret_basic", "client_secret_post", "private_key_jwt"];
    let proofs = ["ES256", "EdDSA", "Ed25519", "RS256", "PS256"];
    let signed = ["ES256", "EdDSA", "RS256"];
    json!({
        "issuer": url,
        "authorization_endpoint": format!("{url}/authorize"),
        "token_endpoint": format!("{url}/token"),
        "device_authorization_endpoint": format!("{url}/device_authorization"),
        "revocation_endpoint": format!("{url}/revoke"),
        "introspection_endpoint": format!("{url}/introspect"),
        "userinfo_endpoint": format!("{url}/userinfo"),
        "jwks_uri": format!("{url}/jwks"),
        "registration_endpoint": format!("{url}/register"),
        "pushed_authorization_request_endpoint": format!("{url}/par"),
        "end_session_endpoint": format!("{url}/logout"),
        "scopes_supported": ["account", "email", "offline_access", "openid", "profile"],
        "response_types_supported": ["code"],
        "response_modes_supported": ["query", "form_post"],
        "grant_types_supported": [
            "authorization_code", "refresh_token", "client_credentials", "urn:ietf:params:oauth:grant-type:device_code",
            "urn:ietf:params:oauth:grant-type:jwt-bearer", "urn:ietf:params:oauth:grant-type:token-exchange",
        ],
        "authorization_grant_profiles_supported": ["urn:ietf:params:oauth:grant-profile:id-jag"],
        "token_endpoint_auth_methods_supported": methods,
        "token_endpoint_auth_signing_alg_values_supported": proofs,
        "revocation_endpoint_auth_methods_supported": methods,
        "revocation_endpoint_auth_signing_alg_values_supported": proofs,
        "introspection_endpoint_auth_methods_supported": methods[1..],
        "introspection_endpoint_auth_signing_alg_values_supported": proofs,
        "introspection_signing_alg_values_supported": signed,
        "code_challenge_methods_supported": ["S256"],
        "authorization_response_iss_parameter_supported": true,
        "client_id_metadata_document_supported": true,
        "dpop_signing_alg_values_supported": proofs,
        "acr_values_supported": ["urn:gatepass:acr:1fa"],
        "backchannel_logout_supported": true,
        "backchannel_logout_session_supported": true,
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": signed,
        "claims_supported": [
            "iss", "sub", "aud", "exp", "iat", "auth_time", "acr", "amr", "sid", "nonce", "at_hash", "email",
            "email_verified", "name",
        ],
        "prompt_values_supported": ["none", "login", "consent", "select_account"],
        "claims_parameter_supported": false,
        "request_parameter_supported": false,
        "request_uri_parameter_supported": false,
        "gatepass_separate_grants": true,
        "gatepass_client_id": "gatepass-cli",
    })
}

/// What differs from it; null: it is not there.
fn changed(url: &str, change: Value) -> Value {
    let mut document = usual(url);
    for (name, value) in change.as_object().unwrap() {
        match value {
            Value::Null => drop(document.as_object_mut().unwrap().remove(name)),
            value => document[name] = value.clone(),
        }
    }
    document
}

/// What certificates add.
fn with_certificates(url: &str, methods: &[&str]) -> Value {
    let usual = usual(url);
    let longer = |name: &str| {
        let known = usual[name].as_array().unwrap().iter().map(|method| method.as_str().unwrap());
        json!(known.chain(methods.iter().copied()).collect::<Vec<_>>())
    };
    let mut change = json!({ "tls_client_certificate_bound_access_tokens": true });
    for endpoint in ["token", "revocation", "introspection"] {
        let name = format!("{endpoint}_endpoint_auth_methods_supported");
        change[&name] = longer(&name);
    }
    changed(url, change)
}

/// The words of a member.
fn words(document: &Value, name: &str) -> BTreeSet<String> {
    document[name].as_array().unwrap().iter().map(|word| word.as_str().unwrap().to_owned()).collect()
}

on_both_engines! {
    async fn both_documents_say_the_same_and_only_what_works(server: TestServer) {
        let document = said(&server).await;
        assert_eq!(document, usual(&server.url));
        for (name, value) in document.as_object().unwrap() {
            if name.ends_with("_endpoint") || name == "jwks_uri" {
                let status = server.http().get(value.as_str().unwrap()).send().await.unwrap().status().as_u16();
                assert_ne!(status, 404, "{name} is not there");
            }
        }
    }

    async fn the_grants_and_methods_that_are_listed_work_and_no_others(server: TestServer) {
        let document = said(&server).await;
        let client = server.client().await;
        for grant in words(&document, "grant_types_supported") {
            let answer = server.post("/token", &client, &[("grant_type", &grant)]).await;
            let works = answer.status == 200 || answer.error() == "invalid_request";
            assert!(works, "{grant}: {}", answer.json);
        }
        assert_eq!(words(&document, "grant_types_supported").len(), GrantType::ALL.len());
        for other in ["password", "implicit", "urn:openid:params:grant-type:ciba"] {
            assert_eq!(server.post("/token", &client, &[("grant_type", other)]).await.error(), "unsupported_grant_type");
        }
        let register = async |member: &str, value: &str| {
            let mut metadata = json!({
                "redirect_uris": [gatepass_testkit::REDIRECT_URI], "tls_client_auth_subject_dn": "CN=a",
                "jwks": { "keys": [key().public()] }, (member): value,
            });
            if value != "tls_client_auth" {
                metadata.as_object_mut().unwrap().remove("tls_client_auth_subject_dn");
            }
            if !["private_key_jwt", "self_signed_tls_client_auth"].contains(&value) {
                metadata.as_object_mut().unwrap().remove("jwks");
            }
            Answer::of(server.http().post(server.path("/register")).json(&metadata)).await.status == 201
        };
        let methods = words(&document, "token_endpoint_auth_methods_supported");
        for method in ["none", "client_secret_basic", "client_secret_post", "client_secret_jwt", "private_key_jwt", "tls_client_auth", "self_signed_tls_client_auth"] {
            assert_eq!(register("token_endpoint_auth_method", method).await, methods.contains(method), "{method}");
        }
        let algorithms = words(&document, "id_token_signing_alg_values_supported");
        for algorithm in ["ES256", "EdDSA", "Ed25519", "RS256", "PS256", "ES384", "HS256", "none"] {
            assert_eq!(register("id_token_signed_response_alg", algorithm).await, algorithms.contains(algorithm), "{algorithm}");
        }
    }

    async fn what_is_listed_of_requests_works_and_nothing_else(server: TestServer) {
        let document = said(&server).await;
        let (client, browser) = (server.client().await, Browser::at(&server));
        browser.sign_in(USER).await;
        let refusal = async |name: &str, value: &str| {
            let pkce = Pkce::new();
            let path = server.authorize_path(&client, &pkce, &[]);
            let path = path.replace("response_type=code", if name == "response_type" { "" } else { "response_type=code" });
            let path = path.replace("code_challenge_method=S256", if name == "code_challenge_method" { "" } else { "code_challenge_method=S256" });
            let page = browser.open(&format!("{path}&{name}={}", value.replace(' ', "+"))).await;
            match page.status.as_u16() {
                // What is wrong with the answer's own way is told here (OpenID Connect Core §3.1.2.6).
                400 if name == "response_mode" => Some("a page".to_owned()),
                _ => page.left_for.is_some().then(|| page.answer("error")).flatten(),
            }
        };
        let table: [(&str, &str, &[&str]); 6] = [
            ("response_types_supported", "response_type", &["token", "id_token", "none"]),
            ("response_modes_supported", "response_mode", &["fragment", "query.jwt"]),
            ("code_challenge_methods_supported", "code_challenge_method", &["plain"]),
            ("prompt_values_supported", "prompt", &["create"]),
            ("acr_values_supported", "acr_values", &["urn:gatepass:acr:9fa"]),
            ("scopes_supported", "scope", &["admin"]),
        ];
        for (member, name, others) in table {
            for value in words(&document, member) {
                // A silent request is told that somebody must be asked; that is an answer too.
                let said = refusal(name, &value).await;
                assert!(said.is_none() || said.as_deref() == Some("consent_required"), "{name}={value}: {said:?}");
            }
            for other in others {
                assert!(refusal(name, other).await.is_some_and(|said| said != "consent_required"), "{name}={other}");
            }
        }
        for (name, error) in [("request", "request_not_supported"), ("request_uri", "request_uri_not_supported")] {
            assert_eq!(document[format!("{name}_parameter_supported")], false);
            assert_eq!(refusal(name, "https://app.example/r").await.as_deref(), Some(error));
        }
    }

    async fn the_claims_that_are_listed_are_those_that_are_met(server: TestServer) {
        let client = server.client().await;
        let tokens = server.tokens(&client, &[("scope", "openid email profile"), ("nonce", "n")]).await;
        let claims: Value = jws::verify(&tokens.text("id_token"), &server.authority().jwks()).unwrap();
        let met: BTreeSet<String> = claims.as_object().unwrap().keys().cloned().collect();
        assert_eq!(met, words(&said(&server).await, "claims_supported"));
    }

    async fn the_key_set_holds_public_keys_only(server: TestServer) {
        let set = get(&server, "/jwks").await.json;
        let keys = set["keys"].as_array().unwrap();
        assert_eq!(keys.len(), 1);
        assert_eq!(keys[0]["alg"], "ES256");
        assert_eq!(keys[0].get("d"), None::<&Value>);
    }

    async fn the_api_says_who_gives_its_tokens(server: TestServer) {
        let document = get(&server, "/.well-known/oauth-protected-resource").await;
        assert_eq!(document.headers["content-type"], "application/json");
        assert_eq!(document.json, json!({
            "resource": server.url,
            "authorization_servers": [server.url],
            "scopes_supported": ["account"],
            "bearer_methods_supported": ["header"],
            "dpop_signing_alg_values_supported": ["ES256", "EdDSA", "Ed25519", "RS256", "PS256"],
            "resource_name": "gatepass",
        }));
    }

    async fn the_server_says_that_it_is_alive_and_ready(server: TestServer) {
        assert_eq!(get(&server, "/healthz").await.status, 200);
        assert_eq!(get(&server, "/readyz").await.status, 200);
    }
}

/// What a switch turns off is neither listed nor there.
#[tokio::test(flavor = "multi_thread", crate = "gatepass_testkit::tokio")]
async fn what_the_operator_turns_off_is_neither_listed_nor_there() {
    let clients = ClientPolicy { registration: false, metadata_documents: false, ..ClientPolicy::default() };
    let options = Options { clients, require_pushed_authorization_requests: true, ..Options::default() };
    let server = TestServer::with(Engine::Sqlite, options).await;
    let change = json!({
        "registration_endpoint": null,
        "client_id_metadata_document_supported": null,
        "require_pushed_authorization_requests": true,
    });
    assert_eq!(said(&server).await, changed(&server.url, change));
    let metadata = json!({ "redirect_uris": [gatepass_testkit::REDIRECT_URI] });
    let refused = Answer::of(server.http().post(server.path("/register")).json(&metadata)).await;
    assert!(refused.status.is_client_error(), "{}", refused.status);
}

/// Certificates add their methods where they can be met, and vouched for.
#[tokio::test(flavor = "multi_thread", crate = "gatepass_testkit::tokio")]
async fn what_certificates_make_possible_is_listed_where_it_is() {
    let both = ["tls_client_auth", "self_signed_tls_client_auth"];
    let authority = Authority::new();
    let (server, _folder) = with_tls(Engine::Sqlite, &authority, Options::default()).await;
    assert_eq!(said(&server).await, with_certificates(&server.url, &both));
    let (server, _folder) = behind_proxy("client-cert", "127.0.0.0/8", &authority).await;
    assert_eq!(said(&server).await, with_certificates(&server.url, &both));
    let tls = gatepass_server::config::Tls {
        client_certificate_header: Some("client-cert".parse().unwrap()),
        ..gatepass_server::config::Tls::default()
    };
    let options = Options { tls, trusted_proxies: vec!["127.0.0.0/8".into()], ..Options::default() };
    let server = TestServer::with(Engine::Sqlite, options).await;
    assert_eq!(said(&server).await, with_certificates(&server.url, &both[1..]), "nobody vouches for any");
    let document = get(&server, "/.well-known/oauth-protected-resource").await.json;
    assert_eq!(document["tls_client_certificate_bound_access_tokens"], true);
}
