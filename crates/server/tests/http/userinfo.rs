//! `GET /userinfo`, `POST /userinfo`.

use gatepass_testkit::{Answer, on_both_engines};

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

    async fn without_a_token_there_is_a_challenge(server: TestServer) {
        let answer = Answer::of(server.http().post(server.path("/userinfo"))).await;
        assert_eq!(answer.status, 401);
        assert!(!answer.headers["www-authenticate"].to_str().unwrap().contains("error="));
    }
}
