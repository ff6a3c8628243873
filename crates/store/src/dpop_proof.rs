//! DPoP proofs that were used: each is good once (RFC 9449 §11.1).

use crate::{Change, Error, Store};
use gatepass_db::params;
use gatepass_keys::HashedToken;
use gatepass_oauth::UtcMillis;

pub(crate) const STATEMENTS: &[&str] = &[INSERT];

const INSERT: &str =
    "insert into dpop_proof (once_hash, expires_at) values ($1, $2) on conflict (once_hash) do nothing";

impl Store {
    /// Notes that a proof was used; too late when it had been before.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn use_dpop_proof(&self, once: HashedToken, expires_at: UtcMillis) -> Result<Change, Error> {
        self.db.execute(INSERT, params![once.0, expires_at.0]).await.map(Change::from_rows)
    }
}
