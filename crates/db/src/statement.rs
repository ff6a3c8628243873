//! A transaction is data: a list of statements, each with the row count that it must touch.

use crate::Value;

/// One statement of a batch.
///
/// The statements of a batch are independent: none may touch or read a row that another one changes, for the engines
/// differ in whether it sees the change.
///
/// ```
/// use gatepass_db::{Stmt, params};
/// # let (now, code) = (0_i64, [0_u8; 32]);
/// // Redeem a code once: of many redeemers, one touches the row.
/// let redeem = Stmt::new("update code set used_at = $1 where hash = $2 and used_at is null", params![now, code])
///     .touching(1);
/// ```
#[derive(Clone, Debug)]
pub struct Stmt {
    pub(crate) sql: &'static str,
    pub(crate) params: Vec<Value>,
    pub(crate) expect: Option<u64>,
}

impl Stmt {
    /// A statement that may touch any number of rows.
    #[must_use]
    pub fn new(sql: &'static str, params: Vec<Value>) -> Self {
        Self { sql, params, expect: None }
    }

    /// The same statement, which must touch exactly `rows` rows; else the whole batch is undone.
    #[must_use]
    pub fn touching(mut self, rows: u64) -> Self {
        self.expect = Some(rows);
        self
    }

    pub(crate) fn accepts(&self, rows: u64) -> bool {
        self.expect.is_none_or(|expected| expected == rows)
    }
}

/// How a batch ended. Both are normal: `Stale` says that the world has changed since it was read.
#[must_use = "a stale batch has changed nothing"]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Every statement touched what it had to; all are stored.
    Done,
    /// A statement touched another number of rows than it must; nothing is stored.
    Stale,
}
