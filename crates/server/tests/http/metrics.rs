//! `/metrics` on its own listener.

use gatepass_testkit::{Engine, Options, TestServer, authority::sweep::Sweeper, tokio};
use std::{collections::HashSet, time::Duration};

async fn server() -> TestServer {
    let settings = Some("metrics_listen = \"127.0.0.1:0\"\n".to_owned());
    TestServer::with(Engine::Sqlite, Options { settings, ..Options::default() }).await
}

async fn numbers(server: &TestServer) -> String {
    let answer = server.http().get(server.metrics_url.as_ref().unwrap()).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.headers()["content-type"], "application/openmetrics-text; version=1.0.0; charset=utf-8");
    answer.text().await.unwrap()
}

fn value(text: &str, series: &str) -> f64 {
    let line = text.lines().find(|line| line.rsplit_once(' ').is_some_and(|(name, _)| name == series));
    line.unwrap_or_else(|| panic!("no {series} in\n{text}")).rsplit_once(' ').unwrap().1.parse().unwrap()
}

#[tokio::test(flavor = "multi_thread", crate = "gatepass_testkit::tokio")]
async fn requests_are_counted_by_route_and_never_by_path() {
    let server = server().await;
    server.http().get(server.path("/device/WDJB-MJHT")).send().await.unwrap();
    server.http().get(server.path("/a/strangers/path")).send().await.unwrap();
    server.http().request("BREW".parse().unwrap(), server.path("/device")).send().await.unwrap();
    let text = numbers(&server).await;
    let requests = |labels: &str| value(&text, &format!("gatepass_http_requests_total{{{labels}}}"));
    assert_eq!(requests("route=\"/device/{code}\",method=\"GET\",status=\"2xx\""), 1.0);
    assert_eq!(requests("route=\"none\",method=\"other\",status=\"4xx\""), 1.0);
    assert_eq!(requests("route=\"/device\",method=\"other\",status=\"4xx\""), 1.0);
    let durations = |series: &str| value(&text, &format!("gatepass_http_request_duration_seconds_{series}"));
    assert_eq!(durations("count{route=\"/device/{code}\"}"), 1.0);
    assert_eq!(durations("bucket{le=\"+Inf\",route=\"/device/{code}\"}"), 1.0);
    for secret in ["WDJB", "strangers", "BREW"] {
        assert!(!text.contains(secret), "{secret}");
    }
    assert!(text.ends_with("# EOF\n"));
}

#[tokio::test(flavor = "multi_thread", crate = "gatepass_testkit::tokio")]
async fn each_family_says_once_what_it_is_and_has_its_numbers_behind_it() {
    let server = server().await;
    server.http().get(server.path("/healthz")).send().await.unwrap();
    let text = numbers(&server).await;
    assert!(!text.contains('\r'));
    let (mut said, mut family) = (HashSet::new(), "");
    for line in text.lines() {
        let mut words = line.split(' ');
        match (words.next().unwrap_or_default(), words.next(), words.next()) {
            ("#", Some(kind), Some(name)) => {
                assert!(said.insert((kind, name)), "{line}: again");
                family = name;
            }
            ("#", ..) => assert_eq!(line, "# EOF"),
            (series, ..) => {
                let name = series.split('{').next().unwrap();
                let suffix = name.strip_prefix(family).unwrap_or("of another");
                assert!(["", "_total", "_sum", "_count", "_bucket"].contains(&suffix), "{line}: after {family}");
                assert!(said.contains(&("TYPE", family)) && said.contains(&("HELP", family)), "{line}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", crate = "gatepass_testkit::tokio")]
async fn events_tokens_and_the_database_are_counted() {
    let server = server().await;
    let client = server.client().await;
    for _ in 0..3 {
        assert_eq!(server.post("/token", &client, &[("grant_type", "client_credentials")]).await.status, 200);
    }
    let text = numbers(&server).await;
    assert_eq!(value(&text, "gatepass_events_total{event=\"token_issued\"}"), 3.0);
    assert_eq!(
        value(&text, "gatepass_events_total{event=\"refresh_reused\"}"),
        0.0,
        "every kind is there from the start"
    );
    assert_eq!(value(&text, "gatepass_access_tokens_total"), 3.0);
    assert_eq!(value(&text, "gatepass_swept_rows_total{table=\"access_token\"}"), 0.0);
    assert!(value(&text, "gatepass_database_writes_total") >= 3.0);
    assert!(value(&text, "gatepass_connections_open") >= 0.0);
    assert_eq!(value(&text, "gatepass_signing_key_age_seconds"), 0.0);
}

#[tokio::test(flavor = "multi_thread", crate = "gatepass_testkit::tokio")]
async fn what_is_swept_is_counted_by_table() {
    let server = server().await;
    let client = server.client().await;
    for _ in 0..3 {
        assert_eq!(server.post("/token", &client, &[("grant_type", "client_credentials")]).await.status, 200);
    }
    server.advance(Duration::from_secs(400 * 24 * 3600));
    let swept = server.authority().sweep(&mut Sweeper::default()).await.unwrap();
    let text = numbers(&server).await;
    assert_eq!(value(&text, "gatepass_swept_rows_total{table=\"access_token\"}"), 3.0);
    for (table, rows) in swept.rows {
        let counted = value(&text, &format!("gatepass_swept_rows_total{{table=\"{table}\"}}"));
        assert_eq!(counted, f64::from(u32::try_from(rows).unwrap()), "{table}");
    }
}

#[tokio::test(flavor = "multi_thread", crate = "gatepass_testkit::tokio")]
async fn the_numbers_are_nowhere_unless_it_is_said_and_never_on_the_public_listener() {
    let quiet = TestServer::start(Engine::Sqlite).await;
    assert_eq!(quiet.metrics_url, None);
    assert_eq!(server().await.http().get(quiet.path("/metrics")).send().await.unwrap().status(), 404);
    let server = server().await;
    assert_eq!(server.http().get(server.path("/metrics")).send().await.unwrap().status(), 404);
}
