//! What can go wrong, by reason. No message holds a bound value: it may be somebody's address or a hash.

use crate::migrate::MigrationError;

/// Why a call failed.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Too much work at once; nothing was changed.
    #[error("the database is busy: {why}; try again in a moment")]
    Busy {
        /// What there was too much of, or what was waited for in vain.
        why: &'static str,
    },

    /// The engine cannot be reached or cannot work; nothing was changed.
    #[error("the database cannot be used: {why}")]
    Unavailable {
        /// The engine's words.
        why: String,
    },

    /// The answer to a commit was lost. Never repeated by this crate.
    #[error("the change may or may not be stored: {why}; read the row before writing it again")]
    Uncertain {
        /// The engine's words.
        why: String,
    },

    /// A row with this key is there already; nothing was changed.
    #[error("a row with the same {constraint} exists already")]
    Unique {
        /// Table and columns, the same on both engines: `user.email`, `member.space, member.user`.
        constraint: String,
    },

    /// A foreign key, `not null` or `check` was broken; nothing was changed.
    #[error("the change breaks a rule of the database: {rule}")]
    Integrity {
        /// The engine's words.
        rule: String,
    },

    /// The engine does not accept the statement: a bug in the program.
    #[error("the database refused a statement ({why}): {sql}; report it as a bug")]
    Statement {
        /// The statement's text, without its values.
        sql: &'static str,
        /// The engine's words.
        why: String,
    },

    /// Something was read that this program never writes.
    #[error("the database holds something unexpected: {what}; restore it from a backup")]
    Corrupt {
        /// What was found.
        what: String,
    },

    /// The schema cannot be brought up to date.
    #[error(transparent)]
    Migration(#[from] MigrationError),

    /// The database URL cannot be understood.
    #[error("the database URL cannot be used: {why}; write sqlite:///folder/file.db or postgres://user@host/name")]
    Url {
        /// What is wrong with it, without repeating it: it may hold a password.
        why: String,
    },
}

impl Error {
    pub(crate) fn unavailable(why: impl Into<String>) -> Self {
        Self::Unavailable { why: why.into() }
    }

    pub(crate) fn closed() -> Self {
        Self::unavailable("it has been closed")
    }

    pub(crate) fn statement(sql: &'static str, why: impl Into<String>) -> Self {
        Self::Statement { sql, why: why.into() }
    }

    pub(crate) fn column(index: usize, found: &str, expected: &str) -> Self {
        Self::Corrupt { what: format!("column {index} holds {found}, not {expected}") }
    }
}
