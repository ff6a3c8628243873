//! What a server writes into its log, and what it leaves out.

use crate::support::{DEVICE_GRANT, Place, Server, command_line};
use gatepass_testkit::tokio;

/// A refused request, which the log tells at every level: all that came before it is in the log by now.
async fn mark(server: &Server) {
    let refused = "a request was refused";
    let before = server.logged(refused);
    let form = [("grant_type", "password")];
    assert_eq!(server.post("/token", &command_line(), &form).await.error(), "unsupported_grant_type");
    server.program.err.wait_for_more(before, refused);
}

/// A device that polls is told to wait, then to slow down; how many lines of the log that takes.
async fn lines_of_two_polls(level: &'static str) -> (usize, String) {
    let mut place = Place::sqlite().await;
    place.log = level;
    let server = place.serve();
    let started = server.post("/device_authorization", &command_line(), &[("scope", "openid")]).await;
    mark(&server).await;
    let before = server.program.err.count("");
    let form = [("grant_type", DEVICE_GRANT), ("device_code", &started.text("device_code"))];
    for error in ["authorization_pending", "slow_down"] {
        assert_eq!(server.post("/token", &command_line(), &form).await.error(), error);
    }
    mark(&server).await;
    let said = server.program.err.text();
    (server.program.err.count("") - before - 1, said)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2, crate = "gatepass_testkit::tokio")]
async fn a_device_that_polls_leaves_no_line_unless_everything_is_told() {
    let (lines, said) = lines_of_two_polls("info").await;
    assert_eq!(lines, 0, "{said}");
    let (lines, said) = lines_of_two_polls("debug").await;
    assert!(lines >= 2 && said.matches("a poll was answered").count() == 2, "{said}");
    assert!(!said.contains("gpd_"), "a device's code is in no log: {said}");
}
