//! Fetching the next access token: once per machine, whoever asks and however many.
//!
//! 1. Lock the account's file, waiting a bounded time.
//! 2. Read the vault again: another process may have refreshed meanwhile. Then adopt its tokens.
//! 3. Rehearse the write. A refresh whose answer could not be kept is not begun, since the server may
//!    take the old refresh token for spent.
//! 4. Ask the token endpoint.
//! 5. Write the answer with `fsync`, and only then use it, unless the vault holds another refresh token by now than the
//!    one that was presented: then that one is newer, and this one must not take its place.
//!
//! A crash between 4 and 5 leaves the old refresh token in the vault. gatepass's server answers a
//! repeat of the last rotation with the same tokens, so the next process simply asks again. Steps 4 and 5 go on when
//! the caller does not wait any more: at a server that does not repeat itself the answer is all there is.
//!
//! Ages are told by the local clock, and the clock may be wrong, set back or set on. So a token that seems to come from
//! the future is doubted, tokens that came while we waited are judged by how long we waited, and after a 401 nobody
//! believes the clock. Each of these costs one refresh at most.
//!
//! Where the vault cannot be written (a full disk, a folder that is read-only) no refresh is begun, and the token that is
//! there is used as long as it lives.
//!
//! A service or a workload has no refresh token: the request of its sign-in is made again ([`Grant`]), by the same steps. An
//! assertion that is refused is no end then, since the platform gives another in time.
//!
//! Some servers answer a repeat of the last rotation with the same tokens. If the refresh token was last shown for a token
//! that may do less ([`crate::exchange`]) and the answer was lost, that answer may come now: of it the refresh token alone
//! is kept, and fetches the sign-in's own token.
//!
//! There are three outcomes, and only one ends a sign-in: `invalid_grant` or `invalid_client` from the
//! token endpoint itself. All else says nothing about the sign-in and changes nothing.

use crate::{
    AccountId, Bearer, Failure, Freshness, Grant, NoAssertion, Refusal, SignIns, Unreachable,
    grant::NotGranted,
    id_token,
    lock::{FileLock, LockError},
    token_endpoint::TokenEndpoint,
    tokens::Tokens,
    vault::{VaultError, contents::SignIn},
};
use gatepass_oauth::{ErrorCode, Secret, TokenResponse, UtcMillis};
use std::time::{Duration, Instant};

/// How long to wait for another process's refresh: longer than its request may take.
pub(crate) const LOCK_WAIT: Duration = Duration::from_secs(45);
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
    /// There was no assertion to show.
    #[error(transparent)]
    NoAssertion(#[from] NoAssertion),
    /// Another process refreshes and does not come to an end.
    #[error("another process is refreshing this sign-in")]
    Busy,
    /// The answer could not be kept, so the server was not asked, or its answer is not used; the text is that of a
    /// [`VaultError`].
    #[error("what the server would send could not be kept: {0}")]
    CannotKeep(String),
}

/// What step 4 was begun with.
pub(crate) struct Presented {
    pub(crate) sign_in: SignIn,
    /// `None` where the grant of the sign-in is made again.
    pub(crate) refresh_token: Option<Secret>,
}

impl From<NotGranted> for Transient {
    fn from(error: NotGranted) -> Self {
        match error {
            NotGranted::Server(failure) => Self::Server(failure),
            NotGranted::NoAssertion(none) => Self::NoAssertion(none),
        }
    }
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

impl std::fmt::Display for Reason<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Age => f.write_str("the old one nears its end"),
            Self::TooShort(span) => write!(f, "the old one lasts for less than {} s", span.as_secs()),
            Self::Unauthorized(_) => f.write_str("a resource answered 401 to the old one"),
        }
    }
}

impl Presented {
    /// Whether what the vault holds is still what was begun with.
    fn is_current(&self, stored: &SignIn) -> bool {
        match &self.refresh_token {
            None => stored.tokens.is_some() && stored.generation == self.sign_in.generation,
            Some(shown) => stored.tokens.as_ref().is_some_and(|tokens| tokens.is_refreshed_with(shown)),
        }
    }

    fn asked_for_less(&self) -> bool {
        self.sign_in.tokens.as_ref().is_some_and(|tokens| tokens.asked_for_less)
    }
}

