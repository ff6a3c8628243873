//! Migrating a PostgreSQL database, on a connection of its own that holds an advisory lock until it is closed.

use deadpool_postgres::{ClientWrapper, Object};

use super::{Postgres, failure::explain};
use crate::{
    Engine, Error, FromRow, Migration, Row,
    ddl::for_postgres,
    migrate::{APPLIED, Applied, CREATE, RECORD, pending},
};

/// The advisory lock of all gatepass migrators of one database: the bytes of `gatepass`.
const LOCK: i64 = 0x6761_7465_7061_7373;

/// Runs the missing steps.
pub(super) async fn run(postgres: &Postgres, migrations: &[Migration]) -> Result<(), Error> {
    // Taken out of the pool: closing it gives the lock back, however this function ends.
    let client = Object::take(postgres.client().await?);
    let wait = postgres.options.migration_wait.as_millis();
    let lock = format!("set statement_timeout = 0; set lock_timeout = {wait}; select pg_advisory_lock({LOCK})");
    client.batch_execute(&lock).await.map_err(|error| explain(&error, "select pg_advisory_lock"))?;
    client.batch_execute(&for_postgres(CREATE)).await.map_err(|error| explain(&error, CREATE))?;
    let rows = client.query(APPLIED, &[]).await.map_err(|error| explain(&error, APPLIED))?;
    let applied = rows.iter().map(|row| Applied::from_row(&Row::from(row))).collect::<Result<Vec<_>, _>>()?;
    for migration in pending(migrations, &applied, Engine::Postgres)? {
        step(&client, migration).await?;
    }
    Ok(())
}

/// Runs one step and writes its line, in one transaction.
async fn step(client: &ClientWrapper, migration: &Migration) -> Result<(), Error> {
    // Text for PostgreSQL is written by hand; shared text needs its words changed.
    let text = migration.postgres.map_or_else(|| for_postgres(migration.sql), str::to_owned);
    let failed = |error: tokio_postgres::Error| migration.failed(explain(&error, "migration"));
    client.batch_execute("begin").await.map_err(failed)?;
    client.batch_execute(&text).await.map_err(failed)?;
    let checksum = migration.checksum(Engine::Postgres);
    client.execute(RECORD, &[&migration.number, &migration.name, &checksum]).await.map_err(failed)?;
    client.batch_execute("commit").await.map_err(failed)
}
