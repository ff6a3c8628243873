//! `GET /userinfo`, `POST /userinfo`.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use gatepass_testkit::{Answer, on_both_engines};
use serde_json::Value;

on_both_engines! {
    async fn the_scope_decides_what_is_told(server: TestServer) {
        let client = server.client().await;
        let ask = async |scope: &str| {
            let token = server.tokens(&client, &[("scope", scope)]).await.text("access_token");
            Answer::of(server.http().get(server.path("/userinfo")).bearer_auth(token)).await
        };
        let all = ask("openid email profile").await;
        assert_eq!((all.json["email"].as_str(), all.json["name"].as_str()), (Some("ada@example.com"), Some("Ada")));
        assert_eq!(all.json["email_verified"], true);
        let little = ask("openid").await.json;
        assert_eq!(little.as_object().unwrap().keys().collect::<Vec<_>>(), ["sub"]);
        assert_eq!(little["sub"], all.json["sub"]);
        let without = ask("account").await;
        assert_eq!(without.status, 403);
        assert!(without.headers["www-authenticate"].to_str().unwrap().contains("scope=\"openid\""));
    }

    async fn it_is_told_by_get_and_by_post_as_json_and_is_about_the_same_person_as_the_id_token(server: TestServer) {
        let client = server.client().await;
        let tokens = server.tokens(&client, &[("scope", "openid email")]).await;
        let (token, id_token) = (tokens.text("access_token"), tokens.text("id_token"));
        let claims = URL_SAFE_NO_PAD.decode(id_token.split('.').nth(1).unwrap()).unwrap();
        let claims: Value = serde_json::from_slice(&claims).unwrap();
        let (get, post) = (server.http().get(server.path("/userinfo")), server.http().post(server.path("/userinfo")));
        for request in [get.bearer_auth(&token), post.bearer_auth(&token)] {
            let answer = Answer::of(request).await;
            assert_eq!(answer.status, 200);
            assert_eq!(answer.headers["content-type"], "application/json");
            assert_eq!(answer.json["sub"], claims["sub"]);
        }
    }

    async fn without_a_token_there_is_a_challenge(server: TestServer) {
        let answer = Answer::of(server.http().post(server.path("/userinfo"))).await;
        assert_eq!(answer.status, 401);
        assert!(!answer.headers["www-authenticate"].to_str().unwrap().contains("error="));
    }
}
