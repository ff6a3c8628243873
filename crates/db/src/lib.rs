//! One small facade over SQLite and PostgreSQL. It knows two engines and nothing of what is stored in them.
//!
//! - **One text per statement.** Statements are written once, in the subset that both engines share: columns of
//!   `text`, `bigint` and `blob` (`bytea` on PostgreSQL), parameters `$1`, `$2` …, times and ids passed in.
//! - **Reads** are [`Db::query_opt`] for the row behind a key and [`Db::query`] for lists.
//! - **Writes** are [`Db::execute`], [`Db::write`] (with `returning`) and [`Db::batch`].
//! - **A transaction is data**: a batch is a list of statements, each with the number of rows that it must touch. The
//!   pattern is read, decide, then compare and set (`… where id = $1 and used_at is null`); a mismatch undoes the whole
//!   batch and is an [`Outcome`], not an error. So no closure holds a lock across an await.
//! - **An answer is a promise.** A write that was answered survives the end of the process and of the power.
//! - **Everything is bounded**: queues, pools and waits (see [`Options`]).
//!
//! SQLite has one writer thread, which lets concurrent writes share a transaction and its flush to the disk. PostgreSQL
//! is a pool of connections, on which a batch takes one round trip.

mod ddl;
mod error;
mod migrate;
mod options;
mod postgres;
mod row;
mod sqlite;
mod statement;
mod stats;
mod url;
mod value;

pub use error::Error;
pub use migrate::{Migration, MigrationError};
pub use options::Options;
pub use row::{Cell, Column, FromRow, Row};
pub use statement::{Outcome, Stmt};
pub use stats::Stats;
pub use url::DatabaseUrl;
pub use value::{Bytes, Value};

use postgres::Postgres;
use sqlite::Sqlite;
use url::Target;

/// The engine behind a [`Db`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    /// SQLite, inside this process.
    Sqlite,
    /// A PostgreSQL server.
    Postgres,
}

/// An open database. Clones share it.
#[derive(Clone)]
pub struct Db(Backend);

#[derive(Clone)]
enum Backend {
    Sqlite(Sqlite),
    Postgres(Postgres),
}

impl std::fmt::Debug for Db {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Db({:?})", self.engine())
    }
}

/// Calls the same method of whichever engine it is.
macro_rules! engine {
    ($db:expr, $method:ident ( $($argument:expr),* )) => {
        match &$db.0 {
            Backend::Sqlite(sqlite) => sqlite.$method($($argument),*).await,
            Backend::Postgres(postgres) => postgres.$method($($argument),*).await,
        }
    };
}

impl Db {
    /// Opens the database; a SQLite file that is not there is made, readable by its owner only.
    ///
    /// # Errors
    /// [`Error::Unavailable`] when the file or the server cannot be used.
    pub async fn open(url: &DatabaseUrl, options: &Options) -> Result<Self, Error> {
        Ok(Self(match url.target() {
            Target::Sqlite(path) => Backend::Sqlite(Sqlite::open(path, options).await?),
            Target::Postgres(server) => Backend::Postgres(Postgres::open(server, options).await?),
        }))
    }

    /// The rows of a reading statement. For one row behind a key, [`Db::query_opt`] is quicker.
    ///
    /// # Errors
    /// [`Error::Busy`], [`Error::Unavailable`], [`Error::Statement`] or [`Error::Corrupt`].
    pub async fn query<T: FromRow>(&self, sql: &'static str, params: Vec<Value>) -> Result<Vec<T>, Error> {
        engine!(self, query(sql, params))
    }

    /// The first row of a look-up by key, if there is one.
    ///
    /// On SQLite it runs in place, without a change of thread, and on PostgreSQL it shares its connection with others: keep it
    /// to statements that read, and that an index answers at once.
    ///
    /// # Errors
    /// [`Error::Busy`], [`Error::Unavailable`], [`Error::Statement`] or [`Error::Corrupt`].
    pub async fn query_opt<T: FromRow>(&self, sql: &'static str, params: Vec<Value>) -> Result<Option<T>, Error> {
        engine!(self, query_opt(sql, params))
    }

    /// Runs one writing statement and reads the rows of its `returning`.
    ///
    /// # Errors
    /// Any of [`Error`]'s for reads, and [`Error::Unique`], [`Error::Integrity`], [`Error::Uncertain`].
    pub async fn write<T: FromRow>(&self, sql: &'static str, params: Vec<Value>) -> Result<Vec<T>, Error> {
        engine!(self, write(sql, params))
    }

    /// Runs one writing statement and counts the rows that it touched.
    ///
    /// # Errors
    /// As [`Db::write`].
    pub async fn execute(&self, sql: &'static str, params: Vec<Value>) -> Result<u64, Error> {
        engine!(self, execute(sql, params))
    }

    /// Runs all statements in one transaction, or none of them.
    ///
    /// # Errors
    /// As [`Db::write`]. A row count that does not fit is no error: see [`Outcome::Stale`].
    pub async fn batch(&self, statements: Vec<Stmt>) -> Result<Outcome, Error> {
        engine!(self, batch(statements))
    }

    /// Brings the schema up to date (see [`Migration`]). Safe when many nodes start at once.
    ///
    /// # Errors
    /// [`Error::Migration`] says what is wrong with the list or the database.
    pub async fn migrate(&self, migrations: &[Migration]) -> Result<(), Error> {
        migrate::check_list(migrations)?;
        engine!(self, migrate(migrations))
    }

    /// Readiness: can it read and write now? Answers within a few seconds, whatever has happened.
    ///
    /// # Errors
    /// [`Error::Busy`] or [`Error::Unavailable`].
    pub async fn check(&self) -> Result<(), Error> {
        engine!(self, check())
    }

    /// Proves that the engine understands a statement, without running it. For tests.
    ///
    /// # Errors
    /// [`Error::Statement`] in the engine's words.
    pub async fn prepare(&self, sql: &'static str) -> Result<(), Error> {
        engine!(self, prepare(sql))
    }

    /// The engine's plan of a statement, a line per step, without running it. For tests.
    ///
    /// # Errors
    /// [`Error::Statement`] in the engine's words.
    pub async fn explain(&self, sql: &'static str) -> Result<Vec<String>, Error> {
        engine!(self, explain(sql))
    }

    /// Finishes what is queued, answers it, and closes. Later calls find it closed.
    pub async fn close(&self) {
        engine!(self, close())
    }

    /// Which engine it is.
    #[must_use]
    pub fn engine(&self) -> Engine {
        match self.0 {
            Backend::Sqlite(_) => Engine::Sqlite,
            Backend::Postgres(_) => Engine::Postgres,
        }
    }

    /// What it has done so far.
    #[must_use]
    pub fn stats(&self) -> Stats {
        match &self.0 {
            Backend::Sqlite(sqlite) => sqlite.stats(),
            Backend::Postgres(postgres) => postgres.stats(),
        }
    }
}
