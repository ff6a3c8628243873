//! What passes through `gatepass proxy` while it is still being made: events, sockets, HTTP/2, downloads.

use crate::support::{Place, Proxy, Server, Terminal, Upstream, next, send};
use gatepass_testkit::tokio;
use http_body_util::{BodyExt, Full};
use hyper::{HeaderMap, Request, Version, body::Bytes};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use std::{
    sync::atomic::Ordering,
    time::{Duration, Instant},
};
use tokio_tungstenite::tungstenite::Message;

type Http2 = Client<HttpConnector, Full<Bytes>>;

/// A client that speaks HTTP/2 without asking.
fn http2() -> Http2 {
    Client::builder(TokioExecutor::new()).http2_only(true).build_http()
}

async fn collected(response: hyper::Response<hyper::body::Incoming>) -> (Bytes, Option<HeaderMap>) {
    let all = response.into_body().collect().await.unwrap();
    let trailers = all.trailers().cloned();
    (all.to_bytes(), trailers)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2, crate = "gatepass_testkit::tokio")]
async fn an_event_arrives_before_the_stream_ends() {
    let upstream = Upstream::start().await;
    let proxy = Proxy::raw(&upstream.url, &[]);
    let mut events = proxy.get("/events").await;
    assert_eq!(events.headers()["content-type"], "text/event-stream");
    assert_eq!(events.chunk().await.unwrap().unwrap(), "data: 1\n\n");
    upstream.next.notify_one();
    assert_eq!(events.chunk().await.unwrap().unwrap(), "data: 2\n\n");
    assert!(events.chunk().await.unwrap().is_none());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2, crate = "gatepass_testkit::tokio")]
async fn a_socket_passes_also_when_its_token_was_over() {
    let (place, upstream) = (Place::sqlite().await, Upstream::start().await);
    let server = place.serve_with_user();
    let terminal = Terminal::signed_in_without_key(&server).await;
    let proxy = Proxy::of(&terminal, &upstream.url, &[]);
    let (_, refresh) = terminal.tokens().unwrap();
    // A repeat of this refresh is answered with the same token, which is then the only one that works.
    let answer = server.refresh(&crate::support::command_line(), &refresh).await;
    *upstream.accepts.lock().unwrap() = answer.json["access_token"].as_str().map(str::to_owned);
    let stream = tokio::net::TcpStream::connect(("127.0.0.1", proxy.port)).await.unwrap();
    let url = proxy.path("/socket").replace("http://", "ws://");
    let (mut socket, _) = tokio_tungstenite::client_async(url, stream).await.unwrap();
    for message in [Message::text("one"), Message::binary(vec![0; 300_000]), Message::text("two")] {
        send(&mut socket, message.clone()).await;
        assert_eq!(next(&mut socket).await.unwrap().unwrap(), message);
    }
    socket.close(None).await.unwrap();
    assert_eq!(upstream.heard().len(), 2, "once refused, once more");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2, crate = "gatepass_testkit::tokio")]
async fn http_2_goes_in_and_comes_out_with_bodies_and_trailers() {
    let (upstream, certificate) = Upstream::start_tls().await;
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), certificate).unwrap();
    let proxy = Proxy::start(Proxy::raw_command(&upstream.url).env("SSL_CERT_FILE", file.path()));
    let client = http2();
    let body = Bytes::from(vec![5; 3 << 20]);
    let request = Request::post(proxy.path("/echo")).body(Full::new(body.clone())).unwrap();
    let response = client.request(request).await.unwrap();
    assert_eq!((response.version(), response.status().as_u16()), (Version::HTTP_2, 200));
    assert!(collected(response).await.0 == body);
    let heard = upstream.last();
    assert_eq!((heard.version, heard.method.as_str()), (Version::HTTP_2, "POST"));
    assert_eq!(heard.headers["authorization"], "Bearer raw-token");

    let request = Request::get(proxy.path("/trailers")).header("te", "trailers").body(Full::default()).unwrap();
    let (data, trailers) = collected(client.request(request).await.unwrap()).await;
    assert_eq!((data.as_ref(), trailers.unwrap()["grpc-status"].as_bytes()), (&b"data"[..], &b"0"[..]));
    assert_eq!(upstream.last().headers["te"], "trailers");
    // The same upstream for a client of the old kind.
    assert_eq!(proxy.get("/x").await.text().await.unwrap(), "here");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2, crate = "gatepass_testkit::tokio")]
