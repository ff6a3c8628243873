//! One transaction for a group of jobs.
//!
//! 1. `begin immediate`, run the jobs one after the other, `commit`. No job is answered before that.
//! 2. A job that has changed nothing leaves nothing to undo. That is nearly every job that fails: the first statement
//!    of a batch is its guard, and a guard that does not hold touches no row.
//! 3. If a job fails after it has changed something, the whole transaction is undone and the group runs once more,
//!    now with each job in a savepoint of its own. Savepoints copy every page before its first change; so only a group
//!    that needs them pays for them.

use rusqlite::Connection;

use super::{
    failure::Failure,
    job::{Job, Verdict},
};
use crate::Error;

/// How careful to be with the other jobs when one fails.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Care {
    /// Hope that none fails after changing something.
    Hopeful,
    /// A savepoint around each.
    Savepoints,
}

/// Why a transaction did not commit.
enum Broken {
    /// A job failed after changing something, outside a savepoint.
    Spoilt,
    /// The engine failed.
    Failed(Error),
}

impl From<rusqlite::Error> for Broken {
    fn from(error: rusqlite::Error) -> Self {
        Self::Failed(Failure::from(error).explain("begin, savepoint or rollback"))
    }
}

/// Runs all jobs in one transaction. When this succeeds, each job knows its own answer.
pub(super) fn run(connection: &Connection, jobs: &mut [Box<dyn Job>]) -> Result<(), Error> {
    let mut ended = transaction(connection, jobs, Care::Hopeful);
    if let Err(Broken::Spoilt) = ended {
        ended = transaction(connection, jobs, Care::Savepoints);
    }
    match ended {
        Ok(()) => Ok(()),
        Err(Broken::Failed(error)) => Err(error),
        Err(Broken::Spoilt) => Err(Error::unavailable("a savepoint did not hold")),
    }
}

fn transaction(connection: &Connection, jobs: &mut [Box<dyn Job>], care: Care) -> Result<(), Broken> {
    command(connection, "begin immediate")?;
    let ended = jobs.iter_mut().try_for_each(|job| one(connection, job.as_mut(), care)).and_then(|()| {
        command(connection, "commit").map_err(|error| Broken::Failed(Failure::from(error).explain_commit()))
    });
    // After some failures (disk full, for one) SQLite has already rolled back by itself.
    if ended.is_err() && !connection.is_autocommit() {
        command(connection, "rollback")?;
    }
    ended
}

fn one(connection: &Connection, job: &mut dyn Job, care: Care) -> Result<(), Broken> {
    match care {
        Care::Hopeful => {
            let before = connection.total_changes();
            if job.run(connection) == Verdict::Undo && connection.total_changes() != before {
                return Err(Broken::Spoilt);
            }
        }
        Care::Savepoints => {
            command(connection, "savepoint job")?;
            if job.run(connection) == Verdict::Undo && !connection.is_autocommit() {
                command(connection, "rollback to job")?;
            }
            if !connection.is_autocommit() {
                command(connection, "release job")?;
            }
        }
    }
    if connection.is_autocommit() {
        return Err(Broken::Failed(Error::unavailable("SQLite gave up the transaction, the disk may be full")));
    }
    Ok(())
}

fn command(connection: &Connection, sql: &'static str) -> rusqlite::Result<()> {
    connection.prepare_cached(sql)?.raw_execute().map(drop)
}
