//! The operator's webhook: told of alarms, signed, at least once.

use gatepass_oauth::UtcMillis;
use gatepass_testkit::{
    Engine, Options, RegisteredClient, TestDatabase, TestServer,
    authority::{EventKind, Store},
    keys::{Clock, WebhookKey},
    tokio::{
        self,
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpListener,
        sync::mpsc,
    },
};
use serde_json::Value;
use std::{collections::BTreeMap, time::Duration};

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// One notice as it came.
struct Notice {
    headers: BTreeMap<String, String>,
    body: String,
}

impl Notice {
    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }

    fn is_signed(&self) -> bool {
        let key: WebhookKey = SECRET.parse().unwrap();
        key.sign(&self.headers["webhook-id"], &self.headers["webhook-timestamp"], &self.body)
            == self.headers["webhook-signature"]
    }
}

/// A receiver that answers these statuses in turn, and 204 after them.
async fn receiver(statuses: &'static [u16]) -> (String, mpsc::UnboundedReceiver<Notice>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/hook", listener.local_addr().unwrap());
    let (send, notices) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        let mut statuses = statuses.iter();
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut bytes = Vec::new();
            let notice = loop {
                let mut part = [0; 4096];
                let read = stream.read(&mut part).await.unwrap();
                bytes.extend_from_slice(&part[..read]);
                let text = String::from_utf8_lossy(&bytes).into_owned();
                if let Some((head, body)) = text.split_once("\r\n\r\n") {
                    let headers: BTreeMap<_, _> = head
                        .lines()
                        .filter_map(|line| line.split_once(": "))
                        .map(|(name, value)| (name.to_lowercase(), value.to_owned()))
                        .collect();
                    if body.len() >= headers["content-length"].parse().unwrap() {
                        break Notice { headers, body: body.to_owned() };
                    }
                }
            };
            let status = statuses.next().unwrap_or(&204);
            let answer = format!("HTTP/1.1 {status} x\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
            stream.write_all(answer.as_bytes()).await.unwrap();
            send.send(notice).unwrap();
        }
    });
    (url, notices)
}

fn options(url: &str) -> Options {
    let settings = format!("[webhook]\nurl = \"{url}\"\nevents = [\"alarming\", \"client_refused\"]\n");
    Options { settings: Some(settings), webhook_secret: Some(SECRET.into()), ..Options::default() }
}

async fn be_refused(server: &TestServer) {
    let wrong = RegisteredClient { secret: "wrong".into(), ..server.client().await };
    assert_eq!(server.post("/token", &wrong, &[("grant_type", "client_credentials")]).await.status, 401);
}

/// Waits until it is written what became of the last try: so many notices are due within this time, and a claim is longer
/// than the first pauses.
async fn until_due(server: &TestServer, within: Duration, count: usize) {
    let store = Store::open(&server.database.database_url()).await.unwrap();
    let written = async {
        while store.due_deliveries(server.authority().now().plus(within)).await.unwrap().len() != count {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), written).await.unwrap();
    store.close().await;
}

async fn next(notices: &mut mpsc::UnboundedReceiver<Notice>) -> Notice {
    tokio::time::timeout(Duration::from_secs(20), notices.recv()).await.unwrap().unwrap()
}

