//! `POST /api/v1/user/rpc`.

use gatepass_testkit::{Answer, Browser, TestServer, USER, on_both_engines};
use serde_json::{Value, json};

async fn send(server: &TestServer, token: &str, body: Value) -> Answer {
    Answer::of(server.http().post(server.path("/api/v1/user/rpc")).bearer_auth(token).json(&body)).await
}

on_both_engines! {
    async fn a_cookie_session_will_do_from_our_own_pages_only(server: TestServer) {
        let browser = Browser::at(&server);
        browser.sign_in(USER).await;
        let call = |origin: Option<String>| {
            let request = server.http().post(server.path("/api/v1/user/rpc")).header("cookie", browser.cookie_header());
            let request = if let Some(origin) = origin { request.header("origin", origin) } else { request };
            Answer::of(request.json(&json!({ "jsonrpc": "2.0", "id": "a", "method": "whoami" })))
        };
        let who = call(Some(server.url.clone())).await;
        assert_eq!((who.json["result"]["email"].as_str(), who.json["result"]["credential"].as_str()), (Some(USER), Some("session")));
        assert_eq!(who.json["id"], "a");
        assert_eq!(call(Some("https://evil.example".into())).await.status, 403);
        assert_eq!(call(None).await.status, 403);
    }

    async fn a_bad_bearer_never_falls_back_to_the_cookie(server: TestServer) {
        let browser = Browser::at(&server);
        browser.sign_in(USER).await;
        let request = server.http().post(server.path("/api/v1/user/rpc")).header("cookie", browser.cookie_header()).header("origin", &server.url);
        let answer = Answer::of(request.bearer_auth("gpa_wrong").json(&json!({ "jsonrpc": "2.0", "id": 1, "method": "whoami" }))).await;
        assert_eq!(answer.status, 401);
    }

    async fn challenges_are_as_the_standards_ask(server: TestServer) {
        let metadata = format!("resource_metadata=\"{}/.well-known/oauth-protected-resource\"", server.url);
        let nothing = Answer::of(server.http().post(server.path("/api/v1/user/rpc")).json(&json!({}))).await;
        assert_eq!(nothing.status, 401);
        assert_eq!(nothing.headers["www-authenticate"].to_str().unwrap(), format!("Bearer {metadata}"));
        let client = server.client().await;
        let token = server.tokens(&client, &[("scope", "api:read")]).await.text("access_token");
        let narrow = server.whoami(&token).await;
        assert_eq!(narrow.status, 403);
        let challenge = narrow.headers["www-authenticate"].to_str().unwrap();
        assert!(challenge.contains("error=\"insufficient_scope\"") && challenge.contains("scope=\"account\"") && challenge.contains(&metadata), "{challenge}");
    }

    async fn the_envelope_is_json_rpc(server: TestServer) {
        let client = server.client().await;
        let token = server.tokens(&client, &[("scope", "account")]).await.text("access_token");
        let code = |answer: &Answer| answer.json["error"]["code"].as_i64().unwrap_or_else(|| panic!("{}", answer.json));
        let table = [
            (json!({ "jsonrpc": "2.0", "id": 1, "method": "dance" }), -32601),
            (json!({ "jsonrpc": "2.0", "id": 1, "method": "whoami", "params": [1] }), -32602),
            (json!({ "jsonrpc": "1.0", "id": 1, "method": "whoami" }), -32600),
            (json!({ "id": 1 }), -32600),
            (json!({ "jsonrpc": "2.0", "id": [1], "method": "whoami" }), -32600),
            (json!({ "jsonrpc": "2.0", "id": true, "method": "whoami" }), -32600),
            (json!("whoami"), -32600),
            (json!([]), -32600),
            (json!(vec![json!({ "jsonrpc": "2.0", "id": 1, "method": "whoami" }); 51]), -32600),
        ];
        for (body, expected) in table {
            assert_eq!(code(&send(&server, &token, body.clone()).await), expected, "{body}");
        }
        let raw = |body: &'static str| {
            let request = server.http().post(server.path("/api/v1/user/rpc")).bearer_auth(&token).header("content-type", "application/json; charset=utf-8");
            Answer::of(request.body(body))
        };
        assert_eq!(code(&raw("{").await), -32700);
        assert_eq!(raw(r#"{"jsonrpc":"2.0","method":"whoami"}"#).await.status, 204, "a notification gets no answer");
        assert_eq!(raw(r#"{"jsonrpc":"2.0","id":null,"method":"whoami"}"#).await.json["id"], Value::Null);
        let batch = raw(r#"[{"jsonrpc":"2.0","id":1,"method":"whoami"},{"jsonrpc":"2.0","method":"whoami"},7]"#).await;
        assert_eq!(batch.json.as_array().unwrap().len(), 2);
        assert_eq!(batch.json[0]["result"]["email"], USER);
        assert_eq!(batch.json[1]["error"]["code"], -32600);
        let wrong_type = Answer::of(server.http().post(server.path("/api/v1/user/rpc")).bearer_auth(&token).body("{}")).await;
        assert_eq!(wrong_type.status, 415);
    }
}
