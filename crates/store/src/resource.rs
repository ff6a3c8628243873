//! Registered resources: the APIs that tokens are for (RFC 8707), and who asks about their tokens.

use crate::{
    Change, Error, Store,
    columns::{Columns, maybe},
};
use gatepass_db::{FromRow, Row, params};
use gatepass_keys::Algorithm;
use gatepass_oauth::{ClientId, ResourceUri, Scope, TokenFormat, UtcMillis};

/// A registered resource.
#[derive(Clone, Debug)]
pub struct Resource {
    /// Its URI, as it was given: the audience of its tokens.
    pub uri: ResourceUri,
    /// Its name for people; may be empty.
    pub name: String,
    /// What its access tokens look like.
    pub token_format: TokenFormat,
    /// What tokens for it are signed with when they are JWTs.
    pub signing_alg: Algorithm,
    /// Its scopes; when there are none it takes any.
    pub scope: Scope,
    /// Since when every client may have tokens for it; else those that are registered for it.
    pub open_since: Option<UtcMillis>,
    /// The client that its resource server asks about tokens as.
    pub client_id: ClientId,
    /// When it was registered.
    pub created_at: UtcMillis,
}

pub(crate) const STATEMENTS: &[&str] = &[INSERT, BY_CANONICAL, LIST, REMOVE];

const INSERT: &str =
    "insert into resource (canonical, uri, name, token_format, scope, open_since, client_id, created_at, signing_alg)
 values ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
const BY_CANONICAL: &str = "select uri, name, token_format, scope, open_since, client_id, created_at, signing_alg
 from resource where canonical = $1";
const LIST: &str = "select uri, name, token_format, scope, open_since, client_id, created_at, signing_alg
 from resource where canonical > $1 order by canonical limit $2";
const REMOVE: &str = "delete from resource where canonical = $1";

impl FromRow for Resource {
    fn from_row(row: &Row<'_>) -> Result<Self, Error> {
        Ok(Self {
            uri: row.resource(0)?,
            name: row.get(1)?,
            token_format: row.parsed(2)?,
            scope: row.scope(3)?,
            open_since: row.maybe_time(4)?,
            client_id: row.parsed(5)?,
            created_at: row.time(6)?,
            signing_alg: row.parsed(7)?,
        })
    }
}

impl Store {
    /// Registers a resource; too late when it is registered already.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn add_resource(&self, resource: &Resource) -> Result<Change, Error> {
        let params = params![
            resource.uri.canonical(),
            resource.uri.as_str(),
            &resource.name,
            resource.token_format.as_str(),
            resource.scope.to_string(),
            maybe(resource.open_since),
            resource.client_id.as_str(),
            resource.created_at.0,
            resource.signing_alg.as_str()
        ];
        match self.db.execute(INSERT, params).await {
            Err(Error::Unique { .. }) => Ok(Change::TooLate),
            rows => rows.map(Change::from_rows),
        }
    }

    /// The registered resource that this URI names.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn registered_resource(&self, uri: &ResourceUri) -> Result<Option<Resource>, Error> {
        self.db.query_opt(BY_CANONICAL, params![uri.canonical()]).await
    }

    /// Resources in the order of their URIs, after `after`.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn resources(&self, after: &str, limit: i64) -> Result<Vec<Resource>, Error> {
        self.db.query(LIST, params![after, limit]).await
    }

    /// Forgets a resource; too late when it is not registered.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn remove_resource(&self, uri: &ResourceUri) -> Result<Change, Error> {
        self.db.execute(REMOVE, params![uri.canonical()]).await.map(Change::from_rows)
    }
}
