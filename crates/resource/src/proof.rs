//! Proofs of possession (RFC 9449 §7): who sends a bound token shows, with each request, that he holds its key.
//!
//! A guard offers them once it is given something that checks them: [`LocalProofs`] for a server that stands alone,
//! or an own [`Proofs`] for one whose nodes share what they remember.

use gatepass_keys::{
    Algorithm, Clock,
    dpop::{self, Expected, Proof, WINDOW},
};
use gatepass_oauth::{Confirmation, UtcMillis};
use http::{Extensions, HeaderMap};
use std::{
    collections::HashSet,
    future::Future,
    sync::{Arc, Mutex, PoisonError},
};

/// A request with its proof.
#[derive(Clone, Copy, Debug)]
pub struct ProvenRequest<'a> {
    /// The header `DPoP`.
    pub proof: &'a str,
    /// The request's method.
    pub method: &'a str,
    /// Its URL as the client knows it: made of the resource's public URL, never of the `Host` header.
    pub url: &'a str,
    /// The access token that the proof must name.
    pub access_token: &'a str,
    /// All its headers.
    pub headers: &'a HeaderMap,
    /// What the server knows of it besides.
    pub extensions: &'a Extensions,
}

/// Why a proof does not pass.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProofRefused {
    /// It is not for this request, not well made, or was used before.
    Invalid,
    /// It must carry this nonce (RFC 9449 §9).
    UseNonce(String),
    /// Nobody can tell now.
    Unavailable,
}

/// Checks proofs, and remembers them so that each passes once.
pub trait Proofs: Clone + Send + Sync + 'static {
    /// The algorithms that are offered; with none of them, a guard knows no proofs.
    fn algorithms(&self) -> &'static [Algorithm];

    /// The key that a proof shows, after which the proof is used up.
    fn check(&self, request: ProvenRequest<'_>) -> impl Future<Output = Result<Confirmation, ProofRefused>> + Send;
}

/// No proofs: bearer tokens only.
#[derive(Clone, Copy, Debug)]
pub struct NoProofs;

impl Proofs for NoProofs {
    fn algorithms(&self) -> &'static [Algorithm] {
        &[]
    }

    async fn check(&self, _: ProvenRequest<'_>) -> Result<Confirmation, ProofRefused> {
        Err(ProofRefused::Invalid)
    }
}

/// The most proofs that are remembered of one span; beyond it nobody comes in until the span is over.
const CAPACITY: usize = 256 * 1024;

/// Checks proofs in this process and remembers them here. Clones share the memory. It asks for no nonce.
///
/// Two nodes with one of these each would let a proof pass twice, once at each.
#[derive(Clone, Debug)]
pub struct LocalProofs(Arc<Local>);

#[derive(Debug)]
struct Local {
    clock: Clock,
    seen: Mutex<Seen>,
}

/// What was seen in the current span and the one before. A span is as long as a proof can be good, so what was
/// seen before both is refused by its time.
#[derive(Debug)]
struct Seen {
    began: UtcMillis,
    now: HashSet<[u8; 32]>,
    before: HashSet<[u8; 32]>,
}

impl LocalProofs {
    /// An empty memory.
    #[must_use]
    pub fn new(clock: Clock) -> Self {
        let seen = Seen { began: clock.now(), now: HashSet::new(), before: HashSet::new() };
        Self(Arc::new(Local { clock, seen: Mutex::new(seen) }))
    }
}

impl Proofs for LocalProofs {
    fn algorithms(&self) -> &'static [Algorithm] {
        Algorithm::ALL
    }

    async fn check(&self, request: ProvenRequest<'_>) -> Result<Confirmation, ProofRefused> {
        let ProvenRequest { proof, method, url, access_token, .. } = request;
        let now = self.0.clock.now();
        let expected = Expected { method, url, access_token: Some(access_token), now };
        let Proof { confirmation, once, .. } = dpop::verify(proof, &expected).map_err(|_| ProofRefused::Invalid)?;
        let mut seen = self.0.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.turn(now);
        seen.note(once.0).map(|()| confirmation)
    }
}

impl Seen {
    /// Begins a new span when the current one is over.
    fn turn(&mut self, now: UtcMillis) {
        let span = WINDOW * 2;
        if self.began.plus(span) <= now {
            self.before = std::mem::take(&mut self.now);
            if self.began.plus(span * 2) <= now {
                self.before.clear();
            }
            self.began = now;
        }
    }

    fn note(&mut self, once: [u8; 32]) -> Result<(), ProofRefused> {
        if self.before.contains(&once) || self.now.contains(&once) {
            return Err(ProofRefused::Invalid);
        }
        if self.now.len() >= CAPACITY {
            return Err(ProofRefused::Unavailable);
        }
        self.now.insert(once);
        Ok(())
    }
}
