//! `POST /register`, `GET`, `PUT` and `DELETE /register/{client_id}`.

use crate::{
    grants::key,
    site::{policy, server},
};
use gatepass_testkit::{
    Answer, Browser, Engine, Options, Pkce, REDIRECT_URI, RegisteredClient, TestServer, USER,
    authority::{ClientPolicy, EventKind, Store},
    keys::{Algorithm, Jwk, PrivateKey, private_key::Encoding},
    on_both_engines, tokio,
};
use reqwest::Method;
use serde_json::{Value, json};
use std::{collections::BTreeSet, time::Duration};

async fn register(server: &TestServer, metadata: &Value) -> Answer {
    Answer::of(server.http().post(server.path("/register")).json(metadata)).await
}

async fn manage(server: &TestServer, method: Method, client: &Value, token: &str, body: Option<&Value>) -> Answer {
    let url = server.path(&format!("/register/{}", client["client_id"].as_str().unwrap()));
    let request = server.http().request(method, url).bearer_auth(token);
    Answer::of(match body {
        Some(body) => request.json(body),
        None => request,
    })
    .await
}

fn public() -> Value {
    json!({
        "client_name": "Desk tool",
        "redirect_uris": ["http://localhost/callback", REDIRECT_URI],
        "grant_types": ["authorization_code", "refresh_token"],
        "token_endpoint_auth_method": "none",
    })
}

fn client(answer: &Answer) -> RegisteredClient {
    RegisteredClient {
        id: answer.text("client_id"),
        secret: answer.json["client_secret"].as_str().unwrap_or_default().to_owned(),
    }
}

