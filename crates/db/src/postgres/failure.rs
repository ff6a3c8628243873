//! PostgreSQL's SQLSTATEs, sorted into [`Error`]'s reasons.

use std::error::Error as _;

use tokio_postgres::error::{DbError, SqlState};

use crate::Error;

/// Another transaction was in the way; the same work may well succeed now.
pub(super) const COLLIDED: &str = "it kept colliding with other changes";

/// The reason, for a failure of `sql`.
pub(super) fn explain(error: &tokio_postgres::Error, sql: &'static str) -> Error {
    match error.as_db_error() {
        Some(answer) => by_state(answer, sql),
        // Closed, or the network failed. What is not a statement's fault says so in its first word.
        None if error.is_closed() => Error::unavailable("the connection was lost"),
        None => match error.source() {
            Some(cause) if is_untrusted(cause) => Error::unavailable(format!(
                "{error}: {cause}; if a private authority has signed the server's certificate, name the authority's file \
                 with sslrootcert"
            )),
            Some(cause) if cause.is::<std::io::Error>() || cause.is::<rustls::Error>() => {
                Error::unavailable(format!("{error}: {cause}"))
            }
            Some(cause) => Error::statement(sql, format!("{error}: {cause}")),
            None => Error::statement(sql, error.to_string()),
        },
    }
}

/// Was the server's certificate refused on this side?
fn is_untrusted(cause: &(dyn std::error::Error + 'static)) -> bool {
    let inner = cause.downcast_ref::<std::io::Error>().and_then(|error| error.get_ref());
    let error = inner.and_then(|error| error.downcast_ref::<rustls::Error>()).or(cause.downcast_ref());
    matches!(error, Some(rustls::Error::InvalidCertificate(_)))
}

fn by_state(answer: &DbError, sql: &'static str) -> Error {
    let state = answer.code();
    let message = answer.message().to_owned();
    let class = state.code().get(..2).unwrap_or_default();
    match class {
        _ if *state == SqlState::UNIQUE_VIOLATION => Error::Unique { constraint: constraint(answer) },
        "23" => Error::Integrity { rule: message },
        "40" => Error::Busy { why: COLLIDED },
        _ if *state == SqlState::QUERY_CANCELED => Error::Busy { why: "the statement took longer than it may" },
        _ if *state == SqlState::LOCK_NOT_AVAILABLE => Error::Busy { why: "a lock did not become free" },
        // Access, database names, resources, shutting down, the disk: the operator's to mend.
        "08" | "25" | "28" | "3D" | "53" | "57" | "58" => Error::unavailable(message),
        "XX" => Error::Corrupt { what: message },
        // Names and syntax: the message speaks of the statement's text, which holds no values.
        "42" | "0A" | "26" => Error::statement(sql, message),
        // The message may repeat a value (`invalid input syntax for type …`). Only the code is told.
        _ => Error::statement(sql, format!("SQLSTATE {}", state.code())),
    }
}

/// `user.email`, as SQLite says it: the columns stand in the detail, `Key (email)=(…) already exists.`
fn constraint(answer: &DbError) -> String {
    let columns = answer.detail().and_then(|detail| Some(detail.split_once('(')?.1.split_once(")=")?.0));
    match (answer.table(), columns) {
        (Some(table), Some(columns)) => {
            columns.split(", ").map(|column| format!("{table}.{column}")).collect::<Vec<_>>().join(", ")
        }
        _ => answer.constraint().unwrap_or("key").to_owned(),
    }
}
