//! `gatepass logout`.

use crate::support::{Place, Terminal, command_line};
use gatepass_testkit::tokio;

#[tokio::test(flavor = "multi_thread", worker_threads = 2, crate = "gatepass_testkit::tokio")]
async fn it_ends_the_tokens_at_the_server_and_forgets_them_here() {
    let place = Place::sqlite().await;
    let server = place.serve_with_user();
    let terminal = Terminal::signed_in(&server).await;
    let (access, refresh) = terminal.tokens().unwrap();
    terminal.whoami_with(&server, &access).done();
    assert_eq!(terminal.run(&["status", "--json"]).json()["accounts"][0]["signed_in"], true);

    assert_eq!(terminal.run(&["logout", "--json"]).json()["revoked"], true);
    assert_eq!(server.whoami(&access).await.status, 401, "at once, although it was verified a moment ago");
    assert_eq!(server.refresh(&command_line(), &refresh).await.error(), "invalid_grant");
    assert!(terminal.tokens().is_none());
    assert_eq!(terminal.run(&["status", "--json"]).json()["accounts"], serde_json::json!([]));
    let status = terminal.run(&["status"]);
    assert!(status.err.contains("Nobody is signed in."), "{status:?}");
    for command in ["token", "whoami"] {
        terminal.run(&[command]).failed(3);
    }
    terminal.run(&["logout"]).done();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2, crate = "gatepass_testkit::tokio")]
async fn it_leaves_the_sign_ins_of_other_terminals_alone() {
    let place = Place::sqlite().await;
    let server = place.serve_with_user();
    let (one, other) = (Terminal::signed_in(&server).await, Terminal::signed_in(&server).await);
    one.run(&["logout"]).done();
    other.run(&["whoami"]).done();
}
