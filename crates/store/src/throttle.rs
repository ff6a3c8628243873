//! Counts of attempts in a window of time, shared by all nodes.

use crate::{Error, Store, columns::Columns};
use gatepass_db::{FromRow, Row, params};
use gatepass_oauth::UtcMillis;
use std::time::Duration;

/// What was counted in the current window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attempts {
    /// How many, the last one included.
    pub hits: i64,
    /// When the count begins anew.
    pub window_ends_at: UtcMillis,
}

pub(crate) const STATEMENTS: &[&str] = &[HIT, REFUND, FORGIVE];

const HIT: &str = "insert into throttle (bucket, hits, window_ends_at) values ($1, $4, $3)
 on conflict (bucket) do update set
 hits = case when throttle.window_ends_at <= $2 then $4 else throttle.hits + $4 end,
 window_ends_at = case when throttle.window_ends_at <= $2 then $3 else throttle.window_ends_at end
 returning hits, window_ends_at";
const REFUND: &str = "update throttle set hits = hits - 1 where bucket = $1 and hits > 0";
const FORGIVE: &str = "delete from throttle where bucket = $1";

impl FromRow for Attempts {
    fn from_row(row: &Row<'_>) -> Result<Self, Error> {
        Ok(Self { hits: row.get(0)?, window_ends_at: row.time(1)? })
    }
}

impl Store {
    /// Counts an attempt before it is made, so that no number of parallel attempts slips through.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn count_attempt(&self, bucket: &str, window: Duration, now: UtcMillis) -> Result<Attempts, Error> {
        self.count_attempts(bucket, 1, window, now).await
    }

    /// Counts several attempts at once, which one node has seen.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn count_attempts(
        &self,
        bucket: &str,
        hits: i64,
        window: Duration,
        now: UtcMillis,
    ) -> Result<Attempts, Error> {
        let counted: Vec<Attempts> = self.db.write(HIT, params![bucket, now.0, now.plus(window).0, hits]).await?;
        counted.first().copied().ok_or_else(|| Error::Corrupt { what: "a count that was not returned".into() })
    }

    /// Takes one attempt back, which turned out to be none of those that are bounded.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn refund_attempt(&self, bucket: &str) -> Result<(), Error> {
        self.db.execute(REFUND, params![bucket]).await.map(drop)
    }

    /// Begins the count anew, after a success.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn forgive_attempts(&self, bucket: &str) -> Result<(), Error> {
        self.db.execute(FORGIVE, params![bucket]).await.map(drop)
    }
}
