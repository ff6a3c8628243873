//! Sweeping: what is over goes, and what lives stays usable.

use gatepass_testkit::{
    Browser, RegisteredClient, TestServer, USER,
    authority::{EventKind, Store, add_client::NewClient, sweep::Sweeper},
    on_both_engines,
};
use std::time::Duration;

const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(24 * 3600);

async fn rows(server: &TestServer, sql: &'static str) -> i64 {
    let store = Store::open(&server.database.database_url()).await.unwrap();
    let count = store.db().query::<i64>(sql, vec![]).await.unwrap().pop().unwrap();
    store.close().await;
    count
}

/// Rows that hardly any request makes, all over within the day.
async fn fill(server: &TestServer) {
    let store = Store::open(&server.database.database_url()).await.unwrap();
    let (db, end) = (store.db(), server.authority().now().0 + 60_000);
    let link = "insert into one_time_link (id, hash, purpose, created_at, expires_at) values ($1, $2, 'x', $3, $3)";
    db.execute(link, vec![[7; 16].into(), [7; 32].into(), end.into()]).await.unwrap();
    let assertion = "insert into client_assertion (client_id, jti_hash, expires_at) values ('x', $1, $2)";
    db.execute(assertion, vec![[7; 32].into(), end.into()]).await.unwrap();
    let delivery =
        "insert into webhook_delivery (id, body, attempts, next_at, expires_at) values ($1, '{}', 1, $2, $2)";
    db.execute(delivery, vec![[7; 16].into(), end.into()]).await.unwrap();
    db.execute("insert into dpop_proof (once_hash, expires_at) values ($1, $2)", vec![[7; 32].into(), end.into()])
        .await
        .unwrap();
    store.close().await;
}

async fn sweep(server: &TestServer, sweeper: &mut Sweeper) {
    server.authority().sweep(sweeper).await.unwrap();
}

async fn signed_in(server: &TestServer, client: &RegisteredClient) -> (String, String) {
    let tokens = server.tokens(client, &[("scope", "account")]).await;
    (tokens.text("access_token"), tokens.text("refresh_token"))
}

on_both_engines! {
    async fn everything_that_is_over_goes(server: TestServer) {
        let hears = |new: &mut NewClient| new.metadata.backchannel_logout_uri = Some("http://localhost:9/".into());
        let client = server.client_with(hears).await;
        server.tokens(&client, &[("scope", "openid")]).await;
        server.post_public("/device_authorization", &[]).await;
        let wrong = RegisteredClient { secret: "wrong".into(), ..client.clone() };
        for _ in 0..30 {
            server.post("/token", &wrong, &[("grant_type", "client_credentials")]).await;
        }
        let pushed = [
            ("response_type", "code"), ("redirect_uri", gatepass_testkit::REDIRECT_URI), ("code_challenge_method", "S256"),
            ("code_challenge", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"),
        ];
        assert_eq!(server.post("/par", &client, &pushed).await.status, 201);
        fill(&server).await;
        // Routine events are written a moment later than the rest, in the order in which they came: this is the last one.
        crate::audit::events(&server, EventKind::RequestPushed, 1).await;
        server.advance(DAY * 400);
        let mut sweeper = Sweeper::default();
        sweep(&server, &mut sweeper).await;
        for sql in [
            "select count(*) from authorization_code",
            "select count(*) from access_token",
            "select count(*) from token_grant",
            "select count(*) from device_grant",
            "select count(*) from session",
            "select count(*) from session_client",
            "select count(*) from one_time_link",
            "select count(*) from client_assertion",
            "select count(*) from throttle",
            "select count(*) from webhook_delivery",
            "select count(*) from dpop_proof",
            "select count(*) from pushed_request",
            "select count(*) from audit",
        ] {
            assert_eq!(rows(&server, sql).await, 0, "{sql}");
        }
        assert_eq!(rows(&server, "select count(*) from user_account").await, 1);
        assert!(server.authority().tally().swept().all(|(table, count)| count > 0 || matches!(table, "client" | "client_document")));
    }

    async fn what_lives_stays_usable_whenever_the_sweep_comes(server: TestServer) {
        let client = server.client().await;
        let mut sweeper = Sweeper::default();
        let browser = Browser::at(&server);
        browser.sign_in(USER).await;
        let (_, mut kept) = signed_in(&server, &client).await;
        // A family that is refreshed now and then outlives thirty days many times over; so does its session.
        for round in 0..8_u32 {
            let (access, refresh) = signed_in(&server, &client).await;
            let pkce = gatepass_testkit::Pkce::new();
            let code = server.code(&browser, &client, &pkce, &[("scope", "account")]).await;
            let device = server.post_public("/device_authorization", &[]).await.text("device_code");
            server.advance(Duration::from_secs(50));
            sweep(&server, &mut sweeper).await;
            assert_eq!(server.redeem(&client, &code, &pkce).await.status, 200, "a code");
            let grant = "urn:ietf:params:oauth:grant-type:device_code";
            let poll = server.post_public("/token", &[("grant_type", grant), ("device_code", &device)]).await;
            assert_eq!(poll.error(), "authorization_pending", "a device");
            server.advance(HOUR - Duration::from_secs(60));
            sweep(&server, &mut sweeper).await;
            assert_eq!(server.whoami(&access).await.status, 200, "an access token");
            server.advance(DAY * (round % 3 + 4));
            sweep(&server, &mut sweeper).await;
            assert_eq!(browser.open("/").await.path, "/", "a session");
            assert!(browser.open("/device").await.html.contains(USER), "a session");
            assert_eq!(server.refresh(&client, &refresh).await.status, 200, "a family");
            kept = server.refresh(&client, &kept).await.text("refresh_token");
        }
    }

    async fn reuse_is_known_as_long_as_the_family_could_live(server: TestServer) {
        let client = server.client().await;
        let (_, first) = signed_in(&server, &client).await;
        let second = server.refresh(&client, &first).await.text("refresh_token");
        let third = server.refresh(&client, &second).await;
        server.advance(DAY * 29);
        sweep(&server, &mut Sweeper::default()).await;
        assert_eq!(server.refresh(&client, &first).await.error(), "invalid_grant");
        assert_eq!(server.refresh(&client, &third.text("refresh_token")).await.error(), "invalid_grant", "the family is over");
    }

    async fn one_node_at_a_time_sweeps(server: TestServer) {
        let (mut one, mut other) = (server.authority().sweeper(), server.authority().sweeper());
        assert!(server.authority().sweep_in_turn(&mut one).await.unwrap().is_some());
        assert!(server.authority().sweep_in_turn(&mut other).await.unwrap().is_none());
        assert!(server.authority().sweep_in_turn(&mut one).await.unwrap().is_some());
        server.advance(Duration::from_secs(90));
        assert!(server.authority().sweep_in_turn(&mut other).await.unwrap().is_some());
    }
}
