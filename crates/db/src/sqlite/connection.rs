//! Making the file, and opening connections to it.

use std::{
    fs::OpenOptions,
    io::{self, ErrorKind},
    path::Path,
};

use rusqlite::{Connection, config::DbConfig};

use super::failure::Failure;
use crate::{Error, Options};

/// What a connection is for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Changes rows.
    Writer,
    /// Only reads; SQLite refuses all else.
    Reader,
}

/// Distinct statements that a connection keeps prepared.
const STATEMENTS: usize = 256;

/// The log is cut back to this size when it has been larger, in bytes.
const LOG_LIMIT: i64 = 64 * 1024 * 1024;

/// Makes the file if it is not there, readable and writable by its owner only.
///
/// SQLite gives its side files (`-wal`, `-shm`) the same mode.
pub(super) fn create(path: &Path) -> Result<(), Error> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.open(path) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(Error::unavailable(cannot_be_made(path, &error))),
    }
}

fn cannot_be_made(path: &Path, error: &io::Error) -> String {
    let remedy = match path.parent().filter(|folder| !folder.as_os_str().is_empty() && !folder.exists()) {
        Some(folder) => format!("make the folder {} first, or name another file", folder.display()),
        None => "let this user write to its folder, or name another file".to_owned(),
    };
    format!("{} cannot be made ({error}); {remedy}", path.display())
}

/// Opens a connection.
pub(super) fn open(path: &Path, kind: Kind, options: &Options) -> Result<Connection, Error> {
    let failed = |error: rusqlite::Error| match Failure::from(error).explain("opening the file") {
        Error::Unavailable { why } => Error::unavailable(format!("{} cannot be opened: {why}", path.display())),
        other => other,
    };
    let connection = Connection::open(path).map_err(failed)?;
    configure(&connection, kind, options).map_err(failed)?;
    Ok(connection)
}

fn configure(connection: &Connection, kind: Kind, options: &Options) -> rusqlite::Result<()> {
    connection.busy_timeout(options.wait)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    // Plans that do not look at the values. Otherwise a new value in an inequality (`expires_at > $2`) has the
    // statement parsed and planned anew each time, which costs more than the look-up itself.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    let pragma = |name: &str, value: &dyn rusqlite::ToSql| connection.pragma_update(None, name, value);
    pragma("cache_size", &-i64::from(options.cache_kib))?;
    pragma("temp_store", &"memory")?;
    pragma("trusted_schema", &false)?;
    match kind {
        Kind::Reader => pragma("query_only", &true),
        Kind::Writer => {
            turn_on_wal(connection)?;
            pragma("synchronous", &"full")?;
            pragma("foreign_keys", &true)?;
            pragma("wal_autocheckpoint", &i64::from(options.checkpoint_pages))?;
            pragma("journal_size_limit", &LOG_LIMIT)?;
            // Opens the log. A checkpoint that had to open it first would wait for its own read lock.
            connection.query_row("select count(*) from sqlite_schema", [], |_| Ok(()))
        }
    }
}

/// Turns on the write-ahead log. Unlike all else, this does not wait when another process is doing the same.
fn turn_on_wal(connection: &Connection) -> rusqlite::Result<()> {
    let attempt = || connection.pragma_update(None, "journal_mode", "wal");
    for pause in [5, 20, 80, 320] {
        match attempt() {
            Err(error) if error.sqlite_error_code() == Some(rusqlite::ErrorCode::DatabaseBusy) => {
                std::thread::sleep(std::time::Duration::from_millis(pause));
            }
            other => return other,
        }
    }
    attempt()
}
