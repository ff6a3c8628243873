//! Who may use `gatepass proxy`, and what it makes of requests that mean no good.

use crate::support::{Proxy, Upstream, run};
use gatepass_testkit::tokio::{
    self,
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use std::{fs, time::Duration};

fn status(answer: &str) -> u16 {
    answer.split(' ').nth(1).and_then(|code| code.parse().ok()).unwrap_or_else(|| panic!("no answer: {answer:?}"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2, crate = "gatepass_testkit::tokio")]
async fn without_the_secret_in_the_path_nothing_is_there() {
    let upstream = Upstream::start().await;
    let proxy = Proxy::raw(&upstream.url, &[]);
    assert_eq!(proxy.get("/x?y=1").await.status(), 200);
    let heard = upstream.last();
    assert_eq!(
        (heard.path.as_str(), &heard.headers["authorization"]),
        ("/x?y=1", &"Bearer raw-token".parse::<hyper::header::HeaderValue>().unwrap())
    );
    assert_eq!(heard.headers["host"].to_str().unwrap(), upstream.url.strip_prefix("http://").unwrap());
    let short = &proxy.prefix()[..43];
    for wrong in ["/", "/x", "//x", short, &proxy.prefix().to_lowercase(), "/%2e"] {
        let answer = proxy.say(&format!("GET {wrong} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")).await;
        assert_eq!(status(&answer), 404, "{wrong}");
    }
    assert_eq!(upstream.heard().len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2, crate = "gatepass_testkit::tokio")]
async fn without_a_secret_web_pages_are_kept_out() {
    let upstream = Upstream::start().await;
    let proxy = Proxy::raw(&upstream.url, &["--no-path-token"]);
    proxy.program.err.wait_for("every program on this machine");
    let port = proxy.port;
    let table = [
        (200, format!("Host: 127.0.0.1:{port}")),
        (200, format!("Host: localhost:{port}\r\nOrigin: http://localhost:{port}\r\nSec-Fetch-Site: same-origin")),
        (200, format!("Host: [::1]:{port}\r\nSec-Fetch-Site: none")),
        (403, "Host: evil.example".into()),
        (403, format!("Host: evil.example:{port}")),
        (403, format!("Host: 127.0.0.1.evil.example:{port}")),
        (403, "Host: 127.0.0.1".into()),
        (403, format!("Host: 127.0.0.1:{port}\r\nHost: evil.example")),
        (403, format!("Host: 127.0.0.1:{port}\r\nOrigin: http://evil.example")),
        (403, format!("Host: 127.0.0.1:{port}\r\nOrigin: null")),
        (403, format!("Host: 127.0.0.1:{port}\r\nOrigin: http://localhost:3000")),
        (403, format!("Host: 127.0.0.1:{port}\r\nSec-Fetch-Site: cross-site")),
        (403, format!("Host: 127.0.0.1:{port}\r\nSec-Fetch-Site: same-site")),
        (403, format!("Host: 127.0.0.1:{port}\r\nReferer: http://evil.example/page")),
    ];
    let mut let_in = 0;
    for (expected, headers) in table {
        let answer = proxy
            .say(&format!("POST /x HTTP/1.1\r\n{headers}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"))
            .await;
        assert_eq!(status(&answer), expected, "{headers}: {answer}");
        let_in += usize::from(expected == 200);
        assert_eq!(upstream.heard().len(), let_in, "{headers}");
    }
    let absolute = format!("GET http://evil.example/x HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n\r\n");
    assert_eq!(status(&proxy.say(&absolute).await), 403);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2, crate = "gatepass_testkit::tokio")]
async fn connections_that_show_no_secret_keep_nobody_out() {
    let upstream = Upstream::start().await;
    let proxy = Proxy::raw(&upstream.url, &[]);
    let connect = async || TcpStream::connect(("127.0.0.1", proxy.port)).await.unwrap();
    let request = |path: &str| format!("GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n");
    let good = request(&format!("{}/x", proxy.prefix()));
    let speak = async |stream: &mut TcpStream, request: &str| {
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = vec![0; 4096];
        let length = stream.read(&mut answer).await.unwrap();
        status(&String::from_utf8_lossy(&answer[..length]))
    };
    let mut known = connect().await;
    assert_eq!(speak(&mut known, &good).await, 200);
    let mut strangers = Vec::new();
    for _ in 0..300 {
        strangers.push(connect().await);
    }
    let mut newcomer = connect().await;
    assert_eq!(speak(&mut newcomer, &good).await, 200, "there is always a place for one more");
    assert_eq!(strangers[0].read(&mut [0; 1]).await.unwrap(), 0, "who came first and said nothing had to go");
    let last = strangers.last_mut().unwrap();
    assert_eq!(speak(last, &request("/wrong")).await, 404, "who came last may speak");
    assert_eq!(speak(&mut known, &good).await, 200, "who was let in stays");
}

/// A shell that gives its programs few files, as most do, does not lower the number.
#[cfg(unix)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2, crate = "gatepass_testkit::tokio")]
async fn who_finds_every_seat_taken_waits_until_one_is_free() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    const SEATS: u64 = 1024;
    // This end of the connections is ours.
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    let room = maximum.map_or(4096, |maximum| maximum.min(4096));
    assert!(room > 3 * SEATS, "this test needs a hard limit (ulimit -H -n) of 4,096 open files");
    setrlimit(Resource::Nofile, Rlimit { current: Some(room), maximum }).unwrap();
    let upstream = Upstream::start().await;
    let mut shell = std::process::Command::new("sh");
    let gatepass = Proxy::raw_command(&upstream.url);
    shell.env_clear();
    shell.envs(gatepass.get_envs().filter_map(|(name, value)| Some((name, value?))));
    shell.args(["-c", "ulimit -S -n 256; exec \"$0\" \"$@\""]).arg(gatepass.get_program()).args(gatepass.get_args());
    let proxy = Proxy::start(&mut shell);
    let good = format!("GET {}/x HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", proxy.prefix());
    let come_in = async || {
        let mut stream = TcpStream::connect(("127.0.0.1", proxy.port)).await.unwrap();
        stream.write_all(good.as_bytes()).await.unwrap();
        let mut answer = vec![0; 4096];
        let length = stream.read(&mut answer).await.unwrap();
        assert_eq!(status(&String::from_utf8_lossy(&answer[..length])), 200);
        stream
    };
    let mut seated = Vec::new();
    for number in 0..SEATS {
        let heard = tokio::time::timeout(Duration::from_secs(20), come_in()).await;
        seated.push(heard.unwrap_or_else(|_| panic!("number {number} is not heard")));
    }
    // One may have been at the door when the last seat was taken.
    let mut one_more = Box::pin(come_in());
    if let Ok(heard) = tokio::time::timeout(Duration::from_secs(1), &mut one_more).await {
        seated.push(heard);
        one_more = Box::pin(come_in());
        let waits = tokio::time::timeout(Duration::from_secs(1), &mut one_more).await;
        assert!(waits.is_err(), "there are {SEATS} seats");
    }
    drop(seated.drain(..2));
    tokio::time::timeout(Duration::from_secs(20), one_more).await.expect("it was not let in");
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2, crate = "gatepass_testkit::tokio")]
async fn it_listens_on_loopback_alone() {
    let upstream = Upstream::start().await;
    let proxy = Proxy::raw(&upstream.url, &[]);
    let port = format!(":{:04X}", proxy.port);
    let mut found = Vec::new();
    for table in ["/proc/net/tcp", "/proc/net/tcp6"] {
        let text = fs::read_to_string(table).unwrap_or_default();
        // The second word is the local address, the fourth the state: 0A is listening.
        let words = text.lines().skip(1).map(|line| line.split_whitespace().collect::<Vec<_>>());
        found.extend(
            words.filter(|w| w[1].ends_with(&port) && w[3] == "0A").map(|w| w[1].split(':').next().unwrap().to_owned()),
        );
    }
    let loopback = ["0100007F", "00000000000000000000000001000000"];
    assert!(!found.is_empty() && found.iter().all(|address| loopback.contains(&address.as_str())), "{found:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2, crate = "gatepass_testkit::tokio")]
async fn a_request_in_a_request_reaches_nobody() {
    let upstream = Upstream::start().await;
    let proxy = Proxy::raw(&upstream.url, &[]);
    let prefix = proxy.prefix();
    let inner = "GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n";
    let lengths = [
        "Content-Length: 4\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked\r\nContent-Length: 4",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity",
        "Transfer-Encoding: xchunked",
        "Transfer-Encoding: chunked, identity",
        "Content-Length: 4\r\nContent-Length: 40",
        "Content-Length: +4",
        "Content-Length: 4 4",
        "Connection: content-length\r\nContent-Length: 5",
    ];
    for lines in lengths {
        let request =
            format!("POST {prefix}/outer HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{lines}\r\n\r\n0\r\n\r\n{inner}");
        let answer = proxy.say(&request).await;
        assert!(matches!(status(&answer), 200 | 400), "{lines}: {answer}");
    }
    let chunks = ["zz\r\n\r\n", "5\r\nabc", "ffffffffffffffffff\r\nabc", "3\r\nabcdef\r\n0\r\n\r\n", "-1\r\n\r\n"];
    for chunk in chunks {
        let request = format!("POST {prefix}/echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n{chunk}");
        let mut stream = tokio::net::TcpStream::connect(("127.0.0.1", proxy.port)).await.unwrap();
        tokio::io::AsyncWriteExt::write_all(&mut stream, request.as_bytes()).await.unwrap();
        tokio::io::AsyncWriteExt::shutdown(&mut stream).await.unwrap();
        let mut answer = Vec::new();
        let reading = tokio::io::AsyncReadExt::read_to_end(&mut stream, &mut answer);
        let _ = tokio::time::timeout(Duration::from_secs(20), reading).await.expect("the connection ends");
    }
    assert!(upstream.heard().iter().all(|heard| !heard.path.contains("smuggled")), "{:?}", upstream.heard());
    assert_eq!(proxy.get("/x").await.status(), 200, "and it goes on");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2, crate = "gatepass_testkit::tokio")]
async fn what_would_tell_the_token_or_lead_elsewhere_is_refused() {
    let upstream = Upstream::start().await;
    let proxy = Proxy::raw(&format!("{}/base", upstream.url), &[]);
    let prefix = proxy.prefix();
    let long = "x".repeat(100_000);
    let many: String = (0..200).map(|number| format!("X-{number}: y\r\n")).collect();
    let table = [
        (405, format!("TRACE {prefix}/x HTTP/1.1\r\nHost: x\r\n")),
        (404, "CONNECT evil.example:443 HTTP/1.1\r\nHost: x\r\n".into()),
        (404, "OPTIONS * HTTP/1.1\r\nHost: x\r\n".into()),
        (400, format!("GET {prefix}/../secret HTTP/1.1\r\nHost: x\r\n")),
        (400, format!("GET {prefix}/%2e%2E/secret HTTP/1.1\r\nHost: x\r\n")),
        (400, format!("GET {prefix}/x HTTP/1.1\r\nHost: x\r\nBad Name: y\r\n")),
        (431, format!("GET {prefix}/x HTTP/1.1\r\nHost: x\r\nX-Long: {long}\r\n")),
        (431, format!("GET {prefix}/x HTTP/1.1\r\nHost: x\r\n{many}")),
    ];
    for (expected, request) in table {
        let answer = proxy.say(&format!("{request}Connection: close\r\n\r\n")).await;
        let beginning: String = request.chars().take(60).collect();
        assert_eq!(status(&answer), expected, "{beginning}: {answer}");
        assert!(!answer.contains("raw-token"), "{answer}");
    }
    assert_eq!(upstream.heard().len(), 0);
    assert_eq!(proxy.get("/x").await.status(), 200);
    assert_eq!(upstream.last().path, "/base/x");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2, crate = "gatepass_testkit::tokio")]
