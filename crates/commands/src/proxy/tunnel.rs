//! After a 101 the two connections are one: what comes here goes there, untouched (RFC 9110 §7.8).

use super::body::Active;
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tokio::io::copy_bidirectional;

/// Joins the client's connection and the upstream's until both have ended.
pub(super) async fn join(client: OnUpgrade, upstream: OnUpgrade, _active: Active) {
    let (client, upstream) = match tokio::try_join!(client, upstream) {
        Ok(both) => both,
        Err(error) => return tracing::debug!(%error, "an upgrade came to nothing"),
    };
    let (mut client, mut upstream) = (TokioIo::new(client), TokioIo::new(upstream));
    // Somebody who goes away without a word is nothing to be told.
    let _ = copy_bidirectional(&mut client, &mut upstream).await;
}