on_both_engines! {
    async fn a_program_registers_itself_and_signs_a_person_in(server: TestServer) {
        let registered = register(&server, &json!({
            "client_name": "Web app", "redirect_uris": [REDIRECT_URI], "unknown_member": [1], "client_name#de": "x",
            "grant_types": ["authorization_code", "refresh_token"], "client_uri": "https://app.example",
            "software_statement": "e30.e30.AAAA",
        })).await;
        assert_eq!(registered.status, 201, "{}", registered.json);
        assert!(registered.text("client_id").starts_with("reg-") && !server.client().await.id.starts_with("reg-"));
        assert_eq!(registered.headers["cache-control"], "no-store");
        let told = &registered.json;
        assert_eq!((&told["token_endpoint_auth_method"], &told["client_secret_expires_at"]), (&json!("client_secret_basic"), &json!(0)));
        assert_eq!((&told["response_types"], &told["client_uri"]), (&json!(["code"]), &json!("https://app.example")));
        assert_eq!(told["client_id_issued_at"], server.authority().now().seconds());
        assert_eq!((told.get("unknown_member"), told.get("software_statement")), (None, None));
        assert_eq!(told["id_token_signed_response_alg"], "ES256", "what was chosen for it is told");
        let tokens = server.tokens(&client(&registered), &[("scope", "openid")]).await;
        assert_eq!(tokens.status, 200, "{}", tokens.json);
        assert_eq!(server.refresh(&client(&registered), &tokens.text("refresh_token")).await.status, 200);
        let own = server.post("/token", &client(&registered), &[("grant_type", "client_credentials")]).await;
        assert_eq!(own.error(), "unauthorized_client", "a stranger does not act for itself");
    }

    async fn a_program_is_held_to_the_algorithm_of_its_assertions(server: TestServer) {
        let pair = rcgen::KeyPair::generate_for(&rcgen::PKCS_RSA_SHA256).unwrap();
        let key = PrivateKey::from_der(&pair.serialize_der(), Encoding::Pkcs8).unwrap();
        let metadata = json!({
            "redirect_uris": [REDIRECT_URI], "token_endpoint_auth_method": "private_key_jwt",
            "jwks": {"keys": [Jwk { alg: None, ..key.public().clone() }]}, "token_endpoint_auth_signing_alg": "PS256",
        });
        let meaningless = json!({"redirect_uris": [REDIRECT_URI], "token_endpoint_auth_signing_alg": "RS512"});
        let other = register(&server, &meaningless).await;
        assert_eq!((other.status.as_u16(), other.json.get("token_endpoint_auth_signing_alg")), (201, None), "another method");
        let registered = register(&server, &metadata).await;
        assert_eq!(registered.json["token_endpoint_auth_signing_alg"], "PS256");
        let (id, now) = (registered.text("client_id"), server.authority().now().seconds());
        let revoke = async |algorithm: Algorithm| {
            let jti = algorithm.as_str();
            let claims = json!({ "iss": id, "sub": id, "aud": server.url, "exp": now + 60, "jti": jti });
            let assertion = key.sign(algorithm, None, &claims).unwrap();
            let form = [
                ("token", "x"), ("client_assertion", assertion.expose()),
                ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"),
            ];
            Answer::of(server.http().post(server.path("/revoke")).form(&form)).await.status.as_u16()
        };
        assert_eq!((revoke(Algorithm::Rs256).await, revoke(Algorithm::Ps256).await), (401, 200));
    }

    async fn every_rule_of_a_registration_has_its_error(server: TestServer) {
        let table = [
            (json!({}), "invalid_redirect_uri"),
            (json!({"redirect_uris": ["http://app.example/cb"]}), "invalid_redirect_uri"),
            (json!({"redirect_uris": ["http://localhost/cb"], "application_type": "web"}), "invalid_redirect_uri"),
            (json!({"redirect_uris": [REDIRECT_URI], "client_name": 5}), "invalid_client_metadata"),
            (json!({"redirect_uris": [REDIRECT_URI], "grant_types": ["client_credentials"]}), "invalid_client_metadata"),
            (json!({"redirect_uris": [REDIRECT_URI], "grant_types": ["password"]}), "invalid_client_metadata"),
            (json!({"redirect_uris": [REDIRECT_URI], "response_types": ["token"]}), "invalid_client_metadata"),
            (json!({"redirect_uris": [REDIRECT_URI], "scope": "admin"}), "invalid_client_metadata"),
            (json!({"redirect_uris": [REDIRECT_URI], "token_endpoint_auth_method": "private_key_jwt"}), "invalid_client_metadata"),
            (json!({"redirect_uris": [REDIRECT_URI], "token_endpoint_auth_method": "private_key_jwt", "jwks": {"keys": []}}), "invalid_client_metadata"),
            // No certificate of a client reaches this server.
            (json!({"redirect_uris": [REDIRECT_URI], "token_endpoint_auth_method": "self_signed_tls_client_auth", "jwks": {"keys": [key().public()]}}), "invalid_client_metadata"),
            (json!({"redirect_uris": [REDIRECT_URI], "token_endpoint_auth_method": "tls_client_auth", "tls_client_auth_san_dns": "a.example"}), "invalid_client_metadata"),
            (json!({"redirect_uris": [REDIRECT_URI], "jwks_uri": "https://127.0.0.1/keys"}), "invalid_client_metadata"),
            (json!({"redirect_uris": [REDIRECT_URI], "jwks_uri": "https://localhost/keys"}), "invalid_client_metadata"),
            (json!({"redirect_uris": [REDIRECT_URI], "jwks_uri": "http://app.example/keys"}), "invalid_client_metadata"),
            (json!({"redirect_uris": [REDIRECT_URI], "backchannel_logout_uri": "https://[fd00::1]/out"}), "invalid_client_metadata"),
            (
                json!({"redirect_uris": [REDIRECT_URI], "backchannel_logout_uri": "http://app.example/out"}),
                "invalid_client_metadata",
            ),
            (json!({"redirect_uris": [REDIRECT_URI], "id_token_signed_response_alg": "none"}), "invalid_client_metadata"),
            (json!({"redirect_uris": [REDIRECT_URI], "token_endpoint_auth_method": "private_key_jwt", "jwks": {"keys": [key().public()]}, "token_endpoint_auth_signing_alg": "HS256"}), "invalid_client_metadata"),
            (json!([]), "invalid_client_metadata"),
            (json!("text"), "invalid_client_metadata"),
        ];
        for (metadata, error) in table {
            let answer = register(&server, &metadata).await;
            assert_eq!((answer.status.as_u16(), answer.error().as_str()), (400, error), "{metadata}");
        }
        let send = |content_type: &'static str, body: Vec<u8>| {
            Answer::of(server.http().post(server.path("/register")).header("content-type", content_type).body(body))
        };
        assert_eq!(send("application/x-www-form-urlencoded", b"a=b".to_vec()).await.status, 415);
        assert_eq!(send("application/json", vec![b'['; 60_000]).await.status, 400);
        assert_eq!(send("application/json", vec![b' '; 64 * 1024 + 1]).await.status, 413);
        assert_eq!(send("application/json", b"{\"client_name\":\"\xff\"}".to_vec()).await.status, 400);
    }

    async fn a_registration_is_cut_to_what_a_stranger_may_have(server: TestServer) {
        let registered = register(&server, &json!({
            "redirect_uris": ["com.example.app:/cb", "http://127.0.0.1/cb"], "token_endpoint_auth_method": "none", "application_type": "native",
            "grant_types": ["authorization_code", "client_credentials", "implicit"], "scope": "openid admin email",
        })).await;
        assert_eq!(registered.json["grant_types"], json!(["authorization_code"]));
        assert_eq!(registered.json["scope"], "email openid");
        assert_eq!(registered.json.get("client_secret"), None);
    }

    async fn the_same_public_program_is_one_client_that_nobody_can_change(server: TestServer) {
        let first = register(&server, &public()).await;
        let token = first.text("registration_access_token");
        assert_eq!(manage(&server, Method::GET, &first.json, &token, None).await.status, 200);
        let second = register(&server, &public()).await;
        assert_eq!(second.text("client_id"), first.text("client_id"));
        // Both or neither (OpenID Connect Registration §3.2).
        let given = |answer: &Answer| {
            ["registration_access_token", "registration_client_uri"].map(|name| answer.json.get(name).is_some())
        };
        assert_eq!((given(&first), given(&second)), ([true; 2], [false; 2]), "the second is not given the first one's");
        let mut evil = public();
        (evil["client_id"], evil["redirect_uris"]) = (first.json["client_id"].clone(), json!(["https://evil.example/cb"]));
        for (method, body) in [(Method::GET, None), (Method::PUT, Some(&evil)), (Method::DELETE, None)] {
            let answer = manage(&server, method, &first.json, &token, body).await;
            assert_eq!((answer.status.as_u16(), answer.error().as_str()), (401, "invalid_token"), "the first can no longer change it");
            assert!(answer.headers["www-authenticate"].to_str().unwrap().contains("invalid_token"));
        }
        let mut other = public();
        other["client_name"] = json!("Other tool");
        assert_ne!(register(&server, &other).await.text("client_id"), first.text("client_id"));
        let mut confidential = public();
        confidential["token_endpoint_auth_method"] = json!("client_secret_post");
        let (one, two) = (register(&server, &confidential).await, register(&server, &confidential).await);
        assert_ne!(one.text("client_id"), two.text("client_id"), "secrets are not shared");
        assert_ne!(one.text("client_secret"), two.text("client_secret"));
    }

    async fn an_update_deletes_what_it_leaves_out_and_tells_what_it_did_not_give(server: TestServer) {
        let mut metadata = json!({
            "client_name": "Web app", "redirect_uris": [REDIRECT_URI], "client_uri": "https://app.example",
            "contacts": ["a@app.example"],
        });
        let registered = register(&server, &metadata).await;
        let token = registered.text("registration_access_token");
        assert_eq!(registered.json["contacts"], metadata["contacts"]);
        metadata = json!({
            "client_id": registered.json["client_id"], "client_name": "Web app", "redirect_uris": [REDIRECT_URI],
            "grant_types": ["authorization_code", "client_credentials"], "scope": "openid admin",
        });
        let updated = manage(&server, Method::PUT, &registered.json, &token, Some(&metadata)).await;
        for told in [updated, manage(&server, Method::GET, &registered.json, &token, None).await] {
            assert_eq!(told.status, 200, "{}", told.json);
            assert_eq!((told.json.get("client_uri"), told.json.get("contacts")), (None, None));
            assert_eq!(told.json["grant_types"], json!(["authorization_code"]));
            assert_eq!(told.json["scope"], "openid");
        }
    }

    async fn every_rule_of_management_has_its_error(server: TestServer) {
        let registered = register(&server, &json!({"client_name": "Web app", "redirect_uris": [REDIRECT_URI]})).await;
        let token = registered.text("registration_access_token");
        let with = |name: &str, value: Value| {
            let mut changed = json!({"client_name": "Web app", "redirect_uris": [REDIRECT_URI]});
            changed["client_id"] = registered.json["client_id"].clone();
            changed[name] = value;
            changed
        };
        let table = [
            (with("client_id", json!("gatepass-cli")), "invalid_client_metadata"),
            (with("client_id", Value::Null), "invalid_client_metadata"),
            (with("client_id", json!(5)), "invalid_client_metadata"),
            (with("client_secret", json!("mine")), "invalid_client_metadata"),
            (with("client_secret", json!(5)), "invalid_client_metadata"),
            (with("registration_access_token", json!(token)), "invalid_client_metadata"),
            (with("registration_client_uri", registered.json["registration_client_uri"].clone()), "invalid_client_metadata"),
            (with("client_secret_expires_at", json!(0)), "invalid_client_metadata"),
            (with("client_id_issued_at", json!(0)), "invalid_client_metadata"),
            (with("client_name", json!(5)), "invalid_client_metadata"),
            (with("grant_types", json!(["client_credentials"])), "invalid_client_metadata"),
            (with("token_endpoint_auth_method", json!("private_key_jwt")), "invalid_client_metadata"),
            (with("jwks_uri", json!("https://127.0.0.1/keys")), "invalid_client_metadata"),
            (with("redirect_uris", json!([])), "invalid_redirect_uri"),
            (with("redirect_uris", json!(["http://app.example/cb"])), "invalid_redirect_uri"),
            (json!([]), "invalid_client_metadata"),
            (json!({"redirect_uris": [REDIRECT_URI]}), "invalid_client_metadata"),
        ];
        let before = manage(&server, Method::GET, &registered.json, &token, None).await;
        for (metadata, error) in table {
            let answer = manage(&server, Method::PUT, &registered.json, &token, Some(&metadata)).await;
            assert_eq!((answer.status.as_u16(), answer.error().as_str()), (400, error), "{metadata}");
        }
        let url = server.path(&format!("/register/{}", registered.text("client_id")));
        let send = |content_type: &'static str, body: Vec<u8>| {
            Answer::of(server.http().put(&url).bearer_auth(&token).header("content-type", content_type).body(body))
        };
        assert_eq!(send("application/x-www-form-urlencoded", b"a=b".to_vec()).await.status, 415);
        let broken = send("application/json", b"{".to_vec()).await;
        assert_eq!((broken.status.as_u16(), broken.error().as_str()), (400, "invalid_client_metadata"));
        assert_eq!(send("application/json", vec![b' '; 64 * 1024 + 1]).await.status, 413);

        let foreign = register(&server, &json!({"redirect_uris": [REDIRECT_URI]})).await.text("registration_access_token");
        let access = server.tokens(&client(&registered), &[("scope", "openid")]).await.text("access_token");
        let good = with("client_name", json!("Other name"));
        for wrong in ["", "x", "gpm_nonsense", &foreign, &access] {
            for (method, body) in [(Method::GET, None), (Method::PUT, Some(&good)), (Method::DELETE, None)] {
                let answer = manage(&server, method.clone(), &registered.json, wrong, body).await;
                assert_eq!((answer.status.as_u16(), answer.error().as_str()), (401, "invalid_token"), "{method} {wrong}");
                assert!(answer.headers["www-authenticate"].to_str().unwrap().starts_with("Bearer "), "{method} {wrong}");
            }
        }
        let none = Answer::of(server.http().get(&url)).await;
        let basic = Answer::of(server.http().get(&url).basic_auth(registered.text("client_id"), Some(&token))).await;
        let unknown = Answer::of(server.http().get(server.path("/register/nobody")).bearer_auth(&token)).await;
        assert_eq!([none.status, basic.status, unknown.status].map(|status| status.as_u16()), [401; 3]);
        let read = manage(&server, Method::GET, &registered.json, &token, None).await;
        assert_eq!((read.status.as_u16(), read.json), (200, before.json), "it is as it was");
    }

    async fn whoever_holds_the_token_reads_changes_and_removes_the_registration(server: TestServer) {
        let metadata = json!({"client_name": "Web app", "redirect_uris": [REDIRECT_URI], "grant_types": ["authorization_code", "refresh_token"]});
        let registered = register(&server, &metadata).await;
        let token = registered.text("registration_access_token");
        assert!(token.starts_with("gpm_"));
        let read = manage(&server, Method::GET, &registered.json, &token, None).await;
        assert_eq!((read.status.as_u16(), read.json["registration_access_token"].as_str()), (200, Some(token.as_str())));
        assert_eq!(read.json.get("client_secret"), None, "a secret is shown once");
        assert_eq!(read.text("registration_client_uri"), server.path(&format!("/register/{}", registered.text("client_id"))));
        let tokens = server.tokens(&client(&registered), &[("scope", "openid account")]).await;

        let with = |name: &str, value: Value| {
            let mut changed = metadata.clone();
            changed["client_id"] = registered.json["client_id"].clone();
            changed[name] = value;
            changed
        };
        let good = with("client_secret", registered.json["client_secret"].clone());
        assert_eq!(manage(&server, Method::PUT, &registered.json, &token, Some(&good)).await.status, 200);
        let moved = manage(&server, Method::PUT, &registered.json, &token, Some(&with("redirect_uris", json!(["https://new.example/cb"])))).await;
        assert_eq!((moved.status.as_u16(), &moved.json["redirect_uris"]), (200, &json!(["https://new.example/cb"])));
        assert_eq!(server.refresh(&client(&registered), &tokens.text("refresh_token")).await.status, 200, "the secret is the same");
        let browser = Browser::at(&server);
        browser.sign_in(USER).await;
        let old = browser.open(&server.authorize_path(&client(&registered), &Pkce::new(), &[])).await;
        assert_eq!(old.status, 400, "the old address is no longer good");
        let path = server.authorize_path(&client(&registered), &Pkce::new(), &[("scope", "openid")]).replace("app.example", "new.example");
        assert_eq!(browser.open(&path).await.heading(), "Allow Web app?", "people are asked again after a change");

        assert_eq!(manage(&server, Method::DELETE, &registered.json, &token, None).await.status, 204);
        assert_eq!(manage(&server, Method::GET, &registered.json, &token, None).await.status, 401);
        assert_eq!(server.whoami(&tokens.text("access_token")).await.status, 401, "what it was given ends with it");
        assert_eq!(server.refresh(&client(&registered), &tokens.text("refresh_token")).await.error(), "invalid_client");
        let gone = browser.open(&server.authorize_path(&client(&registered), &Pkce::new(), &[])).await;
        assert_eq!((gone.status.as_u16(), gone.heading().as_str()), (400, "This program is not known here"));
        assert!(gone.html.contains("sign in anew"), "{}", gone.html);
    }

    async fn a_registration_whose_identifier_does_not_say_so_ends_with_its_grants(server: TestServer) {
        let registered = register(&server, &json!({"redirect_uris": [REDIRECT_URI], "grant_types": ["authorization_code", "refresh_token"]})).await;
        let tokens = server.tokens(&client(&registered), &[("scope", "account")]).await;
        // So they were called once.
        let store = Store::open(&server.database.database_url()).await.unwrap();
        let mut old = registered.json.clone();
        let id = registered.text("client_id");
        old["client_id"] = json!(id.trim_start_matches("reg-"));
        for sql in [
            "update client set id = substr(id, 5) where id = $1",
            "update token_grant set client_id = substr(client_id, 5) where client_id = $1",
            "update access_token set client_id = substr(client_id, 5) where client_id = $1",
        ] {
            assert_eq!(store.db().execute(sql, vec![id.as_str().into()]).await.unwrap(), 1, "{sql}");
        }
        assert_eq!(server.whoami(&tokens.text("access_token")).await.status, 200);
        let token = registered.text("registration_access_token");
        assert_eq!(manage(&server, Method::DELETE, &old, &token, None).await.status, 204);
        assert_eq!(server.whoami(&tokens.text("access_token")).await.status, 401);
        store.close().await;
    }

    async fn a_hundred_at_once_are_as_many_clients_as_there_are_programs(server: TestServer) {
        let all = (0..100).map(|index| {
            let mut metadata = public();
            metadata["client_name"] = json!(format!("Tool {}", index % 10));
            let request = server.http().post(server.path("/register")).json(&metadata);
            tokio::spawn(async move { Answer::of(request).await })
        });
        let (mut ids, mut managed) = (BTreeSet::new(), 0);
        for answer in all.collect::<Vec<_>>() {
            let answer = answer.await.unwrap();
            assert_eq!(answer.status, 201, "{}", answer.json);
            ids.insert(answer.text("client_id"));
            managed += usize::from(answer.json.get("registration_access_token").is_some());
        }
        assert_eq!((ids.len(), managed), (10, 10));
    }

    async fn registrations_that_nobody_uses_are_removed(server: TestServer) {
        let day = Duration::from_secs(24 * 60 * 60);
        let used = register(&server, &json!({"redirect_uris": [REDIRECT_URI], "grant_types": ["authorization_code", "refresh_token"]})).await;
        let idle = register(&server, &public()).await;
        let operators = server.client().await;
        let mut tokens = server.tokens(&client(&used), &[("scope", "openid")]).await;
        for _ in 0..5 {
            server.advance(day * 20);
            tokens = server.refresh(&client(&used), &tokens.text("refresh_token")).await;
            assert_eq!(tokens.status, 200, "{}", tokens.json);
        }
        assert_eq!(server.authority().reap_registrations(100).await.unwrap(), [("client", 1), ("client_document", 0)]);
        assert!(server.authority().tally().swept().any(|count| count == ("client", 1)));
        assert_eq!(server.authority().reap_registrations(100).await.unwrap()[0].1, 0);
        assert_eq!(server.refresh(&client(&used), &tokens.text("refresh_token")).await.status, 200);
        assert_eq!(server.post("/token", &operators, &[("grant_type", "client_credentials")]).await.status, 200);
        let form = [("grant_type", "refresh_token"), ("client_id", &idle.text("client_id")), ("refresh_token", "x")];
        assert_eq!(Answer::of(server.http().post(server.path("/token")).form(&form)).await.error(), "invalid_client");
    }

    async fn a_strangers_address_is_gone_to_after_a_persons_word_only(server: TestServer) {
        let registered = register(&server, &json!({
            "redirect_uris": [REDIRECT_URI], "post_logout_redirect_uris": ["https://app.example/out"],
            "token_endpoint_auth_method": "none", "client_name": "Desk tool",
        })).await;
        let client = client(&registered);
        let path = |extra: &[(&str, &str)]| server.authorize_path(&client, &Pkce::new(), &[&[("scope", "openid")], extra].concat());
        let bad = path(&[]).replace("response_type=code", "response_type=token");
        let logout = format!("/logout?client_id={}&post_logout_redirect_uri=https%3A%2F%2Fapp.example%2Fout&state=s", client.id);
        let browser = Browser::at(&server);
        for path in [&bad, &path(&[("prompt", "none")]), &path(&[("resource", "https://unknown.example")])] {
            let page = browser.open(path).await;
            assert_eq!((page.status.as_u16(), &page.left_for), (400, &None), "{path}");
            assert!(page.html.contains("Go on to app.example</a>") && page.html.contains("error="), "{}", page.html);
        }
        let posts = browser.open(&bad.replace("response_type", "response_mode=form_post&response_type")).await;
        assert_eq!((posts.status.as_u16(), posts.form().action.as_str()), (400, REDIRECT_URI));
        assert!(!posts.html.contains("submit.js"), "nothing presses the button");
        let out = browser.open(&logout).await;
        assert_eq!((out.status.as_u16(), &out.left_for, out.heading().as_str()), (200, &None, "You are signed out"));
        assert!(out.html.contains("https://app.example/out?state=s"), "{}", out.html);
        browser.sign_in(USER).await;
        assert_eq!(browser.open(&bad).await.left_for, None, "who is signed in has said nothing yet");
        assert_eq!(browser.open(&path(&[("prompt", "none")])).await.answer("error").as_deref(), Some("consent_required"));
        let asked = browser.open(&path(&[])).await;
        let no = browser.submit(&asked.form(), &[("answer", "deny")]).await;
        assert_eq!(no.answer("error").as_deref(), Some("access_denied"));
        let yes = browser.submit(&asked.form(), &[("answer", "allow")]).await;
        assert!(yes.answer("code").is_some());
        let asked = browser.open(&logout).await;
        let left = browser.submit(&asked.form(), &[("answer", "sign_out")]).await;
        assert_eq!(left.left_for.as_deref(), Some("https://app.example/out?state=s"));
    }

    async fn a_logo_that_lies_inside_is_neither_shown_nor_fetched(server: TestServer) {
        let inside = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = inside.local_addr().unwrap().port();
        let browser = Browser::at(&server);
        browser.sign_in(USER).await;
        for host in ["127.0.0.1", "localhost", "169.254.169.254", "[::1]", "10.0.0.1"] {
            let logo = format!("http://{host}:{port}/logo.png");
            let registered = register(&server, &json!({"client_name": "Web app", "redirect_uris": [REDIRECT_URI], "logo_uri": logo})).await;
            assert_eq!((registered.status.as_u16(), registered.json["logo_uri"].as_str()), (201, Some(logo.as_str())), "kept as it was said");
            let asked = browser.open(&server.authorize_path(&client(&registered), &Pkce::new(), &[("scope", "openid")])).await;
            assert_eq!(asked.heading(), "Allow Web app?");
            assert!(!asked.html.contains("logo.png") && !asked.html.contains("<img"), "{}", asked.html);
            assert!(browser.submit(&asked.form(), &[("answer", "allow")]).await.answer("code").is_some());
        }
        assert!(tokio::time::timeout(Duration::from_millis(50), inside.accept()).await.is_err(), "nobody came for it");
    }

    async fn a_strangers_name_is_shown_harmlessly(server: TestServer) {
        let metadata = json!({
            "client_name": "<script>x</script>\u{202e}gnihton \u{200b}\u{2066}&amp;", "redirect_uris": [REDIRECT_URI], "logo_uri": "https://evil.example/pixel.png",
            "client_uri": "https://evil.example/home", "tos_uri": "https://evil.example/tos",
        });
        let registered = register(&server, &metadata).await;
        let browser = Browser::at(&server);
        browser.sign_in(USER).await;
        let page = browser.open(&server.authorize_path(&client(&registered), &Pkce::new(), &[("scope", "openid")])).await;
        assert_eq!(page.heading(), "Allow <script>x</script>gnihton &amp;?".replace("&amp;", "&"), "{}", page.html);
        assert!(!page.html.contains("<script>") && !page.html.contains('\u{202e}') && !page.html.contains("evil.example"), "{}", page.html);
        assert!(page.html.contains("registered itself"));
    }
}

