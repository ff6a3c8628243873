//! How many connections there are at once, and what becomes of them at the end.

use gatepass_testkit::{Engine, Limits, Options, TestServer, tokio};
use std::time::{Duration, Instant};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

const GRACE: Duration = Duration::from_secs(1);

async fn server_with_two_seats() -> TestServer {
    let limits = Limits { connections: 2, grace: GRACE, ..Limits::default() };
    TestServer::with(Engine::Sqlite, Options { limits, ..Options::default() }).await
}

async fn connect(server: &TestServer) -> TcpStream {
    TcpStream::connect(server.url.strip_prefix("http://").unwrap()).await.unwrap()
}

/// Takes a seat: a request under way, whose body the server waits for.
async fn half_a_request(server: &TestServer) -> TcpStream {
    let mut stream = connect(server).await;
    let head =
        "POST /token HTTP/1.1\r\nhost: x\r\ncontent-type: application/x-www-form-urlencoded\r\ncontent-length: 9\r\n";
    stream.write_all(format!("{head}expect: 100-continue\r\n\r\n").as_bytes()).await.unwrap();
    let mut answer = [0; 25];
    stream.read_exact(&mut answer).await.unwrap();
    stream
}

/// Knocks with a request that any seat would answer.
async fn knock(server: &TestServer) -> TcpStream {
    let mut stream = connect(server).await;
    stream.write_all(b"GET /healthz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await.unwrap();
    stream
}

async fn answer(stream: &mut TcpStream) -> String {
    let mut answer = String::new();
    let _ = stream.read_to_string(&mut answer).await;
    answer
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2, crate = "gatepass_testkit::tokio")]
async fn who_finds_no_seat_waits_until_one_is_free() {
    let server = server_with_two_seats().await;
    let (first, _second) = (half_a_request(&server).await, half_a_request(&server).await);
    let mut third = knock(&server).await;
    assert!(timeout(Duration::from_millis(300), answer(&mut third)).await.is_err(), "there are two seats");
    drop(first);
    let answered = timeout(Duration::from_secs(10), answer(&mut third)).await.expect("a hang");
    assert!(answered.starts_with("HTTP/1.1 200"), "{answered}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2, crate = "gatepass_testkit::tokio")]
async fn told_to_end_with_every_seat_taken_it_ends_within_its_grace() {
    let server = server_with_two_seats().await;
    let _seated = (half_a_request(&server).await, half_a_request(&server).await);
    let _waiting = knock(&server).await;
    let told = Instant::now();
    timeout(GRACE + Duration::from_secs(10), server.stop()).await.expect("a hang");
    assert!(told.elapsed() >= GRACE, "what was under way had its time");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2, crate = "gatepass_testkit::tokio")]
async fn seats_of_clients_that_say_nothing_do_not_hold_the_end_up() {
    let limits = Limits { connections: 2, grace: Duration::from_secs(60), ..Limits::default() };
    let server = TestServer::with(Engine::Sqlite, Options { limits, ..Options::default() }).await;
    let _silent = (connect(&server).await, connect(&server).await);
    let mut waiting = knock(&server).await;
    assert!(timeout(Duration::from_millis(300), answer(&mut waiting)).await.is_err(), "the silent ones have the seats");
    timeout(Duration::from_secs(10), server.stop()).await.expect("a hang");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2, crate = "gatepass_testkit::tokio")]
async fn an_old_connection_has_its_answer_and_no_other_one() {
    let limits = Limits { age: Duration::from_millis(300), ..Limits::default() };
    let server = TestServer::with(Engine::Sqlite, Options { limits, ..Options::default() }).await;
    let mut stream = connect(&server).await;
    let mut ask = async || {
        stream.write_all(b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
        let mut head = vec![0; 4096];
        let length = timeout(Duration::from_secs(10), stream.read(&mut head)).await.expect("a hang").unwrap();
        String::from_utf8_lossy(&head[..length]).into_owned()
    };
    let young = ask().await;
    assert!(young.starts_with("HTTP/1.1 200") && !young.contains("connection: close"), "{young}");
    tokio::time::sleep(Duration::from_millis(600)).await;
    let old = ask().await;
    assert!(old.starts_with("HTTP/1.1 200") && old.contains("connection: close"), "{old}");
    assert_eq!(timeout(Duration::from_secs(10), answer(&mut stream)).await.expect("it is kept"), "");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2, crate = "gatepass_testkit::tokio")]
async fn a_network_with_all_its_connections_gets_no_more_and_one_when_one_is_free() {
    let limits = Limits { connections_of_one: 2, ..Limits::default() };
    let settings = Some("metrics_listen = \"127.0.0.1:0\"\n".to_owned());
    let server = TestServer::with(Engine::Sqlite, Options { limits, settings, ..Options::default() }).await;
    let (first, _second) = (half_a_request(&server).await, half_a_request(&server).await);
    assert_eq!(answer(&mut knock(&server).await).await, "", "it is closed at once");
    let numbers = server.http().get(server.metrics_url.as_ref().unwrap()).send().await.unwrap().text().await.unwrap();
    assert!(numbers.contains("gatepass_connections_refused_total 1\n"), "{numbers}");
    drop(first);
    for _ in 0..100 {
        if answer(&mut knock(&server).await).await.starts_with("HTTP/1.1 200") {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("the seat was not given back");
}