async fn an_upstream_that_is_not_there_is_a_502_with_a_sentence() {
    let nobody = Upstream::nobody().await;
    let proxy = Proxy::raw(&format!("http://{nobody}"), &[]);
    let response = proxy.get("/x").await;
    assert_eq!(response.status(), 502);
    let problem: serde_json::Value = response.json().await.unwrap();
    let detail = problem["detail"].as_str().unwrap();
    assert!(detail.starts_with(&format!("{nobody} cannot be reached: ")), "{detail}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2, crate = "gatepass_testkit::tokio")]
async fn a_redirect_of_the_upstream_leads_back_through_the_proxy() {
    let upstream = Upstream::start().await;
    let proxy = Proxy::raw(&upstream.url, &[]);
    let prefix = proxy.prefix();
    let table = [
        (format!("{}/next?a=b", upstream.url), format!("{prefix}/next?a=b")),
        ("/next".into(), format!("{prefix}/next")),
        ("next".into(), "next".into()),
        ("https://evil.example/next".into(), "https://evil.example/next".into()),
        ("//evil.example/next".into(), "http://evil.example/next".into()),
    ];
    for (location, expected) in table {
        let response = proxy.get(&format!("/away?{location}")).await;
        assert_eq!(response.status(), 302);
        assert_eq!(response.headers()["location"], expected, "{location}");
    }
    let follows = reqwest::Client::builder().no_proxy().build().unwrap();
    let end = follows.get(proxy.path(&format!("/away?{}/there", upstream.url))).send().await.unwrap();
    assert_eq!(end.text().await.unwrap(), "here");
    assert_eq!(upstream.last().headers["authorization"], "Bearer raw-token");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2, crate = "gatepass_testkit::tokio")]
async fn it_ends_when_told_to_and_when_nothing_is_asked() {
    let upstream = Upstream::start().await;
    for signal in ["-TERM", "-INT"] {
        let proxy = Proxy::raw(&upstream.url, &[]);
        proxy.get("/x").await;
        proxy.program.signal(signal);
        let said = proxy.program.end();
        assert!(!said.err.contains("raw-token"), "{}", said.err);
        said.done();
    }
    run(Proxy::raw_command(&upstream.url).args(["--idle", "200ms"])).done();
    let json = run(Proxy::raw_command(&upstream.url).args(["--idle", "1ms", "--json"])).json();
    assert_eq!((json["event"].as_str(), json["account"].is_null()), (Some("listening"), true), "{json}");
}
