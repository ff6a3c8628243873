//! The lists of errors of the RFCs, walked from the first to the last: how each is come by, with its status and its form.

use crate::{
    grants::{API, register, resource},
    mutual_tls::{Authority, http, params, registered_by_subject, with_tls},
};
use gatepass_oauth::{GrantType, TokenFormat};
use gatepass_testkit::{
    Answer, Browser, Engine, Options, Pkce, REDIRECT_URI, RegisteredClient, TestServer, USER, on_both_engines,
};
use reqwest::header::HeaderMap;
use std::time::Duration;

const DEVICE: (&str, &str) = ("grant_type", "urn:ietf:params:oauth:grant-type:device_code");

/// What a request says.
type Form<'a> = &'a [(&'a str, &'a str)];

/// An error in JSON with the form of RFC 6749 §5.2: its characters, no tokens beside it, kept by no cache.
#[track_caller]
fn check(answer: &Answer, status: u16, error: &str, of: &str) {
    assert_eq!((answer.status.as_u16(), answer.error().as_str()), (status, error), "{of}: {}", answer.json);
    let header = |name: &str| answer.headers[name].to_str().unwrap();
    assert_eq!((header("content-type"), header("cache-control")), ("application/json", "no-store"), "{of}");
    let description = answer.text("error_description");
    let allowed = |b: u8| matches!(b, 0x20..=0x21 | 0x23..=0x5b | 0x5d..=0x7e);
    assert!(description.bytes().all(allowed), "{of}: {description}");
    assert_eq!(answer.json.as_object().unwrap().len(), 2, "{of}: {}", answer.json);
    let challenge = answer.headers.get("www-authenticate").map(|value| value.to_str().unwrap().starts_with("Basic"));
    assert_eq!(challenge, (error == "invalid_client").then_some(true), "{of}");
}

async fn signed_in(server: &TestServer) -> Browser {
    let browser = Browser::at(server);
    browser.sign_in(USER).await;
    browser
}

fn challenge(headers: &HeaderMap) -> &str {
    headers["www-authenticate"].to_str().unwrap()
}

