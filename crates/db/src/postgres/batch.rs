//! A batch in one round trip.
//!
//! `begin`, the statements and `commit` leave together, and their answers are read afterwards. So the server itself must
//! keep a batch from being committed whose statement touched another number of rows than it must: such a statement is
//! sent inside a [`guarded`] text that divides by zero then, which spoils the transaction, and the `commit` that is
//! already on its way becomes a rollback.

use deadpool_postgres::Client;
use futures_util::{
    FutureExt, TryFutureExt,
    future::{join, join_all, try_join_all},
};
use std::borrow::Cow;
use tokio_postgres::{Statement, error::SqlState};

use super::{Postgres, failure::explain, retry::Failed};
use crate::{Error, Outcome, Stmt};

/// Statements that leave together. `join_all` polls up to this many in their order, and polling is what sends.
const TOGETHER: usize = 30;

/// One attempt at a batch.
pub(super) async fn attempt(postgres: &Postgres, statements: &[Stmt]) -> Result<Outcome, Failed> {
    let client = postgres.client().await.map_err(Failed::unsent)?;
    let prepare = async |statement: &Stmt| {
        let prepared = client.prepare_cached(&guarded(statement)).await;
        prepared.map_err(|error| Failed::unsent(explain(&error, statement.sql)))
    };
    let prepared = try_join_all(statements.iter().map(prepare)).await?;
    let work: Vec<_> = prepared.iter().zip(statements).enumerate().collect();

    let transaction = Transaction { client: &client };
    let (begun, outcome) = join(client.batch_execute("begin"), run(&client, &work)).await;
    if let (Err(error), Ok(_)) = (begun, &outcome) {
        // The statements have run by themselves, without the transaction around them.
        return Err(Failed::sent(Error::Uncertain { why: error.to_string() }));
    }
    if matches!(outcome, Ok(Outcome::Done)) {
        transaction.committed();
    }
    outcome
}

/// The text that is sent: a statement that must touch `n` rows divides by zero when it did not.
fn guarded(statement: &Stmt) -> Cow<'static, str> {
    match statement.expect {
        None => Cow::Borrowed(statement.sql),
        Some(rows) => Cow::Owned(format!(
            "with touched as ({} returning 1) select 1 / case when count(*) = {rows} then 1 else 0 end from touched",
            statement.sql
        )),
    }
}

/// Runs all statements and commits, the last of them and the commit together.
async fn run(client: &Client, work: &[(usize, (&Statement, &Stmt))]) -> Result<Outcome, Failed> {
    let (first, last) = work.split_at(work.len().saturating_sub(1) / TOGETHER * TOGETHER);
    for together in first.chunks(TOGETHER) {
        let outcome = send(client, together, Failed::sent).await?;
        if outcome != Outcome::Done {
            return Ok(outcome);
        }
    }
    let commit = client.batch_execute("commit").map_err(|error| Failed::committing(explain(&error, "commit")));
    let (outcome, committed) = join(send(client, last, Failed::committing), commit).await;
    match outcome? {
        Outcome::Done => committed.map(|()| Outcome::Done),
        stale => Ok(stale),
    }
}

/// Sends statements together and reads what became of them; `failed` says how far the batch had come.
async fn send(
    client: &Client,
    together: &[(usize, (&Statement, &Stmt))],
    failed: fn(Error) -> Failed,
) -> Result<Outcome, Failed> {
    let runs = together.iter().map(|(_, (prepared, statement))| client.execute_raw(*prepared, &statement.params));
    let answers = join_all(runs).await;
    for ((index, (_, statement)), answer) in together.iter().zip(answers) {
        match answer {
            Ok(_) => {}
            Err(error) if statement.expect.is_some() && error.code() == Some(&SqlState::DIVISION_BY_ZERO) => {
                return Ok(Outcome::Stale { statement: *index });
            }
            Err(error) => return Err(failed(explain(&error, statement.sql))),
        }
    }
    Ok(Outcome::Done)
}

/// An open transaction. Unless it was committed it is rolled back, also when nobody waits for it any more.
struct Transaction<'a> {
    client: &'a Client,
}

impl Transaction<'_> {
    fn committed(self) {
        std::mem::forget(self);
    }
}

impl Drop for Transaction<'_> {
    fn drop(&mut self) {
        // The first poll sends; the answer has no reader. Whatever uses the connection next queues behind it.
        let _: Option<Result<(), tokio_postgres::Error>> = self.client.batch_execute("rollback").now_or_never();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_counted_statement_is_guarded() {
        let plain = Stmt::new("delete from t", Vec::new());
        assert_eq!(guarded(&plain), "delete from t");
        assert_eq!(
            guarded(&plain.touching(2)),
            "with touched as (delete from t returning 1) select 1 / case when count(*) = 2 then 1 else 0 end from touched"
        );
    }
}
