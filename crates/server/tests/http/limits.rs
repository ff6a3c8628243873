//! What can be done too often is bounded, answered with 429 and a time, and told.

use crate::audit::events;
use gatepass_testkit::{Engine, Options, TestServer, authority::EventKind, on_both_engines, tokio};
use std::time::Duration;

async fn start(server: &TestServer) -> gatepass_testkit::Answer {
    server.post_public("/device_authorization", &[]).await
}

on_both_engines! {
    async fn device_starts_of_one_address_are_bounded(server: TestServer) {
        for _ in 0..120 {
            assert_eq!(start(&server).await.status, 200);
        }
        let bounded = start(&server).await;
        assert_eq!(bounded.status, 429);
        assert_eq!(bounded.headers["retry-after"], "600");
        assert_eq!(start(&server).await.status, 429);
        let alarms = events(&server, EventKind::Throttled, 1).await;
        assert_eq!(alarms.len(), 1, "once per window");
        assert_eq!((alarms[0].detail.as_str(), alarms[0].address.as_str()), ("device-start-address", "127.0.0.1"));
        server.advance(Duration::from_secs(600));
        assert_eq!(start(&server).await.status, 200);
    }

    async fn another_node_knows_the_limit_too(server: TestServer) {
        for _ in 0..120 {
            assert_eq!(start(&server).await.status, 200);
        }
        let (database, clock) = server.stop().await;
        let options = Options { empty: true, ..Options::default() };
        let other = TestServer::on(database, clock, options).await;
        let mut passed = 0;
        while start(&other).await.status == 200 {
            passed += 1;
        }
        assert!(passed <= 15, "an eighth of the limit at most: {passed}");
    }

    async fn a_storm_of_polls_is_refused_before_it_is_looked_up(server: TestServer) {
        let code = start(&server).await.text("device_code");
        let grant = "urn:ietf:params:oauth:grant-type:device_code";
        let mut answers = Vec::new();
        for _ in 0..70 {
            answers.push(server.post_public("/token", &[("grant_type", grant), ("device_code", &code)]).await);
        }
        assert_eq!(answers[0].error(), "authorization_pending");
        assert_eq!(answers[1].error(), "slow_down");
        let last = answers.last().unwrap();
        assert_eq!(last.status, 429);
        assert!(last.headers.contains_key("retry-after"));
        assert_eq!(events(&server, EventKind::PollingStorm, 1).await.len(), 1);
        server.advance(Duration::from_secs(70));
        let later = server.post_public("/token", &[("grant_type", grant), ("device_code", &code)]).await;
        assert_eq!(later.error(), "authorization_pending", "it may go on when it has calmed down");
    }

    async fn junk_of_one_address_is_bounded(server: TestServer) {
        for _ in 0..600 {
            let answer = server.post_public("/token", &[("grant_type", "refresh_token"), ("refresh_token", "x")]).await;
            assert_eq!(answer.error(), "invalid_grant");
        }
        let bounded = server.post_public("/token", &[("grant_type", "refresh_token"), ("refresh_token", "x")]).await;
        assert_eq!(bounded.status, 429);
        let client = server.client().await;
        assert_eq!(server.post("/token", &client, &[("grant_type", "client_credentials")]).await.status, 200);
    }

}

#[tokio::test(flavor = "multi_thread", crate = "gatepass_testkit::tokio")]
async fn the_operator_sets_and_lifts_limits() {
    let settings = "[limits]\ndevice_start_address = \"off\"\ndevice_start_client = \"130/10m\"\n";
    let options = Options { settings: Some(settings.into()), ..Options::default() };
    let server = TestServer::with(Engine::Sqlite, options).await;
    for _ in 0..130 {
        assert_eq!(start(&server).await.status, 200);
    }
    assert_eq!(start(&server).await.status, 429);
}
