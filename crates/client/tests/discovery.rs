//! Where metadata is looked for when a place fails.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test stops where it fails")]

mod support;

use gatepass_client::{DiscoveryError, Failure, Transport, Unreachable, discover};
use serde_json::json;
use support::{Answer, Fake, metadata};

const FIRST: &str = "/.well-known/oauth-authorization-server";
const SECOND: &str = "/.well-known/openid-configuration";

fn find(fake: &Fake) -> Result<gatepass_client::Server, DiscoveryError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(discover(&Transport::new(), &fake.issuer.parse().unwrap()))
}

#[test]
fn a_place_that_fails_does_not_hide_the_next() {
    for status in [429, 500, 502, 503] {
        let fake = Fake::start_raw(move |asked, issuer, _| match asked.path.as_str() {
            SECOND => Answer::Json(200, metadata(issuer)),
            _ => Answer::Json(status, json!({})),
        });
        assert!(find(&fake).is_ok(), "{status}");
        assert_eq!((fake.asked(FIRST).len(), fake.asked(SECOND).len()), (1, 1));
    }
}

#[test]
fn where_no_place_serves_the_failure_is_told_and_not_that_there_is_nothing() {
    for second in [404, 500] {
        let fake = Fake::start_raw(move |asked, _, _| match asked.path.as_str() {
            FIRST => Answer::Json(503, json!({})),
            _ => Answer::Json(second, json!({})),
        });
        let error = find(&fake).unwrap_err();
        let busy = matches!(&error, DiscoveryError::Failed(Failure::Unreachable { why: Unreachable::Busy(503), .. }));
        assert!(busy, "{error}");
    }
}

#[test]
fn a_server_that_is_away_is_not_asked_at_each_place() {
    let fake = Fake::start_raw(|_, _, _| Answer::Drop);
    assert!(matches!(find(&fake), Err(DiscoveryError::Failed(Failure::Unreachable { .. }))));
    assert!(fake.asked(SECOND).is_empty());
}
