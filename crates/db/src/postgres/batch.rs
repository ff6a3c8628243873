//! A batch in two round trips.
//!
//! 1. `begin` and the statements leave together; their answers are read afterwards.
//! 2. If each touched as many rows as it must, `commit` follows, else `rollback`.

use deadpool_postgres::Client;
use futures_util::{
    FutureExt, TryFutureExt,
    future::{join, join_all, try_join_all},
};

use tokio_postgres::Statement;

use super::{Postgres, failure::explain, retry::Failed};
use crate::{Error, Outcome, Stmt};

/// Statements that leave together. `join_all` polls up to this many in their order, and polling is what sends.
const TOGETHER: usize = 30;

/// One attempt at a batch.
pub(super) async fn attempt(postgres: &Postgres, statements: &[Stmt]) -> Result<Outcome, Failed> {
    let client = postgres.client().await.map_err(Failed::unsent)?;
    let prepare = |statement: &Stmt| {
        let (prepared, sql) = (client.prepare_cached(statement.sql), statement.sql);
        prepared.map_err(|error| Failed::unsent(explain(&error, sql)))
    };
    let prepared = try_join_all(statements.iter().map(prepare)).await?;
    let work: Vec<_> = prepared.iter().zip(statements).collect();

    let transaction = Transaction { client: &client };
    let (begun, ran) = join(client.batch_execute("begin"), run(&client, &work)).await;
    if let (Err(error), Ok(_)) = (begun, &ran) {
        // The statements have run by themselves, without the transaction around them.
        return Err(Failed::sent(Error::Uncertain { why: error.to_string() }));
    }
    let outcome = ran?;
    if outcome == Outcome::Done {
        transaction.commit().await?;
    }
    Ok(outcome)
}

/// Runs all statements and compares the rows that each touched with what it must.
async fn run(client: &Client, work: &[(&Statement, &Stmt)]) -> Result<Outcome, Failed> {
    for (chunk, together) in work.chunks(TOGETHER).enumerate() {
        let runs = together.iter().map(|(prepared, statement)| client.execute_raw(*prepared, &statement.params));
        let answers = join_all(runs).await;
        for (index, ((_, statement), touched)) in together.iter().zip(answers).enumerate() {
            let touched = touched.map_err(|error| Failed::sent(explain(&error, statement.sql)))?;
            if !statement.accepts(touched) {
                return Ok(Outcome::Stale { statement: chunk * TOGETHER + index });
            }
        }
    }
    Ok(Outcome::Done)
}

/// An open transaction. Unless it is committed it is rolled back, also when nobody waits for it any more.
struct Transaction<'a> {
    client: &'a Client,
}

impl Transaction<'_> {
    async fn commit(self) -> Result<(), Failed> {
        let committed = self.client.batch_execute("commit").await;
        let committed = committed.map_err(|error| Failed::committing(explain(&error, "commit")));
        std::mem::forget(self);
        committed
    }
}

impl Drop for Transaction<'_> {
    fn drop(&mut self) {
        // The first poll sends; the answer has no reader. Whatever uses the connection next queues behind it.
        let _: Option<Result<(), tokio_postgres::Error>> = self.client.batch_execute("rollback").now_or_never();
    }
}
