//! DPoP proofs that were used: each is good once (RFC 9449 §11.1).

use crate::{Change, Error, Store};
use gatepass_db::params;
use gatepass_keys::HashedToken;
use gatepass_oauth::UtcMillis;

pub(crate) const STATEMENTS: &[&str] = &[INSERT, FORGET];

const INSERT: &str =
    "insert into dpop_proof (once_hash, expires_at) values ($1, $2) on conflict (once_hash) do nothing";
const FORGET: &str = "delete from dpop_proof where once_hash in
 (select once_hash from dpop_proof where expires_at <= $1 order by expires_at limit $2)";

impl Store {
    /// Notes that a proof was used; too late when it had been before.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn use_dpop_proof(&self, once: HashedToken, expires_at: UtcMillis) -> Result<Change, Error> {
        self.db.execute(INSERT, params![once.0, expires_at.0]).await.map(Change::from_rows)
    }

    /// Forgets proofs that are over at `now`, at most `most` of them; how many there were.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn forget_dpop_proofs(&self, now: UtcMillis, most: i64) -> Result<u64, Error> {
        self.db.execute(FORGET, params![now.0, most]).await
    }
}
