//! `POST /token` with a token exchange (RFC 8693).

use crate::grants::{API, key, register, resource};
use gatepass_oauth::{Scope, TokenFormat};
use gatepass_testkit::{
    Answer, Browser, Pkce, RegisteredClient, TestServer, USER,
    authority::{
        add_resource::Offered,
        end::EndTarget,
        trust::{EmailProof, NewTrust, Repeats, StandsFor},
    },
    keys::{JwkSet, jws},
    on_both_engines,
};
use serde_json::{Value, json};
use std::{collections::BTreeMap, time::Duration};

const GRANT: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
const ACCESS: &str = "urn:ietf:params:oauth:token-type:access_token";
const JWT: &str = "urn:ietf:params:oauth:token-type:jwt";
/// A subject token, what else is asked, and the error.
type Case<'a> = (&'a str, &'a [(&'a str, &'a str)], &'a str);

const OTHER: &str = "https://other.example";
const LOOPBACK: &str = "http://127.0.0.1:9/callback";

async fn exchange(server: &TestServer, client: &RegisteredClient, token: &str, extra: &[(&str, &str)]) -> Answer {
    let mut form = vec![("grant_type", GRANT), ("subject_token", token)];
    if !extra.iter().any(|(name, _)| *name == "subject_token_type") {
        form.push(("subject_token_type", ACCESS));
    }
    form.extend_from_slice(extra);
    server.post("/token", client, &form).await
}

async fn exchange_public(server: &TestServer, token: &str, extra: &[(&str, &str)]) -> Answer {
    let form = [&[("grant_type", GRANT), ("subject_token", token), ("subject_token_type", ACCESS)], extra].concat();
    server.post_public("/token", &form).await
}

/// A sign-in of gatepass's own command line in which the person is asked and says yes.
async fn command_line_tokens(server: &TestServer, scope: &str, resource: Option<&str>) -> Answer {
    let browser = Browser::at(server);
    browser.sign_in(USER).await;
    let pkce = Pkce::new();
    let mut query = url::form_urlencoded::Serializer::new(String::from("/authorize?"));
    query
        .append_pair("response_type", "code")
        .append_pair("client_id", "gatepass-cli")
        .append_pair("prompt", "consent");
    query.append_pair("redirect_uri", LOOPBACK).append_pair("state", "xyz").append_pair("scope", scope);
    query.append_pair("code_challenge", &pkce.challenge).append_pair("code_challenge_method", "S256");
    if let Some(resource) = resource {
        query.append_pair("resource", resource);
    }
    let page = browser.open(&query.finish()).await;
    let page = browser.submit(&page.form(), &[("answer", "allow")]).await;
    let code = page.answer("code").unwrap_or_else(|| panic!("no code: {:?}", page.left_for));
    let form = [
        ("grant_type", "authorization_code"),
        ("code", &code),
        ("redirect_uri", LOOPBACK),
        ("code_verifier", &pkce.verifier),
    ];
    server.post_public("/token", &form).await
}