impl SignIns {
    /// Replaces the access token of an account for a reason, unless the reason is gone by the time the
    /// lock is had.
    ///
    /// # Errors
    /// [`VaultError`]; then nothing was changed.
    pub async fn renew(&self, account: &AccountId, reason: Reason<'_>) -> Result<Renewal, VaultError> {
        let started = Instant::now();
        tracing::debug!("account {account}: a new token is needed, since {reason}");
        let Some(seen) = self.stored(account).await? else { return Ok(Renewal::SignedOut) };
        let transient =
            |cause, sign_in: &SignIn| Ok(Renewal::Transient { cause, still_good: self.still_good(sign_in, reason) });
        // Step 1.
        let lock = match self.account_lock(account, self.patience(&seen, reason)).await {
            Ok(Some(lock)) => lock,
            Ok(None) => return transient(Transient::Busy, &seen),
            Err(error) => return transient(Transient::CannotKeep(error.to_string()), &seen),
        };
        // Step 2.
        let Some(sign_in) = self.stored(account).await? else { return Ok(Renewal::SignedOut) };
        let Some(tokens) = &sign_in.tokens else { return Ok(Renewal::SignedOut) };
        let came_meanwhile = sign_in.generation > seen.generation && tokens.outlasts(started.elapsed());
        if (came_meanwhile || self.serves(&sign_in, tokens, reason))
            && let Some(bearer) = Bearer::of(&sign_in)
        {
            tracing::debug!("account {account}: another process has refreshed, its token is adopted");
            return Ok(Renewal::Refreshed(bearer));
        }
        let refresh_token = match sign_in.renewal {
            Grant::RefreshToken => match tokens.refresh_token.clone() {
                Some(token) => Some(token),
                None => return Ok(self.without_refresh_token(&sign_in, reason)),
            },
            Grant::ClientCredentials | Grant::Assertion { .. } => None,
        };
        // Step 3.
        if let Err(error) = self.with_vault(|vault| vault.rehearse()).await {
            return transient(Transient::CannotKeep(error.to_string()), &sign_in);
        }
        let (this, presented) = (self.clone(), Presented { sign_in: sign_in.clone(), refresh_token });
        let working = self.see_through(async move {
            // Who was stopped for long may have lost it, and a token that was given up meanwhile must not be shown again.
            match lock.is_held() {
                true => this.fetch(presented).await,
                false => Err(Transient::Busy),
            }
        });
        match working.await? {
            Ok(renewal) => Ok(renewal),
            Err(cause) => transient(cause, &sign_in),
        }
    }

    /// Steps 4 and 5. A repeated answer may tell of an access token whose life is over by now, or of one that may do less;
    /// then the refresh token that came with it fetches the next.
    pub(crate) async fn fetch(&self, presented: Presented) -> Result<Renewal, Transient> {
        let account = presented.sign_in.account.id();
        let may_be_less = presented.asked_for_less();
        let renewal = self.fetch_once(presented).await?;
        let Renewal::Refreshed(bearer) = &renewal else { return Ok(renewal) };
        if !may_be_less && bearer.expires_at().is_none_or(|end| self.clock().now() < end) {
            return Ok(renewal);
        }
        let stored = self.stored(&account).await.map_err(|error| Transient::CannotKeep(error.to_string()))?;
        let token = stored.as_ref().and_then(|sign_in| sign_in.tokens.as_ref()?.refresh_token.clone());
        match (stored, token) {
            (Some(sign_in), Some(refresh_token)) => {
                self.fetch_once(Presented { sign_in, refresh_token: Some(refresh_token) }).await
            }
            _ => Ok(renewal),
        }
    }

    async fn fetch_once(&self, presented: Presented) -> Result<Renewal, Transient> {
        let requested_at = self.clock().now();
        // Step 4. What broke off may have been done: the same again, at once, has the same answer.
        let answer = match self.ask(&presented).await {
            Err(Transient::Server(Failure::Unreachable { why: Unreachable::BrokenOff, .. })) => {
                self.ask(&presented).await
            }
            answer => answer,
        };
        if let (Ok(response), Some(shown), true) = (&answer, &presented.refresh_token, presented.asked_for_less()) {
            let next = response.refresh_token.as_ref().unwrap_or(shown).clone();
            let kept = self.keep_rotation(&presented.sign_in.account.id(), shown, next).await;
            let kept = kept.map_err(|error| Transient::CannotKeep(error.to_string()))?;
            return Ok(kept.map_or(Renewal::SignedOut, Renewal::Refreshed));
        }
        let (next, refusal) = match answer {
            Ok(response) => {
                let scope = presented.sign_in.tokens.as_ref().map_or(&presented.sign_in.scope, |tokens| &tokens.scope);
                let previous = presented.refresh_token.as_ref();
                let mut next = Tokens::from_response(response, scope, previous, requested_at);
                if let Some(tokens) = &presented.sign_in.tokens {
                    next.id_token = id_token::next(next.id_token, tokens, &presented.sign_in, requested_at);
                }
                (Some(next), None)
            }
            Err(Transient::Server(Failure::Refused(refusal))) if ends_sign_in(&refusal, &presented.sign_in.renewal) => {
                (None, Some(refusal))
            }
            Err(cause) => return Err(cause),
        };
        // Step 5.
        let account = presented.sign_in.account.id();
        let stored = self.store(presented, next).await.map_err(|error| Transient::CannotKeep(error.to_string()))?;
        Ok(match (stored, refusal) {
            (Some(bearer), _) => {
                tracing::debug!("account {account}: refreshed and kept");
                Renewal::Refreshed(bearer)
            }
            (None, Some(refusal)) => {
                tracing::debug!("account {account}: the server ended the sign-in, its tokens are forgotten");
                Renewal::Rejected(refusal)
            }
            (None, None) => Renewal::SignedOut,
        })
    }

