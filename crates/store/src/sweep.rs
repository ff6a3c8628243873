//! Deleting what is over, in statements that look at a bounded number of rows.
//!
//! [`SWEEPS`] has one line per table:
//!
//! - `by_id!`: the table's `id` is a UUIDv7, so its rows lie in the order of their birth. A step looks at the next 500
//!   after a cursor and deletes those that are over, without an index on the time of their end: such an index would be
//!   written at every sign-in and every refresh, to be read once an hour.
//! - `by_index!`: the key says nothing of the age, and an index on the end is there: a table that is seldom written.
//!
//! Deleting twice is deleting once, so any number of nodes may sweep.

use crate::{Error, Store, audit::first_id};
use gatepass_db::{Value, params};
use gatepass_keys::TokenId;
use gatepass_oauth::UtcMillis;

/// How the rows of one table are found and deleted.
#[derive(Clone, Copy, Debug)]
pub struct Sweep {
    /// The table.
    pub table: &'static str,
    /// What is kept longer than its end, and why.
    pub keeps: Keeps,
    /// Where its dead rows lie.
    pub walk: Walk,
    /// The identifier 500 rows on, or fewer of large ones; empty with an index.
    step: &'static str,
    delete: &'static str,
}

/// How long rows stay after their end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keeps {
    /// A minute, because clocks differ.
    Briefly,
    /// An hour: a latecomer is told why.
    ForLatecomers,
    /// As long as access tokens live, and an hour: what hangs on the row must end before it.
    PastAccessTokens,
    /// As the operator says.
    Retention,
}

/// Where the dead rows of a table lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Walk {
    /// At the front: rows end in the order of their birth, or nearly. The walk starts anew each time and stops where
    /// nothing was over; now and then it goes through to the end.
    Front,
    /// Anywhere: use prolongs a row. The walk goes on where it stopped the last time.
    Everywhere,
    /// In an index.
    Index,
}

/// How far a step went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// How many rows were deleted.
    pub deleted: u64,
    /// Where the next step begins; `None` at the end of the table.
    pub next: Option<TokenId>,
}

/// The most rows that one statement looks at.
pub const STEP: u64 = 500;

macro_rules! by_id {
    ($table:literal, $walk:ident, $keeps:ident, $over:literal) => {
        Sweep {
            table: $table,
            keeps: Keeps::$keeps,
            walk: Walk::$walk,
            step: concat!("select id from ", $table, " where id > $1 order by id limit 1 offset 499"),
            delete: concat!("delete from ", $table, " where id > $1 and id <= $2 and ", $over, " <= $3"),
        }
    };
}

macro_rules! by_index {
    ($table:literal, $keeps:ident, $key:literal, $over:literal) => {
        Sweep {
            table: $table,
            keeps: Keeps::$keeps,
            walk: Walk::Index,
            step: "",
            delete: concat!(
                "delete from ",
                $table,
                " where (",
                $key,
                ") in (select ",
                $key,
                " from ",
                $table,
                " where ",
                $over,
                " <= $1 order by ",
                $over,
                " limit 500)"
            ),
        }
    };
}

/// Every table that is swept. A new one is one line, and its text is checked by the tests of all statements.
pub const SWEEPS: &[Sweep] = &[
    // A used code stays a while, so that its second use is known for what it is.
    by_id!("authorization_code", Front, ForLatecomers, "expires_at"),
    by_id!("access_token", Front, Briefly, "expires_at"),
    by_id!("device_grant", Front, ForLatecomers, "expires_at"),
    by_id!("one_time_link", Front, ForLatecomers, "expires_at"),
    // A family outlives its refresh tokens, so that reuse is known, and its access tokens, which live by its row.
    by_id!("token_grant", Everywhere, PastAccessTokens, "refresh_expires_at"),
    by_id!("session", Everywhere, ForLatecomers, "expires_at"),
    // What clients know of a session goes after it.
    Sweep {
        table: "session_client",
        keeps: Keeps::ForLatecomers,
        walk: Walk::Everywhere,
        step: "select session_id from session_client where session_id > $1 order by session_id limit 1 offset 499",
        delete: "delete from session_client where session_id > $1 and session_id <= $2 and told_at <= $3
 and not exists (select 1 from session where session.id = session_client.session_id)
 and not exists (select 1 from session where session.origin_id = session_client.session_id)",
    },
    by_id!("webhook_delivery", Front, ForLatecomers, "expires_at"),
    Sweep {
        table: "audit",
        keeps: Keeps::Retention,
        walk: Walk::Front,
        step: "select id from audit where id > $1 order by id limit 1 offset 49",
        // The identifier is the time. A row is a page of many events.
        delete: "delete from audit where id > $1 and id <= $2 and id < $3",
    },
    by_index!("client_assertion", Briefly, "client_id, jti_hash", "expires_at"),
    by_id!("pushed_request", Front, ForLatecomers, "expires_at"),
    by_index!("dpop_proof", Briefly, "once_hash", "expires_at"),
    by_index!("throttle", Briefly, "bucket", "window_ends_at"),
];

impl Sweep {
    /// How the end of what is over is bound.
    fn bound(&self, ended: UtcMillis) -> Value {
        match self.keeps {
            Keeps::Retention => first_id(UtcMillis(ended.0.saturating_add(1))).0.into(),
            Keeps::Briefly | Keeps::ForLatecomers | Keeps::PastAccessTokens => ended.0.into(),
        }
    }

    /// The statements, for the tests.
    #[must_use]
    pub fn statements(&self) -> Vec<&'static str> {
        [self.step, self.delete].into_iter().filter(|sql| !sql.is_empty()).collect()
    }
}

impl Store {
    /// One step through a table: deletes what ended at or before `ended`.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn sweep(&self, sweep: &Sweep, after: TokenId, ended: UtcMillis) -> Result<Step, Error> {
        if sweep.walk == Walk::Index {
            let deleted = self.db.execute(sweep.delete, params![ended.0]).await?;
            return Ok(Step { deleted, next: (deleted >= STEP).then_some(after) });
        }
        let next = self.db.query::<[u8; 16]>(sweep.step, params![after.0]).await?.into_iter().next();
        let to = next.unwrap_or([0xff; 16]);
        let deleted = self.db.execute(sweep.delete, params![after.0, to, sweep.bound(ended)]).await?;
        Ok(Step { deleted, next: next.map(TokenId) })
    }
}
