//! A refresh token that comes again after it was given up: somebody has a copy.

use crate::support::{Place, Terminal, command_line};
use gatepass_testkit::tokio;

#[tokio::test(flavor = "multi_thread", worker_threads = 2, crate = "gatepass_testkit::tokio")]
async fn an_older_refresh_token_ends_the_sign_in_for_thief_and_owner() {
    let place = Place::sqlite().await;
    let server = place.serve_with_user();
    let terminal = Terminal::signed_in_without_key(&server).await;
    let (_, stolen) = terminal.tokens().unwrap();
    for _ in 0..2 {
        terminal.run(&["token", "--min-ttl", "2h"]).done();
    }
    let other = Terminal::signed_in(&server).await;
    let thief = server.refresh(&command_line(), &stolen).await;
    assert_eq!((thief.status.as_u16(), thief.error().as_str()), (400, "invalid_grant"));
    assert_eq!(server.logged("a refresh token was used again; its family is revoked"), 1);

    let said = terminal.run(&["whoami"]).failed(3);
    assert!(said.contains(&format!("gatepass login --server {}", server.url)), "{said}");
    terminal.run(&["token"]).failed(3);
    assert!(terminal.tokens().is_none());
    other.run(&["whoami"]).done();
    terminal.sign_in(&server).await;
    terminal.run(&["whoami"]).done();
}
