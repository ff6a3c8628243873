//! PostgreSQL: a bounded pool of connections.
//!
//! - A single statement commits by itself, in one round trip.
//! - A [`batch`] is sent as one statement too: one round trip and one commit, however many statements there are.
//! - Look-ups by key share a few connections of their own, the [`lanes`].
//! - What is tried again, and what never is, stands in [`retry`].
//!
//! Statements are prepared once per connection. The server ends a statement that takes too long; should the server
//! itself fall silent, the wait here ends a little later.

mod batch;
mod connect;
mod failure;
mod inspect;
mod lanes;
mod migrate;
mod retry;
mod value;

use std::{future::Future, pin::Pin, sync::Arc, time::Duration};

use deadpool_postgres::{Client, ClientWrapper, Pool, PoolError, TimeoutType};
use futures_util::{FutureExt, TryStreamExt};
use tokio::time::timeout;
use tokio_postgres::error::SqlState;

use crate::{Error, FromRow, Migration, Options, Outcome, Row, Stats, Stmt, Value, stats::Counters, url::Server};
use failure::explain;
use lanes::{Lanes, Passage};
use retry::{Failed, Verb};

/// An open PostgreSQL database.
#[derive(Clone)]
pub(crate) struct Postgres {
    pool: Pool,
    lanes: Arc<Lanes>,
    counters: Arc<Counters>,
    options: Arc<Options>,
}

/// All that came back for one statement.
struct Answer {
    rows: Vec<tokio_postgres::Row>,
    touched: Option<u64>,
}

/// How long [`Postgres::check`] waits.
const CHECK_WAIT: Duration = Duration::from_secs(2);

/// How long a look-up waits on a connection that it shares, before it takes one of its own.
const LANE_WAIT: Duration = Duration::from_secs(1);

/// How much longer than the server this side waits for a statement.
const GRACE: Duration = Duration::from_secs(2);

impl Postgres {
    pub(crate) async fn open(server: &Server, options: &Options) -> Result<Self, Error> {
        let pool = connect::pool(server, options)?;
        let (lanes, options) = (Arc::new(Lanes::new(options.readers)), Arc::new(options.clone()));
        let postgres = Self { pool, lanes, counters: Arc::default(), options };
        // A wrong address or password is told at the start and not at the first request.
        drop(postgres.client().await?);
        Ok(postgres)
    }

    pub(crate) async fn query<T: FromRow>(&self, sql: &'static str, params: Vec<Value>) -> Result<Vec<T>, Error> {
        self.rows(Verb::Read, sql, &params).await
    }

    pub(crate) async fn query_opt<T: FromRow>(
        &self,
        sql: &'static str,
        params: Vec<Value>,
    ) -> Result<Option<T>, Error> {
        let attempt = || self.bounded(Box::pin(self.attempt_look_up(sql, &params)));
        let answer = retry::run(&self.pool, Verb::Read, attempt).await?;
        answer.rows.first().map(|row| T::from_row(&Row::from(row))).transpose()
    }

    pub(crate) async fn write<T: FromRow>(&self, sql: &'static str, params: Vec<Value>) -> Result<Vec<T>, Error> {
        self.rows(Verb::Write, sql, &params).await
    }

    pub(crate) async fn execute(&self, sql: &'static str, params: Vec<Value>) -> Result<u64, Error> {
        let answer = self.single(Verb::Write, sql, &params).await?;
        answer.touched.ok_or_else(|| Error::statement(sql, "it counts no rows"))
    }

    pub(crate) async fn batch(&self, statements: Vec<Stmt>) -> Result<Outcome, Error> {
        match statements.as_slice() {
            [] => Ok(Outcome::Done),
            [Stmt { sql, params, expect: None }] => self.single(Verb::Write, sql, params).await.map(|_| Outcome::Done),
            several => self.together(several).await,
        }
    }

    /// Runs a batch as one statement, which commits by itself.
    async fn together(&self, statements: &[Stmt]) -> Result<Outcome, Error> {
        let (text, params) = (batch::text(statements), batch::params(statements));
        let attempt = || self.bounded(Box::pin(self.attempt_together(statements, &text, &params)));
        let outcome = retry::run(&self.pool, Verb::Write, attempt).await?;
        self.counters.group(1);
        Ok(outcome)
    }

    async fn attempt_together(&self, statements: &[Stmt], text: &str, params: &[Value]) -> Result<Outcome, Failed> {
        let client = self.client().await.map_err(Failed::unsent)?;
        let first = statements.first().map_or("", |statement| statement.sql);
        let prepared = match client.prepare_cached(text).await {
            Ok(prepared) => prepared,
            Err(error) => {
                // Which of them is it?
                for Stmt { sql, .. } in statements {
                    client.prepare(sql).await.map_err(|error| Failed::unsent(explain(&error, sql)))?;
                }
                return Err(Failed::unsent(explain(&error, first)));
            }
        };
        match client.execute_raw(&prepared, params).await {
            Ok(_) => Ok(Outcome::Done),
            Err(error) if error.code() == Some(&SqlState::DIVISION_BY_ZERO) => Ok(Outcome::Stale),
            Err(error) => Err(Failed::sent(explain(&error, first))),
        }
    }

