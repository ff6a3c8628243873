//! Notices on their way to the operator's webhook. Each is sent at least once: a node claims it for a while with a
//! compare-and-set on the time when it is due, and whoever has delivered it deletes it.

use crate::{Change, Error, Store, columns::Columns};
use gatepass_db::{FromRow, Row, Stmt, params};
use gatepass_keys::TokenId;
use gatepass_oauth::UtcMillis;

/// A notice as it begins.
#[derive(Clone, Debug)]
pub struct NewDelivery {
    /// The identifier by which the receiver knows a repetition.
    pub id: TokenId,
    /// What is sent.
    pub body: String,
    /// When it is due.
    pub at: UtcMillis,
    /// When it is given up.
    pub expires_at: UtcMillis,
}

/// A notice that is due.
#[derive(Clone, Debug)]
pub struct Delivery {
    /// The identifier by which the receiver knows a repetition.
    pub id: TokenId,
    /// What is sent.
    pub body: String,
    /// How often it was tried.
    pub attempts: i64,
    /// When it was due; the claim is made on it.
    pub next_at: UtcMillis,
    /// When it is given up.
    pub expires_at: UtcMillis,
}

pub(crate) const STATEMENTS: &[&str] = &[INSERT, DUE, CLAIM, POSTPONE, DELETE];

const INSERT: &str =
    "insert into webhook_delivery (id, body, attempts, next_at, expires_at) values ($1, $2, 0, $3, $4)";
const DUE: &str = "select id, body, attempts, next_at, expires_at from webhook_delivery
 where next_at <= $1 order by next_at limit 16";
const CLAIM: &str = "update webhook_delivery set next_at = $3, attempts = attempts + 1 where id = $1 and next_at = $2";
const POSTPONE: &str = "update webhook_delivery set next_at = $2 where id = $1";
const DELETE: &str = "delete from webhook_delivery where id = $1";

impl FromRow for Delivery {
    fn from_row(row: &Row<'_>) -> Result<Self, Error> {
        Ok(Self {
            id: row.id(0)?,
            body: row.get(1)?,
            attempts: row.get(2)?,
            next_at: row.time(3)?,
            expires_at: row.time(4)?,
        })
    }
}

impl NewDelivery {
    pub(crate) fn insert(self) -> Stmt {
        Stmt::new(INSERT, params![self.id.0, self.body, self.at.0, self.expires_at.0])
    }
}

impl Store {
    /// The notices that are due, a few at a time.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn due_deliveries(&self, now: UtcMillis) -> Result<Vec<Delivery>, Error> {
        self.db.query(DUE, params![now.0]).await
    }

    /// Takes a notice for oneself until `until`; too late when another node did.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn claim_delivery(&self, delivery: &Delivery, until: UtcMillis) -> Result<Change, Error> {
        self.db.execute(CLAIM, params![delivery.id.0, delivery.next_at.0, until.0]).await.map(Change::from_rows)
    }

    /// Lets a notice that did not arrive be due again.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn postpone_delivery(&self, id: TokenId, next_at: UtcMillis) -> Result<(), Error> {
        self.db.execute(POSTPONE, params![id.0, next_at.0]).await.map(drop)
    }

    /// Forgets a notice that has arrived or is given up.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn forget_delivery(&self, id: TokenId) -> Result<(), Error> {
        self.db.execute(DELETE, params![id.0]).await.map(drop)
    }
}