on_both_engines! {
    async fn rfc_6749_section_4_1_2_1_the_authorization_endpoint(server: TestServer) {
        let (client, pkce, browser) = (server.client().await, Pkce::new(), signed_in(&server).await);
        let good = server.authorize_path(&client, &pkce, &[]);
        // Not to be sent anywhere: who asks, or where to, is not known to be good.
        let device = server.client_with(|new| {
            new.grant_types = vec![GrantType::DeviceCode];
            new.redirect_uris = Vec::new();
        }).await;
        let pages = [
            ("no client_id", good.replace("client_id=", "client=")),
            ("an unknown client", good.replace(&client.id, "unknown")),
            ("a client that may not use codes, and so has nowhere to send one", good.replace(&client.id, &device.id)),
            ("a redirect URI that is not registered", good.replace("app.example", "evil.example")),
            ("a redirect URI that is none", good.replace("https%3A%2F%2Fapp.example%2Fcb", "x")),
        ];
        for (of, path) in pages {
            let page = browser.open(&path).await;
            assert_eq!((page.status.as_u16(), page.left_for), (400, None), "{of}");
        }
        let travelling = [
            ("a missing parameter", good.replace("response_type=code&", ""), "invalid_request"),
            ("a repeated parameter", format!("{good}&nonce=1&nonce=2"), "invalid_request"),
            ("a value that will not do", format!("{good}&max_age=soon"), "invalid_request"),
            ("a response type that is not offered", good.replace("response_type=code", "response_type=token"), "unsupported_response_type"),
            ("a scope outside the grammar", format!("{good}&scope=%22"), "invalid_scope"),
            ("a scope that the client may not have", format!("{good}&scope=admin"), "invalid_scope"),
        ];
        for (of, path, error) in travelling {
            let page = browser.open(&path).await;
            assert_eq!(page.answer("error").as_deref(), Some(error), "{of}");
            assert_eq!((page.answer("state").as_deref(), page.answer("code")), (Some("xyz"), None), "{of}");
            assert!(page.left_for.unwrap().starts_with(REDIRECT_URI));
        }
        let asked = browser.open(&good).await;
        let no = browser.submit(&asked.form(), &[("answer", "deny")]).await;
        assert_eq!((no.answer("error").as_deref(), no.answer("state").as_deref()), (Some("access_denied"), Some("xyz")));
    }

    async fn rfc_6749_section_5_2_the_token_endpoint(server: TestServer) {
        let (client, other, browser) = (server.client().await, server.client().await, signed_in(&server).await);
        let (pkce, wrong) = (Pkce::new(), Pkce::new());
        let code = server.code(&browser, &client, &pkce, &[]).await;
        let over = server.tokens(&client, &[("scope", "account")]).await.text("refresh_token");
        server.post("/revoke", &client, &[("token", &over)]).await;
        let of_code = |code: &str, uri: &str, pkce: &Pkce| {
            let form = [("grant_type", "authorization_code"), ("code", code), ("redirect_uri", uri), ("code_verifier", &pkce.verifier)];
            form.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec()
        };
        let form = |pairs: &[(&str, &str)]| pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect::<Vec<_>>();
        let secret = RegisteredClient { secret: "wrong".into(), ..client.clone() };
        let unknown = RegisteredClient { id: "unknown".into(), ..client.clone() };
        let refreshed = ("grant_type", "refresh_token");
        let table = [
            ("no grant type", &client, form(&[]), 400, "invalid_request"),
            ("no code", &client, form(&[("grant_type", "authorization_code")]), 400, "invalid_request"),
            ("a repeated parameter", &client, form(&[refreshed, ("refresh_token", "x"), ("scope", "a"), ("scope", "a")]), 400, "invalid_request"),
            ("two ways to prove the client", &client, form(&[refreshed, ("refresh_token", "x"), ("client_secret", "y")]), 400, "invalid_request"),
            ("an unknown client", &unknown, form(&[refreshed, ("refresh_token", "x")]), 401, "invalid_client"),
            ("a wrong secret", &secret, form(&[refreshed, ("refresh_token", "x")]), 401, "invalid_client"),
            ("an unknown code", &client, of_code("gpc_nonsense", REDIRECT_URI, &pkce), 400, "invalid_grant"),
            ("another client's code", &other, of_code(&code, REDIRECT_URI, &pkce), 400, "invalid_grant"),
            ("another redirect URI", &client, of_code(&code, "https://app.example/other", &pkce), 400, "invalid_grant"),
            ("a wrong verifier", &client, of_code(&code, REDIRECT_URI, &wrong), 400, "invalid_grant"),
            ("an unknown refresh token", &client, form(&[refreshed, ("refresh_token", "x")]), 400, "invalid_grant"),
            ("a refresh token that was revoked", &client, form(&[refreshed, ("refresh_token", &over)]), 400, "invalid_grant"),
            ("a grant type that is not offered", &client, form(&[("grant_type", "password")]), 400, "unsupported_grant_type"),
            ("a scope outside the grammar", &client, form(&[("grant_type", "client_credentials"), ("scope", "\"")]), 400, "invalid_scope"),
            ("a scope that the client may not have", &client, form(&[("grant_type", "client_credentials"), ("scope", "admin")]), 400, "invalid_scope"),
        ];
        for (of, client, form, status, error) in table {
            let request = server.http().post(server.path("/token")).basic_auth(&client.id, Some(&client.secret));
            check(&Answer::of(request.form(&form)).await, status, error, of);
        }
        let public = server.post_public("/token", &[("grant_type", "client_credentials")]).await;
        check(&public, 400, "unauthorized_client", "a client that is not registered for the grant type");
        let silent = Answer::of(server.http().post(server.path("/token")).form(&[("client_id", &client.id)])).await;
        check(&silent, 401, "invalid_client", "no proof");
        server.advance(Duration::from_secs(60));
        check(&server.redeem(&client, &code, &pkce).await, 400, "invalid_grant", "a code that is over");
    }

    async fn rfc_6750_section_3_1_the_guarded_apis(server: TestServer) {
        let client = server.client().await;
        let token = async |extra: &[(&str, &str)]| server.tokens(&client, extra).await.text("access_token");
        let narrow = token(&[("scope", "api:read")]).await;
        let elsewhere = token(&[("scope", "openid account"), ("resource", "https://api.example")]).await;
        let revoked = token(&[("scope", "openid account")]).await;
        server.post("/revoke", &client, &[("token", &revoked)]).await;
        let body = serde_json::json!({ "jsonrpc": "2.0", "id": 1, "method": "whoami" });
        for (path, scope) in [("/userinfo", "openid"), ("/api/v1/user/rpc", "account")] {
            let ask = async |authorization: &[&str]| {
                let request = server.http().post(server.path(path)).json(&body);
                let request = authorization.iter().fold(request, |request, value| request.header("authorization", *value));
                Answer::of(request).await
            };
            let bearer = |token: &str| format!("Bearer {token}");
            // Who shows no token is not told of an error.
            for nothing in [&[][..], &["Basic YTpi"]] {
                let answer = ask(nothing).await;
                assert_eq!(answer.status, 401, "{path} {nothing:?}");
                assert!(challenge(&answer.headers).starts_with("Bearer ") && !challenge(&answer.headers).contains("error="));
            }
            let table: [(&str, Vec<String>, u16, &str); 8] = [
                ("no token after the scheme", vec!["Bearer".into()], 400, "invalid_request"),
                ("two tokens", vec![bearer(&narrow), bearer(&narrow)], 400, "invalid_request"),
                ("outside the grammar", vec!["Bearer a,b".into()], 400, "invalid_request"),
                ("malformed", vec![bearer("gpa_x")], 401, "invalid_token"),
                ("a JWT of nobody", vec![bearer("eyJhbGciOiJub25lIn0.e30.")], 401, "invalid_token"),
                ("revoked", vec![bearer(&revoked)], 401, "invalid_token"),
                ("for another audience", vec![bearer(&elsewhere)], 401, "invalid_token"),
                ("without the scope", vec![bearer(&narrow)], 403, "insufficient_scope"),
            ];
            for (of, values, status, error) in table {
                let values: Vec<&str> = values.iter().map(String::as_str).collect();
                let answer = ask(&values).await;
                assert_eq!((answer.status.as_u16(), answer.error().as_str()), (status, error), "{path}: {of}");
                let challenge = challenge(&answer.headers);
                assert!(challenge.starts_with("Bearer ") && challenge.contains(&format!("error=\"{error}\"")), "{of}: {challenge}");
                assert!(error != "insufficient_scope" || challenge.contains(&format!("scope=\"{scope}\"")), "{of}: {challenge}");
            }
        }
        let expired = token(&[("scope", "account")]).await;
        server.advance(Duration::from_secs(3600));
        assert!(challenge(&server.whoami(&expired).await.headers).contains("error=\"invalid_token\""));
    }

    async fn rfc_7009_section_2_2_1_revocation(server: TestServer) {
        let (client, other) = (server.client().await, server.client().await);
        let tokens = server.tokens(&client, &[("scope", "openid account")]).await;
        let access = tokens.text("access_token");
        let secret = RegisteredClient { secret: "wrong".into(), ..client.clone() };
        let table: [(&str, &RegisteredClient, Form<'_>, u16, &str); 5] = [
            ("no token", &client, &[], 400, "invalid_request"),
            ("an empty token", &client, &[("token", "")], 400, "invalid_request"),
            ("a repeated token", &client, &[("token", &access), ("token", &access)], 400, "invalid_request"),
            ("a wrong secret", &secret, &[("token", &access)], 401, "invalid_client"),
            ("another client's token", &other, &[("token", &access)], 400, "unauthorized_client"),
        ];
        for (of, client, form, status, error) in table {
            check(&server.post("/revoke", client, form).await, status, error, of);
        }
        assert_eq!(server.whoami(&access).await.status, 200, "none of them has ended it");
        // `unsupported_token_type` is never needed: what is no token that can end is as good as ended, whatever the hint says.
        for (token, hint) in [("nonsense", "access_token"), (&tokens.text("id_token"), "id_token"), (&access, "unheard_of")] {
            let form = [("token", token), ("token_type_hint", hint)];
            assert_eq!(server.post("/revoke", &client, &form).await.status, 200, "{hint}");
        }
        assert_eq!(server.whoami(&access).await.status, 401);
    }

    async fn rfc_8628_section_3_5_polls_and_what_begins_them(server: TestServer) {
        let (client, browser) = (server.client().await, signed_in(&server).await);
        let start = async || server.post("/device_authorization", &client, &[("scope", "account")]).await;
        let poll = async |client: &RegisteredClient, device: &Answer| {
            server.post("/token", client, &[DEVICE, ("device_code", &device.text("device_code"))]).await
        };
        let decide = async |device: &Answer, answer: &str| {
            let page = browser.open(&device.text("verification_uri_complete")).await;
            browser.submit(&page.form(), &[("answer", answer)]).await;
        };
        let (waits, denied, done, over) = (start().await, start().await, start().await, start().await);
        decide(&denied, "deny").await;
        decide(&done, "approve").await;
        assert_eq!(poll(&client, &done).await.status, 200);
        check(&poll(&client, &waits).await, 400, "authorization_pending", "nobody has decided");
        check(&poll(&client, &waits).await, 400, "slow_down", "too soon");
        check(&poll(&client, &denied).await, 400, "access_denied", "a no");
        check(&poll(&client, &done).await, 400, "invalid_grant", "used");
        check(&poll(&server.client().await, &waits).await, 400, "invalid_grant", "another client's");
        check(&server.post("/token", &client, &[DEVICE]).await, 400, "invalid_request", "no code");
        check(&server.post("/token", &client, &[DEVICE, ("device_code", "x")]).await, 400, "invalid_grant", "unknown");
        server.advance(Duration::from_secs(600));
        check(&poll(&client, &over).await, 400, "expired_token", "over");
        // §3.2: what begins is refused as at the token endpoint.
        let unknown = RegisteredClient { id: "unknown".into(), ..client.clone() };
        let begin = async |client: &RegisteredClient, scope: &str| server.post("/device_authorization", client, &[("scope", scope)]).await;
        check(&begin(&unknown, "account").await, 401, "invalid_client", "an unknown client");
        check(&begin(&client, "admin").await, 400, "invalid_scope", "more than it may have");
        let idle = server.client_with(|new| {
            new.grant_types = vec![GrantType::ClientCredentials];
            new.redirect_uris = Vec::new();
        }).await;
        check(&begin(&idle, "account").await, 400, "unauthorized_client", "not registered for it");
    }

    async fn openid_connect_core_section_3_1_2_6_the_authorization_endpoint(server: TestServer) {
        let (client, pkce) = (server.client().await, Pkce::new());
        let (browser, nobody) = (signed_in(&server).await, Browser::at(&server));
        server.code(&browser, &client, &pkce, &[("scope", "openid")]).await;
        server.advance(Duration::from_secs(100));
        let good = server.authorize_path(&client, &pkce, &[("scope", "openid")]);
        let more = server.authorize_path(&client, &pkce, &[("scope", "openid email")]);
        let table = [
            ("nobody is signed in", &nobody, format!("{good}&prompt=none"), "login_required"),
            ("the sign-in is too old", &browser, format!("{good}&prompt=none&max_age=50"), "login_required"),
            ("more than was allowed", &browser, format!("{more}&prompt=none"), "consent_required"),
            ("a word beside none", &browser, format!("{good}&prompt=none+consent"), "invalid_request"),
            ("a class that nobody reaches", &browser, format!("{good}&acr_values=urn%3Ax"), "unmet_authentication_requirements"),
            ("a request object", &browser, format!("{good}&request=eyJhbGciOiJub25lIn0.e30."), "request_not_supported"),
            ("one that lies elsewhere", &browser, format!("{good}&request_uri=https%3A%2F%2Fapp.example%2Frequest"), "request_uri_not_supported"),
        ];
        for (of, browser, path, error) in table {
            let page = browser.open(&path).await;
            assert_eq!(page.answer("error").as_deref(), Some(error), "{of}");
            assert_eq!((page.answer("state").as_deref(), page.answer("iss").as_ref()), (Some("xyz"), Some(&server.url)), "{of}");
            assert_eq!(page.answer("code"), None, "{of}");
        }
        // What a reference of ours stands for is not known, so neither is where to say so.
        let unknown = browser.open(&format!("{good}&request_uri=urn%3Aietf%3Aparams%3Aoauth%3Arequest_uri%3Ax")).await;
        assert_eq!((unknown.status.as_u16(), &unknown.left_for), (400, &None));
        assert!(unknown.html.contains("invalid_request_uri"), "{}", unknown.html);
        assert!(browser.open(&format!("{good}&prompt=none&max_age=200")).await.answer("code").is_some());
    }

    async fn rfc_7662_section_2_3_introspection(server: TestServer) {
        let asker = register(&server, resource(API, TokenFormat::Opaque)).await;
        let client = server.client().await;
        let token = server.tokens(&client, &[("scope", "api:read"), ("resource", API)]).await.text("access_token");
        let wrong = RegisteredClient { secret: "wrong".into(), ..asker.clone() };
        let unknown = RegisteredClient { id: "unknown".into(), ..asker.clone() };
        let table: [(&str, &RegisteredClient, Form<'_>, u16, &str); 6] = [
            ("no token", &asker, &[], 400, "invalid_request"),
            ("an empty token", &asker, &[("token", "")], 400, "invalid_request"),
            ("a repeated token", &asker, &[("token", &token), ("token", &token)], 400, "invalid_request"),
            ("two ways to prove the client", &asker, &[("token", &token), ("client_secret", &asker.secret)], 400, "invalid_request"),
            ("a wrong secret", &wrong, &[("token", &token)], 401, "invalid_client"),
            ("an unknown client", &unknown, &[("token", &token)], 401, "invalid_client"),
        ];
        for (of, client, form, status, error) in table {
            check(&server.post("/introspect", client, form).await, status, error, of);
        }
        check(&server.post_public("/introspect", &[("token", &token)]).await, 401, "invalid_client", "a public client");
        let bearer = server.http().post(server.path("/introspect")).bearer_auth(&token).form(&[("token", &token)]);
        check(&Answer::of(bearer).await, 401, "invalid_client", "the token for a proof");
        // What is no token of ours is no error.
        for (token, hint, active) in [(token.as_str(), "refresh_token", true), ("nonsense", "access_token", false), (&token, "unheard_of", true)] {
            let said = server.post("/introspect", &asker, &[("token", token), ("token_type_hint", hint)]).await;
            assert_eq!((said.status.as_u16(), said.json["active"].as_bool()), (200, Some(active)), "{hint}");
        }
    }

    async fn rp_initiated_logout_sections_2_and_3_are_pages_and_end_nothing(server: TestServer) {
        let after = "https%3A%2F%2Fapp.example%2Fout";
        let client = server.client_with(|new| {
            new.metadata.post_logout_redirect_uris = vec!["https://app.example/out".parse().unwrap()];
        }).await;
        let (other, browser) = (server.client().await, signed_in(&server).await);
        let pkce = Pkce::new();
        let code = server.code(&browser, &client, &pkce, &[("scope", "openid")]).await;
        let tokens = server.redeem(&client, &code, &pkce).await;
        let (hint, access) = (tokens.text("id_token"), tokens.text("access_token"));
        let pages = [
            ("a repeated parameter", format!("client_id={0}&client_id={0}", client.id)),
            ("an unknown client and an address", format!("client_id=unknown&post_logout_redirect_uri={after}")),
            ("an address and no client", format!("post_logout_redirect_uri={after}")),
            ("another client's address", format!("client_id={}&post_logout_redirect_uri={after}", other.id)),
            ("an address that is not registered", format!("id_token_hint={hint}&post_logout_redirect_uri={after}%2Fmore")),
            ("an address that is none", format!("id_token_hint={hint}&post_logout_redirect_uri=x")),
            ("a client that is not the hint's", format!("id_token_hint={hint}&client_id={}", other.id)),
            ("a state without an end", format!("id_token_hint={hint}&state={}", "s".repeat(3000))),
            ("no UTF-8", format!("id_token_hint={hint}&state=%ff")),
        ];
        for (of, query) in pages {
            let page = browser.open(&format!("/logout?{query}")).await;
            assert_eq!((page.status.as_u16(), page.left_for), (400, None), "{of}");
            assert_eq!(page.headers["content-type"], "text/html; charset=utf-8", "{of}");
        }
        // A hint that proves nothing is none: the person is asked.
        let (signed, _) = hint.rsplit_once('.').unwrap();
        for bad in ["x", "eyJhbGciOiJub25lIn0.e30.", &access, &format!("{signed}."), &format!("{signed}.AAAA")] {
            assert_eq!(browser.open(&format!("/logout?id_token_hint={bad}")).await.heading(), "Sign out?", "{bad}");
            let leading = format!("id_token_hint={bad}&client_id={}&post_logout_redirect_uri={after}", client.id);
            let elsewhere = signed_in(&server).await;
            let page = elsewhere.open(&format!("/logout?{leading}")).await;
            let done = elsewhere.submit(&page.form(), &[("answer", "sign_out")]).await;
            assert_eq!((page.heading(), done.left_for), ("Sign out?".into(), None), "an error leads nowhere: {bad}");
            let nobody = Browser::at(&server).open(&format!("/logout?{leading}")).await;
            assert_eq!(nobody.left_for, None, "{bad}");
        }
        assert_eq!(browser.open("/").await.heading(), "You are signed in");
        let left = browser.open(&format!("/logout?id_token_hint={hint}&post_logout_redirect_uri={after}&state=s")).await;
        assert_eq!(left.left_for.as_deref(), Some("https://app.example/out?state=s"));
    }
}

/// RFC 8705 has no errors of its own: §2 has those of RFC 6749, §3 those of RFC 6750.
async fn rfc_8705_sections_2_and_3_certificates(engine: Engine) {
    let authority = Authority::new();
    let (server, _folder) = with_tls(engine, &authority, Options::default()).await;
    let (ours, other) = (authority.sign(&params("build")), authority.sign(&params("other")));
    let foreign = Authority::new().sign(&params("build"));
    let client = registered_by_subject(&server, "dns:build.example").await;
    let by_secret = server.client().await;
    let bound = server.client_with(|new| new.metadata.tls_client_certificate_bound_access_tokens = true).await;
    let grant = [("grant_type", "client_credentials"), ("scope", "account")];
    let ask = |shown| http(shown).post(server.path("/token"));
    let form =
        |id: &str| [grant[0], grant[1], ("client_id", id)].map(|(name, value)| (name.to_owned(), value.to_owned()));
    let secret = |client: &RegisteredClient, shown| {
        Answer::of(ask(shown).form(&grant).basic_auth(&client.id, Some(&client.secret)))
    };
    for (of, shown) in
        [("no certificate", None), ("another's", Some(&other)), ("vouched for by nobody", Some(&foreign))]
    {
        check(&Answer::of(ask(shown).form(&form(&client.id))).await, 401, "invalid_client", of);
    }
    let elsewhere = Answer::of(ask(Some(&ours)).form(&form(&by_secret.id))).await;
    check(&elsewhere, 401, "invalid_client", "a certificate for a client that has a secret");
    let two = RegisteredClient { secret: "x".into(), ..client.clone() };
    check(&secret(&two, Some(&ours)).await, 400, "invalid_request", "two methods in one request");
    check(&secret(&bound, None).await, 400, "invalid_request", "nothing to bind a token to");
    let token = Answer::of(ask(Some(&ours)).form(&form(&client.id))).await.text("access_token");
    let body = serde_json::json!({ "jsonrpc": "2.0", "id": 1, "method": "whoami" });
    let call = |shown| Answer::of(http(shown).post(server.path("/api/v1/user/rpc")).bearer_auth(&token).json(&body));
    for (of, shown) in [("no certificate", None), ("another's", Some(&other)), ("the same name", Some(&foreign))] {
        let answer = call(shown).await;
        assert_eq!((answer.status.as_u16(), answer.error().as_str()), (401, "invalid_token"), "{of}");
        assert!(challenge(&answer.headers).contains("error=\"invalid_token\""), "{of}");
    }
    assert_eq!(call(Some(&ours)).await.status, 200);
}

on_both!(rfc_8705_sections_2_and_3_certificates);
