//! Service accounts: programs with an identity of their own, which no person and no client stands behind.

use crate::{
    Change, Error, Store, UserId,
    columns::{Columns, maybe},
};
use gatepass_db::{FromRow, Row, params};
use gatepass_oauth::UtcMillis;
use std::fmt;

/// A service account's identifier: a UUIDv7, shown as one. It is the `sub` of tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ServiceId(pub UserId);

impl fmt::Display for ServiceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A service account.
#[derive(Clone, Debug)]
pub struct ServiceAccount {
    /// Which it is.
    pub id: ServiceId,
    /// Its name; unique.
    pub name: String,
    /// What it is for; may be empty.
    pub description: String,
    /// When it was made.
    pub created_at: UtcMillis,
    /// Since when its tokens are no good.
    pub disabled_at: Option<UtcMillis>,
}

pub(crate) const STATEMENTS: &[&str] = &[INSERT, BY_ID, BY_NAME, LIST, DISABLE];

const INSERT: &str =
    "insert into service_account (id, name, description, created_at, disabled_at) values ($1, $2, $3, $4, $5)";
const BY_ID: &str = "select id, name, description, created_at, disabled_at from service_account where id = $1";
const BY_NAME: &str = "select id, name, description, created_at, disabled_at from service_account where name = $1";
const LIST: &str = "select id, name, description, created_at, disabled_at
 from service_account where name > $1 order by name limit $2";
const DISABLE: &str = "update service_account set disabled_at = $2 where name = $1 and disabled_at is null";

impl FromRow for ServiceAccount {
    fn from_row(row: &Row<'_>) -> Result<Self, Error> {
        Ok(Self {
            id: ServiceId(row.user(0)?),
            name: row.get(1)?,
            description: row.get(2)?,
            created_at: row.time(3)?,
            disabled_at: row.maybe_time(4)?,
        })
    }
}

impl Store {
    /// Adds a service account; too late when its name is taken.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn add_service(&self, account: &ServiceAccount) -> Result<Change, Error> {
        let params = params![
            account.id.0.0,
            &account.name,
            &account.description,
            account.created_at.0,
            maybe(account.disabled_at)
        ];
        match self.db.execute(INSERT, params).await {
            Err(Error::Unique { .. }) => Ok(Change::TooLate),
            rows => rows.map(Change::from_rows),
        }
    }

    /// The service account with this identifier.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn service(&self, id: ServiceId) -> Result<Option<ServiceAccount>, Error> {
        self.db.query_opt(BY_ID, params![id.0.0]).await
    }

    /// The service account with this name.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn service_by_name(&self, name: &str) -> Result<Option<ServiceAccount>, Error> {
        self.db.query_opt(BY_NAME, params![name]).await
    }

    /// Service accounts in the order of their names, after `after`.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn services(&self, after: &str, limit: i64) -> Result<Vec<ServiceAccount>, Error> {
        self.db.query(LIST, params![after, limit]).await
    }

    /// Disables a service account, and so all its tokens; too late when there is none that is not.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn disable_service(&self, name: &str, now: UtcMillis) -> Result<Change, Error> {
        self.db.execute(DISABLE, params![name, now.0]).await.map(Change::from_rows)
    }
}