async fn an_event_is_told_at_once_and_signed(engine: Engine) {
    let (url, mut notices) = receiver(&[]).await;
    let server = TestServer::with(engine, options(&url)).await;
    be_refused(&server).await;
    let notice = next(&mut notices).await;
    assert!(notice.is_signed());
    assert_eq!(notice.headers["webhook-timestamp"], "1790000000");
    let json = notice.json();
    assert_eq!((json["type"].as_str(), json["data"]["address"].as_str()), (Some("client_refused"), Some("127.0.0.1")));
    assert_eq!(json["timestamp"], "2026-09-21T14:13:20.000Z");
    // Its answer is on the way when it is here.
    for _ in 0..100 {
        if server.authority().tally().webhook_delivered.get() == 1 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("the notice was not taken");
}

async fn a_notice_that_is_not_taken_comes_again(engine: Engine) {
    let (url, mut notices) = receiver(&[500, 503]).await;
    let server = TestServer::with(engine, options(&url)).await;
    be_refused(&server).await;
    let first = next(&mut notices).await;
    until_due(&server, Duration::from_secs(40), 1).await;
    server.authority().deliver_due().await;
    assert!(notices.try_recv().is_err(), "not before its time");
    assert!(!first.headers["webhook-id"].contains('.'), "it separates what is signed");
    let mut last = first.headers["webhook-timestamp"].clone();
    // Two nodes look at once, over and over: the claim lets one of them send, and the pauses hold.
    for _ in 0..2 {
        until_due(&server, Duration::from_secs(40), 1).await;
        server.advance(Duration::from_secs(40));
        let (one, other) = (server.authority().clone(), server.authority().clone());
        let _ = tokio::join!(
            tokio::spawn(async move { one.deliver_due().await }),
            tokio::spawn(async move { other.deliver_due().await })
        );
        let again = next(&mut notices).await;
        assert_eq!((&again.headers["webhook-id"], &again.body), (&first.headers["webhook-id"], &first.body));
        assert!(again.is_signed() && again.headers["webhook-timestamp"] > last, "each try says its own time");
        last.clone_from(&again.headers["webhook-timestamp"]);
    }
    until_due(&server, Duration::from_secs(4000), 0).await;
    server.advance(Duration::from_secs(4000));
    server.authority().deliver_due().await;
    assert!(notices.try_recv().is_err(), "it was taken, and each try was one node's");
}

#[tokio::test(flavor = "multi_thread", crate = "gatepass_testkit::tokio")]
async fn a_notice_that_is_not_taken_comes_again_on_sqlite() {
    a_notice_that_is_not_taken_comes_again(Engine::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", crate = "gatepass_testkit::tokio")]
async fn a_notice_that_is_not_taken_comes_again_on_postgres() {
    a_notice_that_is_not_taken_comes_again(Engine::Postgres).await;
}

async fn a_notice_survives_the_end_of_the_server(engine: Engine) {
    let database = TestDatabase::new(engine).await;
    let clock = Clock::settable(UtcMillis(1_790_000_000_000));
    // Nobody listens there.
    let server = TestServer::on(database, clock, options("http://127.0.0.1:1/hook")).await;
    be_refused(&server).await;
    let (database, clock) = server.stop().await;
    clock.advance(Duration::from_secs(120));
    let (url, mut notices) = receiver(&[]).await;
    let server = TestServer::on(database, clock, Options { empty: true, ..options(&url) }).await;
    server.authority().deliver_due().await;
    assert_eq!(next(&mut notices).await.json()["type"], EventKind::ClientRefused.as_str());
}

/// Without a list of events it is the alarms that are told.
async fn a_refresh_token_that_comes_again_is_told(engine: Engine) {
    let (url, mut notices) = receiver(&[]).await;
    let settings = format!("[webhook]\nurl = \"{url}\"\n");
    let server = TestServer::with(engine, Options { settings: Some(settings), ..options(&url) }).await;
    let client = server.client().await;
    let first = server.tokens(&client, &[("scope", "account")]).await.text("refresh_token");
    let second = server.refresh(&client, &first).await.text("refresh_token");
    assert_eq!(server.refresh(&client, &second).await.status, 200);
    assert_eq!(server.refresh(&client, &first).await.error(), "invalid_grant");
    let notice = next(&mut notices).await;
    assert!(notice.is_signed());
    assert_eq!(
        (&notice.json()["type"], &notice.json()["data"]["client_id"]),
        (&"refresh_reused".into(), &client.id.as_str().into())
    );
    assert!(!notice.body.contains(&first) && !notice.body.contains(&second));
}

on_both!(a_refresh_token_that_comes_again_is_told);
on_both!(an_event_is_told_at_once_and_signed);
on_both!(a_notice_survives_the_end_of_the_server);
