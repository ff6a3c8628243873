//! A call: one text and its values, and all that came back for it.

use std::borrow::Cow;

use deadpool_postgres::Client;
use futures_util::TryStreamExt;
use tokio_postgres::{Statement, error::SqlState};

use super::{batch, failure::explain};
use crate::{Error, Outcome, Stmt, Value};

/// One statement as it is sent.
pub(super) struct Call {
    text: Cow<'static, str>,
    params: Vec<Value>,
    /// The statements that a batch was made of, and otherwise the text itself.
    parts: Vec<&'static str>,
}

/// All that came back for one call.
pub(super) struct Answer {
    pub(super) rows: Vec<tokio_postgres::Row>,
    pub(super) touched: Option<u64>,
    pub(super) outcome: Outcome,
}

impl Call {
    pub(super) fn single(sql: &'static str, params: Vec<Value>) -> Self {
        Self { text: Cow::Borrowed(sql), params, parts: vec![sql] }
    }

    /// A batch, as one statement.
    pub(super) fn batch(statements: Vec<Stmt>) -> Self {
        let text = match statements.as_slice() {
            [Stmt { sql, expect: None, .. }] => Cow::Borrowed(*sql),
            several => Cow::Owned(batch::text(several)),
        };
        let parts = statements.iter().map(|statement| statement.sql).collect();
        // They stand in the order of their new numbers.
        let params = statements.into_iter().flat_map(|statement| statement.params).collect();
        Self { text, params, parts }
    }

    /// What stands for it in an error.
    pub(super) fn sql(&self) -> &'static str {
        self.parts.first().copied().unwrap_or_default()
    }

    /// Calls that may want the same row have the same key: the text, and what it looks for.
    pub(super) fn key(&self) -> (&str, Option<&Value>) {
        (&self.text, self.params.first())
    }

    /// Prepared once per connection.
    pub(super) async fn prepare(&self, client: &Client) -> Result<Statement, Error> {
        match client.prepare_cached(&self.text).await {
            Ok(statement) => Ok(statement),
            Err(error) => {
                // Which of them is it?
                for sql in &self.parts {
                    client.prepare(sql).await.map_err(|error| explain(&error, sql))?;
                }
                Err(explain(&error, self.sql()))
            }
        }
    }

    /// Sends it when it is first polled, and reads the answer.
    pub(super) async fn run(&self, client: &Client, statement: &Statement) -> Result<Answer, tokio_postgres::Error> {
        let mut stream = std::pin::pin!(client.query_raw(statement, &self.params).await?);
        let mut rows = Vec::new();
        while let Some(row) = stream.try_next().await? {
            rows.push(row);
        }
        Ok(Answer { rows, touched: stream.rows_affected(), outcome: Outcome::Done })
    }

    /// Is this how a batch says that it is stale?
    pub(super) fn is_stale(error: &tokio_postgres::Error) -> bool {
        error.code() == Some(&SqlState::DIVISION_BY_ZERO)
    }
}

impl Answer {
    pub(super) fn stale() -> Self {
        Self { rows: Vec::new(), touched: None, outcome: Outcome::Stale }
    }
}
