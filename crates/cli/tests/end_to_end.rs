//! The real binary against a server in this process, whose clock the test holds. With the server's own
//! binary, and so with the machine's clock, see `real`.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test stops where it fails")]

mod support;

use gatepass_testkit::{Browser, Engine, TestServer, USER, tokio};
use serde_json::Value;
use std::{
    io::{BufRead, BufReader, Lines, Read, Write},
    net::TcpStream,
    path::Path,
    process::{Child, ChildStdout, Stdio},
    time::Duration,
};
use support::{Said, gatepass, run, said};

/// A login under way that tells its events.
struct Login {
    child: Child,
    events: Lines<BufReader<ChildStdout>>,
}

impl Login {
    fn start(home: &Path, server: &TestServer) -> Self {
        let mut child = gatepass(home)
            .args(["login", "--json", "--no-browser", "--loopback", "--server", &server.url])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let events = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { child, events }
    }

    fn event(&mut self, name: &str) -> Value {
        loop {
            let line = self.events.next().unwrap_or_else(|| panic!("no event {name}")).unwrap();
            let event: Value = serde_json::from_str(&line).unwrap();
            if event["event"] == name {
                return event;
            }
            assert_ne!(event["event"], "error", "{line}");
        }
    }
}

/// Follows the browser to the program's own port.
fn follow(url: &str) -> String {
    let (address, path) = url.strip_prefix("http://").unwrap().split_once('/').unwrap();
    let mut stream = TcpStream::connect(address).unwrap();
    write!(stream, "GET /{path} HTTP/1.1\r\nHost: {address}\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

async fn sign_in_by_browser(home: &Path, server: &TestServer) {
    let mut login = Login::start(home, server);
    let url = login.event("url")["url"].as_str().unwrap().to_owned();
    let browser = Browser::at(server);
    browser.sign_in(USER).await;
    let page = browser.open(&url).await;
    let left_for = page.left_for.clone().unwrap_or_else(|| panic!("still at {}:\n{}", page.path, page.html));
    assert!(follow(&left_for).contains("You can close this window"));
    assert_eq!(login.event("done")["email"], USER);
    assert!(login.child.wait().unwrap().success());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2, crate = "gatepass_testkit::tokio")]
async fn many_processes_whose_token_the_server_no_longer_takes_stay_signed_in() {
    let (home, server) = (tempfile::tempdir().unwrap(), TestServer::start(Engine::Sqlite).await);
    sign_in_by_browser(home.path(), &server).await;
    // The server's clock moves on alone: to the processes the token still looks fresh.
    for _ in 0..3 {
        server.advance(Duration::from_secs(2 * 3600));
        let children: Vec<Child> = (0..12)
            .map(|_| gatepass(home.path()).arg("whoami").stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap())
            .collect();
        for child in children {
            let Said { code, out, err } = said(child.wait_with_output().unwrap());
            assert!(code == Some(0) && out.contains(USER), "{err}");
        }
    }
    let (database, clock) = server.stop().await;
    let offline = run(gatepass(home.path()).arg("whoami"));
    assert_eq!(offline.code, Some(4), "a stopped server is no log-out: {}", offline.err);
    assert_eq!(run(gatepass(home.path()).arg("token")).code, Some(0));
    drop((database, clock));
}
