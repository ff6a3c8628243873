//! Links that work once, such as the one that sets up the server.

use crate::{Error, Store, columns::Columns};
use gatepass_db::{FromRow, Row, Stmt, params};
use gatepass_keys::{HashedToken, TokenId};
use gatepass_oauth::UtcMillis;

/// A link.
#[derive(Clone, Debug)]
pub struct OneTimeLink {
    /// The identifier in the link.
    pub id: TokenId,
    /// The hash of the link's token.
    pub hash: HashedToken,
    /// What it opens.
    pub purpose: String,
    /// When it was made.
    pub created_at: UtcMillis,
    /// When it ends.
    pub expires_at: UtcMillis,
}

pub(crate) const STATEMENTS: &[&str] = &[INSERT, LIVE, USE];

const INSERT: &str =
    "insert into one_time_link (id, hash, purpose, created_at, expires_at) values ($1, $2, $3, $4, $5)";
const LIVE: &str = "select id, hash, purpose, created_at, expires_at from one_time_link
 where id = $1 and expires_at > $2 and used_at is null";
const USE: &str = "update one_time_link set used_at = $2 where id = $1 and expires_at > $2 and used_at is null";

impl FromRow for OneTimeLink {
    fn from_row(row: &Row<'_>) -> Result<Self, Error> {
        Ok(Self {
            id: row.id(0)?,
            hash: row.hash(1)?,
            purpose: row.get(2)?,
            created_at: row.time(3)?,
            expires_at: row.time(4)?,
        })
    }
}

pub(crate) fn use_statement(id: TokenId, now: UtcMillis) -> Stmt {
    Stmt::new(USE, params![id.0, now.0]).touching(1)
}

impl Store {
    /// Keeps a link.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn add_one_time_link(&self, link: &OneTimeLink) -> Result<(), Error> {
        let params = params![link.id.0, link.hash.0, &link.purpose, link.created_at.0, link.expires_at.0];
        self.db.execute(INSERT, params).await.map(drop)
    }

    /// The link if it still works at `now`. The caller compares the hash.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn live_one_time_link(&self, id: TokenId, now: UtcMillis) -> Result<Option<OneTimeLink>, Error> {
        self.db.query_opt(LIVE, params![id.0, now.0]).await
    }
}
