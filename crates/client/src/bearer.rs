//! Tokens that may be used now, and requests that carry them: alone, or with a proof of the key that they are bound to.

use crate::{
    AccountId, Call, DpopKey, Failure, Freshness, Prover, Refusal, Reply, SignIns, TlsIdentity, Transport,
    agent::{Caller, Granted},
    dpop::{
        holder::{Hand, KeyHolder, NoProof},
        lesson::{Complaint, Lesson},
        memory::Known,
    },
    refresh::{Reason, Renewal, Transient},
    told::Told,
    vault::{VaultError, contents::SignIn},
};
use gatepass_keys::{Clock, Entropy, dpop::Wanted};
use gatepass_oauth::{ErrorCode, Secret, TokenType, UtcMillis, dpop};
use reqwest::header::HeaderMap;
use std::time::{Duration, Instant};
use url::Url;

/// An access token that may be used now.
#[derive(Clone, Debug)]
pub struct Bearer {
    token: Secret,
    expires_at: Option<UtcMillis>,
    life: Option<Duration>,
    generation: u64,
    /// There for a token that is bound to it, and for no other.
    key: Option<KeyHolder>,
    /// What its client showed when it was given: it may be bound to that.
    certificate: Option<TlsIdentity>,
}

impl Bearer {
    /// The access token of a sign-in, fresh or not; `None` when the sign-in has ended.
    #[must_use]
    pub fn of(sign_in: &SignIn) -> Option<Self> {
        let tokens = sign_in.tokens.as_ref()?;
        let key = match tokens.token_type {
            TokenType::Bearer => None,
            TokenType::Dpop => Some(KeyHolder::Vault(sign_in.dpop_key.clone()?)),
        };
        Some(Self {
            token: tokens.access_token.clone(),
            expires_at: tokens.expires_at,
            life: tokens.expires_at.map(|end| tokens.obtained_at.until(end)),
            generation: sign_in.generation,
            key,
            certificate: sign_in.authentication.certificate().cloned(),
        })
    }

    /// A token that came from elsewhere, of which nothing else is known.
    #[must_use]
    pub fn plain(token: Secret, expires_at: Option<UtcMillis>) -> Self {
        Self { token, expires_at, life: None, generation: 0, key: None, certificate: None }
    }

    /// A token that an agent handed out, and makes the proofs for if it is bound to a key.
    #[must_use]
    pub fn granted(granted: &Granted, by: &Caller) -> Self {
        let key = granted.is_bound().then(|| KeyHolder::Agent(by.clone()));
        Self { key, ..Self::plain(granted.access_token.clone(), granted.expires_at()) }
    }

    /// How it is used: the word before it in the `Authorization` header.
    #[must_use]
    pub fn scheme(&self) -> &'static str {
        if self.key.is_some() { "DPoP" } else { "Bearer" }
    }

    /// Who holds the key that it is bound to, without which it is of no use.
    #[must_use]
    pub fn key(&self) -> Option<&KeyHolder> {
        self.key.as_ref()
    }

    /// The headers that authorize one request (RFC 6750 §2.1, RFC 9449 §7.1), for those who have an HTTP client of their
    /// own: names in small letters. `nonce` is what the resource gave last, [`crate::dpop::memory::Memory`] keeps it;
    /// a token that is not bound needs none of the rest. Where an agent holds the key, this waits for it.
    ///
    /// # Errors
    /// [`NoProof`], for a bound token only.
    pub fn headers(
        &self,
        method: &str,
        url: &Url,
        nonce: Option<&str>,
        clock: &Clock,
        entropy: &Entropy,
    ) -> Result<Vec<(&'static str, Secret)>, NoProof> {
        let proof = match &self.key {
            Some(key) => Some(key.hand().prove_now(&self.wanted(method, url, nonce), clock, entropy)?),
            None => None,
        };
        Ok(self.with(proof))
    }

    fn wanted<'a>(&'a self, method: &'a str, url: &'a Url, nonce: Option<&'a str>) -> Wanted<'a> {
        Wanted { method, url: url.as_str(), nonce, access_token: Some(self.token.expose()) }
    }

    fn with(&self, proof: Option<Secret>) -> Vec<(&'static str, Secret)> {
        let authorization = ("authorization", format!("{} {}", self.scheme(), self.token.expose()).into());
        [Some(authorization), proof.map(|proof| (dpop::HEADER, proof))].into_iter().flatten().collect()
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

    /// Whether it may have come to its end within `span`, although it was good before: what is given out as good has a
    /// quarter of its life left.
    fn may_end_within(&self, span: Duration) -> bool {
        self.life.is_some_and(|life| span >= life / 4)
    }

    /// Which of the account's tokens it is: it grows with each.
    #[must_use]
    pub fn generation(&self) -> u64 {
        self.generation
    }
}

