//! PostgreSQL: a bounded pool of connections.
//!
//! - A read takes a connection of the pool.
//! - A write that comes alone commits by itself, in one round trip; so does a [`batch`], which is sent as one statement.
//! - Writes that come together share a transaction and its commit: see [`lanes`] and [`group`].
//! - What is tried again, and what never is, stands in [`retry`].
//!
//! Statements are prepared once per connection. The server ends a statement that takes too long; should the server
//! itself fall silent, the wait here ends a little later.

mod batch;
mod call;
mod connect;
mod failure;
mod group;
mod inspect;
mod lanes;
mod link;
mod migrate;
mod retry;
mod value;

use std::{sync::Arc, time::Duration};

use tokio::time::timeout;
use tokio_postgres::Config;

use crate::{Error, FromRow, Migration, Options, Outcome, Row, Stats, Stmt, Value};
use call::{Answer, Call};
use failure::explain;
use lanes::Lanes;
use link::Link;
use retry::Verb;

/// An open PostgreSQL database.
#[derive(Clone)]
pub(crate) struct Postgres {
    link: Arc<Link>,
    lanes: Arc<Lanes>,
}

/// How long [`Postgres::check`] waits.
const CHECK_WAIT: Duration = Duration::from_secs(2);

impl Postgres {
    pub(crate) async fn open(config: &Config, options: &Options) -> Result<Self, Error> {
        let link = Arc::new(Link { pool: connect::pool(config, options)?, options: options.clone() });
        // A wrong address or password is told at the start and not at the first request.
        drop(link.client().await?);
        Ok(Self { lanes: Arc::new(Lanes::open(&link)), link })
    }

    pub(crate) async fn query<T: FromRow>(&self, sql: &'static str, params: Vec<Value>) -> Result<Vec<T>, Error> {
        let answer = self.link.run(Verb::Read, &Call::single(sql, params)).await?;
        answer.rows()
    }

    pub(crate) async fn query_opt<T: FromRow>(
        &self,
        sql: &'static str,
        params: Vec<Value>,
    ) -> Result<Option<T>, Error> {
        Ok(self.query(sql, params).await?.into_iter().next())
    }

    pub(crate) async fn write<T: FromRow>(&self, sql: &'static str, params: Vec<Value>) -> Result<Vec<T>, Error> {
        self.lanes.submit(Call::single(sql, params)).await?.rows()
    }

    pub(crate) async fn execute(&self, sql: &'static str, params: Vec<Value>) -> Result<u64, Error> {
        let answer = self.lanes.submit(Call::single(sql, params)).await?;
        answer.touched.ok_or_else(|| Error::statement(sql, "it counts no rows"))
    }

    pub(crate) async fn batch(&self, statements: Vec<Stmt>) -> Result<Outcome, Error> {
        if statements.is_empty() {
            return Ok(Outcome::Done);
        }
        self.lanes.submit(Call::batch(statements)).await.map(|answer| answer.outcome)
    }

    pub(crate) async fn migrate(&self, migrations: &[Migration]) -> Result<(), Error> {
        migrate::run(&self.link, migrations).await
    }

    pub(crate) async fn check(&self) -> Result<(), Error> {
        let row = timeout(CHECK_WAIT, self.query_opt::<i64>("select 1", Vec::new()));
        row.await.map_err(|_| Error::unavailable("PostgreSQL does not answer"))?.map(drop)
    }

    pub(crate) async fn prepare(&self, sql: &'static str) -> Result<(), Error> {
        let client = self.link.client().await?;
        client.prepare(sql).await.map(drop).map_err(|error| explain(&error, sql))
    }

    pub(crate) async fn explain(&self, sql: &'static str) -> Result<Vec<String>, Error> {
        inspect::plan(&self.link.client().await?, sql).await
    }

    /// Finishes what is queued, then closes the connections.
    pub(crate) async fn close(&self) {
        self.lanes.close().await;
        self.link.pool.close();
    }

    pub(crate) fn stats(&self) -> Stats {
        let waiting = u64::try_from(self.link.pool.status().waiting).unwrap_or(u64::MAX);
        let stats = self.lanes.stats();
        Stats { queue_depth: stats.queue_depth + waiting, ..stats }
    }
}

impl Answer {
    fn rows<T: FromRow>(&self) -> Result<Vec<T>, Error> {
        self.rows.iter().map(|row| T::from_row(&Row::from(row))).collect()
    }
}
