//! A stranger's word leads nowhere inside, and nowhere for long.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use bytes::Bytes;
use gatepass_fetch::{Bounds, FetchError, Fetcher, Trust};
use http::{Request, Response};
use std::time::Duration;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

const BOUNDS: Bounds = Bounds { bytes: 1024, time: Duration::from_millis(500) };

/// A server that answers everything with these bytes, and then holds the connection.
async fn serving(answer: &'static [u8]) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let _ = stream.read(&mut [0; 4096]).await;
                let _ = stream.write_all(answer).await;
                tokio::time::sleep(Duration::from_secs(5)).await;
            });
        }
    });
    port
}

async fn get(fetcher: &Fetcher, url: &str, trust: Trust) -> Result<Response<Bytes>, FetchError> {
    fetcher.send(Request::get(url).body(Bytes::new()).unwrap(), trust, BOUNDS).await
}

fn named() -> Fetcher {
    Fetcher::new(["localhost".to_owned()])
}

#[tokio::test]
async fn a_stranger_leads_to_no_private_address_by_name_or_number() {
    let fetcher = Fetcher::new([]);
    for url in
        ["https://localhost/", "https://127.0.0.1/", "https://[::1]/", "https://169.254.169.254/", "https://0x7f.1/"]
    {
        let refused = get(&fetcher, url, Trust::Stranger).await.unwrap_err();
        assert!(matches!(refused, FetchError::NotPublic(_)), "{url}: {refused}");
    }
}

#[tokio::test]
async fn only_https_is_fetched() {
    let fetcher = Fetcher::new([]);
    for url in ["http://example.com/", "ftp://example.com/", "http://localhost/"] {
        let refused = get(&fetcher, url, Trust::Stranger).await.unwrap_err();
        assert!(matches!(refused, FetchError::NotHttps(_)), "{url}: {refused}");
    }
    let refused = get(&fetcher, "http://example.com/", Trust::Operator).await.unwrap_err();
    assert!(matches!(refused, FetchError::NotHttps(_)), "{refused}");
}

#[tokio::test]
async fn a_named_host_answers_and_redirects_are_not_followed() {
    let port = serving(b"HTTP/1.1 302 Found\r\nlocation: http://localhost/other\r\ncontent-length: 2\r\n\r\nhi").await;
    let answer = get(&named(), &format!("http://localhost:{port}/"), Trust::Stranger).await.unwrap();
    assert_eq!((answer.status().as_u16(), answer.body().as_ref()), (302, &b"hi"[..]));
}

#[tokio::test]
async fn the_operator_may_name_loopback() {
    let port = serving(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi").await;
    let fetcher = Fetcher::new([]);
    let answer = get(&fetcher, &format!("http://127.0.0.1:{port}/"), Trust::Operator).await.unwrap();
    assert_eq!(answer.body().as_ref(), b"hi");
}

#[tokio::test]
async fn size_and_time_are_bounded() {
    let endless = serving(b"HTTP/1.1 200 OK\r\ncontent-length: 5000\r\n\r\n").await;
    let refused = get(&named(), &format!("http://localhost:{endless}/"), Trust::Stranger).await.unwrap_err();
    assert_eq!(refused, FetchError::TooSlow("localhost".into()));
    let large: &'static [u8] =
        Box::leak([&b"HTTP/1.1 200 OK\r\ncontent-length: 2000\r\n\r\n"[..], &[b'x'; 2000]].concat().into_boxed_slice());
    let port = serving(large).await;
    let refused = get(&named(), &format!("http://localhost:{port}/"), Trust::Stranger).await.unwrap_err();
    assert_eq!(refused, FetchError::TooLarge { host: "localhost".into(), bytes: 1024 });
}
