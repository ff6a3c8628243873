//! Trust policies: whose assertions are taken (RFC 7523 §2.1), and what they stand for.

use crate::{
    Change, Error, Store,
    columns::{Columns, maybe},
    service_account::ServiceId,
};
use gatepass_db::{FromRow, Row, params};
use gatepass_keys::{JwkSet, TokenId};
use gatepass_oauth::{ClientId, ResourceUri, Scope, UtcMillis};
use std::{collections::BTreeMap, time::Duration};

/// The most policies of one issuer that are looked at.
const MOST: i64 = 100;

/// A policy.
#[derive(Clone, Debug)]
pub struct Trust {
    /// Its identifier.
    pub id: TokenId,
    /// The `iss` of its assertions, compared as text.
    pub issuer: String,
    /// The issuer's keys; `None` when they are found by discovery.
    pub jwks: Option<JwkSet>,
    /// The pattern that `sub` matches.
    pub subject: String,
    /// What `aud` may name besides this server.
    pub audiences: Vec<String>,
    /// What other claims must be equal to.
    pub claims: BTreeMap<String, String>,
    /// What its assertions stand for.
    pub grants: TrustGrants,
    /// The most that its tokens may do.
    pub scope: Scope,
    /// Where its tokens are for, unless for this server's own API.
    pub resource: Option<ResourceUri>,
    /// How long its tokens live at most.
    pub lifetime: Duration,
    /// Since when an assertion may come again for as long as it lives.
    pub reusable_since: Option<UtcMillis>,
    /// When it was made.
    pub created_at: UtcMillis,
}

/// What an assertion stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TrustGrants {
    /// A service account.
    Service(ServiceId),
    /// A client, for itself.
    Client(ClientId),
    /// The person with the address that the assertion names.
    UserByEmail(EmailProof),
}

impl TrustGrants {
    /// Whether its assertions are those of people's sign-ins.
    #[must_use]
    pub fn is_person(&self) -> bool {
        matches!(self, Self::UserByEmail(_))
    }
}

/// What shows that an address is the person's at the provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EmailProof {
    /// The assertion says `email_verified`.
    Claimed,
    /// The provider governs all addresses that it names; the operator says so.
    Governed,
}

impl EmailProof {
    /// The word in the database and on the command line.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Claimed => "email",
            Self::Governed => "governed-email",
        }
    }
}

pub(crate) const STATEMENTS: &[&str] = &[INSERT, OF_ISSUER, LIST, REMOVE];

const INSERT: &str =
    "insert into trust (id, issuer, jwks, subject, audiences, claims, service_id, client_id, user_by, scope, resource,
 lifetime_millis, reusable_since, created_at) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)";
const OF_ISSUER: &str =
    "select id, issuer, jwks, subject, audiences, claims, service_id, client_id, user_by, scope, resource,
 lifetime_millis, reusable_since, created_at from trust where issuer = $1 order by id limit $2";
const LIST: &str =
    "select id, issuer, jwks, subject, audiences, claims, service_id, client_id, user_by, scope, resource,
 lifetime_millis, reusable_since, created_at from trust where id > $1 order by id limit $2";
const REMOVE: &str = "delete from trust where id = $1";

fn json<T: serde::de::DeserializeOwned>(text: &str) -> Result<T, Error> {
    serde_json::from_str(text).map_err(|_| Error::Corrupt { what: "a trust policy of another form".into() })
}

impl FromRow for Trust {
    fn from_row(row: &Row<'_>) -> Result<Self, Error> {
        let corrupt = || Error::Corrupt { what: "a trust policy of another form".into() };
        let jwks: Option<String> = row.get(2)?;
        let user_by: Option<String> = row.get(8)?;
        let grants = match (row.maybe_user(6)?, row.maybe_parsed(7)?, user_by.as_deref()) {
            (Some(id), None, None) => TrustGrants::Service(ServiceId(id)),
            (None, Some(id), None) => TrustGrants::Client(id),
            (None, None, Some("email")) => TrustGrants::UserByEmail(EmailProof::Claimed),
            (None, None, Some("governed-email")) => TrustGrants::UserByEmail(EmailProof::Governed),
            _ => return Err(corrupt()),
        };
        Ok(Self {
            id: row.id(0)?,
            issuer: row.get(1)?,
            jwks: jwks.map(|text| JwkSet::parse(&text).map_err(|_| corrupt())).transpose()?,
            subject: row.get(3)?,
            audiences: json(&row.get::<String>(4)?)?,
            claims: json(&row.get::<String>(5)?)?,
            grants,
            scope: row.scope(9)?,
            resource: row.maybe_parsed(10)?,
            lifetime: Duration::from_millis(u64::try_from(row.get::<i64>(11)?).unwrap_or(0)),
            reusable_since: row.maybe_time(12)?,
            created_at: row.time(13)?,
        })
    }
}

impl Store {
    /// Keeps a policy.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn add_trust(&self, trust: &Trust) -> Result<(), Error> {
        let (service, client, user_by) = match &trust.grants {
            TrustGrants::Service(id) => (Some(id.0.0), None, None),
            TrustGrants::Client(id) => (None, Some(id.as_str().to_owned()), None),
            TrustGrants::UserByEmail(proof) => (None, None, Some(proof.as_str().to_owned())),
        };
        let params = params![
            trust.id.0,
            &trust.issuer,
            trust.jwks.as_ref().and_then(|jwks| serde_json::to_string(jwks).ok()),
            &trust.subject,
            serde_json::to_string(&trust.audiences).unwrap_or_default(),
            serde_json::to_string(&trust.claims).unwrap_or_default(),
            service,
            client,
            user_by,
            trust.scope.to_string(),
            trust.resource.as_ref().map(ToString::to_string),
            i64::try_from(trust.lifetime.as_millis()).unwrap_or(i64::MAX),
            maybe(trust.reusable_since),
            trust.created_at.0
        ];
        self.db.execute(INSERT, params).await.map(drop)
    }

    /// The policies about an issuer.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn trust_in(&self, issuer: &str) -> Result<Vec<Trust>, Error> {
        self.db.query(OF_ISSUER, params![issuer, MOST]).await
    }

    /// Policies in the order in which they were made, after `after`.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn trusts(&self, after: Option<TokenId>, limit: i64) -> Result<Vec<Trust>, Error> {
        self.db.query(LIST, params![after.map_or([0; 16], |id| id.0), limit]).await
    }

    /// Removes a policy; too late when there is none.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn remove_trust(&self, id: TokenId) -> Result<Change, Error> {
        self.db.execute(REMOVE, params![id.0]).await.map(Change::from_rows)
    }
}
