//! How a server begins, and how it ends.

use crate::support::{Person, Place, half_a_request};
use gatepass_testkit::{PASSWORD, USER, tokio};
use std::{net::TcpStream, thread::sleep, time::Duration};

/// The set-up link among what a server printed.
fn link(line: &str) -> Option<String> {
    line.contains("/setup/").then(|| line.to_owned())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2, crate = "gatepass_testkit::tokio")]
async fn a_first_start_prints_a_link_that_makes_the_owner_once() {
    let place = Place::sqlite().await;
    let server = place.serve();
    let url = server.program.out.find(link);
    assert!(url.starts_with(&format!("{}/setup/gpl_", server.url)), "{url}");
    assert_eq!(server.program.err.count("/setup/"), 0, "who reads the log does not own the server");
    let owner = Person::at(&server);
    let page = owner.open(&url).await;
    let fill = [("email", USER), ("name", "Ada"), ("password", PASSWORD)];
    assert_eq!(owner.submit(&page.form(), &fill).await.heading(), "You are signed in");
    assert_eq!(Person::at(&server).open(&url).await.status, 404);
    let users = place.admin(&["user", "list", "--json"]).json();
    assert_eq!((users["email"].as_str(), users["owner"].as_bool()), (Some(USER), Some(true)));
    assert!(place.admin(&["user", "list"]).done().trim_end().ends_with("  owner"));

    let again = server.restart(&place);
    assert_eq!(again.program.out.text(), "", "there is an owner");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2, crate = "gatepass_testkit::tokio")]
async fn an_https_server_that_trusts_no_proxy_says_so_when_it_starts() {
    let sentence = "the public URL is https, so a proxy stands in front, but none is trusted";
    let place = Place::sqlite().await;
    assert_eq!(place.serve().logged(sentence), 0, "on loopback nothing stands in front");
    place.settings("public_url = \"https://auth.example\"");
    let server = place.serve();
    assert_eq!(server.logged(sentence), 1);
    let line = server.program.err.wait_for(sentence);
    assert!(line.contains("\"level\":\"WARN\"") && line.contains("name it with --trusted-proxy"), "{line}");
    place.settings("public_url = \"https://auth.example\"\ntrusted_proxies = [\"127.0.0.1\"]");
    assert_eq!(place.serve().logged(sentence), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2, crate = "gatepass_testkit::tokio")]
async fn told_to_end_it_answers_what_is_under_way_and_takes_nothing_new() {
    let place = Place::sqlite().await;
    let server = place.serve();
    let request = half_a_request(&server, "/device_authorization", "client_id=gatepass-cli");
    server.program.signal("-TERM");
    server.program.err.wait_for("the server ends");
    assert!(TcpStream::connect(&server.address).is_err());
    sleep(Duration::from_millis(500));
    let answer = request.finish();
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.contains("\"user_code\""), "{answer}");
    server.program.end().done();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2, crate = "gatepass_testkit::tokio")]
async fn an_interrupt_from_the_keyboard_ends_it_as_well() {
    let place = Place::sqlite().await;
    let server = place.serve();
    server.program.signal("-INT");
    server.program.end().done();
}