async fn a_certificate_that_nobody_vouches_for_is_a_502() {
    let (upstream, _) = Upstream::start_tls().await;
    let proxy = Proxy::raw(&upstream.url, &[]);
    let response = proxy.get("/x").await;
    assert_eq!(response.status(), 502);
    assert!(response.text().await.unwrap().contains("certificate"));
    assert_eq!(upstream.heard().len(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2, crate = "gatepass_testkit::tokio")]
async fn http_2_can_be_spoken_to_an_upstream_on_this_machine_and_trailers_pass_over_http_1_too() {
    let upstream = Upstream::start().await;
    let old = Proxy::raw(&upstream.url, &[]);
    let request = || Request::get("/").header("te", "trailers").body(Full::default()).unwrap();
    let to = |proxy: &Proxy| {
        let mut request = request();
        *request.uri_mut() = proxy.path("/trailers").parse().unwrap();
        request
    };
    let (_, trailers) = collected(http2().request(to(&old)).await.unwrap()).await;
    assert_eq!(upstream.last().version, Version::HTTP_11);
    assert_eq!(trailers.unwrap()["grpc-status"], "0");
    let new = Proxy::raw(&upstream.url, &["--h2c"]);
    let one: Client<HttpConnector, Full<Bytes>> = Client::builder(TokioExecutor::new()).build_http();
    let (_, trailers) = collected(one.request(to(&new)).await.unwrap()).await;
    assert_eq!(upstream.last().version, Version::HTTP_2);
    assert_eq!(trailers.unwrap()["grpc-status"], "0");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2, crate = "gatepass_testkit::tokio")]
async fn a_download_waits_for_its_reader_and_ends_with_him() {
    let upstream = Upstream::start().await;
    let proxy = Proxy::raw(&upstream.url, &[]);
    let mut download = proxy.get("/endless").await;
    assert!(!download.chunk().await.unwrap().unwrap().is_empty());
    // Buffers fill, and then nothing more is taken.
    let mut before = usize::MAX;
    let patience = Instant::now() + Duration::from_secs(20);
    while before != upstream.taken.load(Ordering::Relaxed) {
        before = upstream.taken.load(Ordering::Relaxed);
        assert!(before < 64 << 20 && Instant::now() < patience, "{before} bytes were taken");
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
    drop(download);
    while !upstream.is_left.load(Ordering::Relaxed) {
        assert!(Instant::now() < patience, "the upstream is not told");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2, crate = "gatepass_testkit::tokio")]
async fn a_body_that_waits_for_100_is_asked_for() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let upstream = Upstream::start().await;
    let proxy = Proxy::raw(&upstream.url, &[]);
    let mut stream = tokio::net::TcpStream::connect(("127.0.0.1", proxy.port)).await.unwrap();
    let head = format!(
        "POST {}/echo HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 5\r\nConnection: close\r\n\r\n",
        proxy.prefix()
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut said = [0; 25];
    tokio::time::timeout(Duration::from_secs(20), stream.read_exact(&mut said)).await.unwrap().unwrap();
    assert_eq!(&said, b"HTTP/1.1 100 Continue\r\n\r\n");
    stream.write_all(b"hello").await.unwrap();
    let mut rest = String::new();
    stream.read_to_string(&mut rest).await.unwrap();
    assert!(rest.starts_with("HTTP/1.1 200 OK\r\n") && rest.ends_with("hello"), "{rest}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2, crate = "gatepass_testkit::tokio")]
async fn headers_of_one_connection_stay_there_and_the_others_pass() {
    let upstream = Upstream::start().await;
    let proxy = Proxy::raw(&upstream.url, &[]);
    let own = format!("http://127.0.0.1:{}", proxy.port);
    let request = Server::http()
        .get(proxy.path("/x"))
        .header("connection", "x-mine")
        .header("x-mine", "1")
        .header("x-forwarded-for", "10.0.0.1")
        .header("cookie", "a=b")
        .header("origin", &own)
        .header("referer", proxy.path("/page"));
    assert_eq!(request.send().await.unwrap().status(), 200);
    let headers = upstream.last().headers;
    for absent in ["connection", "x-mine", "referer", "forwarded", "x-forwarded-host", "x-forwarded-proto"] {
        assert!(!headers.contains_key(absent), "{absent}: {headers:?}");
    }
    assert_eq!(
        (&headers["x-forwarded-for"], &headers["cookie"], &headers["via"]),
        (&"10.0.0.1".parse().unwrap(), &"a=b".parse().unwrap(), &"1.1 gatepass".parse().unwrap())
    );
    assert_eq!(headers["origin"], upstream.url);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2, crate = "gatepass_testkit::tokio")]
async fn a_kept_connection_that_the_upstream_closes_costs_no_answer() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let asked = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let count = std::sync::Arc::clone(&asked);
    tokio::spawn(async move {
        // Each connection answers its first request and closes in the face of the second.
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut bytes = [0; 4096];
            while stream.read(&mut bytes).await.is_ok_and(|read| read > 0) {
                if count.fetch_add(1, Ordering::Relaxed) % 2 == 1 {
                    break;
                }
                stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").await.unwrap();
            }
        }
    });
    let proxy = Proxy::raw(&url, &[]);
    assert_eq!(proxy.get("/1").await.text().await.unwrap(), "ok");
    assert_eq!(proxy.get("/2").await.text().await.unwrap(), "ok", "made once more on a new connection");
    assert_eq!(asked.load(Ordering::Relaxed), 3);
    assert_eq!(proxy.post("/3", b"x".to_vec()).await.status(), 502, "a POST is not made twice");
    assert_eq!(asked.load(Ordering::Relaxed), 4);
}
