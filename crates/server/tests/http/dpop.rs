//! DPoP (RFC 9449) at the token endpoint, the device endpoint, the authorization endpoint and the API.

use crate::{
    grants::{API, register, resource},
    verifiers::{introspecting, jwt_verifier},
};
use gatepass_oauth::{ClientAuthMethod, GrantType, TokenFormat, TokenTypeUri};
use gatepass_resource::Verifier;
use gatepass_testkit::{
    Answer, Browser, Engine, Options, Pkce, REDIRECT_URI, RegisteredClient, TestServer, USER,
    authority::{CliAccessTokens, ClientPolicy, EventKind},
    keys::{Clock, Entropy, ProofKey, dpop::Wanted, jws},
    on_both_engines, tokio,
};
use serde_json::{Value, json};
use std::{collections::BTreeSet, sync::Arc, time::Duration};

const DEVICE: &str = "urn:ietf:params:oauth:grant-type:device_code";
const CREDENTIALS: &[(&str, &str)] = &[("grant_type", "client_credentials")];

fn key() -> ProofKey {
    ProofKey::ephemeral().unwrap()
}

/// A good proof for a `POST` to this path, with the server's nonce.
fn proof(server: &TestServer, key: &ProofKey, path: &str, access_token: Option<&str>) -> String {
    let nonce = server.authority().dpop_nonce();
    let url = server.path(path);
    prove(server, key, &Wanted { method: "POST", url: &url, nonce: Some(&nonce), access_token })
}

fn prove(server: &TestServer, key: &ProofKey, wanted: &Wanted<'_>) -> String {
    key.prove(wanted, &server.clock, &Entropy::system()).unwrap().expose().to_owned()
}

/// Posts a form with these proofs; a client without a secret names itself in the form.
async fn post(
    server: &TestServer,
    path: &str,
    client: &RegisteredClient,
    form: &[(&str, &str)],
    proofs: &[String],
) -> Answer {
    let mut form = form.to_vec();
    if client.secret.is_empty() {
        form.push(("client_id", &client.id));
    }
    let mut request = server.http().post(server.path(path)).form(&form);
    if !client.secret.is_empty() {
        request = request.basic_auth(&client.id, Some(&client.secret));
    }
    for proof in proofs {
        request = request.header("dpop", proof);
    }
    Answer::of(request).await
}

async fn whoami(server: &TestServer, scheme: &str, token: &str, proofs: &[String]) -> Answer {
    let body = json!({ "jsonrpc": "2.0", "id": 1, "method": "whoami" });
    let mut request = server.http().post(server.path("/api/v1/user/rpc")).json(&body);
    request = request.header("authorization", format!("{scheme} {token}"));
    for proof in proofs {
        request = request.header("dpop", proof);
    }
    Answer::of(request).await
}

async fn public(server: &TestServer) -> RegisteredClient {
    server
        .client_with(|new| {
            new.auth_method = ClientAuthMethod::None;
            new.grant_types.retain(|grant| *grant != GrantType::ClientCredentials);
        })
        .await
}

async fn code(server: &TestServer, client: &RegisteredClient, pkce: &Pkce, extra: &[(&str, &str)]) -> String {
    let browser = Browser::at(server);
    browser.sign_in(USER).await;
    server.code(&browser, client, pkce, extra).await
}

fn redemption<'a>(code: &'a str, pkce: &'a Pkce) -> [(&'a str, &'a str); 4] {
    [
        ("grant_type", "authorization_code"),
        ("code", code),
        ("redirect_uri", REDIRECT_URI),
        ("code_verifier", &pkce.verifier),
    ]
}

/// A whole sign-in with a key; the token answer.
async fn bound_tokens(server: &TestServer, client: &RegisteredClient, key: &ProofKey) -> Answer {
    let pkce = Pkce::new();
    let code = code(server, client, &pkce, &[("scope", "account openid")]).await;
    let tokens = post(server, "/token", client, &redemption(&code, &pkce), &[proof(server, key, "/token", None)]).await;
    assert_eq!(tokens.json["token_type"], "DPoP", "{}", tokens.json);
    tokens
}

async fn refresh(server: &TestServer, client: &RegisteredClient, token: &str, proofs: &[String]) -> Answer {
    post(server, "/token", client, &[("grant_type", "refresh_token"), ("refresh_token", token)], proofs).await
}

