//! Bringing the schema up to date: numbered steps, forward only, each with a checksum.
//!
//! 1. Take the engine's lock, so that of many nodes starting at once one migrates and the others wait.
//! 2. Read the table `schema_migration`: which steps have run, and the checksum of each.
//! 3. Compare with the program's list. The table must be its beginning: a step the program does not know means that
//!    a newer program was here, another checksum that a released step was edited.
//! 4. Run each missing step in a transaction of its own, together with its line in the table.

use aws_lc_rs::digest;

use crate::{Engine, Error, FromRow, Row};

/// One step of the schema.
#[derive(Clone, Copy, Debug)]
pub struct Migration {
    /// Its place in the list, from 1 without a gap.
    pub number: i64,
    /// What it does, in a few words.
    pub name: &'static str,
    /// Its statements in the shared subset, with `blob` and `without rowid` as SQLite writes them.
    pub sql: &'static str,
    /// Other statements for PostgreSQL, where the subset does not suffice. Keep it rare.
    pub postgres: Option<&'static str>,
}

/// Why the schema cannot be brought up to date. Nothing of the failing step has been changed.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MigrationError {
    /// The program's own list is not 1, 2, 3 ….
    #[error("migration {found} stands where {expected} is due; number migrations from 1 without a gap")]
    Gap {
        /// The number that is due.
        expected: i64,
        /// The number that was found.
        found: i64,
    },
    /// The database was made by a newer program.
    #[error(
        "the database is at schema {database}, this program knows {program}; start the newer version of the program"
    )]
    Newer {
        /// The database's last step.
        database: i64,
        /// The program's last step.
        program: i64,
    },
    /// A step that has run was edited afterwards.
    #[error("migration {number} ({name}) is not the one that this database ran; undo the edit and add a new migration")]
    Drift {
        /// Its number.
        number: i64,
        /// Its name in the program.
        name: &'static str,
    },
    /// A step failed.
    #[error("migration {number} ({name}) failed and was undone: {why}")]
    Failed {
        /// Its number.
        number: i64,
        /// Its name.
        name: &'static str,
        /// The engine's words.
        why: String,
    },
}

pub(crate) const CREATE: &str = "create table if not exists schema_migration
    (number bigint not null primary key, name text not null, checksum blob not null)";
pub(crate) const APPLIED: &str = "select number, checksum from schema_migration order by number";
pub(crate) const RECORD: &str = "insert into schema_migration (number, name, checksum) values ($1, $2, $3)";

/// A step that the database has run.
pub(crate) struct Applied {
    number: i64,
    checksum: Vec<u8>,
}

impl FromRow for Applied {
    fn from_row(row: &Row<'_>) -> Result<Self, Error> {
        Ok(Self { number: row.get(0)?, checksum: row.get(1)? })
    }
}

impl Migration {
    /// The text for `engine`, as it was written.
    pub(crate) fn text(&self, engine: Engine) -> &'static str {
        match (engine, self.postgres) {
            (Engine::Postgres, Some(text)) => text,
            _ => self.sql,
        }
    }

    /// SHA-256 of the text for `engine`.
    pub(crate) fn checksum(&self, engine: Engine) -> Vec<u8> {
        digest::digest(&digest::SHA256, self.text(engine).as_bytes()).as_ref().to_vec()
    }

    pub(crate) fn failed(&self, why: impl std::fmt::Display) -> Error {
        MigrationError::Failed { number: self.number, name: self.name, why: why.to_string() }.into()
    }
}

/// Is the program's list itself in order?
pub(crate) fn check_list(migrations: &[Migration]) -> Result<(), MigrationError> {
    let mut due = 1..;
    for (migration, expected) in migrations.iter().zip(&mut due) {
        if migration.number != expected {
            return Err(MigrationError::Gap { expected, found: migration.number });
        }
    }
    Ok(())
}

/// The steps that are still to run, given those that have.
pub(crate) fn pending<'a>(
    migrations: &'a [Migration],
    applied: &[Applied],
    engine: Engine,
) -> Result<&'a [Migration], MigrationError> {
    let program = migrations.last().map_or(0, |migration| migration.number);
    if let Some(last) = applied.last().filter(|last| last.number > program) {
        return Err(MigrationError::Newer { database: last.number, program });
    }
    for (ran, migration) in applied.iter().zip(migrations) {
        if ran.number != migration.number {
            return Err(MigrationError::Gap { expected: migration.number, found: ran.number });
        }
        if ran.checksum != migration.checksum(engine) {
            return Err(MigrationError::Drift { number: migration.number, name: migration.name });
        }
    }
    Ok(migrations.get(applied.len()..).unwrap_or_default())
}
