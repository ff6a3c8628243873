//! Fetching the next access token: once per machine, whoever asks and however many.
//!
//! 1. Lock the account's file, waiting a bounded time.
//! 2. Read the vault again: another process may have refreshed meanwhile. Then adopt its tokens.
//! 3. Rehearse the write. A refresh whose answer could not be kept is not begun, since the server may
//!    take the old refresh token for spent.
//! 4. Ask the token endpoint.
//! 5. Write the answer with `fsync`, and only then use it.
//!
//! A crash between 4 and 5 leaves the old refresh token in the vault. gatepass's server answers a
//! repeat of the last rotation with the same tokens, so the next process simply asks again.
//!
//! There are three outcomes, and only one ends a sign-in: `invalid_grant` or `invalid_client` from the
//! token endpoint itself. All else says nothing about the sign-in and changes nothing.

use crate::{
    AccountId, Bearer, Failure, Freshness, Refusal, SignIns,
    lock::{FileLock, LockError},
    token_endpoint::TokenEndpoint,
    tokens::Tokens,
    vault::{VaultError, contents::SignIn},
};
use gatepass_oauth::{ErrorCode, UtcMillis};
use std::time::{Duration, Instant};

/// How long to wait for another process's refresh: longer than its request may take.
const LOCK_WAIT: Duration = Duration::from_secs(45);
/// How long between two looks at the lock.
const PAUSE: Duration = Duration::from_millis(20);

/// What became of a refresh.
#[derive(Debug)]
pub enum Renewal {
    /// There are tokens that serve: fetched now, or by another process.
    Refreshed(Bearer),
    /// It could not be done now. Nothing is lost; the old token is given if it still works.
    Transient {
        /// What stood in the way.
        cause: Transient,
        /// The token that was to be replaced, unless it is over.
        still_good: Option<Bearer>,
    },
    /// The server ended the sign-in. Its tokens are forgotten; the account stays known.
    Rejected(Refusal),
    /// There is no such sign-in, or it was ended before.
    SignedOut,
}

/// What stood in the way of a refresh.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Transient {
    /// The server.
    #[error(transparent)]
    Server(#[from] Failure),
    /// Another process refreshes and does not come to an end.
    #[error("another process is refreshing this sign-in")]
    Busy,
}

/// Why a token is to be replaced.
#[derive(Clone, Copy, Debug)]
pub enum Reason<'a> {
    /// It nears its end.
    Age,
    /// Less of its life is left than somebody needs.
    TooShort(Duration),
    /// A resource answered 401 to it.
    Unauthorized(&'a Bearer),
}

impl SignIns {
    /// Replaces the access token of an account for a reason, unless the reason is gone by the time the
    /// lock is had.
    ///
    /// # Errors
    /// [`VaultError`]; then nothing was changed.
    pub async fn renew(&self, account: &AccountId, reason: Reason<'_>) -> Result<Renewal, VaultError> {
        let Some(seen) = self.stored(account).await? else { return Ok(Renewal::SignedOut) };
        // Step 1.
        let _lock = match self.account_lock(account, &seen, reason).await? {
            Some(lock) => lock,
            None => return Ok(Renewal::Transient { cause: Transient::Busy, still_good: self.usable(&seen) }),
        };
        // Step 2.
        let Some(sign_in) = self.stored(account).await? else { return Ok(Renewal::SignedOut) };
        let Some(tokens) = &sign_in.tokens else { return Ok(Renewal::SignedOut) };
        if let Some(bearer) = self.usable(&sign_in)
            && self.serves(&sign_in, tokens, seen.generation, reason)
        {
            return Ok(Renewal::Refreshed(bearer));
        }
        let Some(refresh_token) = &tokens.refresh_token else {
            return Ok(self.without_refresh_token(&sign_in, reason));
        };
        // Step 3.
        self.with_vault(|vault| vault.rehearse()).await?;
        // Step 4.
        let endpoint = TokenEndpoint {
            asker: sign_in.asker(self.transport()),
            url: &sign_in.token_endpoint,
            resource: sign_in.resource.as_ref(),
            audience: sign_in.terms.audience.as_deref(),
            provider: sign_in.terms.provider(),
        };
        let requested_at = self.clock().now();
        match endpoint.refresh(refresh_token).await {
            Ok(response) => {
                let next = Tokens::from_response(response, &tokens.scope, Some(refresh_token), requested_at);
                self.store(account, Some(next)).await
            }
            Err(Failure::Refused(refusal)) if ends_sign_in(&refusal) => {
                self.store(account, None).await?;
                Ok(Renewal::Rejected(refusal))
            }
            Err(failure) => {
                Ok(Renewal::Transient { cause: failure.into(), still_good: self.still_good(&sign_in, reason) })
            }
        }
    }

