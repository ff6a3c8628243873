//! What clients must still be told of a sign-out (OpenID Connect Back-Channel Logout 1.0).
//!
//! A notice stays until it was heard or given up. Who delivers it takes it for a while first, by moving its time: of
//! many nodes one does, and if that one dies another takes it later. What is due is read in shares, so that neither one
//! person's notices nor one client's keep all others waiting.

use crate::{Change, Error, Store, UserId, columns::Columns};
use gatepass_db::{FromRow, Row, Stmt, params};
use gatepass_keys::TokenId;
use gatepass_oauth::{ClientId, UtcMillis};

/// One notice to one client.
#[derive(Clone, Debug)]
pub struct LogoutNotice {
    /// Its identifier.
    pub id: TokenId,
    /// To whom.
    pub client_id: ClientId,
    /// Who signed out.
    pub user_id: UserId,
    /// In which session; `None`: in all.
    pub session_id: Option<TokenId>,
    /// When.
    pub created_at: UtcMillis,
    /// How often it was tried.
    pub attempts: i64,
    /// When it is tried next.
    pub next_at: UtcMillis,
}

pub(crate) const STATEMENTS: &[&str] = &[INSERT, DUE, TAKE, PUT_OFF, DELETE];

const INSERT: &str = "insert into logout_notice (id, client_id, user_id, session_id, created_at, attempts, next_at)
 values ($1, $2, $3, $4, $5, 0, $5)";
const DUE: &str = "select id, client_id, user_id, session_id, created_at, attempts, next_at from
 (select id, client_id, user_id, session_id, created_at, attempts, next_at,
  row_number() over (partition by user_id order by next_at) as of_user,
  row_number() over (partition by client_id order by next_at) as of_client
  from logout_notice where next_at <= $1) as due
 where of_user <= $2 and of_client <= $2 order by next_at limit $3";
const TAKE: &str = "update logout_notice set attempts = attempts + 1, next_at = $3 where id = $1 and next_at = $2";
const PUT_OFF: &str = "update logout_notice set next_at = $3 where client_id = $1 and next_at <= $2";
const DELETE: &str = "delete from logout_notice where id = $1";

impl FromRow for LogoutNotice {
    fn from_row(row: &Row<'_>) -> Result<Self, Error> {
        Ok(Self {
            id: row.id(0)?,
            client_id: row.parsed(1)?,
            user_id: row.user(2)?,
            session_id: row.maybe_id(3)?,
            created_at: row.time(4)?,
            attempts: row.get(5)?,
            next_at: row.time(6)?,
        })
    }
}

impl LogoutNotice {
    pub(crate) fn insert(&self) -> Stmt {
        let params = params![
            self.id.0,
            self.client_id.as_str(),
            self.user_id.0,
            self.session_id.map(|id| id.0),
            self.created_at.0
        ];
        Stmt::new(INSERT, params)
    }
}

impl Store {
    /// Notices whose time has come: at most `share` of one person and of one client.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn due_logout_notices(&self, now: UtcMillis, share: i64, limit: i64) -> Result<Vec<LogoutNotice>, Error> {
        self.db.query(DUE, params![now.0, share, limit]).await
    }

    /// Puts off what is due for a client until `until`.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn put_off_logout_notices(
        &self,
        client: &ClientId,
        now: UtcMillis,
        until: UtcMillis,
    ) -> Result<u64, Error> {
        self.db.execute(PUT_OFF, params![client.as_str(), now.0, until.0]).await
    }

    /// Takes a notice until `until`; too late when another node has.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn take_logout_notice(&self, notice: &LogoutNotice, until: UtcMillis) -> Result<Change, Error> {
        self.db.execute(TAKE, params![notice.id.0, notice.next_at.0, until.0]).await.map(Change::from_rows)
    }

    /// Forgets a notice: it was heard, or is given up.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn forget_logout_notice(&self, id: TokenId) -> Result<(), Error> {
        self.db.execute(DELETE, params![id.0]).await.map(drop)
    }
}