/// What authorizes one request.
#[derive(Clone, Debug)]
pub struct Authorization {
    /// Headers, their names in small letters.
    pub headers: Vec<(&'static str, Secret)>,
    /// What a proof among them was made by.
    known: Option<Known>,
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
            tracing::debug!("the stored token of account {account} is fresh");
            return Ok(bearer);
        }
        match self.renew(account, at_least.map_or(Reason::Age, Reason::TooShort)).await? {
            Renewal::Transient { still_good: Some(bearer), cause } => {
                // Why was told with the request; a server could repeat a secret in its error.
                tracing::debug!("the token could not be refreshed and is used as long as it works");
                self.tell_not_renewed(&stored.account, &cause);
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

    /// Sends a request with an account's token, once more with a new one if the answer is 401. (Twice more, if the new one
    /// came to its end on the way.)
    ///
    /// # Errors
    /// [`CallError`]; an answer of any status is none.
    pub async fn call(&self, account: &AccountId, call: Call) -> Result<Reply, CallError> {
        let first = self.bearer(account, None).await?;
        let reply = self.present(&first, &call).await?;
        if reply.status != 401 {
            return Ok(reply);
        }
        let (second, since) = (self.refresh_after_401(account, &first).await?, Instant::now());
        let reply = self.present(&second, &call).await?;
        if reply.status != 401 || !second.may_end_within(since.elapsed()) {
            return Ok(reply);
        }
        let third = self.refresh_after_401(account, &second).await?;
        Ok(self.present(&third, &call).await?)
    }

    /// Sends a request with this token, as it is used.
    ///
    /// # Errors
    /// [`Failure`]; an answer of any status is none.
    pub async fn present(&self, bearer: &Bearer, call: &Call) -> Result<Reply, Failure> {
        let prover = bearer.key().map(|key| Prover { key: key.hand(), clock: self.clock(), entropy: self.entropy() });
        let certified = bearer.certificate.as_ref().map(|certificate| self.transport().showing(certificate.clone()));
        present(certified.as_ref().unwrap_or(self.transport()), prover, bearer.token(), call).await
    }

    /// What authorizes one request now, by what is known of the resource's nonce and time; see [`Bearer::headers`]. The
    /// answer is to be told to [`SignIns::learn`].
    ///
    /// # Errors
    /// [`NoProof`], for a bound token only.
    pub async fn authorize(&self, bearer: &Bearer, method: &str, url: &Url) -> Result<Authorization, NoProof> {
        let Some(key) = bearer.key() else {
            return Ok(Authorization { headers: bearer.with(None), known: None });
        };
        let known = self.transport().memory().of(url);
        let wanted = bearer.wanted(method, url, known.nonce.as_deref());
        let proof = key.hand().prove(&wanted, &known.clock(self.clock()), self.entropy()).await?;
        Ok(Authorization { headers: bearer.with(Some(proof)), known: Some(known) })
    }

    /// Learns the nonce and the time that an answer to a proof tells, for all that follow; and why the same request, if
    /// it is authorized anew, may be answered otherwise.
    pub fn learn(&self, used: &Authorization, url: &Url, status: u16, headers: &HeaderMap) -> Option<Lesson> {
        let (known, told, memory) = (used.known.as_ref()?, Told::read(headers), self.transport().memory());
        if let Some(nonce) = &told.nonce {
            memory.set_nonce(url, nonce);
        }
        let says = |code: ErrorCode| status == 401 && told.challenges(code.as_str());
        let complaint = match () {
            () if says(ErrorCode::UseDpopNonce) => Complaint::Nonce,
            () if says(ErrorCode::InvalidDpopProof) => Complaint::Proof,
            () => return None,
        };
        complaint.teaches(memory, self.clock(), url, &told, known)
    }

    pub(crate) fn prover<'a>(&'a self, key: &'a DpopKey) -> Prover<'a> {
        Prover { key: Hand::Key(key), clock: self.clock(), entropy: self.entropy() }
    }
}

/// Sends a request with a token: with proofs of its key, or alone.
pub(crate) async fn present(
    transport: &Transport,
    prover: Option<Prover<'_>>,
    token: &Secret,
    call: &Call,
) -> Result<Reply, Failure> {
    match prover {
        Some(prover) => prover.send(transport, Some(token), || Ok(call.clone())).await,
        None => transport.send(call.clone().with_bearer(token)).await,
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