/// The same proof with another header.
fn with_header(proof: &str, change: impl FnOnce(&mut Value)) -> String {
    use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
    let (header, rest) = proof.split_once('.').unwrap();
    let mut header: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(header).unwrap()).unwrap();
    change(&mut header);
    format!("{}.{rest}", URL_SAFE_NO_PAD.encode(header.to_string()))
}

on_both_engines! {
    async fn the_server_asks_for_its_nonce_and_takes_the_one_before_too(server: TestServer) {
        let (client, key, url) = (server.client().await, key(), server.path("/token"));
        let with = |nonce: Option<&str>| {
            let proof = prove(&server, &key, &Wanted { method: "POST", url: &url, nonce, access_token: None });
            let (server, client) = (&server, &client);
            async move { post(server, "/token", client, CREDENTIALS, &[proof]).await }
        };
        let asked = with(None).await;
        assert_eq!((asked.status.as_u16(), asked.error().as_str()), (400, "use_dpop_nonce"));
        let nonce = asked.headers["dpop-nonce"].to_str().unwrap().to_owned();
        let given = with(Some(&nonce)).await;
        assert_eq!((given.status.as_u16(), given.json["token_type"].as_str()), (200, Some("DPoP")));
        assert!(given.headers.contains_key("dpop-nonce"), "every answer supplies one");
        assert_eq!(with(Some("other")).await.error(), "use_dpop_nonce");
        server.advance(Duration::from_secs(299));
        assert_eq!(with(Some(&nonce)).await.status, 200);
        server.advance(Duration::from_secs(301));
        assert_eq!(with(Some(&nonce)).await.error(), "use_dpop_nonce", "older than the one before");
        let plain = post(&server, "/token", &client, CREDENTIALS, &[]).await;
        assert_eq!(plain.json["token_type"], "Bearer");
        assert!(!plain.headers.contains_key("dpop-nonce"));
    }

    async fn every_bad_proof_has_its_reason(server: TestServer) {
        let (client, key, url) = (server.client().await, key(), server.path("/token"));
        let nonce = server.authority().dpop_nonce();
        let wanted = Wanted { method: "POST", url: &url, nonce: Some(&nonce), access_token: None };
        let make = |wanted: Wanted<'_>| prove(&server, &key, &wanted);
        let at = |seconds: i64| {
            let clock = Clock::settable(gatepass_oauth::UtcMillis(server.clock.now().0 + seconds * 1000));
            key.prove(&wanted, &clock, &Entropy::system()).unwrap().expose().to_owned()
        };
        let good = || proof(&server, &key, "/token", None);
        let used = good();
        assert_eq!(post(&server, "/token", &client, CREDENTIALS, std::slice::from_ref(&used)).await.status, 200);
        let table: Vec<(Vec<String>, &str)> = vec![
            (vec![make(Wanted { method: "GET", ..wanted })], "htm"),
            (vec![make(Wanted { url: "https://other.example/token", ..wanted })], "htu"),
            (vec![make(Wanted { url: &server.path("/revoke"), ..wanted })], "htu"),
            (vec![make(Wanted { access_token: Some("gpa_x"), ..wanted })], "ath"),
            (vec![at(-300)], "iat"),
            (vec![at(301)], "iat"),
            (vec![used], "used before"),
            (vec![with_header(&good(), |header| header["jwk"]["d"] = json!("AAAA"))], "jwk"),
            (vec![with_header(&good(), |header| header["jwk"] = json!({ "kty": "oct", "k": "AAAA" }))], "jwk"),
            (vec![with_header(&good(), |header| drop(header.as_object_mut().unwrap().remove("jwk")))], "jwk"),
            (vec![with_header(&good(), |header| drop(header.as_object_mut().unwrap().remove("typ")))], "typ"),
            (vec![with_header(&good(), |header| header["typ"] = json!("JWT"))], "typ"),
            (vec![with_header(&good(), |header| header["alg"] = json!("none"))], "algorithm"),
            (vec![with_header(&good(), |header| header["alg"] = json!("HS256"))], "algorithm"),
            (vec![with_header(&good(), |header| header["kid"] = json!("x"))], "signature"),
            (vec![good(), good()], "repeated"),
            (vec![format!("{}{}", good(), "A".repeat(16 * 1024))], "longer"),
            (vec!["nonsense".into()], "malformed"),
            (vec![String::new()], "malformed"),
        ];
        for (proofs, reason) in table {
            for path in ["/token", "/device_authorization"] {
                let answer = post(&server, path, &client, CREDENTIALS, &proofs).await;
                assert_eq!((answer.status.as_u16(), answer.error().as_str()), (400, "invalid_dpop_proof"), "{path} {reason}");
                if path == "/token" {
                    assert!(answer.text("error_description").contains(reason), "{reason}: {}", answer.json);
                }
            }
        }
    }

    async fn of_a_hundred_uses_of_one_proof_one_passes(server: TestServer) {
        let (client, key, server) = (server.client().await, key(), Arc::new(server));
        let proof = proof(&server, &key, "/token", None);
        let uses: Vec<_> = (0..100).map(|_| {
            let (server, client, proof) = (server.clone(), client.clone(), proof.clone());
            tokio::spawn(async move { post(&server, "/token", &client, CREDENTIALS, &[proof]).await.status.as_u16() })
        }).collect();
        let mut passed = 0;
        for one in uses {
            match one.await.unwrap() {
                200 => passed += 1,
                status => assert_eq!(status, 400),
            }
        }
        assert_eq!(passed, 1);
        let mut sweeper = server.authority().sweeper();
        assert_eq!(server.authority().sweep(&mut sweeper).await.unwrap().rows.get("dpop_proof"), None, "it is remembered");
        server.advance(Duration::from_secs(600));
        assert_eq!(server.authority().sweep(&mut sweeper).await.unwrap().rows.get("dpop_proof"), Some(&1), "and forgotten when it is over");
    }

    async fn a_bound_token_opens_the_api_with_a_proof_of_its_key_only(server: TestServer) {
        let (client, ours, theirs) = (public(&server).await, key(), key());
        let path = "/api/v1/user/rpc";
        let tokens = bound_tokens(&server, &client, &ours).await;
        let token = tokens.text("access_token");
        let good = || proof(&server, &ours, path, Some(&token));
        let once = good();
        let who = whoami(&server, "DPoP", &token, std::slice::from_ref(&once)).await;
        assert_eq!(who.json["result"]["email"], USER);
        let url = server.path(path);
        let without_nonce = prove(&server, &ours, &Wanted { method: "POST", url: &url, nonce: None, access_token: Some(&token) });
        let table: Vec<(&str, Vec<String>, &str)> = vec![
            ("Bearer", vec![], "invalid_token"),
            ("Bearer", vec![good()], "invalid_token"),
            ("DPoP", vec![], "invalid_dpop_proof"),
            ("DPoP", vec![once], "invalid_dpop_proof"),
            ("DPoP", vec![good(), good()], "invalid_dpop_proof"),
            ("DPoP", vec![proof(&server, &ours, path, None)], "invalid_dpop_proof"),
            ("DPoP", vec![proof(&server, &ours, path, Some("gpa_other"))], "invalid_dpop_proof"),
            ("DPoP", vec![proof(&server, &ours, "/userinfo", Some(&token))], "invalid_dpop_proof"),
            ("DPoP", vec![without_nonce], "use_dpop_nonce"),
            ("DPoP", vec![proof(&server, &theirs, path, Some(&token))], "invalid_token"),
        ];
        for (scheme, proofs, error) in table {
            let answer = whoami(&server, scheme, &token, &proofs).await;
            let challenge = answer.headers["www-authenticate"].to_str().unwrap();
            assert_eq!(answer.status, 401, "{scheme} {error}");
            assert!(challenge.starts_with(&format!("DPoP error=\"{error}\"")) && challenge.contains("algs=\"ES256"), "{challenge}");
            assert_eq!(answer.headers.get_all("dpop-nonce").iter().count(), usize::from(!proofs.is_empty()));
        }
        let replayed = crate::audit::events(&server, EventKind::DpopReplayed, 1).await;
        assert_eq!((replayed[0].address.as_str(), replayed[0].detail.is_empty()), ("127.0.0.1", false));
        let free = server.tokens(&server.client().await, &[("scope", "account")]).await.text("access_token");
        let under_dpop = whoami(&server, "DPoP", &free, &[proof(&server, &ours, path, Some(&free))]).await;
        assert_eq!((under_dpop.status.as_u16(), under_dpop.error().as_str()), (401, "invalid_token"), "an unbound token is no DPoP token");
        let stolen = crate::audit::events(&server, EventKind::WrongKey, 1).await;
        assert_eq!(stolen[0].client_id.as_deref(), Some(client.id.as_str()), "a bound token without its key is an alarm");
        let refused = crate::audit::events(&server, EventKind::TokenRefused, 2).await;
        let told: BTreeSet<&str> = refused.iter().map(|row| row.detail.as_str()).collect();
        // One proof that will not do has an event of its own; no proof and two of them are alike.
        assert_eq!(told, BTreeSet::from(["invalid_dpop_proof; a live token", "invalid_token; a live token"]));
        let userinfo = server.http().get(server.path("/userinfo")).header("authorization", format!("DPoP {token}"));
        let url = server.path("/userinfo");
        let nonce = server.authority().dpop_nonce();
        let wanted = Wanted { method: "GET", url: &url, nonce: Some(&nonce), access_token: Some(&token) };
        assert_eq!(Answer::of(userinfo.header("dpop", prove(&server, &ours, &wanted))).await.status, 200);
    }

    async fn what_a_token_is_bound_to_is_told_to_its_resource_and_understood_there(server: TestServer) {
        let asker = register(&server, resource(API, TokenFormat::Jwt)).await;
        let (client, key) = (server.client().await, key());
        let form = [CREDENTIALS[0], ("resource", API)];
        let tokens = post(&server, "/token", &client, &form, &[proof(&server, &key, "/token", None)]).await;
        let token = tokens.text("access_token");
        let cnf = json!({ "jkt": key.thumbprint() });
        let claims: Value = jws::verify(&token, &server.authority().jwks()).unwrap();
        assert_eq!(claims["cnf"], cnf);
        let said = server.post("/introspect", &asker, &[("token", &token)]).await.json;
        assert_eq!((&said["cnf"], said["token_type"].as_str()), (&cnf, Some("DPoP")));
        let (by_keys, by_asking) = (jwt_verifier(&server, API), introspecting(&server, &asker, 2));
        for read in [by_keys.verify(&token).await, by_asking.verify(&token).await] {
            assert_eq!(read.unwrap().unwrap().confirmation, Some(key.confirmation()));
        }
    }

    async fn a_bound_token_is_exchanged_by_the_holder_of_its_key_only(server: TestServer) {
        let (client, ours, theirs) = (server.client().await, key(), key());
        let token = async |proofs: &[String]| {
            post(&server, "/token", &client, CREDENTIALS, proofs).await.text("access_token")
        };
        let (bound, free) = (token(&[proof(&server, &ours, "/token", None)]).await, token(&[]).await);
        let (grant, access) = (GrantType::TokenExchange.as_str(), TokenTypeUri::AccessToken.as_str());
        let subject = |token| vec![("grant_type", grant), ("subject_token", token), ("subject_token_type", access)];
        let mut with_actor = subject(free.as_str());
        with_actor.extend([("actor_token", bound.as_str()), ("actor_token_type", access)]);
        for form in [subject(bound.as_str()), with_actor] {
            for proofs in [vec![], vec![proof(&server, &theirs, "/token", None)]] {
                let refused = post(&server, "/token", &client, &form, &proofs).await;
                assert_eq!((refused.status.as_u16(), refused.error().as_str()), (400, "invalid_request"), "{form:?}");
            }
            let given = post(&server, "/token", &client, &form, &[proof(&server, &ours, "/token", None)]).await;
            assert_eq!(given.json["token_type"], "DPoP", "{form:?}: {}", given.json);
        }
    }

    async fn a_client_that_wants_its_tokens_bound_gets_none_without_a_proof(server: TestServer) {
        let client = server.client_with(|new| new.metadata.dpop_bound_access_tokens = true).await;
        assert_eq!(post(&server, "/token", &client, CREDENTIALS, &[]).await.error(), "invalid_dpop_proof");
        let bound = post(&server, "/token", &client, CREDENTIALS, &[proof(&server, &key(), "/token", None)]).await;
        assert_eq!(bound.json["token_type"], "DPoP", "{}", bound.json);
    }

    async fn a_public_clients_refresh_token_works_with_its_key_only_and_who_lacks_it_ends_nothing(server: TestServer) {
        let (client, ours, theirs) = (public(&server).await, key(), key());
        let first = bound_tokens(&server, &client, &ours).await.text("refresh_token");
        for proofs in [vec![], vec![proof(&server, &theirs, "/token", None)]] {
            assert_eq!(refresh(&server, &client, &first, &proofs).await.error(), "invalid_grant");
        }
        let good = || vec![proof(&server, &ours, "/token", None)];
        let second = refresh(&server, &client, &first, &good()).await;
        assert_eq!(second.json["token_type"], "DPoP");
        let repeated = refresh(&server, &client, &first, &good()).await;
        assert_eq!(repeated.text("access_token"), second.text("access_token"), "a repeat with the same key");
        assert_eq!(repeated.json["token_type"], "DPoP");
        for proofs in [vec![], vec![proof(&server, &theirs, "/token", None)]] {
            assert_eq!(refresh(&server, &client, &first, &proofs).await.error(), "invalid_grant", "a repeat without it");
        }
        let third = refresh(&server, &client, &second.text("refresh_token"), &good()).await;
        // An old token without the key is no reuse that ends the family; with the key it is.
        assert_eq!(refresh(&server, &client, &first, &[]).await.error(), "invalid_grant");
        let fourth = refresh(&server, &client, &third.text("refresh_token"), &good()).await;
        assert_eq!(fourth.status, 200);
        assert_eq!(refresh(&server, &client, &first, &good()).await.error(), "invalid_grant");
        assert_eq!(refresh(&server, &client, &fourth.text("refresh_token"), &good()).await.error(), "invalid_grant");
    }

    async fn a_confidential_client_may_change_its_key_but_a_repeat_needs_the_same(server: TestServer) {
        let (client, ours, theirs) = (server.client().await, key(), key());
        let first = bound_tokens(&server, &client, &ours).await.text("refresh_token");
        let second = refresh(&server, &client, &first, &[proof(&server, &theirs, "/token", None)]).await;
        let token = second.text("access_token");
        let path = "/api/v1/user/rpc";
        assert_eq!(whoami(&server, "DPoP", &token, &[proof(&server, &theirs, path, Some(&token))]).await.status, 200);
        assert_eq!(whoami(&server, "DPoP", &token, &[proof(&server, &ours, path, Some(&token))]).await.status, 401);
        assert_eq!(refresh(&server, &client, &first, &[proof(&server, &ours, "/token", None)]).await.error(), "invalid_grant");
        assert_eq!(refresh(&server, &client, &first, &[]).await.error(), "invalid_grant");
        let repeated = refresh(&server, &client, &first, &[proof(&server, &theirs, "/token", None)]).await;
        assert_eq!(repeated.text("access_token"), token);
        let unbound = refresh(&server, &client, &second.text("refresh_token"), &[]).await;
        assert_eq!(unbound.json["token_type"], "Bearer");
    }

    async fn a_code_that_names_a_key_is_redeemed_with_it(server: TestServer) {
        let (client, ours, theirs, pkce) = (public(&server).await, key(), key(), Pkce::new());
        let confirmation = ours.confirmation().to_string();
        let jkt = confirmation.strip_prefix("jkt:").unwrap();
        let code = code(&server, &client, &pkce, &[("scope", "account"), ("dpop_jkt", jkt)]).await;
        let redeem = |proofs: Vec<String>| {
            let (server, client, form) = (&server, &client, redemption(&code, &pkce));
            async move { post(server, "/token", client, &form, &proofs).await }
        };
        assert_eq!(redeem(vec![]).await.error(), "invalid_grant");
        assert_eq!(redeem(vec![proof(&server, &theirs, "/token", None)]).await.error(), "invalid_grant");
        let tokens = redeem(vec![proof(&server, &ours, "/token", None)]).await;
        assert_eq!(tokens.status, 200, "who lacked the key has not used the code up");
        let browser = Browser::at(&server);
        browser.sign_in(USER).await;
        let bad = browser.open(&server.authorize_path(&client, &pkce, &[("dpop_jkt", "short")])).await;
        assert_eq!(bad.answer("error").as_deref(), Some("invalid_request"));
    }

    async fn a_pushed_request_binds_its_code_to_the_key_of_its_proof(server: TestServer) {
        let (client, ours, theirs, pkce) = (public(&server).await, key(), key(), Pkce::new());
        let form = [
            ("response_type", "code"),
            ("redirect_uri", REDIRECT_URI),
            ("scope", "account"),
            ("code_challenge", &pkce.challenge),
            ("code_challenge_method", "S256"),
        ];
        let push = async |extra: &[(&str, &str)], shown: String| {
            post(&server, "/par", &client, &[&form[..], extra].concat(), &[shown]).await
        };
        let with = |key: &ProofKey, path: &str| proof(&server, key, path, None);
        let named = [("dpop_jkt", ours.thumbprint())];
        assert_eq!(push(&named, with(&ours, "/par")).await.status, 201);
        let mixed = push(&named, with(&theirs, "/par")).await;
        assert_eq!((mixed.status.as_u16(), mixed.error().as_str()), (400, "invalid_request"));
        let bad = with_header(&with(&ours, "/par"), |header| header["typ"] = json!("JWT"));
        assert_eq!(push(&[], bad).await.error(), "invalid_dpop_proof");

        let pushed = push(&[], with(&ours, "/par")).await;
        let browser = Browser::at(&server);
        browser.sign_in(USER).await;
        let reference = pushed.text("request_uri").replace(':', "%3A");
        let consent = browser.open(&format!("/authorize?client_id={}&request_uri={reference}", client.id)).await;
        let code = browser.submit(&consent.form(), &[("answer", "allow")]).await.answer("code").unwrap();
        for proofs in [vec![], vec![with(&theirs, "/token")]] {
            let refused = post(&server, "/token", &client, &redemption(&code, &pkce), &proofs).await;
            assert_eq!(refused.error(), "invalid_grant");
        }
        let tokens = post(&server, "/token", &client, &redemption(&code, &pkce), &[with(&ours, "/token")]).await;
        assert_eq!(tokens.json["token_type"], "DPoP", "{}", tokens.json);
    }

    async fn a_device_is_signed_in_with_the_key_that_started_it(server: TestServer) {
        let (client, ours, theirs) = (public(&server).await, key(), key());
        let confirmation = ours.confirmation().to_string();
        let jkt = confirmation.strip_prefix("jkt:").unwrap();
        let path = "/device_authorization";
        let mixed = post(&server, path, &client, &[("dpop_jkt", jkt)], &[proof(&server, &theirs, path, None)]).await;
        assert_eq!(mixed.error(), "invalid_dpop_proof");
        assert_eq!(post(&server, path, &client, &[("dpop_jkt", "x")], &[]).await.error(), "invalid_request");
        for (form, proofs) in [(vec![], vec![proof(&server, &ours, path, None)]), (vec![("dpop_jkt", jkt)], vec![])] {
            let device = post(&server, path, &client, &form, &proofs).await;
            let browser = Browser::at(&server);
            browser.sign_in(USER).await;
            let page = browser.open(&device.text("verification_uri_complete")).await;
            browser.submit(&page.form(), &[("answer", "approve")]).await;
            let device_code = device.text("device_code");
            let poll = |proofs: Vec<String>| {
                let (server, client, form) = (&server, &client, [("grant_type", DEVICE), ("device_code", device_code.as_str())]);
                async move { post(server, "/token", client, &form, &proofs).await }
            };
            assert_eq!(poll(vec![]).await.error(), "invalid_grant");
            assert_eq!(poll(vec![proof(&server, &theirs, "/token", None)]).await.error(), "invalid_grant");
            assert_eq!(poll(vec![proof(&server, &ours, "/token", None)]).await.json["token_type"], "DPoP");
        }
    }

    async fn the_answer_to_a_proof_tells_the_time_by_which_it_was_judged(server: TestServer) {
        let (client, key, behind) = (server.client().await, key(), server.clock.now());
        server.advance(Duration::from_secs(7200));
        let nonce = server.authority().dpop_nonce();
        let url = server.path("/token");
        let wanted = Wanted { method: "POST", url: &url, nonce: Some(&nonce), access_token: None };
        let late = key.prove(&wanted, &Clock::settable(behind), &Entropy::system()).unwrap().expose().to_owned();
        let refused = post(&server, "/token", &client, CREDENTIALS, &[late]).await;
        assert_eq!(refused.error(), "invalid_dpop_proof");
        let told = httpdate::parse_http_date(refused.headers["date"].to_str().unwrap()).unwrap();
        let told = told.duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
        assert_eq!(i64::try_from(told).unwrap(), server.clock.now().seconds());
    }

    async fn our_own_command_line_gets_plain_access_tokens_and_a_refresh_token_that_needs_its_key(server: TestServer) {
        let (own, ours, theirs) = (own(), key(), key());
        let tokens = own_tokens(&server, &ours).await;
        assert_eq!(tokens.json["token_type"], "Bearer", "{}", tokens.json);
        assert_eq!(whoami(&server, "Bearer", &tokens.text("access_token"), &[]).await.json["result"]["email"], USER);
        let first = tokens.text("refresh_token");
        let good = || vec![proof(&server, &ours, "/token", None)];
        for thief in [vec![], vec![proof(&server, &theirs, "/token", None)]] {
            assert_eq!(refresh(&server, &own, &first, &thief).await.error(), "invalid_grant");
        }
        let second = refresh(&server, &own, &first, &good()).await;
        assert_eq!(second.json["token_type"], "Bearer", "the thief has ended nothing: {}", second.json);
        let repeated = refresh(&server, &own, &first, &good()).await;
        assert_eq!(repeated.text("refresh_token"), second.text("refresh_token"), "a lost answer is given again");
        assert_eq!(refresh(&server, &own, &first, &[]).await.error(), "invalid_grant", "but not to the thief");
        assert_eq!(refresh(&server, &own, &second.text("refresh_token"), &good()).await.status, 200);
        let plain = own_tokens_without_key(&server).await.text("refresh_token");
        assert_eq!(refresh(&server, &own, &plain, &[]).await.status, 200, "who began without a key needs none");
    }

    async fn the_documents_say_so(server: TestServer) {
        for path in ["/.well-known/oauth-authorization-server", "/.well-known/oauth-protected-resource"] {
            let document = Answer::of(server.http().get(server.path(path))).await.json;
            assert_eq!(document["dpop_signing_alg_values_supported"], json!(["ES256", "EdDSA", "Ed25519", "RS256", "PS256"]));
        }
    }
}

