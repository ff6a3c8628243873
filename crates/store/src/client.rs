//! Registered clients.

use crate::{
    Change, Error, Store,
    columns::{Columns, joined, maybe},
};
use gatepass_db::{FromRow, Row, Value, params};
use gatepass_keys::{Algorithm, HashedToken, JwkSet, SigningKey};
use gatepass_oauth::{
    CertificateSubject, ClientAuthMethod, ClientId, ClientMetadata, ClientOrigin, GrantType, RedirectUri, ResourceUri,
    Scope, UtcMillis,
};

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
    /// Whose word all this is.
    pub origin: ClientOrigin,
    /// What else it said, as far as the server acts on it.
    pub metadata: ClientMetadata,
    /// When it was last used, to the day; `None` where nobody counts.
    pub used_at: Option<UtcMillis>,
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
    /// By an assertion signed with one of these keys; there are none here when they lie at its `jwks_uri`.
    PrivateKeyJwt(JwkSet),
    /// By a certificate of a trusted authority that names this subject.
    TlsSubject(CertificateSubject),
    /// By a certificate with one of these keys, whoever signed it.
    SelfSignedTls(JwkSet),
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
            Self::TlsSubject(_) => ClientAuthMethod::TlsClientAuth,
            Self::SelfSignedTls(_) => ClientAuthMethod::SelfSignedTlsClientAuth,
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

impl Client {
    /// What its ID tokens are signed with: what it chose; else ES256, which the answer to a registration says.
    #[must_use]
    pub fn id_token_algorithm(&self) -> Algorithm {
        offered(self.metadata.id_token_signed_response_alg.as_deref()).unwrap_or(Algorithm::Es256)
    }

    /// What the answers to its introspection are signed with (RFC 9701 §6); ES256 unless the operator chose another.
    #[must_use]
    pub fn introspection_algorithm(&self) -> Algorithm {
        offered(self.metadata.introspection_signed_response_alg.as_deref()).unwrap_or(Algorithm::Es256)
    }
}

fn offered(chosen: Option<&str>) -> Option<Algorithm> {
    let chosen = chosen.and_then(|name| name.parse().ok());
    chosen.filter(|chosen| SigningKey::ALGORITHMS.contains(chosen))
}

pub(crate) const STATEMENTS: &[&str] = &[INSERT, BY_ID, LIST, REMOVE];

const INSERT: &str = "insert into client (id, name, auth_method, secret_hash, jwks, redirect_uris, grant_types, scope,
 resources, first_party_since, created_at, origin, metadata, used_at)
 values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)";
const BY_ID: &str = "select id, name, auth_method, secret_hash, jwks, redirect_uris, grant_types, scope, resources,
 first_party_since, created_at, origin, metadata, used_at from client where id = $1";
const LIST: &str = "select id, name, auth_method, secret_hash, jwks, redirect_uris, grant_types, scope, resources,
 first_party_since, created_at, origin, metadata, used_at from client where id > $1 order by id limit $2";
pub(crate) const REMOVE: &str = "delete from client where id = $1";
// Rare, by the operator's hand: it may look at the whole table.

impl FromRow for Client {
    fn from_row(row: &Row<'_>) -> Result<Self, Error> {
        let metadata: ClientMetadata = serde_json::from_str(&row.get::<String>(12)?)
            .map_err(|_| Error::Corrupt { what: "a client's metadata of another form".into() })?;
        Ok(Self {
            id: row.parsed(0)?,
            name: row.get(1)?,
            proof: read_proof(row, &metadata)?,
            redirect_uris: row.list(5)?,
            grant_types: row.list(6)?,
            scope: row.scope(7)?,
            resources: row.list(8)?,
            first_party_since: row.maybe_time(9)?,
            created_at: row.time(10)?,
            origin: row.parsed(11)?,
            metadata,
            used_at: row.maybe_time(13)?,
        })
    }
}

fn read_proof(row: &Row<'_>, metadata: &ClientMetadata) -> Result<ClientProof, Error> {
    let corrupt = || Error::Corrupt { what: "a client without what its authentication method needs".into() };
    let secret = || row.maybe_hash(3)?.ok_or_else(corrupt);
    let jwks = || match row.get::<Option<String>>(4)? {
        Some(text) => JwkSet::parse(&text).map_err(|_| corrupt()),
        None if metadata.jwks_uri.is_some() => Ok(JwkSet::default()),
        None => Err(corrupt()),
    };
    Ok(match row.parsed::<ClientAuthMethod>(2)? {
        ClientAuthMethod::None => ClientProof::Public,
        ClientAuthMethod::ClientSecretBasic => ClientProof::SecretBasic(secret()?),
        ClientAuthMethod::ClientSecretPost => ClientProof::SecretPost(secret()?),
        ClientAuthMethod::PrivateKeyJwt => ClientProof::PrivateKeyJwt(jwks()?),
        ClientAuthMethod::TlsClientAuth => ClientProof::TlsSubject(metadata.certificate_subject().ok_or_else(corrupt)?),
        ClientAuthMethod::SelfSignedTlsClientAuth => ClientProof::SelfSignedTls(jwks()?),
    })
}

impl Client {
    /// The columns of the proof: the hash of the secret and the keys.
    pub(crate) fn proof_columns(&self) -> (Option<[u8; 32]>, Option<String>) {
        match &self.proof {
            ClientProof::Public => (None, None),
            ClientProof::SecretBasic(hash) | ClientProof::SecretPost(hash) => (Some(hash.0), None),
            ClientProof::PrivateKeyJwt(jwks) | ClientProof::SelfSignedTls(jwks) => {
                (None, (!jwks.keys.is_empty()).then(|| serde_json::to_string(jwks).ok()).flatten())
            }
            ClientProof::TlsSubject(_) => (None, None),
        }
    }

    /// The metadata as one column.
    pub(crate) fn metadata_column(&self) -> String {
        serde_json::to_string(&self.metadata).unwrap_or_else(|_| "{}".into())
    }

    /// The columns of an insertion.
    pub(crate) fn columns(&self) -> Vec<Value> {
        let (secret_hash, jwks) = self.proof_columns();
        params![
            self.id.as_str(),
            &self.name,
            self.proof.method().as_str(),
            secret_hash,
            jwks,
            joined(&self.redirect_uris),
            joined(&self.grant_types),
            self.scope.to_string(),
            joined(&self.resources),
            maybe(self.first_party_since),
            self.created_at.0,
            self.origin.as_str(),
            self.metadata_column(),
            maybe(self.used_at)
        ]
    }
}

impl Store {
    /// Registers a client; too late when its identifier is taken.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn add_client(&self, client: &Client) -> Result<Change, Error> {
        match self.db.execute(INSERT, client.columns()).await {
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
