//! A request's body, sent as it comes and remembered so that it can be sent once more.
//!
//! Nothing waits for the whole body, and nothing is copied: what is remembered are counted references to the very bytes
//! that are sent. Beyond [`MOST`], or when all requests together remember [`MOST_OF_ALL`], a body is no longer
//! remembered; it still goes on.
//!
//! A 401 may come while the body is still being sent. The next sending then begins with what is remembered and goes on
//! with what is still to come; the one before is broken off. There may be several: with another proof, and with another
//! token.

use super::BoxError;
use hyper::body::{Body, Bytes, Frame, Incoming, SizeHint};
use std::{
    pin::Pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll, Waker},
};

/// The most bytes of one body that are remembered.
pub(super) const MOST: usize = 10 * 1024 * 1024;
/// The most bytes that are remembered of all requests together.
const MOST_OF_ALL: usize = 64 * 1024 * 1024;
/// The most pieces of one body, for what each of them costs beside its bytes.
const MOST_PIECES: usize = 64 * 1024;

/// How much all requests together remember.
#[derive(Debug, Default)]
pub(super) struct Budget(AtomicUsize);

/// A body on its way to the upstream.
pub(super) enum Outgoing {
    /// There is none.
    Empty,
    /// One that is passed on.
    Passing(Passing),
}

/// One sending of a body.
pub(super) struct Passing {
    shared: Arc<Mutex<Shared>>,
    /// Which sending it is.
    number: u32,
    /// How many of the remembered pieces it has sent.
    sent: usize,
    hint: SizeHint,
}

/// What all sendings share.
struct Shared {
    source: Incoming,
    kept: Vec<Piece>,
    /// The bytes in `kept`; `None` when nothing is remembered any more.
    size: Option<usize>,
    budget: Arc<Budget>,
    /// The sending that counts.
    now: u32,
    waiting: Option<Waker>,
    client_failed: bool,
}

enum Piece {
    Data(Bytes),
    Trailers(hyper::HeaderMap),
}

/// The hand that can send a body again.
pub(super) struct Memory {
    shared: Arc<Mutex<Shared>>,
    hint: SizeHint,
}

/// Another sending has begun.
#[derive(Debug, thiserror::Error)]
#[error("the request is sent anew")]
struct BrokenOff;

/// Passes a body on, and remembers it if `remembers`. A request without a body can always be sent again.
pub(super) fn pass(source: Incoming, budget: &Arc<Budget>, remembers: bool) -> (Outgoing, Option<Memory>) {
    if source.is_end_stream() {
        return (Outgoing::Empty, None);
    }
    let hint = source.size_hint();
    let shared = Arc::new(Mutex::new(Shared {
        source,
        kept: Vec::new(),
        // A body that says how long it is, and too long, is not begun to be remembered.
        size: (remembers && hint.lower() <= u64::try_from(MOST).unwrap_or(u64::MAX)).then_some(0),
        budget: Arc::clone(budget),
        now: 0,
        waiting: None,
        client_failed: false,
    }));
    let memory = Memory { shared: Arc::clone(&shared), hint };
    (Outgoing::Passing(Passing { shared, number: 0, sent: 0, hint }), Some(memory))
}

impl Memory {
    /// The body once more, from its beginning; `None` when it is not remembered.
    pub(super) fn again(&self) -> Option<Outgoing> {
        let mut shared = lock(&self.shared);
        if shared.size.is_none() || shared.client_failed {
            return None;
        }
        shared.now += 1;
        let number = shared.now;
        if let Some(waker) = shared.waiting.take() {
            waker.wake();
        }
        drop(shared);
        let (shared, hint) = (Arc::clone(&self.shared), self.hint);
        Some(Outgoing::Passing(Passing { shared, number, sent: 0, hint }))
    }

    /// Whether the body could not be read to its end because of the client.
    pub(super) fn client_failed(&self) -> bool {
        lock(&self.shared).client_failed
    }
}

impl Shared {
    fn poll(
        &mut self,
        number: u32,
        sent: &mut usize,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        if number != self.now {
            return Poll::Ready(Some(Err(BrokenOff.into())));
        }
        if let Some(piece) = self.kept.get(*sent) {
            *sent += 1;
            return Poll::Ready(Some(Ok(piece.to_frame())));
        }
        let polled = Pin::new(&mut self.source).poll_frame(cx);
        match &polled {
            Poll::Pending => self.waiting = Some(cx.waker().clone()),
            Poll::Ready(Some(Ok(frame))) => {
                self.remember(frame);
                *sent = self.kept.len();
            }
            Poll::Ready(Some(Err(_))) => self.client_failed = true,
            Poll::Ready(_) => {}
        }
        polled.map(|frame| frame.map(|frame| frame.map_err(Into::into)))
    }

    fn remember(&mut self, frame: &Frame<Bytes>) {
        let Some(size) = self.size else { return };
        let piece = match (frame.data_ref(), frame.trailers_ref()) {
            (Some(data), _) => Piece::Data(data.clone()),
            (_, Some(trailers)) => Piece::Trailers(trailers.clone()),
            _ => return,
        };
        let more = frame.data_ref().map_or(0, Bytes::len);
        if size + more <= MOST && self.kept.len() < MOST_PIECES && self.budget.take(more) {
            self.kept.push(piece);
            self.size = Some(size + more);
        } else {
            self.forget();
        }
    }

    fn forget(&mut self) {
        self.kept.clear();
        self.budget.give_back(self.size.take().unwrap_or(0));
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.forget();
    }
}

impl Piece {
    fn to_frame(&self) -> Frame<Bytes> {
        match self {
            Self::Data(data) => Frame::data(data.clone()),
            Self::Trailers(trailers) => Frame::trailers(trailers.clone()),
        }
    }
}

impl Budget {
    fn take(&self, bytes: usize) -> bool {
        let within = |used: usize| used.checked_add(bytes).filter(|sum| *sum <= MOST_OF_ALL);
        self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, within).is_ok()
    }

    fn give_back(&self, bytes: usize) {
        self.0.fetch_sub(bytes, Ordering::Relaxed);
    }
}

fn lock(shared: &Mutex<Shared>) -> MutexGuard<'_, Shared> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Body for Outgoing {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        match self.get_mut() {
            Self::Empty => Poll::Ready(None),
            Self::Passing(Passing { shared, number, sent, .. }) => lock(shared).poll(*number, sent, cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Empty => true,
            Self::Passing(passing) => {
                let shared = lock(&passing.shared);
                passing.sent >= shared.kept.len() && shared.source.is_end_stream()
            }
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Empty => SizeHint::with_exact(0),
            Self::Passing(passing) => passing.hint,
        }
    }
}
