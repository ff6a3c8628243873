//! Bad input at every endpoint: the standards' error, never a 5xx, never a hang.

use gatepass_testkit::{Answer, TestServer, on_both_engines, tokio};
use reqwest::Method;
use std::time::Duration;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

const FORMS: &[&str] = &["/token", "/device_authorization", "/revoke", "/introspect", "/par"];

async fn post(server: &TestServer, path: &str, content_type: &str, body: impl Into<reqwest::Body>) -> Answer {
    Answer::of(server.http().post(server.path(path)).header("content-type", content_type).body(body)).await
}

on_both_engines! {
    async fn forms_are_bounded_utf8_and_without_repetition(server: TestServer) {
        let form = "application/x-www-form-urlencoded";
        for path in FORMS {
            let table: [(&str, Vec<u8>, u16, &str); 9] = [
                (form, b"".to_vec(), 401, "invalid_client"),
                (form, b"client_id=gatepass-cli&client_id=gatepass-cli".to_vec(), 400, "invalid_request"),
                (form, b"client_id=%ff".to_vec(), 400, "invalid_request"),
                (form, b"client_id=\xff".to_vec(), 400, "invalid_request"),
                (form, b"client_id=a%00b".to_vec(), 400, "invalid_request"),
                (form, format!("client_id={}", "x".repeat(20_000)).into_bytes(), 400, "invalid_request"),
                (form, format!("client_id={}", "x".repeat(1000)).into_bytes(), 401, "invalid_client"),
                (form, vec![b'x'; 64 * 1024 + 1], 413, "invalid_request"),
                ("application/json", b"{}".to_vec(), 415, "invalid_request"),
            ];
            for (content_type, body, status, error) in table {
                let answer = post(&server, path, content_type, body.clone()).await;
                assert_eq!((answer.status.as_u16(), answer.error().as_str()), (status, error), "{path} {}", String::from_utf8_lossy(&body[..body.len().min(60)]));
                assert_eq!(answer.headers["cache-control"], "no-store");
            }
        }
    }

    async fn each_grant_names_what_is_missing_or_wrong(server: TestServer) {
        let device = "urn:ietf:params:oauth:grant-type:device_code";
        let table: [(&[(&str, &str)], &str); 12] = [
            (&[], "invalid_request"),
            (&[("grant_type", "")], "invalid_request"),
            (&[("grant_type", "password")], "unsupported_grant_type"),
            (&[("grant_type", "authorization_code")], "invalid_request"),
            (&[("grant_type", "authorization_code"), ("code", "x")], "invalid_request"),
            (&[("grant_type", "authorization_code"), ("code", "x"), ("code_verifier", "short")], "invalid_request"),
            (&[("grant_type", "authorization_code"), ("code", "x"), ("code_verifier", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa")], "invalid_grant"),
            (&[("grant_type", "refresh_token")], "invalid_request"),
            (&[("grant_type", "refresh_token"), ("refresh_token", "x")], "invalid_grant"),
            (&[("grant_type", "refresh_token"), ("refresh_token", "x"), ("scope", "\"")], "invalid_scope"),
            (&[("grant_type", device)], "invalid_request"),
            (&[("grant_type", device), ("device_code", "x")], "invalid_grant"),
        ];
        for (form, error) in table {
            let answer = server.post_public("/token", form).await;
            assert_eq!((answer.status.as_u16(), answer.error().as_str()), (400, error), "{form:?}");
        }
        let table: [(&[(&str, &str)], &str); 4] = [
            (&[("scope", "admin")], "invalid_scope"),
            (&[("resource", "nonsense")], "invalid_target"),
            (&[("resource", "https://other.example")], "invalid_target"),
            (&[("code_challenge", "x"), ("code_challenge_method", "plain")], "invalid_request"),
        ];
        for (form, error) in table {
            assert_eq!(server.post_public("/device_authorization", form).await.error(), error, "{form:?}");
        }
    }

    async fn the_guarded_api_takes_a_bounded_body_in_utf_8(server: TestServer) {
        let client = server.client().await;
        let token = server.tokens(&client, &[("scope", "account")]).await.text("access_token");
        let send = |content_type: &'static str, body: Vec<u8>| {
            let request = server.http().post(server.path("/api/v1/user/rpc")).bearer_auth(&token);
            Answer::of(request.header("content-type", content_type).body(body))
        };
        let json = "application/json";
        for (content_type, body, status) in [(json, vec![b' '; 64 * 1024 + 1], 413), ("application/x-www-form-urlencoded", b"a=b".to_vec(), 415)] {
            let answer = send(content_type, body).await;
            assert_eq!((answer.status.as_u16(), answer.error().as_str()), (status, "invalid_request"));
        }
        let table: [&[u8]; 5] = [
            b"",
            b"\xff",
            b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"\xff\"}",
            b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"whoami\",\"unread\":\"\xff\"}",
            &[b'['; 60_000],
        ];
        for body in table {
            let answer = send(json, body.to_vec()).await;
            let code = answer.json["error"]["code"].as_i64();
            assert_eq!((answer.status.as_u16(), code), (200, Some(-32700)), "{}", String::from_utf8_lossy(&body[..body.len().min(60)]));
        }
    }

    async fn a_strangers_nul_is_a_strangers_fault(server: TestServer) {
        let secret = gatepass_testkit::keys::jws::base64url(br#"{"iss":"a\u0000","sub":"\u0000","aud":"\u0000","exp":9999999999,"jti":"\u0000"}"#);
        let jwt = format!("{}.{secret}.{}", gatepass_testkit::keys::jws::base64url(br#"{"alg":"ES256","kid":"\u0000"}"#), "A".repeat(86));
        for path in ["/register/a%00", "/l/%00", "/device/%00", "/setup/%00", "/login?next=%00", "/authorize?client_id=%00"] {
            let answer = server.http().get(server.path(path)).bearer_auth("x").send().await.unwrap();
            assert!(answer.status().as_u16() < 500, "{path}: {}", answer.status());
        }
        let hint = server.http().get(server.path(&format!("/logout?id_token_hint={jwt}"))).send().await.unwrap();
        assert!(hint.status().as_u16() < 500);
        let bearer = [("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer"), ("assertion", jwt.as_str())];
        assert_eq!(Answer::of(server.http().post(server.path("/token")).form(&bearer)).await.error(), "invalid_grant");
        let kind = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
        let proof = [("grant_type", "client_credentials"), ("client_assertion_type", kind), ("client_assertion", jwt.as_str())];
        assert_eq!(Answer::of(server.http().post(server.path("/token")).form(&proof)).await.status, 401);
        let names = r#"{"redirect_uris":["https://app.example/cb"],"client_name":"a\u0000b","software_id":"\u0000","contacts":["\u0000"],"scope":"openid","x\u0000":"\u0000"}"#;
        assert!(post(&server, "/register", "application/json", names).await.status.as_u16() < 500);
        let call = r#"{"jsonrpc":"2.0","id":"\u0000","method":"\u0000","params":{"\u0000":"\u0000"}}"#;
        assert!(post(&server, "/api/v1/user/rpc", "application/json", call).await.status.as_u16() < 500);
    }

    async fn a_wrong_method_is_told_so_in_json(server: TestServer) {
        let table = [
            ("/token", Method::GET, "POST"),
            ("/device_authorization", Method::GET, "POST"),
            ("/revoke", Method::GET, "POST"),
            ("/introspect", Method::GET, "POST"),
            ("/par", Method::GET, "POST"),
            ("/register", Method::GET, "POST"),
            ("/register/x", Method::POST, "GET,HEAD,PUT,DELETE"),
            ("/api/v1/user/rpc", Method::GET, "POST"),
            ("/userinfo", Method::DELETE, "GET,HEAD,POST"),
            ("/authorize", Method::PUT, "GET,HEAD,POST"),
            ("/logout", Method::DELETE, "GET,HEAD,POST"),
        ];
        for (path, method, allowed) in table {
            let answer = Answer::of(server.http().request(method, server.path(path))).await;
            assert_eq!((answer.status.as_u16(), answer.error().as_str()), (405, "invalid_request"), "{path}");
            assert_eq!(answer.headers["allow"], allowed, "{path}");
        }
        let answer = Answer::of(server.http().delete(server.path("/jwks"))).await;
        assert_eq!(answer.status, 405);
        assert_eq!(Answer::of(server.http().get(server.path("/nothing"))).await.status, 404);
    }

    async fn pages_answer_bad_input_with_pages(server: TestServer) {
        let browser = gatepass_testkit::Browser::at(&server);
        browser.sign_in(gatepass_testkit::USER).await;
        let send = async |method: Method, path: &str, body: Vec<u8>| {
            let request = server.http().request(method, server.path(path)).header("cookie", browser.cookie_header());
            let request = request.header("origin", &server.url).header("content-type", "application/x-www-form-urlencoded");
            let response = request.body(body).send().await.unwrap();
            (response.status().as_u16(), response.headers()["content-type"].to_str().unwrap().to_owned())
        };
        let (empty, long) = ("/authorize?response_type=code&client_id=", format!("/authorize?response_type=code&client_id={}", "x".repeat(2000)));
        let too_long = format!("/authorize?response_type=code&client_id={}", "x".repeat(20_000));
        let table: [(Method, &str, &[u8], u16); 18] = [
            (Method::GET, "/device/%ff", b"", 200),
            (Method::POST, "/device/%ff", b"answer=approve", 200),
            (Method::GET, "/device/AAAA", b"", 200),
            (Method::GET, "/setup/%ff", b"", 404),
            (Method::POST, "/setup/%ff", b"email=a", 404),
            (Method::GET, "/setup/gpl_nonsense", b"", 404),
            (Method::POST, "/device", b"user_code=", 422),
            (Method::POST, "/device", b"user_code=%ff", 400),
            (Method::POST, "/device/BBBB-BBBB", b"answer=perhaps", 409),
            (Method::POST, "/login", b"email=a&email=b", 400),
            (Method::POST, "/login", b"", 422),
            (Method::GET, "/login?next=%ff", b"", 400),
            (Method::POST, "/authorize", b"answer=allow", 400),
            (Method::POST, "/authorize", b"answer=perhaps&authorization_request=x", 400),
            (Method::POST, "/authorize", &[b'x'; 64 * 1024 + 1], 413),
            (Method::GET, empty, b"", 400),
            (Method::GET, &long, b"", 400),
            (Method::GET, &too_long, b"", 400),
        ];
        for (method, path, body, status) in table {
            let answer = send(method.clone(), path, body.to_vec()).await;
            assert_eq!(answer, (status, "text/html; charset=utf-8".to_owned()), "{method} {path} {}", String::from_utf8_lossy(body));
        }
    }

    async fn a_page_that_gets_no_form_answers_with_a_page_but_a_stranger_is_sent_away_first(server: TestServer) {
        let send = async |path: &str, origin: &str| {
            let request = server.http().post(server.path(path)).header("origin", origin).header("content-type", "application/json");
            let response = request.body("{}").send().await.unwrap();
            (response.status().as_u16(), response.headers()["content-type"].to_str().unwrap().to_owned())
        };
        for path in ["/login", "/logout", "/device", "/device/BBBB-BBBB", "/setup/gpl_nonsense"] {
            assert_eq!(send(path, &server.url).await, (415, "text/html; charset=utf-8".to_owned()), "{path}");
            assert_eq!(send(path, "https://evil.example").await, (403, "text/html; charset=utf-8".to_owned()), "{path}");
        }
        // Clients may send the browser here with a form of their own.
        for origin in [&server.url, "https://evil.example"] {
            assert_eq!(send("/authorize", origin).await, (415, "text/html; charset=utf-8".to_owned()), "{origin}");
        }
    }

    async fn a_header_that_never_ends_and_nonsense_are_cut_off(server: TestServer) {
        let address = server.url.strip_prefix("http://").unwrap();
        for (bytes, begins) in [(b"GET / HTTP/1.1\r\nx: ".iter().copied().chain(std::iter::repeat_n(b'a', 200_000)).collect::<Vec<u8>>(), "HTTP/1.1 431"), (b"\x16\x03\x01nonsense\r\n\r\n".to_vec(), "HTTP/1.1 400")] {
            let mut stream = TcpStream::connect(address).await.unwrap();
            // The server may close before all is written.
            let _ = stream.write_all(&bytes).await;
            let mut answer = Vec::new();
            let _ = tokio::time::timeout(Duration::from_secs(10), stream.read_to_end(&mut answer)).await.expect("a hang");
            assert!(answer.is_empty() || String::from_utf8_lossy(&answer).starts_with(begins), "{}", String::from_utf8_lossy(&answer));
        }
        assert_eq!(Answer::of(server.http().get(server.path("/healthz"))).await.status, 200);
    }
}
