//! Private keys that sign, sealed under the server's secret.

use crate::{Error, Store, columns::Columns};
use gatepass_db::{FromRow, Row, params};
use gatepass_oauth::UtcMillis;

/// A stored key.
#[derive(Clone)]
pub struct StoredKey {
    /// Its name: the thumbprint of its public half.
    pub kid: String,
    /// Its private half, sealed.
    pub sealed: Vec<u8>,
    /// When it was made.
    pub created_at: UtcMillis,
}

pub(crate) const STATEMENTS: &[&str] = &[INSERT_FIRST, SIGNING];

const INSERT_FIRST: &str = "insert into signing_key (kid, sealed_private_key, created_at, signs) values ($1, $2, $3, 1)
 on conflict (signs) do nothing";
const SIGNING: &str = "select kid, sealed_private_key, created_at from signing_key where signs = 1";

impl FromRow for StoredKey {
    fn from_row(row: &Row<'_>) -> Result<Self, Error> {
        Ok(Self { kid: row.get(0)?, sealed: row.get(1)?, created_at: row.time(2)? })
    }
}

impl Store {
    /// Keeps a key to sign with, unless there is one. Of nodes that start together one keeps its own.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn add_first_signing_key(&self, key: &StoredKey) -> Result<(), Error> {
        let params = params![&key.kid, key.sealed.clone(), key.created_at.0];
        self.db.execute(INSERT_FIRST, params).await.map(drop)
    }

    /// The key that signs.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn signing_key(&self) -> Result<Option<StoredKey>, Error> {
        self.db.query_opt(SIGNING, params![]).await
    }
}
