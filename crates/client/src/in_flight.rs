//! Work that goes on although nobody waits for it any more.
//!
//! A refresh token that was shown may be spent, and then the answer is all there is of the sign-in. So from there on a
//! refresh is nobody's to stop: whoever asked for it may be gone, as after Ctrl-C, and a program that ends waits for it.

use crate::{SignIns, VaultError};
use std::{io, sync::Arc, time::Duration};
use tokio::sync::watch;

/// How long a program that ends waits: longer than a refresh takes.
const LAST: Duration = Duration::from_secs(80);

/// How much of it there is.
#[derive(Clone, Debug, Default)]
pub(crate) struct InFlight(Arc<watch::Sender<usize>>);

/// One piece of it; dropped, it has come to its end.
struct Flight(InFlight);

impl InFlight {
    fn begin(&self) -> Flight {
        self.0.send_modify(|count| *count = count.saturating_add(1));
        Flight(self.clone())
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        self.0.0.send_modify(|count| *count = count.saturating_sub(1));
    }
}

impl SignIns {
    /// Does what must come to its end once it is begun.
    ///
    /// # Errors
    /// [`VaultError::Io`] when it came to none.
    pub(crate) async fn see_through<T: Send + 'static>(
        &self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> Result<T, VaultError> {
        let flight = self.in_flight().begin();
        let done = tokio::spawn(async move {
            let done = work.await;
            drop(flight);
            done
        });
        done.await.map_err(|error| VaultError::Io {
            what: "use",
            path: self.vault().home().vault(),
            source: io::Error::other(error),
        })
    }

    /// Waits until no refresh is under way, for a bounded time: for a program that ends, before its runtime does.
    pub async fn finish(&self) {
        let mut count = self.in_flight().0.subscribe();
        // Past its time it is left to the next process, which shows the old token again.
        let _ = tokio::time::timeout(LAST, count.wait_for(|count| *count == 0)).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Home, KeySources, Transport, Vault};
    use gatepass_keys::{Clock, Entropy};
    use std::sync::atomic::{AtomicBool, Ordering};

    #[tokio::test]
    async fn what_nobody_waits_for_comes_to_its_end_and_is_waited_for_by_who_ends() {
        let folder = tempfile::tempdir().unwrap();
        let vault = Vault::new(Home::at(folder.path()), KeySources::default(), Clock::System, Entropy::system());
        let sign_ins = SignIns::new(vault, Transport::new(), Clock::System, Entropy::system());
        sign_ins.finish().await;
        let done = Arc::new(AtomicBool::new(false));
        let (flag, copy) = (Arc::clone(&done), sign_ins.clone());
        let work = copy.see_through(async move {
            tokio::time::sleep(Duration::from_millis(100)).await;
            flag.store(true, Ordering::SeqCst);
        });
        assert!(tokio::time::timeout(Duration::from_millis(10), work).await.is_err());
        sign_ins.finish().await;
        assert!(done.load(Ordering::SeqCst));
    }
}
