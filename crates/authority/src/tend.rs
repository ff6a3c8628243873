//! What the server does by itself, as long as it runs.

use crate::{Authority, Failure};
use std::time::Duration;
use tokio::time::sleep;

/// How long it rests when nothing wakes it.
const REST: Duration = Duration::from_secs(5);
/// After how many rests it tidies up.
const TIDY_EVERY: u32 = 720;
/// How long a pushed request that is over is kept, for whoever looks into the log.
const KEPT: Duration = Duration::from_secs(24 * 60 * 60);

impl Authority {
    /// Delivers logout notices and forgets what is over. It never ends; drop it to end it.
    pub async fn tend(self) {
        let mut rests: u32 = 0;
        loop {
            let busy = match self.tend_once(rests.is_multiple_of(TIDY_EVERY)).await {
                Ok(delivered) => delivered > 0,
                Err(failure) => {
                    tracing::warn!(%failure, "what the server does by itself did not come to its end");
                    false
                }
            };
            if !busy {
                rests = rests.wrapping_add(1);
                tokio::select! {
                    () = sleep(REST) => {}
                    () = self.0.wake.notified() => {}
                }
            }
        }
    }

    async fn tend_once(&self, tidy: bool) -> Result<usize, Failure> {
        if tidy {
            self.0.store.purge_pushed_requests(KEPT, self.0.clock.now()).await?;
        }
        self.deliver_logout_notices().await
    }
}
