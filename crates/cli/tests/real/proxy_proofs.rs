//! `gatepass proxy` with a token that is bound to a key: an upstream that finds something to say against each proof.

use crate::support::{Asked, Place, Proxy, Server, Site, Terminal, Told};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use gatepass_client::Clock;
use gatepass_testkit::tokio;
use serde_json::Value;
use std::{
    sync::{Arc, Mutex},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

const ROTATED: &str = "a refresh token was rotated";

async fn bound() -> (Place, Server, Terminal) {
    let place = Place::sqlite().await;
    place.binds_access_tokens();
    let server = place.serve_with_user();
    let terminal = Terminal::signed_in(&server).await;
    (place, server, terminal)
}

/// What the one proof of a request claims.
fn claims(asked: &Asked) -> Value {
    let proof = asked.only_header("dpop");
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(proof.split('.').nth(1).unwrap()).unwrap()).unwrap()
}

fn now() -> SystemTime {
    UNIX_EPOCH + Duration::from_millis(u64::try_from(Clock::System.now().0).unwrap())
}

fn refused(error: &str, headers: &[(&str, String)]) -> Told {
    let mut told = Told::challenge(&format!("DPoP error=\"{error}\", algs=\"ES256\""));
    told.headers.extend(headers.iter().map(|(name, value)| ((*name).to_owned(), value.clone())));
    told
}

fn echo(asked: &Asked) -> Told {
    Told::new(200, "application/octet-stream", asked.body.clone())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2, crate = "gatepass_testkit::tokio")]
async fn a_nonce_and_then_a_new_token_and_the_body_goes_out_whole_each_time() {
    let (_place, server, terminal) = bound().await;
    let over = terminal.tokens().unwrap().0;
    let upstream = Site::start(move |asked| match asked.header("authorization") {
        _ if claims(asked)["nonce"] != "n1" => refused("use_dpop_nonce", &[("DPoP-Nonce", "n1".into())]),
        Some(token) if token == format!("DPoP {over}") => refused("invalid_token", &[]),
        _ => echo(asked),
    });
    let proxy = Proxy::of(&terminal, &upstream.url, &[]);
    let body: Vec<u8> = (0..300_000_usize).map(|at| u8::try_from(at * 31 % 251).unwrap()).collect();
    let request = Server::http().post(proxy.path("/echo")).header("dpop", "a proof of my own").body(body.clone());
    let response = request.send().await.unwrap();
    assert_eq!(response.status(), 200);
    assert!(response.bytes().await.unwrap() == body, "the very same bytes");
    let asked = upstream.asked();
    assert_eq!(asked.len(), 3);
    assert!(asked.iter().all(|asked| asked.body == body));
    assert_eq!(server.logged(ROTATED), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2, crate = "gatepass_testkit::tokio")]
async fn an_upstream_with_another_time_is_believed_and_costs_no_refresh() {
    let (_place, server, terminal) = bound().await;
    let ahead = Duration::from_secs(3600);
    let seen = Arc::new(Mutex::new(Vec::new()));
    let told = Arc::clone(&seen);
    let upstream = Site::start(move |asked| {
        let time = now() + ahead;
        let there = time.duration_since(UNIX_EPOCH).unwrap().as_secs();
        let off = there.abs_diff(claims(asked)["iat"].as_u64().unwrap());
        told.lock().unwrap().push(off);
        match off {
            300.. => refused("invalid_dpop_proof", &[("Date", httpdate::fmt_http_date(time))]),
            _ => echo(asked),
        }
    });
    let proxy = Proxy::of(&terminal, &upstream.url, &[]);
    for _ in 0..3 {
        let response = proxy.post("/echo", b"hello".to_vec()).await;
        assert_eq!((response.status().as_u16(), response.text().await.unwrap().as_str()), (200, "hello"));
    }
    assert_eq!(seen.lock().unwrap().len(), 4, "one proof was made by the wrong time");
    assert_eq!(server.logged(ROTATED), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2, crate = "gatepass_testkit::tokio")]
async fn an_upstream_that_is_never_content_is_asked_a_few_times_and_no_more() {
    let (_place, server, terminal) = bound().await;
    let count = Mutex::new(0_u64);
    let upstream = Site::start(move |_| {
        let mut count = count.lock().unwrap();
        *count += 1;
        let time = now() + Duration::from_secs(3600 * *count);
        let error = if count.is_multiple_of(2) { "use_dpop_nonce" } else { "invalid_dpop_proof" };
        refused(error, &[("DPoP-Nonce", format!("n{count}")), ("Date", httpdate::fmt_http_date(time))])
    });
    let proxy = Proxy::of(&terminal, &upstream.url, &[]);
    assert_eq!(proxy.post("/echo", b"hello".to_vec()).await.status(), 401);
    assert_eq!((upstream.asked().len(), server.logged(ROTATED)), (4, 1));
    assert_eq!(proxy.get("/echo").await.status(), 401);
    assert_eq!((upstream.asked().len(), server.logged(ROTATED)), (7, 1), "no newer token for a minute");
}
