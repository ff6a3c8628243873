//! `gatepass proxy`: whose token goes out, what happens when it is over, and where it ends.

use crate::support::{Place, Proxy, Server, Terminal, Upstream, run};
use gatepass_testkit::{USER, tokio};
use serde_json::{Value, json};
use std::{
    thread::sleep,
    time::{Duration, Instant},
};

const ROTATED: &str = "a refresh token was rotated";
const RPC: &str = "/api/v1/user/rpc";

/// Calls `whoami` through the proxy, with a token of the client's own that must not count.
async fn whoami(proxy: &Proxy) -> (u16, Value) {
    let body = json!({ "jsonrpc": "2.0", "id": 1, "method": "whoami" });
    let request = Server::http().post(proxy.path(RPC)).bearer_auth("somebody-elses").json(&body);
    let response = request.send().await.unwrap();
    (response.status().as_u16(), response.json().await.unwrap())
}

/// Ends an access token, and nothing else.
async fn revoke(server: &Server, token: &str) {
    let client = crate::support::command_line();
    assert_eq!(server.post("/revoke", &client, &[("token", token)]).await.status, 200);
    assert_eq!(server.whoami(token).await.status, 401);
}

/// Repeats a request until it is answered like this; the sign-in's end is noticed within a second.
async fn until(proxy: &Proxy, path: &str, status: u16) -> reqwest::Response {
    let patience = Instant::now() + Duration::from_secs(20);
    loop {
        let response = proxy.get(path).await;
        if response.status() == status {
            return response;
        }
        assert!(Instant::now() < patience, "still {}", response.status());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2, crate = "gatepass_testkit::tokio")]
async fn a_request_gets_the_accounts_token_and_once_more_a_new_one_after_401() {
    let place = Place::sqlite().await;
    let server = place.serve_with_user();
    let terminal = Terminal::signed_in(&server).await;
    let proxy = Proxy::of(&terminal, &server.url, &[]);
    assert_eq!(proxy.prefix().len(), 44, "{}", proxy.url);
    let (status, answer) = whoami(&proxy).await;
    assert_eq!((status, answer["result"]["email"].as_str()), (200, Some(USER)), "{answer}");
    assert_eq!(server.logged(ROTATED), 0);

    let (old, _) = terminal.tokens().unwrap();
    revoke(&server, &old).await;
    let (status, answer) = whoami(&proxy).await;
    assert_eq!((status, answer["result"]["email"].as_str()), (200, Some(USER)), "{answer}");
    assert_eq!(server.logged(ROTATED), 1);
    assert_ne!(terminal.tokens().unwrap().0, old, "the new token is kept for all");
    let said = format!("{}{}", proxy.program.out.text(), proxy.program.err.text());
    assert!(!said.contains("gpa_") && !said.contains("gpr_"), "{said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2, crate = "gatepass_testkit::tokio")]
async fn fifty_requests_at_once_with_a_token_that_is_over_refresh_once() {
    let place = Place::sqlite().await;
    let server = place.serve_with_user();
    let terminal = Terminal::signed_in(&server).await;
    let proxy = Proxy::of(&terminal, &server.url, &[]);
    revoke(&server, &terminal.tokens().unwrap().0).await;
    let all = (0..50).map(|_| whoami(&proxy));
    for (status, answer) in futures_util::future::join_all(all).await {
        assert_eq!((status, answer["result"]["email"].as_str()), (200, Some(USER)), "{answer}");
    }
    assert_eq!(server.logged(ROTATED), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2, crate = "gatepass_testkit::tokio")]
async fn fifty_requests_at_once_after_the_tokens_time_refresh_once() {
    let place = Place::sqlite().await;
    place.settings("[lifetimes]\naccess_token = \"4s\"\n");
    let server = place.serve_with_user();
    let terminal = Terminal::signed_in(&server).await;
    let began = Instant::now();
    let proxy = Proxy::of(&terminal, &server.url, &[]);
    place.settings("");
    let server = server.restart(&place);
    sleep(Duration::from_millis(4100).saturating_sub(began.elapsed()));
    let all = (0..50).map(|_| whoami(&proxy));
    for (status, answer) in futures_util::future::join_all(all).await {
        assert_eq!((status, answer["result"]["email"].as_str()), (200, Some(USER)), "{answer}");
    }
    assert_eq!(server.logged(ROTATED), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2, crate = "gatepass_testkit::tokio")]
async fn an_upstream_that_refuses_every_token_is_not_given_ever_new_ones() {
    let (place, upstream) = (Place::sqlite().await, Upstream::start().await);
    let server = place.serve_with_user();
    let terminal = Terminal::signed_in(&server).await;
    let proxy = Proxy::of(&terminal, &upstream.url, &[]);
    *upstream.accepts.lock().unwrap() = Some("another".into());
    for _ in 0..5 {
        assert_eq!(proxy.get("/x").await.text().await.unwrap(), "no", "the upstream's own answer");
    }
    assert_eq!((server.logged(ROTATED), upstream.heard().len()), (1, 6));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2, crate = "gatepass_testkit::tokio")]
async fn a_logout_elsewhere_stops_it_and_a_login_sets_it_going_again() {
    let (place, upstream) = (Place::sqlite().await, Upstream::start().await);
    let server = place.serve_with_user();
    let terminal = Terminal::signed_in(&server).await;
    let proxy = Proxy::of(&terminal, &upstream.url, &[]);
    assert_eq!(proxy.get("/x").await.status(), 200);
    terminal.run(&["logout"]).done();
    let response = until(&proxy, "/x", 401).await;
    assert_eq!(response.headers()["content-type"], "application/problem+json");
    assert!(response.headers()["www-authenticate"].to_str().unwrap().starts_with("Bearer "));
    let problem: Value = response.json().await.unwrap();
    assert!(problem["detail"].as_str().unwrap().contains(USER), "{problem}");
    assert_eq!(problem["command"], format!("gatepass login --server {}", server.url));
    let before = upstream.heard().len();
    proxy.get("/x").await;
    assert_eq!(upstream.heard().len(), before, "nothing goes out without a token");
    assert_eq!(proxy.program.err.count("the sign-in has ended"), 1, "{}", proxy.program.err.text());

    terminal.sign_in(&server).await;
    until(&proxy, "/x", 200).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2, crate = "gatepass_testkit::tokio")]
