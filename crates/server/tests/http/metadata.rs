//! `GET /.well-known/…`, `GET /jwks`.

use gatepass_testkit::{Answer, TestServer, on_both_engines};
use serde_json::Value;

async fn get(server: &TestServer, path: &str) -> Answer {
    Answer::of(server.http().get(server.path(path))).await
}

on_both_engines! {
    async fn both_documents_say_the_same_and_only_what_works(server: TestServer) {
        let document = get(&server, "/.well-known/oauth-authorization-server").await.json;
        assert_eq!(document, get(&server, "/.well-known/openid-configuration").await.json);
        assert_eq!(document["issuer"], server.url);
        for (name, value) in document.as_object().unwrap() {
            if name.ends_with("_endpoint") || name == "jwks_uri" {
                let status = server.http().get(value.as_str().unwrap()).send().await.unwrap().status().as_u16();
                assert_ne!(status, 404, "{name} is not there");
            }
        }
        assert_eq!(document["code_challenge_methods_supported"], serde_json::json!(["S256"]));
        assert_eq!(document["authorization_response_iss_parameter_supported"], true);
        assert_eq!(document["request_uri_parameter_supported"], false);
        assert_eq!(document["gatepass_client_id"], "gatepass-cli");
    }

    async fn the_key_set_holds_public_keys_only(server: TestServer) {
        let set = get(&server, "/jwks").await.json;
        let keys = set["keys"].as_array().unwrap();
        assert_eq!(keys.len(), 1);
        assert_eq!(keys[0]["alg"], "ES256");
        assert_eq!(keys[0].get("d"), None::<&Value>);
    }

    async fn the_api_says_who_gives_its_tokens(server: TestServer) {
        let document = get(&server, "/.well-known/oauth-protected-resource").await.json;
        assert_eq!(document["resource"], server.url);
        assert_eq!(document["authorization_servers"][0], server.url);
    }

    async fn the_server_says_that_it_is_alive_and_ready(server: TestServer) {
        assert_eq!(get(&server, "/healthz").await.status, 200);
        assert_eq!(get(&server, "/readyz").await.status, 200);
    }
}