async fn one_address_registers_only_so_much(engine: Engine) {
    let server = server(engine, ClientPolicy { registrations_per_hour: 2, ..policy() }).await;
    let named = |index: usize| {
        let mut metadata = public();
        metadata["client_name"] = json!(format!("Tool {index}"));
        metadata
    };
    for _ in 0..5 {
        assert_eq!(register(&server, &named(0)).await.status, 201, "the same again is nothing new");
    }
    assert_eq!(register(&server, &named(1)).await.status, 201);
    let bounded = register(&server, &named(2)).await;
    assert_eq!(bounded.status, 429);
    let alarms = crate::audit::events(&server, EventKind::Throttled, 1).await;
    assert_eq!((alarms[0].detail.as_str(), alarms[0].address.as_str()), ("registration", "127.0.0.1"));
    assert!(bounded.headers.contains_key("retry-after"));
    server.advance(Duration::from_secs(3601));
    assert_eq!(register(&server, &named(2)).await.status, 201);
    let all = crate::site::server(engine, ClientPolicy { registrations_per_hour_in_all: 1, ..policy() }).await;
    assert_eq!(register(&all, &named(1)).await.status, 201);
    assert_eq!(register(&all, &named(2)).await.status, 429);
    for _ in 0..3 {
        let known = register(&all, &named(1)).await;
        assert_eq!(known.status, 201, "what is there already locks nobody out");
        assert_eq!(known.json.get("registration_access_token"), None);
    }
}

