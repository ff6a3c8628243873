//! `POST /revoke`.

use gatepass_testkit::{
    authority::Store,
    keys::{PlainToken, token::AccessToken},
    on_both_engines,
};
use std::time::Duration;

on_both_engines! {
    async fn a_refresh_token_ends_its_whole_grant(server: TestServer) {
        let client = server.client().await;
        let tokens = server.tokens(&client, &[("scope", "account")]).await;
        assert_eq!(server.whoami(&tokens.text("access_token")).await.status, 200);
        assert_eq!(server.post("/revoke", &client, &[("token", &tokens.text("refresh_token"))]).await.status, 200);
        assert_eq!(server.whoami(&tokens.text("access_token")).await.status, 401, "at once, on this node");
        assert_eq!(server.refresh(&client, &tokens.text("refresh_token")).await.error(), "invalid_grant");
    }

    async fn an_access_token_ends_alone(server: TestServer) {
        let client = server.client().await;
        let tokens = server.tokens(&client, &[("scope", "account")]).await;
        let form = [("token", tokens.text("access_token")), ("token_type_hint", "refresh_token".into())];
        let form: Vec<(&str, &str)> = form.iter().map(|(name, value)| (*name, value.as_str())).collect();
        assert_eq!(server.post("/revoke", &client, &form).await.status, 200);
        assert_eq!(server.whoami(&tokens.text("access_token")).await.status, 401);
        assert_eq!(server.refresh(&client, &tokens.text("refresh_token")).await.status, 200);
    }

    async fn a_revocation_of_nothing_makes_no_verified_token_be_read_again(server: TestServer) {
        let client = server.client().await;
        let token = server.tokens(&client, &[("scope", "account")]).await.text("access_token");
        assert_eq!(server.whoami(&token).await.status, 200);
        let store = Store::open(&server.database.database_url()).await.unwrap();
        let (id, _) = PlainToken::<AccessToken>::recognise(&token).unwrap();
        let _ = store.revoke_access_token(id, gatepass_oauth::UtcMillis(1)).await.unwrap();
        store.close().await;
        for nothing in ["x", &token] {
            assert_eq!(server.post("/revoke", &client, &[("token", nothing)]).await.status, 200);
            assert_eq!(server.whoami(&token).await.status, 200, "remembered for its second");
        }
        server.advance(Duration::from_secs(1));
        assert_eq!(server.whoami(&token).await.status, 401, "another node's revocation");
    }

    async fn an_unknown_token_is_as_good_as_revoked_and_a_foreign_one_stays(server: TestServer) {
        let (client, other) = (server.client().await, server.client().await);
        let tokens = server.tokens(&client, &[("scope", "account")]).await;
        for unknown in ["nonsense", "gpr_nonsense", "eyJ.a.b"] {
            assert_eq!(server.post("/revoke", &client, &[("token", unknown)]).await.status, 200, "{unknown}");
        }
        for name in ["refresh_token", "access_token"] {
            assert_eq!(server.post("/revoke", &other, &[("token", &tokens.text(name))]).await.error(), "unauthorized_client");
        }
        assert_eq!(server.whoami(&tokens.text("access_token")).await.status, 200);
        assert_eq!(server.post("/revoke", &client, &[]).await.error(), "invalid_request");
    }
}
