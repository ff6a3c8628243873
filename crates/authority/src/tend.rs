//! What the server does by itself, as long as it runs: it tells clients of sign-outs.

use crate::Authority;
use std::time::Duration;
use tokio::time::sleep;

/// How long it rests when nothing wakes it.
const REST: Duration = Duration::from_secs(5);

impl Authority {
    /// Delivers logout notices. It never ends; drop it to end it.
    pub async fn tend(self) {
        loop {
            let busy = match self.deliver_logout_notices().await {
                Ok(delivered) => delivered > 0,
                Err(failure) => {
                    tracing::warn!(%failure, "clients could not be told of a sign-out now");
                    false
                }
            };
            if !busy {
                tokio::select! {
                    () = sleep(REST) => {}
                    () = self.0.wake.notified() => {}
                }
            }
        }
    }
}