on_both_engines! {
    async fn a_client_narrows_its_own_token_and_the_child_ends_with_the_parent(server: TestServer) {
        let client = server.client().await;
        let tokens = server.tokens(&client, &[("scope", "account email")]).await;
        server.advance(Duration::from_secs(600));
        let child = exchange(&server, &client, &tokens.text("access_token"), &[("scope", "account")]).await;
        assert_eq!(child.json["issued_token_type"], ACCESS);
        assert_eq!((child.json["scope"].as_str(), child.json["expires_in"].as_i64()), (Some("account"), Some(3000)));
        assert_eq!(child.json.get("refresh_token"), None);
        let (token, id) = (child.text("access_token"), server.whoami(&tokens.text("access_token")).await);
        assert_eq!(server.whoami(&token).await.json["result"]["id"], id.json["result"]["id"]);
        let wider = exchange(&server, &client, &token, &[("scope", "account email")]).await;
        assert_eq!(wider.error(), "invalid_scope", "what was given up does not come back");
        let grandchild = exchange(&server, &client, &token, &[]).await.text("access_token");
        server.post("/revoke", &client, &[("token", &tokens.text("refresh_token"))]).await;
        for token in [&token, &grandchild] {
            assert_eq!(server.whoami(token).await.status, 401, "revoking the grant ends what came of it");
        }
    }

    async fn a_shorter_life_can_be_asked_for_and_never_a_longer(server: TestServer) {
        let client = server.client().await;
        let access = server.tokens(&client, &[("scope", "account")]).await.text("access_token");
        let life = async |token: &str, asked: &str| {
            exchange(&server, &client, token, &[("requested_expiry", asked)]).await.json["expires_in"].as_u64()
        };
        assert_eq!(life(&access, "300").await, Some(300));
        assert_eq!(life(&access, "4000000000").await, Some(3600));
        let child = exchange(&server, &client, &access, &[("requested_expiry", "60")]).await.text("access_token");
        assert_eq!(life(&child, "300").await, Some(60), "what was given up does not come back");
        for bad in ["0", "-1", "+5", "5m", "1.5", "99999999999"] {
            let refused = exchange(&server, &client, &access, &[("requested_expiry", bad)]).await;
            assert_eq!((refused.status.as_u16(), refused.error().as_str()), (400, "invalid_request"), "{bad}");
        }
        server.advance(Duration::from_secs(61));
        assert_eq!((server.whoami(&child).await.status.as_u16(), server.whoami(&access).await.status.as_u16()), (401, 200));
    }

    async fn the_command_line_narrows_its_own_token_and_takes_none_elsewhere_that_a_resource_has_seen(server: TestServer) {
        for uri in [OTHER, "https://third.example"] {
            let mut open = resource(uri, TokenFormat::Opaque);
            open.offered = Offered::ToAll;
            open.scope = Scope::empty();
            register(&server, open).await;
        }
        let tokens = command_line_tokens(&server, "account email", None).await;
        let own = tokens.text("access_token");
        let narrow = exchange_public(&server, &own, &[("scope", "account"), ("requested_expiry", "300")]).await;
        assert_eq!((narrow.json["scope"].as_str(), narrow.json["expires_in"].as_u64()), (Some("account"), Some(300)), "{}", narrow.json);
        assert_eq!(server.whoami(&narrow.text("access_token")).await.status, 200);
        assert_eq!(exchange_public(&server, &narrow.text("access_token"), &[("scope", "account email")]).await.error(), "invalid_scope");
        assert_eq!(exchange_public(&server, &own, &[("resource", OTHER)]).await.error(), "invalid_target", "nobody was asked");

        // What OTHER has seen, OTHER could bring in the name of a client that has no secret.
        for consented in [OTHER, "https://third.example"] {
            command_line_tokens(&server, "account", Some(consented)).await;
        }
        let seen = command_line_tokens(&server, "account", Some(OTHER)).await.text("access_token");
        assert_eq!(exchange_public(&server, &seen, &[("resource", "https://third.example")]).await.error(), "invalid_target");
        assert_eq!(exchange_public(&server, &seen, &[("resource", &server.url)]).await.error(), "invalid_target");
        assert_eq!(exchange_public(&server, &seen, &[("scope", "account")]).await.status, 200, "narrowing is open to it");
        let there = exchange_public(&server, &own, &[("resource", OTHER), ("scope", "account")]).await;
        assert_eq!(there.status, 200, "the person has allowed it: {}", there.json);
        server.post_public("/revoke", &[("token", &tokens.text("refresh_token"))]).await;
        assert_eq!(server.whoami(&narrow.text("access_token")).await.status, 401, "logout ends what came of it");
    }

    async fn revoking_the_first_token_ends_the_chain(server: TestServer) {
        let client = server.client().await;
        let first = server.post("/token", &client, &[("grant_type", "client_credentials"), ("scope", "account")]).await.text("access_token");
        let second = exchange(&server, &client, &first, &[]).await.text("access_token");
        let third = exchange(&server, &client, &second, &[]).await.text("access_token");
        assert_eq!(server.whoami(&third).await.status, 200);
        server.post("/revoke", &client, &[("token", &first)]).await;
        for token in [&first, &second, &third] {
            assert_eq!(server.whoami(token).await.status, 401);
        }
    }

    async fn a_child_in_other_hands_ends_with_the_client_of_the_first_token(server: TestServer) {
        let mut front = resource(API, TokenFormat::Opaque);
        front.downstream = vec![OTHER.parse().unwrap()];
        let front = register(&server, front).await;
        for by in ["revoke", "remove"] {
            let client = server.client().await;
            let form = [("grant_type", "client_credentials"), ("scope", "api:read"), ("resource", API)];
            let first = server.post("/token", &client, &form).await.text("access_token");
            let child = exchange(&server, &front, &first, &[]).await.text("access_token");
            let active = async || server.post("/introspect", &front, &[("token", &child)]).await.json["active"] == true;
            assert!(active().await);
            let id = client.id.parse().unwrap();
            match by {
                "revoke" => assert_eq!(server.authority().end(&EndTarget::Client(id)).await.unwrap(), 1),
                _ => assert!(server.authority().remove_client(&id).await.unwrap()),
            }
            assert!(!active().await, "{by}");
        }
    }

    async fn the_use_of_a_child_does_not_settle_a_rotation_whose_answer_was_lost(server: TestServer) {
        let client = server.client().await;
        let tokens = server.tokens(&client, &[("scope", "account")]).await;
        server.advance(Duration::from_secs(1));
        let lost = server.refresh(&client, &tokens.text("refresh_token")).await;
        let child = exchange(&server, &client, &tokens.text("access_token"), &[]).await.text("access_token");
        assert_eq!(server.whoami(&child).await.status, 200);
        server.advance(Duration::from_secs(60));
        let again = server.refresh(&client, &tokens.text("refresh_token")).await;
        assert_eq!(again.text("refresh_token"), lost.text("refresh_token"));
    }

    async fn a_resource_server_carries_a_request_further_and_leaves_its_name(server: TestServer) {
        let mut front = resource(API, TokenFormat::Opaque);
        front.downstream = vec![OTHER.parse().unwrap()];
        let front = register(&server, front).await;
        let mut back = resource(OTHER, TokenFormat::Jwt);
        back.downstream = vec!["https://third.example".parse().unwrap()];
        let back = register(&server, back).await;
        let third = register(&server, resource("https://third.example", TokenFormat::Opaque)).await;
        let client = server.client().await;
        let token = server.tokens(&client, &[("scope", "api:read"), ("resource", API)]).await.text("access_token");
        let carried = exchange(&server, &front, &token, &[("audience", OTHER), ("requested_token_type", JWT)]).await;
        assert_eq!(carried.json["issued_token_type"], JWT, "{}", carried.json);
        let said = server.post("/introspect", &back, &[("token", &carried.text("access_token"))]).await.json;
        let act = json!({ "sub": front.id, "client_id": front.id });
        assert_eq!((said["client_id"].as_str(), &said["act"]), (Some(front.id.as_str()), &act));
        let claims: Value = jws::verify(&carried.text("access_token"), &server.authority().jwks()).unwrap();
        assert_eq!(claims["act"], act);
        let further = exchange(&server, &back, &carried.text("access_token"), &[("resource", "https://third.example"), ("subject_token_type", JWT)]).await;
        let last = server.post("/introspect", &third, &[("token", &further.text("access_token"))]).await.json;
        assert_eq!(last["sub"], said["sub"]);
        assert_eq!((last["act"]["sub"].as_str(), last["act"]["act"]["sub"].as_str()), (Some(back.id.as_str()), Some(front.id.as_str())), "the last actor stands outermost");
        assert_eq!(exchange(&server, &front, &token, &[("resource", "https://third.example")]).await.error(), "invalid_target");
        assert_eq!(exchange(&server, &front, &token, &[("resource", &server.url)]).await.error(), "invalid_target");
        assert_eq!(exchange(&server, &third, &token, &[]).await.error(), "unauthorized_client");
    }

    async fn an_actor_is_named_by_its_token(server: TestServer) {
        let asker = register(&server, resource(API, TokenFormat::Opaque)).await;
        let client = server.client().await;
        let token = server.tokens(&client, &[("scope", "api:read"), ("resource", API)]).await.text("access_token");
        let actor = server.post("/token", &client, &[("grant_type", "client_credentials"), ("scope", "account")]).await.text("access_token");
        let given = exchange(&server, &client, &token, &[("actor_token", &actor), ("actor_token_type", ACCESS)]).await;
        let said = server.post("/introspect", &asker, &[("token", &given.text("access_token"))]).await.json;
        assert_eq!(said["act"]["sub"], client.id);
        let other = server.client().await;
        let foreign = server.post("/token", &other, &[("grant_type", "client_credentials")]).await.text("access_token");
        assert_eq!(exchange(&server, &client, &token, &[("actor_token", &foreign), ("actor_token_type", ACCESS)]).await.error(), "invalid_request");
        assert_eq!(exchange(&server, &client, &token, &[("actor_token", &actor)]).await.error(), "invalid_request");
        let mut deep = token;
        for _ in 0..5 {
            deep = exchange(&server, &client, &deep, &[("actor_token", &actor), ("actor_token_type", ACCESS)]).await.text("access_token");
        }
        assert_eq!(exchange(&server, &client, &deep, &[("actor_token", &actor), ("actor_token_type", ACCESS)]).await.error(), "invalid_request", "a chain has an end");
    }

    async fn a_persons_token_goes_elsewhere_with_their_consent_only(server: TestServer) {
        let mut open = resource(OTHER, TokenFormat::Opaque);
        open.offered = Offered::ToAll;
        register(&server, open).await;
        let client = server.client().await;
        let token = server.tokens(&client, &[("scope", "api:read account")]).await.text("access_token");
        assert_eq!(exchange(&server, &client, &token, &[("resource", OTHER)]).await.error(), "invalid_target");
        server.tokens(&client, &[("scope", "api:read"), ("resource", OTHER)]).await;
        let there = exchange(&server, &client, &token, &[("resource", OTHER)]).await;
        assert_eq!(there.json["scope"], "api:read", "{}", there.json);
    }

    async fn a_resource_server_carries_a_request_only_where_the_operator_said(server: TestServer) {
        let mut open = resource(OTHER, TokenFormat::Opaque);
        open.offered = Offered::ToAll;
        register(&server, open).await;
        register(&server, resource("https://third.example", TokenFormat::Opaque)).await;
        let mut front = resource(API, TokenFormat::Opaque);
        front.downstream = vec!["https://third.example".parse().unwrap()];
        let front = register(&server, front).await;
        let client = server.client().await;
        let token = server.tokens(&client, &[("scope", "api:read account"), ("resource", API)]).await.text("access_token");
        assert_eq!(exchange(&server, &front, &token, &[("resource", OTHER)]).await.error(), "invalid_target", "open to all is no word of the operator");
        let kept = exchange(&server, &front, &token, &[("resource", API)]).await;
        assert_eq!(kept.status, 200, "{}", kept.json);
        for elsewhere in [server.url.as_str(), OTHER, "https://third.example"] {
            let escaped = exchange(&server, &front, &kept.text("access_token"), &[("resource", elsewhere)]).await;
            assert_eq!(escaped.error(), "invalid_target", "{elsewhere}: it holds the token, and is no client of the person");
        }
        assert_eq!(exchange(&server, &front, &token, &[("resource", "https://third.example")]).await.status, 200);
        let own = server.post("/token", &client, &[("grant_type", "client_credentials"), ("resource", API), ("scope", "api:read")]).await;
        assert_eq!(exchange(&server, &client, &own.text("access_token"), &[("resource", OTHER)]).await.error(), "invalid_target");
    }

    async fn the_token_of_an_assertion_stays_where_its_policy_says(server: TestServer) {
        let mut open = resource(OTHER, TokenFormat::Opaque);
        open.offered = Offered::ToAll;
        register(&server, open).await;
        let client = server.client().await;
        server.tokens(&client, &[("scope", "api:read"), ("resource", OTHER)]).await;
        server.authority().add_service("ci", "").await.unwrap();
        let now = server.authority().now().seconds();
        let policies = [
            ("https://service.example", "JWT", StandsFor::Service("ci".into())),
            ("https://client.example", "JWT", StandsFor::Client(client.id.parse().unwrap())),
            ("https://person.example", "oauth-id-jag+jwt", StandsFor::UserByEmail(EmailProof::Claimed)),
        ];
        for (issuer, typ, stands_for) in policies {
            let key = key();
            let policy = NewTrust {
                issuer: issuer.into(),
                jwks: Some(JwkSet { keys: vec![key.public().clone()] }),
                subject: "u".into(),
                audiences: Vec::new(),
                claims: BTreeMap::new(),
                stands_for,
                scope: "api:read".parse().unwrap(),
                resource: Some(API.parse().unwrap()),
                lifetime: Duration::from_secs(600),
                repeats: Repeats::Refused,
            };
            server.authority().add_trust(policy).await.unwrap();
            let claims = json!({ "iss": issuer, "sub": "u", "aud": server.url, "client_id": client.id, "exp": now + 300, "iat": now,
                "jti": "1", "email": USER, "email_verified": true });
            let assertion = key.sign(typ, &claims).unwrap();
            let form = [("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer"), ("assertion", assertion.as_str())];
            let given = server.post("/token", &client, &form).await;
            assert_eq!(given.status, 200, "{issuer}: {}", given.json);
            let elsewhere = exchange(&server, &client, &given.text("access_token"), &[("resource", OTHER)]).await;
            assert_eq!(elsewhere.error(), "invalid_target", "{issuer}");
            let kept = exchange(&server, &client, &given.text("access_token"), &[("resource", API)]).await;
            assert_eq!(kept.status, 200, "{issuer}: {}", kept.json);
        }
    }

    async fn what_will_not_do_is_refused_in_the_words_of_rfc_8693(server: TestServer) {
        let (client, other) = (server.client().await, server.client().await);
        let tokens = server.tokens(&client, &[("scope", "account")]).await;
        let access = tokens.text("access_token");
        let refresh = tokens.text("refresh_token");
        let table: [Case<'_>; 13] = [
            ("nonsense", &[], "invalid_request"),
            ("a.b.c", &[], "invalid_request"),
            (&refresh, &[], "invalid_request"),
            (&access, &[("subject_token_type", "urn:ietf:params:oauth:token-type:saml2")], "invalid_request"),
            (&access, &[("requested_token_type", "urn:ietf:params:oauth:token-type:refresh_token")], "invalid_request"),
            (&access, &[("requested_token_type", JWT)], "invalid_request"),
            (&access, &[("subject_token_type", JWT)], "invalid_request"),
            (&access, &[("actor_token_type", ACCESS)], "invalid_request"),
            (&access, &[("scope", "account email")], "invalid_scope"),
            (&access, &[("scope", "\"")], "invalid_scope"),
            (&access, &[("resource", "https://unknown.example")], "invalid_target"),
            (&access, &[("audience", "a name")], "invalid_target"),
            (&access, &[("audience", API), ("resource", OTHER)], "invalid_target"),
        ];
        for (token, extra, error) in table {
            let answer = exchange(&server, &client, token, extra).await;
            assert_eq!((answer.status.as_u16(), answer.error().as_str()), (400, error), "{token} {extra:?}");
        }
        let untyped = [("grant_type", GRANT), ("subject_token", access.as_str())];
        assert_eq!(server.post("/token", &client, &untyped).await.error(), "invalid_request", "it says what it shows");
        assert_eq!(exchange(&server, &other, &access, &[]).await.error(), "invalid_request", "another client's token");
        assert_eq!(exchange_public(&server, &access, &[]).await.error(), "invalid_request", "another client's token");
        server.advance(Duration::from_secs(3600));
        assert_eq!(exchange(&server, &client, &access, &[]).await.error(), "invalid_request", "over");
    }
}
