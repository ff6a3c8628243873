//! `POST /token` with `grant_type=refresh_token`: rotation, repeats, reuse.

use crate::grants::{API, register, resource};
use gatepass_oauth::TokenFormat;
use gatepass_testkit::{authority::Store, on_both_engines, tokio};
use std::{collections::BTreeSet, sync::Arc, time::Duration};

on_both_engines! {
    async fn a_refresh_gives_new_tokens_and_the_old_access_token_lives_on(server: TestServer) {
        let client = server.client().await;
        let first = server.tokens(&client, &[("scope", "account")]).await;
        let second = server.refresh(&client, &first.text("refresh_token")).await;
        assert_ne!(first.text("refresh_token"), second.text("refresh_token"));
        assert_eq!(second.json["scope"], "account");
        for tokens in [&first, &second] {
            assert_eq!(server.whoami(&tokens.text("access_token")).await.status, 200);
        }
    }

    async fn a_dropped_answer_is_given_again(server: TestServer) {
        let client = server.client().await;
        let first = server.tokens(&client, &[("scope", "account")]).await.text("refresh_token");
        let lost = server.refresh(&client, &first).await;
        server.advance(Duration::from_secs(1000));
        let repeated = server.refresh(&client, &first).await;
        assert_eq!(repeated.text("refresh_token"), lost.text("refresh_token"));
        assert_eq!(repeated.text("access_token"), lost.text("access_token"));
        assert_eq!(repeated.json["expires_in"], 2600, "what is left of its life");
        assert_eq!(server.refresh(&client, &lost.text("refresh_token")).await.status, 200);
    }

    async fn where_no_use_is_seen_a_repeat_is_innocent_for_thirty_seconds_only(server: TestServer) {
        let client = server.client().await;
        // Unregistered, then one whose tokens are verified elsewhere, then one that asks here.
        for (format, innocent) in [(None, false), (Some(TokenFormat::Jwt), false), (Some(TokenFormat::Opaque), true)] {
            if let Some(format) = format {
                // There is none the first time.
                let _ = server.authority().remove_resource(&API.parse().unwrap()).await;
                register(&server, resource(API, format)).await;
            }
            let first = server.tokens(&client, &[("scope", "api:read"), ("resource", API)]).await.text("refresh_token");
            let second = server.refresh(&client, &first).await.text("refresh_token");
            server.advance(Duration::from_secs(29));
            assert_eq!(server.refresh(&client, &first).await.text("refresh_token"), second, "{format:?}");
            server.advance(Duration::from_secs(1));
            let repeated = server.refresh(&client, &first).await;
            assert_eq!(repeated.status == 200, innocent, "{format:?}");
            assert_eq!(server.refresh(&client, &second).await.status == 200, innocent, "the family ends: {format:?}");
        }
    }

    async fn within_thirty_seconds_a_repeat_is_innocent_even_when_the_successor_is_used(server: TestServer) {
        let client = server.client().await;
        let first = server.tokens(&client, &[("scope", "account")]).await.text("refresh_token");
        let second = server.refresh(&client, &first).await;
        assert_eq!(server.whoami(&second.text("access_token")).await.status, 200);
        server.advance(Duration::from_secs(29));
        assert_eq!(server.refresh(&client, &first).await.text("refresh_token"), second.text("refresh_token"));
    }

    async fn later_a_repeat_of_a_settled_rotation_ends_the_family(server: TestServer) {
        let client = server.client().await;
        let first = server.tokens(&client, &[("scope", "account")]).await;
        let second = server.refresh(&client, &first.text("refresh_token")).await;
        assert_eq!(server.whoami(&second.text("access_token")).await.status, 200);
        server.advance(Duration::from_secs(31));
        assert_eq!(server.refresh(&client, &first.text("refresh_token")).await.error(), "invalid_grant");
        for tokens in [&first, &second] {
            assert_eq!(server.whoami(&tokens.text("access_token")).await.status, 401, "all access tokens end at once");
            assert_eq!(server.refresh(&client, &tokens.text("refresh_token")).await.error(), "invalid_grant");
        }
    }

    async fn an_older_token_of_the_family_ends_it_at_once(server: TestServer) {
        let client = server.client().await;
        let first = server.tokens(&client, &[("scope", "account")]).await.text("refresh_token");
        let second = server.refresh(&client, &first).await.text("refresh_token");
        let third = server.refresh(&client, &second).await;
        assert_eq!(server.refresh(&client, &first).await.error(), "invalid_grant");
        assert_eq!(server.refresh(&client, &third.text("refresh_token")).await.error(), "invalid_grant");
        assert_eq!(server.whoami(&third.text("access_token")).await.status, 401);
    }

    async fn after_the_end_of_the_family_a_repeat_is_not_answered_again(server: TestServer) {
        let client = server.client().await;
        for ends_by in ["a revocation", "a reuse"] {
            let first = server.tokens(&client, &[("scope", "account")]).await.text("refresh_token");
            let second = server.refresh(&client, &first).await.text("refresh_token");
            let third = server.refresh(&client, &second).await.text("refresh_token");
            assert_eq!(server.refresh(&client, &second).await.text("refresh_token"), third, "a repeat, while the family lives");
            if ends_by == "a revocation" {
                assert_eq!(server.post("/revoke", &client, &[("token", &third)]).await.status, 200);
            } else {
                assert_eq!(server.refresh(&client, &first).await.error(), "invalid_grant");
            }
            let repeated = server.refresh(&client, &second).await;
            assert_eq!((repeated.status.as_u16(), repeated.error().as_str()), (400, "invalid_grant"), "{ends_by}");
            assert!(repeated.json.get("access_token").is_none() && repeated.json.get("refresh_token").is_none());
        }
    }

    async fn a_hundred_refreshers_at_once_all_get_the_same_answer(server: TestServer) {
        let client = server.client().await;
        let first = server.tokens(&client, &[("scope", "account")]).await.text("refresh_token");
        let server = Arc::new(server);
        let refreshers: Vec<_> = (0..100)
            .map(|_| {
                let (server, client, first) = (server.clone(), client.clone(), first.clone());
                tokio::spawn(async move { server.refresh(&client, &first).await.text("refresh_token") })
            })
            .collect();
        let mut answers = BTreeSet::new();
        for refresher in refreshers {
            answers.insert(refresher.await.unwrap());
        }
        assert_eq!(answers.len(), 1);
        let next = answers.pop_first().unwrap();
        assert_eq!(server.refresh(&client, &next).await.status, 200);
    }

    async fn a_refresh_may_narrow_the_scope_but_not_widen_it_and_keeps_the_resource(server: TestServer) {
        let client = server.client().await;
        let tokens = server.tokens(&client, &[("scope", "account email"), ("resource", "https://api.example")]).await;
        let form = |token: &str, name: &str, value: &str| {
            [("grant_type", "refresh_token"), ("refresh_token", token), (name, value)].map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec()
        };
        let send = |form: Vec<(String, String)>| {
            let (server, client) = (&server, &client);
            async move { server.post("/token", client, &form.iter().map(|(a, b)| (a.as_str(), b.as_str())).collect::<Vec<_>>()).await }
        };
        let token = tokens.text("refresh_token");
        assert_eq!(send(form(&token, "scope", "account openid")).await.error(), "invalid_scope");
        assert_eq!(send(form(&token, "resource", "https://other.example")).await.error(), "invalid_target");
        let narrow = send(form(&token, "scope", "email")).await;
        assert_eq!(narrow.json["scope"], "email");
        let wide = send(form(&narrow.text("refresh_token"), "resource", "https://api.example/")).await;
        assert_eq!(wide.json["scope"], "account email", "the grant keeps its scope");
    }

    async fn a_refresh_gives_only_what_its_client_may_have_by_now(server: TestServer) {
        let change = async |sql: &'static str, id: &str| {
            let store = Store::open(&server.database.database_url()).await.unwrap();
            assert_eq!(store.db().execute(sql, vec![id.into()]).await.unwrap(), 1);
            store.close().await;
            server.advance(Duration::from_secs(1));
        };
        let client = server.client().await;
        let here = server.tokens(&client, &[("scope", "account email")]).await.text("refresh_token");
        let there = server.tokens(&client, &[("scope", "email"), ("resource", API)]).await.text("refresh_token");
        change("update client set scope = 'account' where id = $1", &client.id).await;
        let less = server.refresh(&client, &here).await;
        assert_eq!(less.json["scope"], "account", "{}", less.json);
        assert_eq!(server.refresh(&client, &there).await.error(), "invalid_scope", "nothing is left");
        change("update client set scope = 'account email', resources = '' where id = $1", &client.id).await;
        assert_eq!(server.refresh(&client, &there).await.error(), "invalid_target");
        let again = server.refresh(&client, &less.text("refresh_token")).await;
        assert_eq!(again.json["scope"], "account email", "the grant keeps its scope");
    }

    async fn a_refresh_token_is_bound_to_its_client_and_its_time(server: TestServer) {
        let (client, other) = (server.client().await, server.client().await);
        let token = server.tokens(&client, &[("scope", "account")]).await.text("refresh_token");
        assert_eq!(server.refresh(&other, &token).await.error(), "invalid_grant");
        server.advance(Duration::from_secs(29 * 24 * 3600));
        let next = server.refresh(&client, &token).await;
        assert_eq!(next.status, 200, "another client's try has not ended the family");
        server.advance(Duration::from_secs(29 * 24 * 3600));
        let next = server.refresh(&client, &next.text("refresh_token")).await;
        assert_eq!(next.status, 200, "each use begins anew");
        server.advance(Duration::from_secs(30 * 24 * 3600));
        assert_eq!(server.refresh(&client, &next.text("refresh_token")).await.error(), "invalid_grant");
    }

    async fn an_access_token_ends_with_its_time(server: TestServer) {
        let client = server.client().await;
        let token = server.tokens(&client, &[("scope", "account")]).await.text("access_token");
        assert_eq!(server.whoami(&token).await.status, 200);
        server.advance(Duration::from_secs(3600));
        assert_eq!(server.whoami(&token).await.status, 401);
    }
}
