//! Registered clients.

use crate::{
    Change, Error, Store,
    client_extras::ClientExtras,
    columns::{Columns, joined, maybe},
};
use gatepass_db::{FromRow, Row, params};
use gatepass_keys::{HashedToken, JwkSet};
use gatepass_oauth::{ClientAuthMethod, ClientId, GrantType, RedirectUri, ResourceUri, Scope, UtcMillis};

/// A client: a program that asks for tokens.
#[derive(Clone, Debug)]
pub struct Client {
    /// Its name on the wire.
    pub id: ClientId,
    /// Its name on a page.
    pub name: String,
    /// How it proves itself.
    pub proof: ClientProof,
    /// Where its authorization responses may go.
    pub redirect_uris: Vec<RedirectUri>,
    /// What it may ask for tokens with.
    pub grant_types: Vec<GrantType>,
    /// The most that it may ask for.
    pub scope: Scope,
    /// The APIs that its tokens may be for, besides this server's own.
    pub resources: Vec<ResourceUri>,
    /// Since when it is one of the server's own programs.
    pub first_party_since: Option<UtcMillis>,
    /// When it was registered.
    pub created_at: UtcMillis,
    /// What else was registered; asked through methods.
    pub extras: ClientExtras,
}

/// How a client proves itself, with what that takes.
#[derive(Clone, Debug)]
pub enum ClientProof {
    /// It cannot.
    Public,
    /// By the secret with this hash, in the header.
    SecretBasic(HashedToken),
    /// By the secret with this hash, in the body.
    SecretPost(HashedToken),
    /// By an assertion signed with one of these keys.
    PrivateKeyJwt(JwkSet),
}

impl ClientProof {
    /// The registered method.
    #[must_use]
    pub fn method(&self) -> ClientAuthMethod {
        match self {
            Self::Public => ClientAuthMethod::None,
            Self::SecretBasic(_) => ClientAuthMethod::ClientSecretBasic,
            Self::SecretPost(_) => ClientAuthMethod::ClientSecretPost,
            Self::PrivateKeyJwt(_) => ClientAuthMethod::PrivateKeyJwt,
        }
    }
}

impl Client {
    /// Whether it may use this grant type.
    #[must_use]
    pub fn may_use(&self, grant: GrantType) -> bool {
        self.grant_types.contains(&grant)
    }

    /// Whether it can keep a secret.
    #[must_use]
    pub fn is_confidential(&self) -> bool {
        !matches!(self.proof, ClientProof::Public)
    }
}

pub(crate) const STATEMENTS: &[&str] = &[INSERT, BY_ID, LIST];

const INSERT: &str = "insert into client (id, name, auth_method, secret_hash, jwks, redirect_uris, grant_types, scope,
 resources, first_party_since, created_at, extras) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)";
const BY_ID: &str = "select id, name, auth_method, secret_hash, jwks, redirect_uris, grant_types, scope, resources,
 first_party_since, created_at, extras from client where id = $1";
const LIST: &str = "select id, name, auth_method, secret_hash, jwks, redirect_uris, grant_types, scope, resources,
 first_party_since, created_at, extras from client where id > $1 order by id limit $2";

impl FromRow for Client {
    fn from_row(row: &Row<'_>) -> Result<Self, Error> {
        Ok(Self {
            id: row.parsed(0)?,
            name: row.get(1)?,
            proof: read_proof(row)?,
            redirect_uris: row.list(5)?,
            grant_types: row.list(6)?,
            scope: row.scope(7)?,
            resources: row.list(8)?,
            first_party_since: row.maybe_time(9)?,
            created_at: row.time(10)?,
            extras: row
                .get::<Option<String>>(11)?
                .and_then(|text| serde_json::from_str(&text).ok())
                .unwrap_or_default(),
        })
    }
}

fn read_proof(row: &Row<'_>) -> Result<ClientProof, Error> {
    let corrupt = || Error::Corrupt { what: "a client without what its authentication method needs".into() };
    let secret = || row.maybe_hash(3)?.ok_or_else(corrupt);
    Ok(match row.parsed::<ClientAuthMethod>(2)? {
        ClientAuthMethod::None => ClientProof::Public,
        ClientAuthMethod::ClientSecretBasic => ClientProof::SecretBasic(secret()?),
        ClientAuthMethod::ClientSecretPost => ClientProof::SecretPost(secret()?),
        ClientAuthMethod::PrivateKeyJwt => {
            let jwks: Option<String> = row.get(4)?;
            ClientProof::PrivateKeyJwt(jwks.and_then(|text| JwkSet::parse(&text).ok()).ok_or_else(corrupt)?)
        }
    })
}

impl Store {
    /// Registers a client; too late when its identifier is taken.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn add_client(&self, client: &Client) -> Result<Change, Error> {
        let (secret_hash, jwks) = match &client.proof {
            ClientProof::Public => (None, None),
            ClientProof::SecretBasic(hash) | ClientProof::SecretPost(hash) => (Some(hash.0), None),
            ClientProof::PrivateKeyJwt(jwks) => (None, serde_json::to_string(jwks).ok()),
        };
        let params = params![
            client.id.as_str(),
            &client.name,
            client.proof.method().as_str(),
            secret_hash,
            jwks,
            joined(&client.redirect_uris),
            joined(&client.grant_types),
            client.scope.to_string(),
            joined(&client.resources),
            maybe(client.first_party_since),
            client.created_at.0,
            serde_json::to_string(&client.extras).ok()
        ];
        match self.db.execute(INSERT, params).await {
            Err(Error::Unique { .. }) => Ok(Change::TooLate),
            rows => rows.map(Change::from_rows),
        }
    }

    /// The client with this identifier.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn client(&self, id: &ClientId) -> Result<Option<Client>, Error> {
        self.db.query_opt(BY_ID, params![id.as_str()]).await
    }

    /// Clients in the order of their identifiers, after `after`.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn clients(&self, after: &str, limit: i64) -> Result<Vec<Client>, Error> {
        self.db.query(LIST, params![after, limit]).await
    }
}