/// The operator's word turns the command line's access tokens into bound ones.
#[tokio::test]
async fn the_operator_may_have_the_command_lines_access_tokens_bound_too() {
    let clients = ClientPolicy { cli_access_tokens: CliAccessTokens::Dpop, ..ClientPolicy::default() };
    let server = TestServer::with(Engine::Sqlite, Options { clients, ..Options::default() }).await;
    let (own, ours, path) = (own(), key(), "/api/v1/user/rpc");
    let first = own_tokens(&server, &ours).await;
    let second = refresh(&server, &own, &first.text("refresh_token"), &[proof(&server, &ours, "/token", None)]).await;
    for tokens in [first, second] {
        assert_eq!(tokens.json["token_type"], "DPoP", "{}", tokens.json);
        let token = tokens.text("access_token");
        assert_eq!(whoami(&server, "Bearer", &token, &[]).await.status, 401);
        assert_eq!(whoami(&server, "DPoP", &token, &[proof(&server, &ours, path, Some(&token))]).await.status, 200);
    }
}

/// gatepass's own command line.
fn own() -> RegisteredClient {
    RegisteredClient { id: "gatepass-cli".into(), secret: String::new() }
}

async fn own_tokens(server: &TestServer, key: &ProofKey) -> Answer {
    let prove = |path: &str| vec![proof(server, key, path, None)];
    own_sign_in(server, &prove).await
}

async fn own_tokens_without_key(server: &TestServer) -> Answer {
    own_sign_in(server, &|_| vec![]).await
}

/// Pushed, opened by its short link, redeemed.
async fn own_sign_in(server: &TestServer, prove: &dyn Fn(&str) -> Vec<String>) -> Answer {
    let (own, pkce, redirect_uri) = (own(), Pkce::new(), "http://127.0.0.1:4711/callback");
    let form = [
        ("response_type", "code"),
        ("redirect_uri", redirect_uri),
        ("scope", "openid account offline_access"),
        ("code_challenge", &pkce.challenge),
        ("code_challenge_method", "S256"),
    ];
    let pushed = post(server, "/par", &own, &form, &prove("/par")).await;
    assert_eq!(pushed.json["expires_in"], 600, "a link that may be typed lives as long as a device's code");
    let browser = Browser::at(server);
    browser.sign_in(USER).await;
    let code = browser.open(&pushed.text("sign_in_uri")).await.answer("code").unwrap();
    let form = [
        ("grant_type", "authorization_code"),
        ("code", code.as_str()),
        ("redirect_uri", redirect_uri),
        ("code_verifier", &pkce.verifier),
    ];
    post(server, "/token", &own, &form, &prove("/token")).await
}
