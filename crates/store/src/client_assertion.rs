//! Client assertions that were used: each `jti` is good once (RFC 7523 §3, rule 7).

use crate::{Change, Error, Store};
use gatepass_db::params;
use gatepass_keys::HashedToken;
use gatepass_oauth::{ClientId, UtcMillis};

pub(crate) const STATEMENTS: &[&str] = &[INSERT];

const INSERT: &str = "insert into client_assertion (client_id, jti_hash, expires_at) values ($1, $2, $3)
 on conflict (client_id, jti_hash) do nothing";

impl Store {
    /// Notes that the client has used this `jti`; too late when it had done so before.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn use_assertion(&self, client: &ClientId, jti: &str, expires_at: UtcMillis) -> Result<Change, Error> {
        let params = params![client.as_str(), HashedToken::of(jti).0, expires_at.0];
        self.db.execute(INSERT, params).await.map(Change::from_rows)
    }
}
