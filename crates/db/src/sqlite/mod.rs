//! SQLite: one file, one writer, many readers.
//!
//! - Writes go to the [`writer`], a thread that lets the jobs waiting together share one transaction and one flush to
//!   the disk. It answers each job after the commit.
//! - Look-ups by key run where they are called, on a small set of [`readers`]: waking another thread would cost more
//!   than the look-up itself. Longer reads run in threads of their own.
//!
//! The file is in WAL mode with `synchronous=full`: readers and the writer do not wait for one another, and a commit is
//! on the disk before it is answered. Other processes may use the same file at the same time.

mod connection;
mod failure;
mod group;
mod job;
mod migrate;
mod readers;
mod run;
mod writer;

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use crate::{Error, FromRow, Migration, Options, Outcome, Stats, Stmt, Value};
use connection::Kind;
use job::Attempt;
use readers::Readers;
use writer::Writer;

/// An open SQLite database.
#[derive(Clone)]
pub(crate) struct Sqlite(Arc<Inner>);

struct Inner {
    path: PathBuf,
    options: Options,
    writer: Writer,
    readers: Readers,
}

/// How long [`Sqlite::check`] waits for the writer.
const CHECK_WAIT: Duration = Duration::from_secs(2);

impl Sqlite {
    pub(crate) async fn open(path: &Path, options: &Options) -> Result<Self, Error> {
        let (path, options) = (path.to_owned(), options.clone());
        in_thread(move || {
            connection::create(&path)?;
            // The writer comes first: it turns on WAL, which the readers rely on.
            let writer = Writer::start(connection::open(&path, Kind::Writer, &options)?, &options)?;
            let readers = Readers::open(&path, &options)?;
            Ok(Self(Arc::new(Inner { path, options, writer, readers })))
        })
        .await
    }

    pub(crate) async fn query<T: FromRow>(&self, sql: &'static str, params: Vec<Value>) -> Result<Vec<T>, Error> {
        self.0.readers.scan(move |connection| run::rows(connection, sql, &params)).await
    }

    #[expect(clippy::unused_async, reason = "the same verb on PostgreSQL waits")]
    pub(crate) async fn query_opt<T: FromRow>(
        &self,
        sql: &'static str,
        params: Vec<Value>,
    ) -> Result<Option<T>, Error> {
        self.0.readers.look_up(|connection| run::first(connection, sql, &params))
    }

    pub(crate) async fn write<T: FromRow>(&self, sql: &'static str, params: Vec<Value>) -> Result<Vec<T>, Error> {
        self.0.writer.submit(move |connection| run::rows(connection, sql, &params).into()).await
    }

    pub(crate) async fn execute(&self, sql: &'static str, params: Vec<Value>) -> Result<u64, Error> {
        self.0.writer.submit(move |connection| run::execute(connection, sql, &params).into()).await
    }

    pub(crate) async fn batch(&self, statements: Vec<Stmt>) -> Result<Outcome, Error> {
        self.0.writer.submit(move |connection| run::batch(connection, &statements)).await
    }

    pub(crate) async fn migrate(&self, migrations: &[Migration]) -> Result<(), Error> {
        let (inner, migrations) = (Arc::clone(&self.0), migrations.to_vec());
        in_thread(move || migrate::run(&inner.path, &inner.options, &migrations)).await
    }

    /// One look-up, and one empty job through the writer.
    pub(crate) async fn check(&self) -> Result<(), Error> {
        self.query_opt::<i64>("select 1", Vec::new()).await?;
        let job = self.0.writer.submit(|_| Attempt::Keep(()));
        tokio::time::timeout(CHECK_WAIT, job).await.map_err(|_| Error::Busy { why: "the writer does not answer" })?
    }

    pub(crate) async fn prepare(&self, sql: &'static str) -> Result<(), Error> {
        self.0.readers.scan(move |connection| run::prepare(connection, sql)).await
    }

    pub(crate) async fn explain(&self, sql: &'static str) -> Result<Vec<String>, Error> {
        self.0.readers.scan(move |connection| run::plan(connection, sql)).await
    }

    pub(crate) async fn close(&self) {
        self.0.writer.close().await;
    }

    pub(crate) fn stats(&self) -> Stats {
        self.0.writer.stats()
    }
}

/// Runs blocking work in a thread that may block.
async fn in_thread<T: Send + 'static>(work: impl FnOnce() -> Result<T, Error> + Send + 'static) -> Result<T, Error> {
    tokio::task::spawn_blocking(work).await.map_err(|_| Error::unavailable("a database thread ended early"))?
}
