//! `GET /readyz` when the database is not there.

use gatepass_oauth::UtcMillis;
use gatepass_testkit::{Answer, Engine, Options, TestDatabase, TestServer, keys::Clock, on_both_engines, tokio};
use std::time::Duration;
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    sync::watch,
    time::{sleep, timeout},
};
use url::Url;

async fn is_ready(server: &TestServer) -> bool {
    let answer = Answer::of(server.http().get(server.path("/readyz"))).await;
    assert_eq!(answer.headers["cache-control"], "no-store");
    let expected = match answer.status.as_u16() {
        200 => "ready",
        503 => "the database does not answer",
        other => panic!("{other}"),
    };
    assert_eq!(answer.text("status"), expected);
    answer.status == 200
}

async fn is_alive(server: &TestServer) -> bool {
    Answer::of(server.http().get(server.path("/healthz"))).await.status == 200
}

/// A way to the database behind this URL that is cut while `true` is sent: open connections end, new ones at once.
async fn way_to(url: &mut String) -> watch::Sender<bool> {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut way = Url::parse(url).unwrap();
    let database = format!("{}:{}", way.host_str().unwrap(), way.port().unwrap_or(5432));
    way.set_host(Some("127.0.0.1")).unwrap();
    way.set_port(Some(listener.local_addr().unwrap().port())).unwrap();
    *url = way.to_string();
    let (cut, is_cut) = watch::channel(false);
    tokio::spawn(async move {
        while let Ok((mut here, _)) = listener.accept().await {
            let (mut is_cut, database) = (is_cut.clone(), database.clone());
            tokio::spawn(async move {
                let end = async { drop(is_cut.wait_for(|cut| *cut).await) };
                let carry = async {
                    let mut there = TcpStream::connect(database).await.unwrap();
                    let _ = copy_bidirectional(&mut here, &mut there).await;
                };
                tokio::select! {
                    biased;
                    () = end => {}
                    () = carry => {}
                }
            });
        }
    });
    cut
}

on_both_engines! {
    async fn a_server_whose_database_was_closed_is_alive_and_not_ready(server: TestServer) {
        assert!(is_ready(&server).await);
        server.authority().close().await;
        assert!(!is_ready(&server).await);
        assert!(is_alive(&server).await);
    }
}

#[tokio::test(flavor = "multi_thread", crate = "gatepass_testkit::tokio")]
async fn a_server_is_ready_again_when_its_database_is_back() {
    let mut database = TestDatabase::new(Engine::Postgres).await;
    let cut = way_to(&mut database.url).await;
    let server = TestServer::on(database, Clock::settable(UtcMillis(1_790_000_000_000)), Options::default()).await;
    assert!(is_ready(&server).await);
    cut.send(true).unwrap();
    assert!(!is_ready(&server).await);
    assert!(is_alive(&server).await);
    cut.send(false).unwrap();
    let back = async {
        while !is_ready(&server).await {
            sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(Duration::from_secs(10), back).await.unwrap();
}
