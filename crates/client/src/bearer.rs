//! Tokens that may be used now, and requests that carry them.

use crate::{
    AccountId, Call, Failure, Freshness, Refusal, Reply, SignIns,
    refresh::{Reason, Renewal, Transient},
    vault::{VaultError, contents::SignIn},
};
use gatepass_oauth::{Secret, UtcMillis};
use std::time::Duration;

/// An access token that may be used now.
#[derive(Clone, Debug)]
pub struct Bearer {
    token: Secret,
    expires_at: Option<UtcMillis>,
    generation: u64,
}

impl Bearer {
    pub(crate) fn of(sign_in: &SignIn) -> Option<Self> {
        let tokens = sign_in.tokens.as_ref()?;
        Some(Self { token: tokens.access_token.clone(), expires_at: tokens.expires_at, generation: sign_in.generation })
    }

    /// The token.
    #[must_use]
    pub fn token(&self) -> &Secret {
        &self.token
    }

    /// When it ends, if the server said so.
    #[must_use]
    pub fn expires_at(&self) -> Option<UtcMillis> {
        self.expires_at
    }

    /// Which of the account's tokens it is: it grows with each.
    #[must_use]
    pub fn generation(&self) -> u64 {
        self.generation
    }
}

/// Why there is no token to use.
#[derive(Debug, thiserror::Error)]
pub enum BearerError {
    /// Nobody is signed in as this account, or the sign-in has come to its end.
    #[error("the sign-in has ended")]
    SignedOut,
    /// The server ended the sign-in just now.
    #[error("the server ended the sign-in: {0}")]
    Rejected(Refusal),
    /// No new token could be had now. The sign-in is kept.
    #[error("no new token could be had, and the sign-in is kept: {0}")]
    Transient(Transient),
    /// The vault.
    #[error(transparent)]
    Vault(#[from] VaultError),
}

/// Why an authorized request brought no answer.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// There was no token to send with it.
    #[error(transparent)]
    Bearer(#[from] BearerError),
    /// It was sent, and no answer came.
    #[error(transparent)]
    Failure(#[from] Failure),
}

impl SignIns {
    /// The stored token of an account, if it is fresh (and lasts for `at_least`, if given). No network,
    /// no runtime.
    ///
    /// # Errors
    /// [`VaultError`].
    pub fn fresh_bearer(&self, account: &AccountId, at_least: Option<Duration>) -> Result<Option<Bearer>, VaultError> {
        let contents = self.vault().read()?;
        Ok(contents.get(account).filter(|sign_in| self.is_fresh(sign_in, at_least)).and_then(Bearer::of))
    }

    /// Whether the token of a sign-in needs no refresh now.
    #[must_use]
    pub fn is_fresh(&self, sign_in: &SignIn, at_least: Option<Duration>) -> bool {
        let now = self.clock().now();
        // The millisecond at which somebody asks is spread well enough, and costs nothing: waking the
        // source of randomness takes longer than all else that `fresh_bearer` does.
        let jitter = u32::try_from(now.0.rem_euclid(1000)).unwrap_or(0);
        sign_in.tokens.as_ref().is_some_and(|tokens| match at_least {
            Some(span) => tokens.lasts(span, now),
            None => tokens.freshness(now, jitter) == Freshness::Fresh,
        })
    }

    /// A token of an account, refreshed before it ends. A server that cannot be reached does no harm as
    /// long as the old token works.
    ///
    /// # Errors
    /// [`BearerError`].
    pub async fn bearer(&self, account: &AccountId, at_least: Option<Duration>) -> Result<Bearer, BearerError> {
        let id = account.clone();
        let stored = self.with_vault(move |vault| Ok(vault.read()?.get(&id).cloned())).await?;
        let stored = stored.ok_or(BearerError::SignedOut)?;
        if self.is_fresh(&stored, at_least)
            && let Some(bearer) = Bearer::of(&stored)
        {
            return Ok(bearer);
        }
        match self.renew(account, at_least.map_or(Reason::Age, Reason::TooShort)).await? {
            Renewal::Transient { still_good: Some(bearer), cause } => {
                tracing::debug!(%cause, "the token could not be refreshed and is used as long as it works");
                Ok(bearer)
            }
            other => settled(other),
        }
    }

    /// The token to repeat a request with, after a resource answered 401 to `used`.
    ///
    /// # Errors
    /// [`BearerError`].
    pub async fn refresh_after_401(&self, account: &AccountId, used: &Bearer) -> Result<Bearer, BearerError> {
        settled(self.renew(account, Reason::Unauthorized(used)).await?)
    }

    /// Sends a request with an account's token, once more with a new one if the answer is 401.
    ///
    /// # Errors
    /// [`CallError`]; an answer of any status is none.
    pub async fn call(&self, account: &AccountId, call: Call) -> Result<Reply, CallError> {
        let bearer = self.bearer(account, None).await?;
        let reply = self.transport().send(call.clone().with_bearer(bearer.token())).await?;
        if reply.status != 401 {
            return Ok(reply);
        }
        let bearer = self.refresh_after_401(account, &bearer).await?;
        Ok(self.transport().send(call.with_bearer(bearer.token())).await?)
    }
}

fn settled(renewal: Renewal) -> Result<Bearer, BearerError> {
    match renewal {
        Renewal::Refreshed(bearer) => Ok(bearer),
        Renewal::Transient { cause, .. } => Err(BearerError::Transient(cause)),
        Renewal::Rejected(refusal) => Err(BearerError::Rejected(refusal)),
        Renewal::SignedOut => Err(BearerError::SignedOut),
    }
}
