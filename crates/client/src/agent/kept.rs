//! Narrowed tokens, in memory and for their life.
//!
//! Each belongs to the access token that it was made from: when that one is replaced, or the sign-in ends, it is not handed
//! out again. Of many who ask for the same at once, one asks the server.

use crate::{AccountId, Freshness, NarrowError, Narrowing, SignIns, Tokens};
use gatepass_keys::HashedToken;
use gatepass_oauth::Secret;
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

/// The most kinds of token that are kept.
const MOST: usize = 256;

type Key = (AccountId, Narrowing);
type Slot = Arc<tokio::sync::Mutex<Option<(HashedToken, Tokens)>>>;

#[derive(Debug, Default)]
pub(super) struct Kept(Mutex<HashMap<Key, Slot>>);

impl Kept {
    /// The token of an account that is narrowed so, from `subject`: kept and not `refused`, or asked for now.
    pub(super) async fn get(
        &self,
        sign_ins: &SignIns,
        key: Key,
        subject: &Secret,
        at_least: Option<Duration>,
        refused: impl Fn(&Tokens) -> bool,
    ) -> Result<Tokens, NarrowError> {
        let slot = self.slot(&key);
        let mut slot = slot.lock().await;
        if let Some((of, tokens)) = &*slot
            && *of == HashedToken::of(subject.expose())
            && serves(sign_ins, tokens, at_least)
            && !refused(tokens)
        {
            return Ok(tokens.clone());
        }
        let (account, narrowing) = &key;
        let tokens = sign_ins.narrowed(account, narrowing, at_least).await?;
        // It may have been made from a newer one than the caller saw.
        let stored = sign_ins.stored(account).await?.and_then(|sign_in| sign_in.tokens);
        *slot = stored.map(|stored| (HashedToken::of(stored.access_token.expose()), tokens.clone()));
        Ok(tokens)
    }

    fn slot(&self, key: &Key) -> Slot {
        let mut slots = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if slots.len() >= MOST && !slots.contains_key(key) {
            // What nobody waits for can be asked for again.
            slots.retain(|_, slot| Arc::strong_count(slot) > 1);
        }
        Arc::clone(slots.entry(key.clone()).or_default())
    }
}

/// A life that is asked for and that no token of this kind has is not asked for again each time.
fn serves(sign_ins: &SignIns, tokens: &Tokens, at_least: Option<Duration>) -> bool {
    let now = sign_ins.clock().now();
    let life = tokens.expires_at.map(|end| tokens.obtained_at.until(end));
    match at_least {
        Some(span) if life.is_none_or(|life| life >= span) => tokens.lasts(span, now),
        _ => tokens.freshness(now, 0) == Freshness::Fresh,
    }
}
