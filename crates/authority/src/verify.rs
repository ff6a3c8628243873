//! Verifying an access token in process: the guard's quickest way.
//!
//! What was read from the store stays good for a second. A revocation on this node makes all of it
//! stale at once, by counting the *epoch* up; what is read while that happens carries the epoch from
//! before the read, so it can never outlive it. On other nodes a revocation shows within the second.

use crate::{Authority, Failure, access_token_jwt::recognise};
use gatepass_keys::{HashedToken, PlainToken, TokenId, token::AccessToken};
use gatepass_oauth::UtcMillis;
use gatepass_store::access_token::LiveAccessToken;
use quick_cache::sync::Cache;
use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

/// How long a verified token stays good without being read again.
const FRESH: Duration = Duration::from_secs(1);
/// How many verified tokens are kept at most; about half a kilobyte each.
const CAPACITY: usize = 16 * 1024;

pub(crate) struct Verified {
    epoch: AtomicU64,
    tokens: Cache<TokenId, Arc<Entry>>,
}

struct Entry {
    token: Arc<LiveAccessToken>,
    read_at: UtcMillis,
    epoch: u64,
}

impl Default for Verified {
    fn default() -> Self {
        Self { epoch: AtomicU64::new(0), tokens: Cache::new(CAPACITY) }
    }
}

impl Verified {
    fn fresh(&self, id: TokenId, now: UtcMillis) -> Option<Arc<LiveAccessToken>> {
        let entry = self.tokens.get(&id)?;
        let good = entry.epoch == self.epoch.load(Ordering::Acquire)
            && now < entry.read_at.plus(FRESH)
            && now < entry.token.expires_at;
        good.then(|| entry.token.clone())
    }
}

impl Authority {
    /// The live access token behind a presented text; `None` for anything else. Whether it is for
    /// this audience and has the scope is the guard's to check.
    ///
    /// # Errors
    /// [`Failure::Internal`] when the store does not answer: nobody is let in by accident.
    pub async fn verify_access_token(&self, text: &str) -> Result<Option<Arc<LiveAccessToken>>, Failure> {
        let Some((id, hash)) = PlainToken::<AccessToken>::recognise(text) else { return Ok(None) };
        self.live(id, hash).await
    }

    /// The same for a token in either form: a JWT is never for this server's own API.
    pub(crate) async fn present_access_token(&self, text: &str) -> Result<Option<Arc<LiveAccessToken>>, Failure> {
        let Some((id, hash)) = recognise(text) else { return Ok(None) };
        self.live(id, hash).await
    }

    async fn live(&self, id: TokenId, hash: HashedToken) -> Result<Option<Arc<LiveAccessToken>>, Failure> {
        let now = self.0.clock.now();
        if let Some(token) = self.0.verified.fresh(id, now) {
            return Ok(Some(token).filter(|token| token.hash == hash));
        }
        let epoch = self.0.verified.epoch.load(Ordering::Acquire);
        let Some(token) = self.0.store.live_access_token(id, now).await?.map(Arc::new) else {
            return Ok(None);
        };
        if token.hash != hash {
            return Ok(None);
        }
        self.0.verified.tokens.insert(id, Arc::new(Entry { token: token.clone(), read_at: now, epoch }));
        self.settle_rotation(&token, now).await;
        Ok(Some(token))
    }

    /// A token of the last rotation is in use: a repeat of that rotation is no longer innocent. If it
    /// cannot be noted now, the next use will.
    async fn settle_rotation(&self, token: &LiveAccessToken, now: UtcMillis) {
        if let (true, Some(grant)) = (token.settles_rotation, token.grant_id)
            && let Err(error) = self.0.store.note_successor_used(grant, token.issued_at, now).await
        {
            tracing::warn!(%error, "the use of a rotated token could not be noted");
        }
    }

    /// Makes every verified token be read again: something was revoked.
    pub(crate) fn forget_verified(&self) {
        self.0.verified.epoch.fetch_add(1, Ordering::AcqRel);
    }
}