#[tokio::test(flavor = "multi_thread", crate = "gatepass_testkit::tokio")]
async fn an_operator_who_wants_no_registrations_has_no_endpoint() {
    let server = server(Engine::Sqlite, ClientPolicy { registration: false, ..policy() }).await;
    assert_eq!(register(&server, &public()).await.status, 404);
    let client = json!({"client_id": "x"});
    assert_eq!(manage(&server, Method::GET, &client, "gpm_x", None).await.status, 404);
    let metadata = Answer::of(server.http().get(server.path("/.well-known/oauth-authorization-server"))).await;
    assert_eq!(metadata.json.get("registration_endpoint"), None);
}

#[tokio::test(flavor = "multi_thread", crate = "gatepass_testkit::tokio")]
async fn the_operator_says_what_strangers_may_ask_for() {
    let clients = ClientPolicy {
        scope: "openid mcp:tools".parse().unwrap(),
        resources: vec!["https://api.example".parse().unwrap()],
        denied_domains: vec!["evil.example".into()],
        ..policy()
    };
    let server = TestServer::with(Engine::Sqlite, Options { clients, ..Options::default() }).await;
    let denied = register(&server, &json!({"redirect_uris": ["https://a.evil.example/cb"]})).await;
    assert_eq!(denied.error(), "invalid_redirect_uri");
    let registered = register(&server, &json!({"redirect_uris": [REDIRECT_URI]})).await;
    assert_eq!(registered.json["scope"], "mcp:tools openid");
    let extra = [("scope", "mcp:tools"), ("resource", "https://api.example")];
    assert_eq!(server.tokens(&client(&registered), &extra).await.status, 200);
}

