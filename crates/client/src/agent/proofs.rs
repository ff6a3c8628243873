//! For which tokens the agent makes proofs (RFC 9449), so that callers can use what is bound to a key that stays here.
//!
//! 1. A bound token is noted as it is handed out: its hash, whose it is, and which key it is bound to.
//! 2. A caller names a request and such a hash (`ath`, §4.2). For a token that this agent did not hand out there is no proof:
//!    a stolen one is not made good here, and neither is one above the agent's ceiling.
//! 3. A proof always carries the hash, and there is none for the endpoints that refresh and revoke, where a proof stands beside
//!    no access token (§5).
//! 4. The sign-in is looked up anew each time. When it is over, or has another key, there is no proof.

use crate::{AccountId, SignIn};
use gatepass_keys::dpop::access_token_hash;
use gatepass_oauth::Secret;
use std::{
    collections::VecDeque,
    sync::{Mutex, PoisonError},
};

/// How many tokens are remembered; whoever has an older one asks for another.
const MOST: usize = 1024;

/// A token that was handed out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Bound {
    ath: String,
    pub(super) account: AccountId,
    thumbprint: String,
}

/// The tokens that were handed out last.
#[derive(Debug, Default)]
pub(super) struct Proofs(Mutex<VecDeque<Bound>>);

impl Bound {
    /// A token of a sign-in; `None` when that has no key.
    pub(super) fn of(token: &Secret, sign_in: &SignIn) -> Option<Self> {
        Some(Self {
            ath: access_token_hash(token.expose()),
            account: sign_in.account.id(),
            thumbprint: sign_in.dpop_key.as_ref()?.thumbprint().ok()?.to_owned(),
        })
    }

    /// Whether the sign-in still has the key.
    pub(super) fn is_of(&self, sign_in: &SignIn) -> bool {
        let key = sign_in.dpop_key.as_ref().and_then(|key| key.thumbprint().ok());
        sign_in.tokens.is_some() && key == Some(self.thumbprint.as_str())
    }
}

impl Proofs {
    /// Step 1.
    pub(super) fn note(&self, bound: Bound) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|known| known.ath != bound.ath);
        if all.len() >= MOST {
            all.pop_front();
        }
        all.push_back(bound);
    }

    /// Step 2.
    pub(super) fn find(&self, ath: &str) -> Option<Bound> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.iter().rev().find(|known| known.ath == ath).cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_handed_out_long_ago_is_forgotten_and_what_is_used_is_not() {
        let account: AccountId = serde_json::from_str("\"169ae3b40d91\"").unwrap();
        let bound = |ath: usize| Bound { ath: ath.to_string(), account: account.clone(), thumbprint: String::new() };
        let proofs = Proofs::default();
        for ath in 0..MOST {
            proofs.note(bound(ath));
        }
        proofs.note(bound(0));
        proofs.note(bound(MOST));
        assert_eq!(proofs.find("0"), Some(bound(0)));
        assert_eq!(proofs.find("1"), None);
        assert_eq!(proofs.find(&MOST.to_string()), Some(bound(MOST)));
        assert_eq!(proofs.0.lock().unwrap().len(), MOST);
    }
}
