//! Leases: work that any node may do and one at a time does. Whoever holds one may have lost it without knowing, so it
//! only spares work that would do no harm twice.

use crate::{Change, Error, Store};
use gatepass_db::params;
use gatepass_oauth::UtcMillis;

pub(crate) const STATEMENTS: &[&str] = &[TAKE];

const TAKE: &str = "insert into lease (name, holder, expires_at) values ($1, $2, $3)
 on conflict (name) do update set holder = $2, expires_at = $3
 where lease.expires_at <= $4 or lease.holder = $2";

impl Store {
    /// Takes or prolongs a lease until `until`; too late while another node holds it.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn take_lease(
        &self,
        name: &str,
        holder: [u8; 16],
        until: UtcMillis,
        now: UtcMillis,
    ) -> Result<Change, Error> {
        self.db.execute(TAKE, params![name, holder, until.0, now.0]).await.map(Change::from_rows)
    }
}
