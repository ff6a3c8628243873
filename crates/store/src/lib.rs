//! What gatepass remembers: one file per table, with its statements, its rows and the state changes.
//!
//! Every statement is written once, as a constant, and runs on SQLite and on PostgreSQL. A change of
//! state is decided *in* the statement (`… where id = $1 and used_at is null`), so that of a hundred
//! who try at once one wins, on whatever node they are. Nothing here knows why a change is made; that
//! is the business of the use cases above.
//!
//! | table | file | holds |
//! |---|---|---|
//! | `user_account` | [`user_account`] | people with a local account |
//! | `session` | [`session`] | web sessions |
//! | `client` | [`client`] | registered clients |
//! | | [`client_registration`] | those that registered themselves |
//! | `client_document` | [`client_document`] | metadata documents of clients whose identifier is a URL |
//! | `client_assertion` | [`client_assertion`] | the `jti` of assertions that were used |
//! | `dpop_proof` | [`dpop_proof`] | proofs that were used |
//! | `signing_key` | [`signing_key`] | sealed private keys |
//! | `authorization_code` | [`authorization_code`] | codes on their way through a browser |
//! | `token_grant` | [`token_grant`] | what was allowed, with its refresh token |
//! | `access_token` | [`access_token`] | access tokens |
//! | `device_grant` | [`device_grant`] | devices that wait for a person |
//! | `consent` | [`consent`] | what a person has allowed a client to ask for |
//! | `one_time_link` | [`one_time_link`] | links that work once |
//! | `pushed_request` | [`pushed_request`] | authorization requests that came before the browser |
//! | `logout_notice` | [`logout_notice`] | what clients must still be told of a sign-out |
//! | `throttle` | [`throttle`] | counts of attempts |
//! | `service_account` | [`service_account`] | programs with an identity of their own |
//! | `resource` | [`resource`] | APIs that tokens are for |
//! | `trust` | [`trust`] | whose assertions are taken |
//! | `audit` | [`audit`] | what happened; rows are never changed |
//! | `webhook_delivery` | [`webhook_delivery`] | notices on their way to the operator |
//! | `lease` | [`lease`] | work that one node at a time does |
//!
//! What is over is deleted by [`sweep`], which has one line per table.

pub mod access_token;
pub mod audit;
pub mod authorization_code;
pub mod client;
pub mod client_assertion;
pub mod client_document;
pub mod client_registration;
mod columns;
pub mod consent;
pub mod device_grant;
pub mod dpop_proof;
pub mod ending;
pub mod lease;
pub mod logout_notice;
pub mod one_time_link;
pub mod pushed_request;
pub mod resource;
mod schema;
pub mod service_account;
pub mod session;
pub mod session_client;
pub mod signing_key;
pub mod sweep;
pub mod throttle;
pub mod token_grant;
pub mod trust;
pub mod user_account;
pub mod webhook_delivery;

pub use columns::{Authentication, UserId};
pub use gatepass_db::{DatabaseUrl, Engine, Error, Stats};
pub use schema::MIGRATIONS;

use gatepass_db::{Db, Options, Outcome};

/// The open store. Clones share it.
#[derive(Clone)]
pub struct Store {
    db: Db,
}

/// Whether a change of state took place, or somebody else's did before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "a change that came too late has changed nothing"]
pub enum Change {
    /// It took place, and is on disk.
    Made,
    /// The row was no longer as it had been read; nothing has changed.
    TooLate,
}

impl Store {
    /// Opens the database and brings its schema up to date.
    ///
    /// # Errors
    /// [`Error`], with a sentence for the operator.
    pub async fn open(url: &DatabaseUrl) -> Result<Self, Error> {
        let db = Db::open(url, &Options::default()).await?;
        db.migrate(MIGRATIONS).await?;
        Ok(Self { db })
    }

    /// Whether the database answers, reads and writes.
    ///
    /// # Errors
    /// [`Error`], with what is wrong.
    pub async fn check(&self) -> Result<(), Error> {
        self.db.check().await
    }

    /// What the database has done since it was opened.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.db.stats()
    }

    /// Finishes what is queued and closes.
    pub async fn close(&self) {
        self.db.close().await;
    }

    /// The facade underneath, for tests that look at plans and columns.
    #[must_use]
    pub fn db(&self) -> &Db {
        &self.db
    }
}

impl From<Outcome> for Change {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Done => Self::Made,
            Outcome::Stale => Self::TooLate,
        }
    }
}

impl Change {
    /// From the number of rows that a guarded statement touched.
    fn from_rows(rows: u64) -> Self {
        if rows == 1 { Self::Made } else { Self::TooLate }
    }
}

/// Every statement, with the table that it belongs to. A test prepares them all on both engines.
pub const STATEMENTS: &[(&str, &[&str])] = &[
    ("user_account", user_account::STATEMENTS),
    ("session", session::STATEMENTS),
    ("session_client", session_client::STATEMENTS),
    ("client", client::STATEMENTS),
    ("client", client_registration::STATEMENTS),
    ("client_document", client_document::STATEMENTS),
    ("client_assertion", client_assertion::STATEMENTS),
    ("dpop_proof", dpop_proof::STATEMENTS),
    ("signing_key", signing_key::STATEMENTS),
    ("authorization_code", authorization_code::STATEMENTS),
    ("token_grant", token_grant::STATEMENTS),
    ("access_token", access_token::STATEMENTS),
    ("device_grant", device_grant::STATEMENTS),
    ("consent", consent::STATEMENTS),
    ("one_time_link", one_time_link::STATEMENTS),
    ("throttle", throttle::STATEMENTS),
    ("pushed_request", pushed_request::STATEMENTS),
    ("logout_notice", logout_notice::STATEMENTS),
    ("session and others", ending::STATEMENTS),
    ("service_account", service_account::STATEMENTS),
    ("resource", resource::STATEMENTS),
    ("trust", trust::STATEMENTS),
    ("audit", audit::STATEMENTS),
    ("webhook_delivery", webhook_delivery::STATEMENTS),
    ("lease", lease::STATEMENTS),
];
