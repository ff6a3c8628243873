//! People with a local account.

use crate::{
    Change, Error, Store, UserId,
    columns::{Columns, maybe},
};
use gatepass_db::{FromRow, Row, Stmt, params};
use gatepass_keys::TokenId;
use gatepass_oauth::UtcMillis;

/// A person.
#[derive(Clone, Debug)]
pub struct UserAccount {
    /// Who it is.
    pub id: UserId,
    /// Lower-case address; unique.
    pub email: String,
    /// What to call them; may be empty.
    pub name: String,
    /// argon2id in PHC form; `None` when they have no password.
    pub password_hash: Option<String>,
    /// When the account was made.
    pub created_at: UtcMillis,
    /// When the address was proven. Nobody signs in before.
    pub email_verified_at: Option<UtcMillis>,
    /// Since when they own the server.
    pub owner_since: Option<UtcMillis>,
}

/// Somebody, as those see them that they signed in to.
#[derive(Clone, Debug)]
pub struct Person {
    /// Who it is.
    pub id: UserId,
    /// Their address.
    pub email: String,
    /// What to call them; may be empty.
    pub name: String,
    /// When the address was proven.
    pub email_verified_at: Option<UtcMillis>,
}

impl Person {
    /// Four columns: `id`, `email`, `name`, `email_verified_at`.
    pub(crate) fn read(row: &Row<'_>, first: usize) -> Result<Self, Error> {
        Ok(Self {
            id: row.user(first)?,
            email: row.get(first + 1)?,
            name: row.get(first + 2)?,
            email_verified_at: row.maybe_time(first + 3)?,
        })
    }
}

impl From<UserAccount> for Person {
    fn from(account: UserAccount) -> Self {
        let UserAccount { id, email, name, email_verified_at, .. } = account;
        Self { id, email, name, email_verified_at }
    }
}

pub(crate) const STATEMENTS: &[&str] = &[INSERT, INSERT_FIRST, BY_ID, BY_EMAIL, LIST, ANY, SET_PASSWORD, VERIFY_EMAIL];

const INSERT: &str =
    "insert into user_account (id, email, name, password_hash, created_at, email_verified_at, owner_since)
 values ($1, $2, $3, $4, $5, $6, $7)";
const INSERT_FIRST: &str =
    "insert into user_account (id, email, name, password_hash, created_at, email_verified_at, owner_since, founder)
 select $1, $2, $3, $4, $5, $6, $7, 1 where not exists (select 1 from user_account)";
const BY_ID: &str = "select id, email, name, password_hash, created_at, email_verified_at, owner_since
 from user_account where id = $1";
const BY_EMAIL: &str = "select id, email, name, password_hash, created_at, email_verified_at, owner_since
 from user_account where email = $1";
const LIST: &str = "select id, email, name, password_hash, created_at, email_verified_at, owner_since
 from user_account where id > $1 order by id limit $2";
const ANY: &str = "select id from user_account limit 1";

const SET_PASSWORD: &str = "update user_account set password_hash = $2 where id = $1";
// An address that was proven before keeps its time.
const VERIFY_EMAIL: &str = "update user_account set email_verified_at = coalesce(email_verified_at, $2) where id = $1";

impl FromRow for UserAccount {
    fn from_row(row: &Row<'_>) -> Result<Self, Error> {
        Ok(Self {
            id: row.user(0)?,
            email: row.get(1)?,
            name: row.get(2)?,
            password_hash: row.get(3)?,
            created_at: row.time(4)?,
            email_verified_at: row.maybe_time(5)?,
            owner_since: row.maybe_time(6)?,
        })
    }
}

impl UserAccount {
    fn statement(&self, sql: &'static str) -> Stmt {
        Stmt::new(
            sql,
            params![
                self.id.0,
                &self.email,
                &self.name,
                self.password_hash.clone(),
                self.created_at.0,
                maybe(self.email_verified_at),
                maybe(self.owner_since)
            ],
        )
        .touching(1)
    }
}

impl Store {
    /// Adds a person; [`Change::TooLate`] when the address has an account already.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn add_user(&self, user: &UserAccount) -> Result<Change, Error> {
        match self.db.batch(vec![user.statement(INSERT)]).await {
            Err(Error::Unique { .. }) => Ok(Change::TooLate),
            outcome => outcome.map(Change::from),
        }
    }

    /// Uses a one-time link and adds the first person; too late when the link was used or there is
    /// somebody already.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn add_first_user(&self, link: TokenId, user: &UserAccount) -> Result<Change, Error> {
        let statements = vec![crate::one_time_link::use_statement(link, user.created_at), user.statement(INSERT_FIRST)];
        match self.db.batch(statements).await {
            // Another link was used at the same moment.
            Err(Error::Unique { .. }) => Ok(Change::TooLate),
            outcome => outcome.map(Change::from),
        }
    }

    /// The person with this identifier.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn user(&self, id: UserId) -> Result<Option<UserAccount>, Error> {
        self.db.query_opt(BY_ID, params![id.0]).await
    }

    /// The person with this lower-case address.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn user_by_email(&self, email: &str) -> Result<Option<UserAccount>, Error> {
        self.db.query_opt(BY_EMAIL, params![email]).await
    }

    /// People in the order in which they came, after `after`.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn users(&self, after: Option<UserId>, limit: i64) -> Result<Vec<UserAccount>, Error> {
        self.db.query(LIST, params![after.map_or([0; 16], |id| id.0), limit]).await
    }

    /// Gives a person another password and ends their web sessions; too late when they are gone.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn set_password(&self, id: UserId, password_hash: String, now: UtcMillis) -> Result<Change, Error> {
        let set = Stmt::new(SET_PASSWORD, params![id.0, password_hash]).touching(1);
        self.db.batch(vec![set, crate::session::revoke_all_statement(id, now)]).await.map(Change::from)
    }

    /// Takes a person's address for proven, if it was not before; too late when they are gone.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn verify_email(&self, id: UserId, now: UtcMillis) -> Result<Change, Error> {
        let verify = Stmt::new(VERIFY_EMAIL, params![id.0, now.0]).touching(1);
        self.db.batch(vec![verify]).await.map(Change::from)
    }

    /// Whether there is anybody.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn has_users(&self) -> Result<bool, Error> {
        Ok(self.db.query_opt::<[u8; 16]>(ANY, params![]).await?.is_some())
    }
}