async fn a_sign_in_that_the_server_has_ended_is_told_with_the_command_to_run() {
    let place = Place::sqlite().await;
    let server = place.serve_with_user();
    let terminal = Terminal::signed_in(&server).await;
    let proxy = Proxy::of(&terminal, &server.url, &[]);
    let (_, refresh) = terminal.tokens().unwrap();
    let client = crate::support::command_line();
    assert_eq!(server.post("/revoke", &client, &[("token", &refresh)]).await.status, 200);
    let (status, problem) = whoami(&proxy).await;
    assert_eq!(status, 401);
    assert_eq!(problem["command"], format!("gatepass login --server {}", server.url), "{problem}");
    let told = proxy.program.err.wait_for("gatepass login --server");
    assert!(!told.contains("gpr_"), "{told}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2, crate = "gatepass_testkit::tokio")]
async fn while_the_server_is_away_the_old_token_is_used_and_after_a_401_the_client_is_asked_to_wait() {
    let (place, upstream) = (Place::sqlite().await, Upstream::start().await);
    let mut server = place.serve_with_user();
    let terminal = Terminal::signed_in(&server).await;
    let proxy = Proxy::of(&terminal, &upstream.url, &[]);
    server.program.kill();
    assert_eq!(proxy.get("/x").await.status(), 200);
    *upstream.accepts.lock().unwrap() = Some("another".into());
    let response = proxy.get("/x").await;
    assert_eq!((response.status().as_u16(), response.headers()["retry-after"].to_str().unwrap()), (503, "5"));
    let problem: Value = response.json().await.unwrap();
    assert!(problem["detail"].as_str().unwrap().contains("the sign-in is kept"), "{problem}");
    *upstream.accepts.lock().unwrap() = None;
    assert_eq!(proxy.get("/x").await.status(), 200, "the old token still works here");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2, crate = "gatepass_testkit::tokio")]
async fn a_body_up_to_ten_mebibytes_is_sent_twice_and_a_longer_one_once() {
    let (place, upstream) = (Place::sqlite().await, Upstream::start().await);
    let server = place.serve_with_user();
    let terminal = Terminal::signed_in_without_key(&server).await;
    let proxy = Proxy::of(&terminal, &upstream.url, &[]);
    let mebibytes =
        |count: usize| -> Vec<u8> { (0..count << 20).map(|at| u8::try_from(at * 31 % 251).unwrap()).collect() };

    let long = mebibytes(12);
    let echoed = proxy.post("/echo", long.clone()).await.bytes().await.unwrap();
    assert!(echoed == long, "{} bytes came back", echoed.len());

    // The upstream accepts the next token only, and the server gives it.
    let next = || async {
        let (_, refresh) = terminal.tokens().unwrap();
        let answer = server.refresh(&crate::support::command_line(), &refresh).await;
        answer.json["access_token"].as_str().unwrap().to_owned()
    };
    // A repeat of the last rotation is answered with the same tokens, so the proxy is going to get these.
    *upstream.accepts.lock().unwrap() = Some(next().await);
    let whole = mebibytes(10);
    let response = proxy.post("/echo", whole.clone()).await;
    assert_eq!(response.status(), 200);
    assert!(response.bytes().await.unwrap() == whole, "the very same bytes");

    *upstream.accepts.lock().unwrap() = Some(next().await);
    assert_eq!(proxy.post("/echo", long).await.status(), 401, "too long to be remembered");
    assert_eq!(proxy.post("/echo", whole).await.status(), 200, "the next request has the new token");

    // An upstream that wants another one each time would have us refresh for ever.
    for expected in [200, 401, 401] {
        *upstream.accepts.lock().unwrap() = Some(next().await);
        assert_eq!(proxy.post("/echo", mebibytes(1)).await.status(), expected);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2, crate = "gatepass_testkit::tokio")]
async fn it_begins_only_with_a_sign_in_an_upstream_and_a_port() {
    let terminal = Terminal::new();
    terminal.run(&["proxy", "https://a.example"]).failed(3);
    for wrong in ["http://a.example", "ftp://a.example", "https://a.example/?q", "https://u:p@a.example", "x"] {
        terminal.run(&["proxy", wrong]).failed(2);
    }
    terminal.run(&["proxy", "http://127.0.0.1:4123", "--port", "4123"]).failed(2);
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let said = run(Proxy::raw_command("https://a.example").args(["--port", &port])).failed(2);
    assert!(said.contains("--port"), "{said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2, crate = "gatepass_testkit::tokio")]
async fn a_sign_in_for_another_api_is_warned_of() {
    let place = Place::sqlite().await;
    let upstream = Upstream::start().await;
    place
        .admin(&["resource", "add", "--uri", "https://api.example/v1", "--token-format", "opaque", "--open", "--json"])
        .done();
    let server = place.serve_with_user();
    let terminal = Terminal::new();
    terminal.sign_in_with(&server, &["--resource", "https://api.example/v1", "--scope", "openid offline_access"]).await;
    let proxy = Proxy::of(&terminal, &upstream.url, &[]);
    let said = proxy.program.err.wait_for("warning:");
    assert!(said.contains("https://api.example/v1"), "{said}");
}

/// No command changes what another running process uses.
#[tokio::test(flavor = "multi_thread", worker_threads = 2, crate = "gatepass_testkit::tokio")]
async fn another_default_changes_nothing_for_a_proxy_that_runs() {
    let (place, other_place) = (Place::sqlite().await, Place::sqlite().await);
    let (server, other) = (place.serve_with_user(), other_place.serve_with_user());
    let terminal = Terminal::signed_in(&server).await;
    let first = terminal.stored().unwrap().account.id().to_string();
    let proxy = Proxy::of(&terminal, &server.url, &[]);
    let goes_on = async || {
        let (status, answer) = whoami(&proxy).await;
        assert_eq!((status, answer["result"]["email"].as_str()), (200, Some(USER)), "{answer}");
    };
    goes_on().await;

    let (token, _) = terminal.tokens().unwrap();
    terminal.sign_in_with(&other, &["--default"]).await;
    let second = terminal.stored().unwrap().account.id().to_string();
    assert_ne!(second, first);
    goes_on().await;
    revoke(&server, &token).await;
    goes_on().await;
    for account in [&first, &second] {
        terminal.run(&["accounts", "use", account]).done();
        goes_on().await;
    }
    assert_eq!((server.logged(ROTATED), other.logged(ROTATED)), (1, 0));
    assert!(other.accepts(terminal.run(&["token"]).done().trim()), "what begins now uses the default");
}