    pub(crate) async fn migrate(&self, migrations: &[Migration]) -> Result<(), Error> {
        migrate::run(self, migrations).await
    }

    pub(crate) async fn check(&self) -> Result<(), Error> {
        let rows = timeout(CHECK_WAIT, self.query::<i64>("select 1", Vec::new()));
        rows.await.map_err(|_| Error::unavailable("PostgreSQL does not answer"))?.map(drop)
    }

    pub(crate) async fn prepare(&self, sql: &'static str) -> Result<(), Error> {
        let client = self.client().await?;
        client.prepare(sql).await.map(drop).map_err(|error| explain(&error, sql))
    }

    pub(crate) async fn explain(&self, sql: &'static str) -> Result<Vec<String>, Error> {
        inspect::plan(&self.client().await?, sql).await
    }

    #[expect(clippy::unused_async, reason = "the same verb on SQLite waits")]
    pub(crate) async fn close(&self) {
        self.pool.close();
        self.lanes.close();
    }

    pub(crate) fn stats(&self) -> Stats {
        let waiting = u64::try_from(self.pool.status().waiting).unwrap_or(u64::MAX);
        Stats { queue_depth: waiting, ..self.counters.read() }
    }

    async fn client(&self) -> Result<Client, Error> {
        self.pool.get().await.map_err(|error| match error {
            PoolError::Timeout(TimeoutType::Wait) => Error::Busy { why: "no connection to PostgreSQL became free" },
            PoolError::Timeout(_) => Error::unavailable("PostgreSQL does not answer"),
            PoolError::Backend(error) => explain(&error, "connect"),
            PoolError::Closed => Error::closed(),
            other => Error::unavailable(other.to_string()),
        })
    }

    async fn rows<T: FromRow>(&self, verb: Verb, sql: &'static str, params: &[Value]) -> Result<Vec<T>, Error> {
        let answer = self.single(verb, sql, params).await?;
        answer.rows.iter().map(|row| T::from_row(&Row::from(row))).collect()
    }

    /// Runs one statement, which commits by itself.
    async fn single(&self, verb: Verb, sql: &'static str, params: &[Value]) -> Result<Answer, Error> {
        let attempt = || self.bounded(Box::pin(self.attempt(sql, params)));
        let answer = retry::run(&self.pool, verb, attempt).await?;
        if verb == Verb::Write {
            self.counters.group(1);
        }
        Ok(answer)
    }

    async fn attempt(&self, sql: &'static str, params: &[Value]) -> Result<Answer, Failed> {
        ask(&*self.client().await.map_err(Failed::unsent)?, sql, params).await
    }

    /// The same for a look-up, which shares its connection.
    async fn attempt_look_up(&self, sql: &'static str, params: &[Value]) -> Result<Answer, Failed> {
        let Some(lane) = self.lanes.next() else { return self.attempt(sql, params).await };
        let client = match lane.passage() {
            Passage::Open(client) => client,
            Passage::Unmade(making) => making.put(self.client().await.map_err(Failed::unsent)?),
            Passage::None => return self.attempt(sql, params).await,
        };
        if let Ok(answer) = timeout(LANE_WAIT, ask(&client, sql, params)).await {
            return answer;
        }
        lane.give_up(&client);
        self.attempt(sql, params).await
    }

    /// The last bound, for a server that has fallen silent. The work is in a box: it takes two kibibytes, which every
    /// future above would carry, and copy wherever it goes.
    fn bounded<T>(
        &self,
        work: Pin<Box<impl Future<Output = Result<T, Failed>>>>,
    ) -> impl Future<Output = Result<T, Failed>> {
        timeout(self.options.wait + self.options.statement + GRACE, work)
            .map(|ended| ended.unwrap_or_else(|_| Err(Failed::sent(Error::unavailable("PostgreSQL does not answer")))))
    }
}

/// Runs one statement on a connection.
async fn ask(client: &ClientWrapper, sql: &'static str, params: &[Value]) -> Result<Answer, Failed> {
    let statement = client.prepare_cached(sql).await.map_err(|error| Failed::unsent(explain(&error, sql)))?;
    let failed = |error: tokio_postgres::Error| Failed::sent(explain(&error, sql));
    let mut stream = std::pin::pin!(client.query_raw(&statement, params).await.map_err(failed)?);
    let mut rows = Vec::new();
    while let Some(row) = stream.try_next().await.map_err(failed)? {
        rows.push(row);
    }
    Ok(Answer { rows, touched: stream.rows_affected() })
}
