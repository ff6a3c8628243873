//! Refresh families that rotated here lately: what their next rotation needs to know.
//!
//! A family's client, person, scope, resource and key never change, and whether a token is still its current one is
//! decided by the statement that rotates it. So what is remembered is never trusted, it only saves the look before the
//! leap: when the family has rotated on another node or has ended meanwhile, the statement touches no row, and the family
//! is read after all.

use gatepass_keys::{HashedToken, TokenId};
use gatepass_store::token_grant::TokenGrant;
use quick_cache::sync::Cache;
use std::sync::Arc;

/// How many families are remembered; less than half a kilobyte each.
const CAPACITY: usize = 8 * 1024;

pub(crate) struct Families(Cache<TokenId, Arc<TokenGrant>>);

impl Default for Families {
    fn default() -> Self {
        Self(Cache::new(CAPACITY))
    }
}

impl Families {
    /// The family of a token that was its current one when it rotated last.
    pub(crate) fn with_current(&self, id: TokenId, presented: HashedToken) -> Option<Arc<TokenGrant>> {
        self.0.get(&id).filter(|family| family.refresh_hash == Some(presented))
    }

    /// A family has rotated here.
    pub(crate) fn remember(&self, family: TokenGrant) {
        self.0.insert(family.id, Arc::new(family));
    }
}
