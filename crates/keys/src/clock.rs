//! The time, passed in.

use gatepass_oauth::UtcMillis;
use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};

/// Tells the time: the machine's, or one that a test sets.
#[derive(Clone, Debug)]
pub enum Clock {
    /// The machine's clock.
    System,
    /// Stands still until it is moved.
    Settable(Arc<AtomicI64>),
}

impl Clock {
    /// A clock that stands at `now` until [`Clock::advance`] moves it.
    #[must_use]
    pub fn settable(now: UtcMillis) -> Self {
        Self::Settable(Arc::new(AtomicI64::new(now.0)))
    }

    /// The time now.
    #[must_use]
    pub fn now(&self) -> UtcMillis {
        match self {
            #[expect(clippy::disallowed_methods, reason = "the one place that reads the machine's clock")]
            Self::System => {
                let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
                UtcMillis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
            }
            Self::Settable(now) => UtcMillis(now.load(Ordering::SeqCst)),
        }
    }

    /// Moves a settable clock on; the machine's clock is not ours to move.
    pub fn advance(&self, span: Duration) {
        if let Self::Settable(now) = self {
            now.fetch_add(i64::try_from(span.as_millis()).unwrap_or(i64::MAX), Ordering::SeqCst);
        }
    }
}
