//! Private keys that sign, sealed under the server's secret.
//!
//! A key's row never changes. Which key signs follows from the times alone: the highest generation that has begun. So
//! nodes that look at the same rows agree, and of nodes that rotate at once the unique generation lets one win.

use crate::{Change, Error, Store, columns::Columns};
use gatepass_db::{FromRow, Row, params};
use gatepass_keys::Algorithm;
use gatepass_oauth::UtcMillis;

/// A stored key.
#[derive(Clone)]
pub struct StoredKey {
    /// Its name: the thumbprint of its public half.
    pub kid: String,
    /// What it signs with.
    pub algorithm: Algorithm,
    /// Its place among the keys of its algorithm, from 1.
    pub generation: i64,
    /// Its private half, sealed.
    pub sealed: Vec<u8>,
    /// When it was made, and so since when it is published.
    pub created_at: UtcMillis,
    /// From when on it signs.
    pub signs_from: UtcMillis,
}

pub(crate) const STATEMENTS: &[&str] = &[ADD, ALL, REMOVE];

const ADD: &str = "insert into signing_key (kid, algorithm, generation, sealed_private_key, created_at, signs_from)
 values ($1, $2, $3, $4, $5, $6) on conflict (algorithm, generation) do nothing";
const ALL: &str = "select kid, algorithm, generation, sealed_private_key, created_at, signs_from
 from signing_key order by algorithm, generation";
const REMOVE: &str = "delete from signing_key where kid = $1";

impl FromRow for StoredKey {
    fn from_row(row: &Row<'_>) -> Result<Self, Error> {
        Ok(Self {
            kid: row.get(0)?,
            algorithm: row.parsed(1)?,
            generation: row.get(2)?,
            sealed: row.get(3)?,
            created_at: row.time(4)?,
            signs_from: row.time(5)?,
        })
    }
}

impl Store {
    /// Keeps a key; too late when its generation is there already.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn add_signing_key(&self, key: &StoredKey) -> Result<Change, Error> {
        let params = params![
            &key.kid,
            key.algorithm.as_str(),
            key.generation,
            key.sealed.clone(),
            key.created_at.0,
            key.signs_from.0
        ];
        self.db.execute(ADD, params).await.map(Change::from_rows)
    }

    /// Every key, by algorithm and generation.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn signing_keys(&self) -> Result<Vec<StoredKey>, Error> {
        self.db.query(ALL, params![]).await
    }

    /// Removes a key for good.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn remove_signing_key(&self, kid: &str) -> Result<Change, Error> {
        self.db.execute(REMOVE, params![kid]).await.map(Change::from_rows)
    }
}
