//! Migrating a SQLite file, on a connection of its own so that the writer needs no special case.

use std::path::Path;

use rusqlite::{Connection, TransactionBehavior};

use super::{
    connection::{self, Kind},
    failure::Failure,
    run,
};
use crate::{
    Engine, Error, Migration, Options,
    migrate::{APPLIED, CREATE, RECORD, pending},
    params,
};

/// Runs the missing steps. `begin immediate` is the lock: another migrator waits for it.
pub(super) fn run(path: &Path, options: &Options, migrations: &[Migration]) -> Result<(), Error> {
    let mut connection = connection::open(path, Kind::Writer, options)?;
    connection.busy_timeout(options.migration_wait).map_err(|error| explain(error, CREATE))?;
    // A step may rebuild a table that others point to; the keys are checked as a whole before its commit.
    connection.pragma_update(None, "foreign_keys", false).map_err(|error| explain(error, CREATE))?;
    while step(&mut connection, migrations)? {}
    Ok(())
}

/// Runs the first missing step; `false` when there is none.
fn step(connection: &mut Connection, migrations: &[Migration]) -> Result<bool, Error> {
    let transaction =
        connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(|error| explain(error, CREATE))?;
    transaction.execute_batch(CREATE).map_err(|error| explain(error, CREATE))?;
    let applied = run::rows(&transaction, APPLIED, &[])?;
    let Some(migration) = pending(migrations, &applied, Engine::Sqlite)?.first() else {
        return transaction.commit().map(|()| false).map_err(|error| explain(error, CREATE));
    };
    transaction.execute_batch(migration.sql).map_err(|error| migration.failed(error))?;
    if has_broken_keys(&transaction).map_err(|error| migration.failed(error))? {
        return Err(migration.failed("it leaves rows whose foreign keys point to nothing"));
    }
    let checksum = migration.checksum(Engine::Sqlite);
    run::execute(&transaction, RECORD, &params![migration.number, migration.name, checksum])?;
    transaction.commit().map_err(|error| migration.failed(error))?;
    Ok(true)
}

fn has_broken_keys(connection: &Connection) -> rusqlite::Result<bool> {
    connection.prepare("pragma foreign_key_check")?.exists([])
}

fn explain(error: rusqlite::Error, sql: &'static str) -> Error {
    Failure::from(error).explain(sql)
}
