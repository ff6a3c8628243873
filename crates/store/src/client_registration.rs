//! Clients that register themselves (RFC 7591, RFC 7592): rows of the table `client` with a life of their own.
//!
//! Registrations that are equal in everything share one row ([`Store::register_client`]). A row that is shared has no
//! holder who may change it: the token that manages it is given up in the same statement that shares it.

use crate::{Change, Error, Store, client::Client, columns::Columns};
use gatepass_db::{FromRow, Row, Stmt, params};
use gatepass_keys::HashedToken;
use gatepass_oauth::{ClientId, UtcMillis};

/// How the identifiers of programs that registered themselves begin. Their grants are found by an index that has these
/// letters in its words. Those of before begin otherwise, and are found like an operator's.
pub const REGISTERED_PREFIX: &str = "reg-";

/// A registration as it is asked for.
#[derive(Debug)]
pub struct NewRegistration {
    /// The client; `used_at` is now.
    pub client: Client,
    /// The hash of the token that manages it.
    pub registration_hash: HashedToken,
    /// What is equal for equal registrations; `None` for one that is never shared.
    pub fingerprint: Option<HashedToken>,
}

pub(crate) const STATEMENTS: &[&str] = &[REGISTER, EQUAL, MANAGED, UPDATE, DELETE, END_CONSENT, NOTE_USE, IDLE, REAP];

const REGISTER: &str =
    "insert into client (id, name, auth_method, secret_hash, jwks, redirect_uris, grant_types, scope,
 resources, first_party_since, created_at, origin, metadata, used_at, registration_hash, fingerprint)
 values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)
 on conflict (fingerprint) do update set registration_hash = null, used_at = excluded.used_at returning id";
const EQUAL: &str =
    "select id, used_at, case when registration_hash is null then 0 else 1 end from client where fingerprint = $1";
const MANAGED: &str = "select id, name, auth_method, secret_hash, jwks, redirect_uris, grant_types, scope, resources,
 first_party_since, created_at, origin, metadata, used_at from client where id = $1 and registration_hash = $2";
// What was changed is no longer what others asked for, so it is not shared from here on.
const UPDATE: &str = "update client set name = $3, auth_method = $4, secret_hash = $5, jwks = $6, redirect_uris = $7,
 grant_types = $8, scope = $9, metadata = $10, fingerprint = null where id = $1 and registration_hash = $2";
const DELETE: &str = "delete from client where id = $1 and registration_hash = $2";
pub(crate) const END_CONSENT: &str = "delete from consent where client_id = $1";
const NOTE_USE: &str = "update client set used_at = $2 where id = $1 and used_at < $3";
const IDLE: &str = "select id from client where used_at < $1 order by used_at limit $2";
const REAP: &str = "delete from client where id = $1 and used_at < $2";

/// A registration that is equal to one that is asked for.
#[derive(Debug)]
pub struct EqualRegistration {
    /// The client that stands for both.
    pub id: ClientId,
    /// When its use was last noted.
    pub used_at: Option<UtcMillis>,
    /// Whether somebody still manages it: nobody but one has asked for it so far.
    pub is_managed: bool,
}

impl FromRow for EqualRegistration {
    fn from_row(row: &Row<'_>) -> Result<Self, Error> {
        Ok(Self { id: row.parsed(0)?, used_at: row.maybe_time(1)?, is_managed: row.get::<i64>(2)? == 1 })
    }
}

struct Id(ClientId);

impl FromRow for Id {
    fn from_row(row: &Row<'_>) -> Result<Self, Error> {
        row.parsed(0).map(Self)
    }
}

impl Store {
    /// Registers a client; the identifier of the row that stands for it. It is another one than asked for when an equal
    /// registration was there: then nobody manages it any more.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn register_client(&self, new: &NewRegistration) -> Result<ClientId, Error> {
        let own = params![new.registration_hash.0, new.fingerprint.map(|hash| hash.0)];
        let ids: Vec<Id> = self.db.write(REGISTER, [new.client.columns(), own].concat()).await?;
        ids.into_iter().next().map(|Id(id)| id).ok_or_else(|| Error::Corrupt { what: "a client without a row".into() })
    }

    /// The registration with this fingerprint.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn equal_registration(&self, fingerprint: HashedToken) -> Result<Option<EqualRegistration>, Error> {
        self.db.query_opt(EQUAL, params![fingerprint.0]).await
    }

    /// The client that this token manages.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn managed_client(&self, id: &ClientId, token: HashedToken) -> Result<Option<Client>, Error> {
        self.db.query_opt(MANAGED, params![id.as_str(), token.0]).await
    }

    /// Puts other metadata in the place of a client's, and forgets what people have allowed it: they allowed something
    /// else. Too late when the token no longer manages it.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn update_client(&self, client: &Client, token: HashedToken) -> Result<Change, Error> {
        let (secret_hash, jwks) = client.proof_columns();
        let params = params![
            client.id.as_str(),
            token.0,
            &client.name,
            client.proof.method().as_str(),
            secret_hash,
            jwks,
            crate::columns::joined(&client.redirect_uris),
            crate::columns::joined(&client.grant_types),
            client.scope.to_string(),
            client.metadata_column()
        ];
        let update = Stmt::new(UPDATE, params).touching(1);
        let forget = Stmt::new(END_CONSENT, params![client.id.as_str()]);
        self.db.batch(vec![update, forget]).await.map(Change::from)
    }

    /// Removes a client and ends what it was given; too late when the token no longer manages it.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn delete_client(&self, id: &ClientId, token: HashedToken, now: UtcMillis) -> Result<Change, Error> {
        let delete = Stmt::new(DELETE, params![id.as_str(), token.0]).touching(1);
        self.remove_with_grants(id, delete, now).await
    }

    /// Notes that a client is in use, unless that was noted at `noted_since` or later.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn note_client_used(&self, id: &ClientId, now: UtcMillis, noted_since: UtcMillis) -> Result<(), Error> {
        self.db.execute(NOTE_USE, params![id.as_str(), now.0, noted_since.0]).await.map(drop)
    }

    /// Removes clients that registered themselves and were not used since `since`, and ends what they were given; how many.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn reap_clients(&self, since: UtcMillis, now: UtcMillis, limit: i64) -> Result<Vec<ClientId>, Error> {
        let idle: Vec<Id> = self.db.query(IDLE, params![since.0, limit]).await?;
        let mut reaped = Vec::new();
        for Id(id) in idle {
            // Whoever uses one in this moment keeps it.
            let delete = Stmt::new(REAP, params![id.as_str(), since.0]).touching(1);
            if self.remove_with_grants(&id, delete, now).await? == Change::Made {
                reaped.push(id);
            }
        }
        Ok(reaped)
    }
}
