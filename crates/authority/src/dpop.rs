//! Checking a DPoP proof (RFC 9449 §4.3, §8, §11.1).
//!
//! 1. The proof itself: [`gatepass_keys::dpop`].
//! 2. Its nonce is one that this server gave out lately. Nonces are kept nowhere: each is a keyed hash of a window
//!    of five minutes, and the current one and the one before are good. All nodes share the key, so all know them.
//! 3. It was not used before. That is decided by one insertion into a table that all nodes share.
//!
//! A proof that was made long ago and kept is refused by 2, one that was caught on its way by 3.

use crate::{Authority, Caller, Event, EventKind, Failure};
use gatepass_keys::{
    dpop::{self, Expected, Proof},
    jws::base64url,
};
use gatepass_oauth::{ClientId, Confirmation, Error, ErrorCode, UtcMillis};
use gatepass_store::Change;

/// How long one nonce is the current one, in milliseconds.
const NONCE_WINDOW: i64 = 5 * 60 * 1000;

/// A request that carries a proof.
#[derive(Clone, Copy, Debug)]
pub struct ProvenRequest<'a> {
    /// The proof.
    pub proof: &'a str,
    /// The request's method.
    pub method: &'a str,
    /// Its URL as the client knows it.
    pub url: &'a str,
    /// The access token beside the proof, at a protected resource.
    pub access_token: Option<&'a str>,
    /// The client that sent it, where that is known already.
    pub client: Option<&'a ClientId>,
    /// Where it came from.
    pub caller: &'a Caller,
}

impl Authority {
    /// The nonce that proofs are to carry now (RFC 9449 §8).
    #[must_use]
    pub fn dpop_nonce(&self) -> String {
        self.nonce_of(self.now().0.div_euclid(NONCE_WINDOW))
    }

    fn nonce_of(&self, window: i64) -> String {
        let hash = self.0.nonces.hash(&window.to_string());
        let (half, _) = hash.split_at(16);
        base64url(half)
    }

    /// Whether a nonce is the current one or the one before. It is no secret: everybody is given the same.
    fn is_fresh(&self, nonce: &str, now: UtcMillis) -> bool {
        let window = now.0.div_euclid(NONCE_WINDOW);
        nonce == self.nonce_of(window) || nonce == self.nonce_of(window - 1)
    }

    /// The key that a request's proof shows, after which the proof is used up.
    ///
    /// # Errors
    /// `invalid_dpop_proof` for a proof that is not for this request, or was used before; `use_dpop_nonce` when only
    /// its nonce is missing or stale.
    pub async fn check_proof(&self, request: ProvenRequest<'_>) -> Result<Confirmation, Failure> {
        let ProvenRequest { proof, method, url, access_token, client, caller } = request;
        let now = self.now();
        let event = |kind| client.into_iter().fold(Event::new(kind).from(caller), Event::client);
        let Proof { confirmation, nonce, once, remember_until } =
            match dpop::verify(proof, &Expected { method, url, access_token, now }) {
                Ok(proof) => proof,
                Err(reason) => {
                    self.record(event(EventKind::DpopRefused).detail(reason)).await;
                    return Err(Error::new(ErrorCode::InvalidDpopProof, reason.to_string()).into());
                }
            };
        if !nonce.is_some_and(|nonce| self.is_fresh(&nonce, now)) {
            return Err(
                Error::new(ErrorCode::UseDpopNonce, "the proof needs the nonce of the header DPoP-Nonce").into()
            );
        }
        if self.0.store.use_dpop_proof(once, remember_until).await? == Change::TooLate {
            self.record(event(EventKind::DpopReplayed).of(&confirmation).detail(&confirmation)).await;
            return Err(Error::new(ErrorCode::InvalidDpopProof, "the proof was used before").into());
        }
        Ok(confirmation)
    }
}

/// The key to which a request's outcome is to be bound: the one that the request has shown, or the one that it
/// names ahead with `dpop_jkt`. For the endpoints where a flow begins (RFC 9449 §10, §10.1).
///
/// # Errors
/// `invalid_dpop_proof` when both are there and differ.
pub fn key_to_bind(shown: Option<&Confirmation>, named: Option<Confirmation>) -> Result<Option<Confirmation>, Error> {
    match (shown, named) {
        (Some(Confirmation::Jkt(shown)), Some(Confirmation::Jkt(named))) if *shown != named => {
            Err(Error::new(ErrorCode::InvalidDpopProof, "dpop_jkt is not the thumbprint of the proof's key"))
        }
        // A certificate shown beside a key that is named ahead: the key is what the client wants.
        (_, Some(named)) => Ok(Some(named)),
        (shown, None) => Ok(shown.cloned()),
    }
}
