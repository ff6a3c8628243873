//! What an operator ends (`gatepass admin revoke`).

use gatepass_testkit::{
    Browser, Pkce, USER,
    authority::{
        EventKind, Store,
        end::{EndRefused, EndTarget},
        sweep::Sweeper,
    },
    keys::TokenId,
    on_both_engines,
};
use std::time::Duration;

on_both_engines! {
    async fn all_of_a_person_ends_also_what_was_on_its_way(server: TestServer) {
        let (client, browser, pkce) = (server.client().await, Browser::at(&server), Pkce::new());
        browser.sign_in(USER).await;
        let tokens = server.tokens(&client, &[("scope", "account offline_access")]).await;
        assert_eq!(server.whoami(&tokens.text("access_token")).await.status, 200);
        let code = server.code(&browser, &client, &pkce, &[("scope", "account")]).await;
        let device = server.post_public("/device_authorization", &[("scope", "account")]).await;
        let page = browser.open(&device.text("verification_uri_complete")).await;
        browser.submit(&page.form(), &[("answer", "approve")]).await;

        assert_eq!(server.authority().end(&EndTarget::User("ADA@example.com".into())).await.unwrap(), 1);
        assert_eq!(server.whoami(&tokens.text("access_token")).await.status, 401, "at once, on this node");
        assert_eq!(server.refresh(&client, &tokens.text("refresh_token")).await.error(), "invalid_grant");
        assert_eq!(server.redeem(&client, &code, &pkce).await.error(), "invalid_grant");
        let grant = "urn:ietf:params:oauth:grant-type:device_code";
        let poll = server.post_public("/token", &[("grant_type", grant), ("device_code", &device.text("device_code"))]).await;
        assert_eq!(poll.error(), "access_denied");
        assert_eq!(browser.open("/").await.heading(), "Sign in to gatepass");
        assert_eq!(browser.sign_in(USER).await.heading(), "You are signed in", "the account stays");
    }

    async fn all_of_a_client_ends_with_its_own_tokens_and_others_stay(server: TestServer) {
        let (client, other) = (server.client().await, server.client().await);
        let tokens = server.tokens(&client, &[("scope", "account")]).await;
        let kept = server.tokens(&other, &[("scope", "account")]).await;
        let own = server.post("/token", &client, &[("grant_type", "client_credentials"), ("scope", "account")]).await;
        assert_eq!(server.authority().end(&EndTarget::Client(client.id.parse().unwrap())).await.unwrap(), 2);
        for ended in [&tokens, &own] {
            assert_eq!(server.whoami(&ended.text("access_token")).await.status, 401);
        }
        assert_eq!(server.whoami(&kept.text("access_token")).await.status, 200);
    }

    async fn a_device_ends_with_the_session_it_was_approved_in_however_long_ago(server: TestServer) {
        let (browser, stranger) = (Browser::at(&server), Browser::at(&server));
        let grant = "urn:ietf:params:oauth:grant-type:device_code";
        let mut devices = Vec::new();
        for browser in [&browser, &stranger] {
            server.advance(Duration::from_secs(1));
            browser.sign_in(USER).await;
            let device = server.post_public("/device_authorization", &[("scope", "account offline_access")]).await;
            let page = browser.open(&device.text("verification_uri_complete")).await;
            browser.submit(&page.form(), &[("answer", "approve")]).await;
            let form = [("grant_type", grant), ("device_code", &device.text("device_code"))];
            devices.push(server.post_public("/token", &form).await.text("refresh_token"));
        }
        server.advance(Duration::from_secs(3 * 3600));
        server.authority().sweep(&mut Sweeper::default()).await.unwrap();
        let store = Store::open(&server.database.database_url()).await.unwrap();
        assert!(store.db().query::<i64>("select count(*) from device_grant", vec![]).await.unwrap() == [0]);
        let sessions: Vec<[u8; 16]> = store.db().query("select id from session order by id", vec![]).await.unwrap();
        store.close().await;
        let session = EndTarget::Session(TokenId(sessions[0]));
        assert_eq!(server.authority().end(&session).await.unwrap(), 1);
        let refresh = async |token: &str| server.post_public("/token", &[("grant_type", "refresh_token"), ("refresh_token", token)]).await;
        assert_eq!(refresh(&devices[0]).await.error(), "invalid_grant");
        assert_eq!(refresh(&devices[1]).await.status, 200, "another session's device stays");
    }

    async fn a_code_on_its_way_ends_with_its_session_and_with_no_other(server: TestServer) {
        let (client, pkce) = (server.client().await, Pkce::new());
        let (ada, elsewhere) = (Browser::at(&server), Browser::at(&server));
        let home = ada.sign_in(USER).await;
        server.advance(Duration::from_secs(1));
        elsewhere.sign_in(USER).await;
        let code = async |browser: &Browser| server.code(browser, &client, &pkce, &[("scope", "account offline_access")]).await;
        let (signed_out, stays, ended) = (code(&ada).await, code(&elsewhere).await, code(&elsewhere).await);
        ada.submit(&home.form(), &[]).await;
        assert_eq!(server.redeem(&client, &signed_out, &pkce).await.error(), "invalid_grant");
        assert_eq!(server.redeem(&client, &stays, &pkce).await.status, 200);
        let sessions = crate::audit::events(&server, EventKind::SignedIn, 2).await;
        let session = EndTarget::Session(sessions[1].subject.unwrap());
        assert_eq!(server.authority().end(&session).await.unwrap(), 1);
        assert_eq!(server.redeem(&client, &ended, &pkce).await.error(), "invalid_grant");
    }

    async fn what_is_not_there_is_said(server: TestServer) {
        let id = gatepass_testkit::keys::TokenId([7; 16]);
        for target in [EndTarget::User("x@example.com".into()), EndTarget::Client("x".parse().unwrap()), EndTarget::Grant(id), EndTarget::Session(id)] {
            assert!(matches!(server.authority().end(&target).await, Err(EndRefused::Unknown(_))), "{target:?}");
        }
    }
}