    /// Step 5.
    async fn store(&self, account: &AccountId, tokens: Option<Tokens>) -> Result<Renewal, VaultError> {
        let id = account.clone();
        let bearer = self
            .with_vault(move |vault| {
                vault.update(|contents| {
                    let sign_in = contents.get_mut(&id)?;
                    sign_in.tokens = tokens;
                    sign_in.generation = sign_in.generation.saturating_add(1);
                    Bearer::of(sign_in)
                })
            })
            .await?;
        Ok(bearer.map_or(Renewal::SignedOut, Renewal::Refreshed))
    }

    /// Step 1: the lock, or `None` when it is not had in time. A token that still works is not worth
    /// waiting for: whoever holds the lock is replacing it.
    async fn account_lock(
        &self,
        account: &AccountId,
        seen: &SignIn,
        reason: Reason<'_>,
    ) -> Result<Option<FileLock>, VaultError> {
        let home = self.vault().home();
        home.create().map_err(|source| VaultError::Io { what: "make", path: home.path().to_owned(), source })?;
        let path = home.account_lock(account);
        let wait = match reason {
            Reason::Age if self.usable(seen).is_some() => Duration::ZERO,
            _ => LOCK_WAIT,
        };
        let started = Instant::now();
        loop {
            match FileLock::try_take(&path) {
                Ok(lock) => return Ok(Some(lock)),
                Err(LockError::Busy(_)) if started.elapsed() >= wait => return Ok(None),
                Err(LockError::Busy(_)) => tokio::time::sleep(PAUSE).await,
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Step 2: whether the stored tokens answer the reason. Tokens newer than those that were seen before
    /// the lock always do: they cannot be made newer still.
    fn serves(&self, stored: &SignIn, tokens: &Tokens, seen: u64, reason: Reason<'_>) -> bool {
        let now = self.clock().now();
        match reason {
            Reason::Unauthorized(used) => stored.generation > used.generation(),
            Reason::Age => stored.generation > seen || tokens.freshness(now, 0) == Freshness::Fresh,
            Reason::TooShort(span) => stored.generation > seen || tokens.lasts(span, now),
        }
    }

    /// A sign-in that cannot be refreshed lasts as long as its token does.
    fn without_refresh_token(&self, sign_in: &SignIn, reason: Reason<'_>) -> Renewal {
        match (reason, self.usable(sign_in)) {
            (Reason::Age | Reason::TooShort(_), Some(bearer)) => Renewal::Refreshed(bearer),
            _ => Renewal::SignedOut,
        }
    }

    fn still_good(&self, sign_in: &SignIn, reason: Reason<'_>) -> Option<Bearer> {
        match reason {
            Reason::Unauthorized(_) => None,
            Reason::Age | Reason::TooShort(_) => self.usable(sign_in),
        }
    }

    /// The token of a sign-in, unless it is over.
    fn usable(&self, sign_in: &SignIn) -> Option<Bearer> {
        let now: UtcMillis = self.clock().now();
        sign_in
            .tokens
            .as_ref()
            .filter(|tokens| tokens.freshness(now, 0) != Freshness::Expired)
            .and_then(|_| Bearer::of(sign_in))
    }

    async fn stored(&self, account: &AccountId) -> Result<Option<SignIn>, VaultError> {
        let id = account.clone();
        self.with_vault(move |vault| Ok(vault.read()?.get(&id).cloned())).await
    }
}

fn ends_sign_in(refusal: &Refusal) -> bool {
    refusal.is(ErrorCode::InvalidGrant) || refusal.is(ErrorCode::InvalidClient)
}
