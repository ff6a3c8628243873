//! Web sessions: who holds this cookie.

use crate::{Authentication, Change, Error, Store, UserId, columns::Columns};
use gatepass_db::{FromRow, Row, Stmt, params};
use gatepass_keys::{HashedToken, TokenId};
use gatepass_oauth::{SignInMethod, UtcMillis};

/// A session that has begun.
#[derive(Clone, Debug)]
pub struct NewSession {
    /// The identifier in the cookie.
    pub id: TokenId,
    /// The hash of the cookie.
    pub hash: HashedToken,
    /// Whose it is.
    pub user_id: UserId,
    /// When they proved themselves.
    pub authenticated_at: UtcMillis,
    /// How.
    pub method: SignInMethod,
    /// When it ends, unless it is used before.
    pub expires_at: UtcMillis,
    /// Where from.
    pub address: String,
    /// With what.
    pub user_agent: String,
}

/// A live session with its person.
#[derive(Clone, Debug)]
pub struct LiveSession {
    /// The identifier in the cookie.
    pub id: TokenId,
    /// What a presented cookie's hash must equal.
    pub hash: HashedToken,
    /// Whose it is.
    pub user_id: UserId,
    /// Their address.
    pub email: String,
    /// Their name.
    pub name: String,
    /// When the address was proven.
    pub email_verified_at: Option<UtcMillis>,
    /// When they proved themselves.
    pub authenticated_at: UtcMillis,
    /// How.
    pub method: SignInMethod,
    /// When it was last prolonged.
    pub seen_at: UtcMillis,
    /// The first session of this browser: another sign-in of the same person takes a session's place without ending
    /// what hangs on it.
    pub origin_id: TokenId,
}

impl LiveSession {
    /// How and when the person proved themselves.
    #[must_use]
    pub fn authentication(&self) -> Authentication {
        Authentication { at: self.authenticated_at, method: self.method, session_id: Some(self.origin_id) }
    }
}

pub(crate) const STATEMENTS: &[&str] = &[INSERT, LIVE, PROLONG, REVOKE, REVOKE_ALL, CONTINUE];

const INSERT: &str =
    "insert into session (id, hash, user_id, authenticated_at, seen_at, expires_at, address, user_agent,
 method) values ($1, $2, $3, $4, $4, $5, $6, $7, $8)";
const LIVE: &str =
    "select s.id, s.hash, s.user_id, u.email, u.name, u.email_verified_at, s.authenticated_at, s.seen_at,
 s.method, coalesce(s.origin_id, s.id) from session s join user_account u on u.id = s.user_id
 where s.id = $1 and s.expires_at > $2 and s.revoked_at is null";
const PROLONG: &str =
    "update session set seen_at = $2, expires_at = $3 where id = $1 and revoked_at is null and seen_at < $2";
const REVOKE: &str = "update session set revoked_at = $2 where id = $1 and revoked_at is null";
const CONTINUE: &str = "update session set origin_id = $2 where id = $1";
const REVOKE_ALL: &str = "update session set revoked_at = $2 where user_id = $1 and revoked_at is null";

pub(crate) fn revoke_all_statement(user: UserId, now: UtcMillis) -> Stmt {
    Stmt::new(REVOKE_ALL, params![user.0, now.0])
}

impl FromRow for LiveSession {
    fn from_row(row: &Row<'_>) -> Result<Self, Error> {
        Ok(Self {
            id: row.id(0)?,
            hash: row.hash(1)?,
            user_id: row.user(2)?,
            email: row.get(3)?,
            name: row.get(4)?,
            email_verified_at: row.maybe_time(5)?,
            authenticated_at: row.time(6)?,
            seen_at: row.time(7)?,
            method: row.parsed(8)?,
            origin_id: row.id(9)?,
        })
    }
}

impl Store {
    /// Begins a session.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn add_session(&self, session: &NewSession) -> Result<(), Error> {
        let params = params![
            session.id.0,
            session.hash.0,
            session.user_id.0,
            session.authenticated_at.0,
            session.expires_at.0,
            &session.address,
            &session.user_agent,
            session.method.as_str()
        ];
        self.db.execute(INSERT, params).await.map(drop)
    }

    /// The session if it lives at `now`. The caller compares the hash.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn live_session(&self, id: TokenId, now: UtcMillis) -> Result<Option<LiveSession>, Error> {
        self.db.query_opt(LIVE, params![id.0, now.0]).await
    }

    /// Moves a session's end.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn prolong_session(&self, id: TokenId, now: UtcMillis, expires_at: UtcMillis) -> Result<Change, Error> {
        self.db.execute(PROLONG, params![id.0, now.0, expires_at.0]).await.map(Change::from_rows)
    }

    /// Ends a session.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn revoke_session(&self, id: TokenId, now: UtcMillis) -> Result<Change, Error> {
        self.db.execute(REVOKE, params![id.0, now.0]).await.map(Change::from_rows)
    }

    /// Lets a new session take the place of a former one of the same person in the same browser.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn continue_session(&self, former: &LiveSession, new: TokenId, now: UtcMillis) -> Result<(), Error> {
        let statements = vec![
            Stmt::new(CONTINUE, params![new.0, former.origin_id.0]),
            Stmt::new(REVOKE, params![former.id.0, now.0]),
        ];
        self.db.batch(statements).await.map(drop)
    }
}
