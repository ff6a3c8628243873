//! SQLite's error codes, sorted into [`Error`]'s reasons.

use rusqlite::{ErrorCode, ffi};

use crate::Error;

/// An error of SQLite on its way to becoming one of ours.
pub(super) struct Failure(rusqlite::Error);

impl From<rusqlite::Error> for Failure {
    fn from(error: rusqlite::Error) -> Self {
        Self(error)
    }
}

impl Failure {
    /// The reason, for a failure of `sql`.
    pub(super) fn explain(self, sql: &'static str) -> Error {
        match self.0 {
            rusqlite::Error::SqliteFailure(code, message) => by_code(code, message, sql),
            // The text itself was refused: the message speaks of the text, which holds no values.
            rusqlite::Error::SqlInputError { msg, .. } => Error::statement(sql, msg),
            other => Error::statement(sql, other.to_string()),
        }
    }

    /// The reason, for a failed commit. If the disk failed, nobody knows what has reached it.
    pub(super) fn explain_commit(self) -> Error {
        match self.0.sqlite_error_code() {
            Some(ErrorCode::SystemIoFailure) => Error::Uncertain { why: self.0.to_string() },
            _ => self.explain("commit"),
        }
    }
}

fn by_code(code: ffi::Error, message: Option<String>, sql: &'static str) -> Error {
    let message = message.unwrap_or_default();
    match (code.code, code.extended_code) {
        (_, ffi::SQLITE_CONSTRAINT_UNIQUE | ffi::SQLITE_CONSTRAINT_PRIMARYKEY | ffi::SQLITE_CONSTRAINT_ROWID) => {
            Error::Unique { constraint: after_colon(&message).to_owned() }
        }
        (ErrorCode::ConstraintViolation, _) => Error::Integrity { rule: message },
        (ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked, _) => {
            Error::Busy { why: "another process holds the write lock" }
        }
        (ErrorCode::OperationInterrupted, _) => Error::Busy { why: "the statement took longer than it may" },
        (ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase, _) => Error::Corrupt { what: message },
        (
            ErrorCode::DiskFull
            | ErrorCode::SystemIoFailure
            | ErrorCode::CannotOpen
            | ErrorCode::ReadOnly
            | ErrorCode::PermissionDenied
            | ErrorCode::OutOfMemory,
            _,
        ) => Error::unavailable(message),
        // Met while running: the message may repeat a value, such as a search text. Only the code is told.
        _ => Error::statement(sql, code.to_string()),
    }
}

/// `user.email` out of `UNIQUE constraint failed: user.email`.
fn after_colon(message: &str) -> &str {
    message.split_once(": ").map_or(message, |(_, columns)| columns)
}