#[tokio::test(flavor = "multi_thread", crate = "gatepass_testkit::tokio")]
async fn nothing_leads_to_a_domain_that_the_operator_denies() {
    let denied = ClientPolicy { denied_domains: vec!["evil.example".into()], ..policy() };
    let server = server(Engine::Sqlite, denied).await;
    for name in ["redirect_uris", "post_logout_redirect_uris"] {
        let mut metadata = public();
        metadata[name] = json!([REDIRECT_URI, "https://www.evil.example/x"]);
        assert_eq!(register(&server, &metadata).await.error(), "invalid_redirect_uri", "{name}");
    }
}

async fn a_site_of_ipv6_registers_only_so_much_from_all_its_networks(engine: Engine) {
    let options = Options {
        clients: ClientPolicy { registrations_per_hour: 1, ..policy() },
        trusted_proxies: vec!["127.0.0.0/8".into()],
        ..Options::default()
    };
    let server = TestServer::with(engine, options).await;
    let from = async |address: String| {
        let mut metadata = public();
        metadata["client_name"] = json!(address);
        let request = server.http().post(server.path("/register")).header("x-forwarded-for", &address);
        Answer::of(request.json(&metadata)).await.status.as_u16()
    };
    for network in 0..4 {
        assert_eq!(from(format!("2001:db8:1:{network}::1")).await, 201);
    }
    assert_eq!(from("2001:db8:1:9::1".into()).await, 429);
    assert_eq!(from("2001:db8:2:9::1".into()).await, 201);
}

on_both!(one_address_registers_only_so_much);
on_both!(a_site_of_ipv6_registers_only_so_much_from_all_its_networks);
