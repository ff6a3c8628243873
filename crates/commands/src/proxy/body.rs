//! An answer's body, and how many answers are under way.

use super::BoxError;
use hyper::body::{Body, Bytes, Frame, Incoming, SizeHint};
use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    task::{Context, Poll},
    time::{Duration, Instant},
};
use tokio::sync::Notify;

/// What is under way, and since when nothing is.
#[derive(Debug)]
pub(super) struct Activity {
    started: Instant,
    under_way: AtomicUsize,
    /// Milliseconds after `started`.
    last_end: AtomicU64,
    /// What this is a part of.
    whole: Option<Arc<Activity>>,
    /// Told when a request was let in.
    let_in: Notify,
}

impl Activity {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self::within(None))
    }

    /// One connection's activity, which is also the whole's.
    pub(super) fn part(self: &Arc<Self>) -> Arc<Self> {
        Arc::new(Self::within(Some(Arc::clone(self))))
    }

    fn within(whole: Option<Arc<Self>>) -> Self {
        Self {
            started: Instant::now(),
            under_way: AtomicUsize::new(0),
            last_end: AtomicU64::new(0),
            whole,
            let_in: Notify::new(),
        }
    }

    /// Something begins; it ends when what is returned is dropped.
    pub(super) fn begin(self: &Arc<Self>) -> Active {
        self.under_way.fetch_add(1, Ordering::Relaxed);
        if let Some(whole) = &self.whole {
            whole.under_way.fetch_add(1, Ordering::Relaxed);
        }
        Active(Arc::clone(self))
    }

    fn end(&self, now: Instant) {
        let passed = now.saturating_duration_since(self.started).as_millis();
        self.last_end.store(u64::try_from(passed).unwrap_or(u64::MAX), Ordering::Relaxed);
        self.under_way.fetch_sub(1, Ordering::Relaxed);
    }

    /// Comes to its end when nothing was under way for so long.
    pub(super) async fn idle_for(&self, time: Duration) {
        loop {
            let left = time.saturating_sub(self.idle());
            if left.is_zero() {
                return;
            }
            tokio::time::sleep(left).await;
        }
    }

    /// Comes to its end when a request was let in.
    pub(super) async fn let_in(&self) {
        self.let_in.notified().await;
    }

    /// How long nothing has been under way.
    fn idle(&self) -> Duration {
        if self.under_way.load(Ordering::Relaxed) > 0 {
            return Duration::ZERO;
        }
        self.started.elapsed().saturating_sub(Duration::from_millis(self.last_end.load(Ordering::Relaxed)))
    }
}

/// A request under way.
#[derive(Debug)]
pub(super) struct Active(Arc<Activity>);

impl Active {
    /// It was let in.
    pub(super) fn is_let_in(&self) {
        self.0.let_in.notify_one();
    }
}

impl Drop for Active {
    fn drop(&mut self) {
        let now = Instant::now();
        self.0.end(now);
        if let Some(whole) = &self.0.whole {
            whole.end(now);
        }
    }
}

/// The body of an answer.
pub(super) enum Answer {
    /// Our own words.
    Own(Option<Bytes>),
    /// The upstream's, as they come. Dropped by a client that has left, it ends the request at the upstream.
    Upstream { body: Incoming, _active: Active },
}

impl Body for Answer {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        match self.get_mut() {
            Self::Own(text) => Poll::Ready(text.take().map(|text| Ok(Frame::data(text)))),
            Self::Upstream { body, .. } => {
                Pin::new(body).poll_frame(cx).map(|frame| frame.map(|frame| frame.map_err(Into::into)))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Own(text) => text.is_none(),
            Self::Upstream { body, .. } => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Own(text) => {
                SizeHint::with_exact(text.as_ref().map_or(0, |text| u64::try_from(text.len()).unwrap_or(u64::MAX)))
            }
            Self::Upstream { body, .. } => body.size_hint(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_under_way_on_one_connection_is_under_way_on_the_whole() {
        let whole = Activity::new();
        let (one, other) = (whole.part(), whole.part());
        let active = one.begin();
        std::thread::sleep(Duration::from_millis(2));
        assert_eq!((one.idle(), whole.idle()), (Duration::ZERO, Duration::ZERO));
        assert!(other.idle() >= Duration::from_millis(1));
        drop(active);
        std::thread::sleep(Duration::from_millis(2));
        assert!(!one.idle().is_zero() && !whole.idle().is_zero());
    }
}
