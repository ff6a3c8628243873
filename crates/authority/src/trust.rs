//! Trust policies, by the operator's hand: whose assertions are taken, and what they stand for.

use crate::{Authority, Event, EventKind, Failure, access_token_jwt::jti};
use gatepass_keys::{JwkSet, TokenId};
use gatepass_oauth::{ClientId, Issuer, ResourceUri, Scope};
use gatepass_store::Change;
use std::{collections::BTreeMap, time::Duration};

pub use gatepass_store::trust::{EmailProof, Trust, TrustGrants};

/// The longest life of a token that an assertion gives.
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);

/// A policy to be made.
#[derive(Debug)]
pub struct NewTrust {
    /// The `iss` of its assertions.
    pub issuer: String,
    /// The issuer's keys; without them they are found by discovery.
    pub jwks: Option<JwkSet>,
    /// The pattern that `sub` matches; `*` stands for any run of characters.
    pub subject: String,
    /// What `aud` may name besides this server.
    pub audiences: Vec<String>,
    /// What other claims must be equal to.
    pub claims: BTreeMap<String, String>,
    /// What its assertions stand for.
    pub stands_for: StandsFor,
    /// The most that its tokens may do.
    pub scope: Scope,
    /// Where its tokens are for, unless for this server's own API.
    pub resource: Option<ResourceUri>,
    /// How long its tokens live at most.
    pub lifetime: Duration,
    /// Whether an assertion may come again.
    pub repeats: Repeats,
}

/// What assertions stand for.
#[derive(Clone, Debug)]
pub enum StandsFor {
    /// The service account with this name.
    Service(String),
    /// This client, for itself.
    Client(ClientId),
    /// The person with the address that the assertion names (an identity assertion, ID-JAG).
    UserByEmail(EmailProof),
}

/// Whether an assertion may come again for as long as it lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Repeats {
    /// Its `jti` is good once.
    Refused,
    /// It may, as the projected tokens of Kubernetes do.
    Taken,
}

/// Why a policy could not be made or removed.
#[derive(Debug, thiserror::Error)]
pub enum TrustRefused {
    /// The issuer is no URL.
    #[error("the issuer '{0}' will not do: {1}")]
    Issuer(String, gatepass_oauth::issuer::InvalidIssuer),
    /// The pattern takes anything.
    #[error("a subject is a pattern of 1 to 1024 characters; one of '*' alone needs a claim that narrows it")]
    Subject,
    /// Too long a life, or none.
    #[error("a lifetime is between 1 second and 24 hours")]
    Lifetime,
    /// A person's assertions are never taken twice.
    #[error("an assertion of a person's sign-in is good once")]
    Repeats,
    /// There is no such service account.
    #[error("there is no service account {0}")]
    NoService(String),
    /// There is no such client.
    #[error("there is no client {0}")]
    NoClient(ClientId),
    /// There is no such policy.
    #[error("there is no trust policy {0}")]
    Unknown(String),
    /// Our own trouble.
    #[error(transparent)]
    Failure(#[from] Failure),
}

/// The name of a policy, for the operator.
#[must_use]
pub fn trust_name(trust: &Trust) -> String {
    jti(trust.id)
}

impl Authority {
    /// Makes a policy.
    ///
    /// # Errors
    /// [`TrustRefused`].
    pub async fn add_trust(&self, new: NewTrust) -> Result<Trust, TrustRefused> {
        if let Err(error) = new.issuer.parse::<Issuer>() {
            return Err(TrustRefused::Issuer(new.issuer, error));
        }
        let takes_any = new.subject.bytes().all(|b| b == b'*') && new.claims.is_empty();
        if takes_any && !matches!(new.stands_for, StandsFor::UserByEmail(_)) || new.subject.len() > 1024 {
            return Err(TrustRefused::Subject);
        }
        if new.lifetime < Duration::from_secs(1) || new.lifetime > LONGEST {
            return Err(TrustRefused::Lifetime);
        }
        if matches!(new.stands_for, StandsFor::UserByEmail(_)) && new.repeats == Repeats::Taken {
            return Err(TrustRefused::Repeats);
        }
        let now = self.0.clock.now();
        let trust = Trust {
            id: TokenId::new(now, &self.0.entropy).map_err(Failure::from)?,
            issuer: new.issuer,
            jwks: new.jwks,
            subject: new.subject,
            audiences: new.audiences,
            claims: new.claims,
            grants: self.granted(new.stands_for).await?,
            scope: new.scope,
            resource: new.resource,
            lifetime: new.lifetime,
            reusable_since: (new.repeats == Repeats::Taken).then_some(now),
            created_at: now,
        };
        self.0.store.add_trust(&trust).await.map_err(Failure::from)?;
        let event = Event::new(EventKind::TrustAdded).about(trust.id).by_operator();
        let event = event.detail(format_args!("{} {}", trust.issuer, trust.subject));
        self.record(event).await;
        Ok(trust)
    }

    async fn granted(&self, stands_for: StandsFor) -> Result<TrustGrants, TrustRefused> {
        match stands_for {
            StandsFor::Service(name) => {
                let found = self.0.store.service_by_name(&name).await.map_err(Failure::from)?;
                found.map(|service| TrustGrants::Service(service.id)).ok_or(TrustRefused::NoService(name))
            }
            StandsFor::Client(id) => match self.find_client(&id).await? {
                Some(_) => Ok(TrustGrants::Client(id)),
                None => Err(TrustRefused::NoClient(id)),
            },
            StandsFor::UserByEmail(proof) => Ok(TrustGrants::UserByEmail(proof)),
        }
    }

    /// Policies in the order in which they were made.
    ///
    /// # Errors
    /// [`Failure::Internal`].
    pub async fn trusts(&self, after: Option<TokenId>, limit: i64) -> Result<Vec<Trust>, Failure> {
        Ok(self.0.store.trusts(after, limit).await?)
    }

    /// Removes a policy. What it gave lives to its end.
    ///
    /// # Errors
    /// [`TrustRefused::Unknown`].
    pub async fn remove_trust(&self, name: &str) -> Result<(), TrustRefused> {
        let unknown = || TrustRefused::Unknown(name.to_owned());
        let id = crate::access_token_jwt::read_jti(name).ok_or_else(unknown)?;
        match self.0.store.remove_trust(id).await.map_err(Failure::from)? {
            Change::Made => {
                self.record(Event::new(EventKind::TrustRemoved).about(id).by_operator().detail(name)).await;
                Ok(())
            }
            Change::TooLate => Err(unknown()),
        }
    }
}
