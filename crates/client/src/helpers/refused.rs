//! A token that a tool's server refused: the next one who asks gets a new one.
//!
//! A refusal says nothing about the sign-in, so it ends nothing. A server that refuses every token must not have us fetch
//! one for each of its refusals either: a token that was fetched for that reason a moment ago is not fetched anew.

use crate::{AccountId, Bearer, BearerError, Contents, SignIns, vault::VaultError};
use gatepass_keys::Secret;
use gatepass_oauth::UtcMillis;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// How long a token that replaced a refused one is not replaced again.
const CALM: Duration = Duration::from_secs(60);

/// A refusal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refused {
    /// Whose token.
    pub account: AccountId,
    /// Which: the generation of the tokens.
    pub generation: u64,
    /// When.
    pub at: UtcMillis,
}

impl Contents {
    /// Notes that the token of an account was refused; whether it will be replaced. With a token, only that one is meant.
    fn refuse(&mut self, account: &AccountId, token: Option<&Secret>, now: UtcMillis) -> bool {
        let Some(sign_in) = self.get(account) else { return false };
        let (generation, current) = (sign_in.generation, sign_in.tokens.as_ref());
        let is_current =
            current.is_some_and(|tokens| token.is_none_or(|token| token.expose() == tokens.access_token.expose()));
        if !is_current {
            return false;
        }
        let before = self.helpers.refused.iter().find(|known| known.account == *account);
        let is_new = before.is_some_and(|before| {
            before.generation == generation
                || (before.generation + 1 == generation && now >= before.at && before.at.until(now) < CALM)
        });
        if is_new {
            return false;
        }
        self.helpers.refused.retain(|known| known.account != *account);
        self.helpers.refused.push(Refused { account: account.clone(), generation, at: now });
        true
    }

    fn is_refused(&self, account: &AccountId, generation: u64) -> bool {
        self.helpers.refused.iter().any(|known| known.account == *account && known.generation == generation)
    }
}

impl SignIns {
    /// Notes that a server refused an account's token, so that the next helper fetches a new one. Whether it will:
    /// another token than the stored one is old, and one that was fetched for this reason within the minute stays.
    ///
    /// # Errors
    /// [`VaultError`].
    pub fn token_refused(&self, account: &AccountId, token: Option<&Secret>) -> Result<bool, VaultError> {
        let now = self.clock().now();
        // Tools erase what was never ours as well: the vault is written only when there is something to note.
        if !self.vault().read()?.refuse(account, token, now) {
            return Ok(false);
        }
        self.vault().update(|contents| contents.refuse(account, token, now))
    }

    /// The stored token for a helper, if it is fresh and was not refused. No network, no runtime.
    ///
    /// # Errors
    /// [`VaultError`].
    pub fn fresh_bearer_for_helper(&self, account: &AccountId) -> Result<Option<Bearer>, VaultError> {
        let contents = self.vault().read()?;
        let fresh = contents
            .get(account)
            .filter(|sign_in| self.is_fresh(sign_in, None) && !contents.is_refused(account, sign_in.generation));
        Ok(fresh.and_then(Bearer::of))
    }

    /// A token for a helper: the stored one, or a new one if it nears its end or was refused.
    ///
    /// # Errors
    /// [`BearerError`].
    pub async fn bearer_for_helper(&self, account: &AccountId) -> Result<Bearer, BearerError> {
        let id = account.clone();
        let refused = self
            .with_vault(move |vault| {
                let contents = vault.read()?;
                let sign_in = contents.get(&id).filter(|sign_in| contents.is_refused(&id, sign_in.generation));
                Ok(sign_in.and_then(Bearer::of))
            })
            .await?;
        match refused {
            Some(used) => self.refresh_after_401(account, &used).await,
            None => self.bearer(account, None).await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Account, SignIn, Tokens};

    const T0: UtcMillis = UtcMillis(1_790_000_000_000);

    fn contents() -> (Contents, AccountId) {
        let account = Account {
            issuer: "https://a.example".parse().unwrap(),
            client_id: "cli".parse().unwrap(),
            subject: Some("u1".into()),
            email: None,
            name: None,
            space: None,
        };
        let id = account.id();
        let mut contents = Contents::default();
        contents.put(SignIn {
            account,
            scope: "read".parse().unwrap(),
            resource: None,
            token_endpoint: "https://a.example/t".parse().unwrap(),
            revocation_endpoint: None,
            authentication: Default::default(),
            dpop_key: None,
            terms: Default::default(),
            renewal: Default::default(),
            generation: 0,
            tokens: Some(Tokens {
                access_token: "now".into(),
                token_type: gatepass_oauth::TokenType::Bearer,
                refresh_token: None,
                scope: "read".parse().unwrap(),
                obtained_at: T0,
                expires_at: None,
                id_token: None,
                asked_for_less: false,
            }),
        });
        (contents, id)
    }

    #[test]
    fn only_the_token_that_is_stored_can_be_refused() {
        let (mut contents, id) = contents();
        assert!(!contents.refuse(&id, Some(&"older".into()), T0));
        assert!(contents.refuse(&id, Some(&"now".into()), T0) && contents.is_refused(&id, 1));
        assert!(!contents.refuse(&id, None, T0), "it was noted before");
    }

    #[test]
    fn a_server_that_refuses_everything_causes_one_refresh_a_minute() {
        let (mut contents, id) = contents();
        assert!(contents.refuse(&id, None, T0));
        contents.get_mut(&id).unwrap().generation += 1;
        assert!(!contents.refuse(&id, None, T0.plus(Duration::from_secs(59))));
        assert!(contents.refuse(&id, None, T0.plus(Duration::from_secs(61))));
        contents.remove(&id);
        assert!(contents.helpers.refused.is_empty());
    }
}