    async fn ask(&self, presented: &Presented) -> Result<TokenResponse, Transient> {
        let sign_in = &presented.sign_in;
        let endpoint = TokenEndpoint {
            asker: sign_in.asker(self),
            url: &sign_in.token_endpoint,
            resource: sign_in.resource.as_ref(),
            audience: sign_in.terms.audience.as_deref(),
            provider: sign_in.terms.provider(),
        };
        match &presented.refresh_token {
            Some(token) => Ok(endpoint.refresh(token).await?),
            // Boxed, since it is rare and would make every refresh's future larger.
            None => Ok(Box::pin(sign_in.renewal.ask(self.transport(), &endpoint, &sign_in.scope)).await?.0),
        }
    }

    /// Step 5: the token that is stored afterwards.
    async fn store(&self, presented: Presented, tokens: Option<Tokens>) -> Result<Option<Bearer>, VaultError> {
        self.with_vault(move |vault| {
            vault.update(|contents| {
                let sign_in = contents.get_mut(&presented.sign_in.account.id())?;
                if presented.is_current(sign_in) {
                    sign_in.tokens = tokens;
                    sign_in.generation = sign_in.generation.saturating_add(1);
                }
                Bearer::of(sign_in)
            })
        })
        .await
    }

    /// How long the lock is worth waiting for. While a token surely works it is not: whoever holds it is replacing that
    /// token.
    fn patience(&self, seen: &SignIn, reason: Reason<'_>) -> Duration {
        let now = self.clock().now();
        let works = seen
            .tokens
            .as_ref()
            .is_some_and(|tokens| matches!(tokens.freshness(now, 0), Freshness::Fresh | Freshness::Due));
        match reason {
            Reason::Age if works => Duration::ZERO,
            _ => LOCK_WAIT,
        }
    }

    /// Step 1: the lock, or `None` when it is not had in time. Nobody keeps a thread while they wait: the holder needs
    /// one to come to its end.
    pub(crate) async fn account_lock(
        &self,
        account: &AccountId,
        wait: Duration,
    ) -> Result<Option<FileLock>, VaultError> {
        self.vault().make_home()?;
        let home = self.vault().home();
        let mut wanted = home.wanted(home.account_lock(account));
        let started = tokio::time::Instant::now();
        loop {
            match wanted.try_take() {
                Ok(lock) => return Ok(Some(lock)),
                Err(LockError::Busy(_)) if started.elapsed() >= wait => return Ok(None),
                Err(LockError::Busy(_)) => tokio::time::sleep(PAUSE).await,
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Step 2: whether the stored tokens answer the reason. (Those that came while we waited for the lock always do: they
    /// cannot be made newer still.)
    fn serves(&self, stored: &SignIn, tokens: &Tokens, reason: Reason<'_>) -> bool {
        let now = self.clock().now();
        let is_fresh = tokens.freshness(now, 0) == Freshness::Fresh;
        match reason {
            Reason::Unauthorized(used) => stored.generation > used.generation() && is_fresh,
            Reason::Age => is_fresh,
            Reason::TooShort(span) => tokens.lasts(span, now),
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

    pub(crate) async fn stored(&self, account: &AccountId) -> Result<Option<SignIn>, VaultError> {
        let id = account.clone();
        self.with_vault(move |vault| Ok(vault.read()?.get(&id).cloned())).await
    }
}

fn ends_sign_in(refusal: &Refusal, renewal: &Grant) -> bool {
    let ends_grant = refusal.is(ErrorCode::InvalidGrant) && !matches!(renewal, Grant::Assertion { .. });
    ends_grant || refusal.is(ErrorCode::InvalidClient)
}
