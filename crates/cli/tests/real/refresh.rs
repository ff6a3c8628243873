//! Refreshing: when it happens, and how often.

use crate::support::{Place, Program, Server, Terminal, command_line, send_and_leave};
use gatepass_testkit::tokio;
use std::{thread::sleep, time::Duration};

const ROTATED: &str = "a refresh token was rotated";
const REPEATED: &str = "a refresh was repeated";

/// A terminal with an access token that is over, at a server that gives long-lived ones now.
async fn after_expiry(place: &Place) -> (Server, Terminal) {
    place.settings("[lifetimes]\naccess_token = \"2s\"\n");
    let server = place.serve_with_user();
    let terminal = Terminal::signed_in(&server).await;
    place.settings("");
    let server = server.restart(place);
    sleep(Duration::from_millis(2100));
    (server, terminal)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2, crate = "gatepass_testkit::tokio")]
async fn an_access_token_that_is_over_is_replaced_by_one_that_works() {
    let place = Place::sqlite().await;
    let (server, terminal) = after_expiry(&place).await;
    let (old, _) = terminal.tokens().unwrap();
    terminal.whoami_with(&server, &old).failed(3);
    let new = terminal.run(&["token"]).done();
    assert_ne!(new.trim(), old);
    terminal.whoami_with(&server, &new).done();
    assert_eq!(terminal.run(&["token"]).done(), new, "a fresh one stays");
    assert_eq!(server.logged(ROTATED), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2, crate = "gatepass_testkit::tokio")]
async fn forty_processes_at_once_refresh_once_and_print_the_same_token() {
    let place = Place::sqlite().await;
    let (server, terminal) = after_expiry(&place).await;
    let programs: Vec<Program> = (0..40).map(|_| Program::start(&mut terminal.command(&["token"]))).collect();
    let tokens: Vec<String> = programs.into_iter().map(|program| program.end().done()).collect();
    assert!(tokens.iter().all(|token| *token == tokens[0] && token.starts_with("gpa_")), "{tokens:?}");
    terminal.whoami_with(&server, &tokens[0]).done();
    assert_eq!((server.logged(ROTATED), server.logged(REPEATED)), (1, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2, crate = "gatepass_testkit::tokio")]
async fn an_answer_that_was_dropped_is_given_again() {
    let place = Place::sqlite().await;
    let server = place.serve_with_user();
    let terminal = Terminal::signed_in_without_key(&server).await;
    let request = |token: &str| format!("grant_type=refresh_token&client_id=gatepass-cli&refresh_token={token}");

    let (_, first) = terminal.tokens().unwrap();
    let connection = send_and_leave(&server, "/token", &request(&first));
    server.program.err.wait_for(ROTATED);
    drop(connection);
    terminal.run(&["token", "--min-ttl", "2h"]).done();
    assert_eq!((server.logged(ROTATED), server.logged(REPEATED)), (1, 1), "the same answer, not another rotation");
    terminal.run(&["whoami"]).done();

    // Gone at once: whether or not the server got to rotate, the terminal goes on.
    let (_, second) = terminal.tokens().unwrap();
    assert_ne!(first, second);
    drop(send_and_leave(&server, "/token", &request(&second)));
    terminal.run(&["token", "--min-ttl", "2h"]).done();
    terminal.run(&["whoami"]).done();
    let (_, third) = terminal.tokens().unwrap();
    assert_eq!(server.refresh(&command_line(), &third).await.status, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2, crate = "gatepass_testkit::tokio")]
async fn a_server_that_is_away_is_no_end_of_the_sign_in() {
    let place = Place::sqlite().await;
    let (mut server, terminal) = after_expiry(&place).await;
    server.program.kill();
    let said = terminal.run(&["token"]).failed(4);
    assert!(said.contains("the sign-in is kept"), "{said}");
    let _server = place.serve_at(&server.address);
    terminal.run(&["token"]).done();
}
