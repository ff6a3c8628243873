//! Authorization requests that came before the browser (RFC 9126).

use crate::{Change, Error, Store, authorization_code::AuthorizationCode, columns::Columns};
use gatepass_db::{FromRow, Row, Stmt, params};
use gatepass_keys::{HashedToken, TokenId};
use gatepass_oauth::{ClientId, UtcMillis};

/// A request that was pushed.
#[derive(Clone, Debug)]
pub struct PushedRequest {
    /// The identifier in its reference.
    pub id: TokenId,
    /// The hash of the reference.
    pub hash: HashedToken,
    /// Who pushed it.
    pub client_id: ClientId,
    /// Its parameters, as the query of a link.
    pub request: String,
    /// When it came.
    pub created_at: UtcMillis,
    /// When it ends.
    pub expires_at: UtcMillis,
    /// When it was answered.
    pub used_at: Option<UtcMillis>,
}

/// The short link to a request.
#[derive(Clone)]
pub struct Ticket {
    /// The keyed hash of its letters.
    pub hash: [u8; 32],
    /// The request's reference, sealed.
    pub sealed_reference: Vec<u8>,
}

pub(crate) const STATEMENTS: &[&str] = &[INSERT, BY_ID, BY_TICKET, EXTEND, USE];

const INSERT: &str =
    "insert into pushed_request (id, hash, ticket_hash, sealed_reference, client_id, request, created_at,
 expires_at) values ($1, $2, $3, $4, $5, $6, $7, $8)";
const BY_ID: &str = "select id, hash, client_id, request, created_at, expires_at, used_at
 from pushed_request where id = $1";
const BY_TICKET: &str = "select sealed_reference, client_id from pushed_request
 where ticket_hash = $1 and expires_at > $2 and used_at is null";
const EXTEND: &str = "update pushed_request set expires_at = $2
 where id = $1 and used_at is null and expires_at < $2 and expires_at > $3";
const USE: &str = "update pushed_request set used_at = $2 where id = $1 and used_at is null and expires_at > $2";

impl FromRow for PushedRequest {
    fn from_row(row: &Row<'_>) -> Result<Self, Error> {
        Ok(Self {
            id: row.id(0)?,
            hash: row.hash(1)?,
            client_id: row.parsed(2)?,
            request: row.get(3)?,
            created_at: row.time(4)?,
            expires_at: row.time(5)?,
            used_at: row.maybe_time(6)?,
        })
    }
}

/// What a short link leads to.
pub struct TicketTarget {
    /// The request's reference, sealed.
    pub sealed_reference: Vec<u8>,
    /// Who pushed it.
    pub client_id: ClientId,
}

impl FromRow for TicketTarget {
    fn from_row(row: &Row<'_>) -> Result<Self, Error> {
        Ok(Self { sealed_reference: row.get(0)?, client_id: row.parsed(1)? })
    }
}

impl Store {
    /// Keeps a request; too late when its short link is taken.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn add_pushed_request(&self, pushed: &PushedRequest, ticket: Option<&Ticket>) -> Result<Change, Error> {
        let params = params![
            pushed.id.0,
            pushed.hash.0,
            ticket.map(|ticket| ticket.hash),
            ticket.map(|ticket| ticket.sealed_reference.clone()),
            pushed.client_id.as_str(),
            &pushed.request,
            pushed.created_at.0,
            pushed.expires_at.0
        ];
        match self.db.execute(INSERT, params).await {
            Err(Error::Unique { .. }) => Ok(Change::TooLate),
            rows => rows.map(Change::from_rows),
        }
    }

    /// The request with this identifier, over or not. The caller compares the hash.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn pushed_request(&self, id: TokenId) -> Result<Option<PushedRequest>, Error> {
        self.db.query_opt(BY_ID, params![id.0]).await
    }

    /// What the short link with this hash leads to, if the request lives at `now`.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn pushed_request_by_ticket(
        &self,
        hash: [u8; 32],
        now: UtcMillis,
    ) -> Result<Option<TicketTarget>, Error> {
        self.db.query_opt(BY_TICKET, params![hash, now.0]).await
    }

    /// Moves a living request's end, once.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn extend_pushed_request(&self, id: TokenId, until: UtcMillis, now: UtcMillis) -> Result<Change, Error> {
        self.db.execute(EXTEND, params![id.0, until.0, now.0]).await.map(Change::from_rows)
    }

    /// Uses a request without a code: the person said no.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn use_pushed_request(&self, id: TokenId, now: UtcMillis) -> Result<Change, Error> {
        self.db.execute(USE, params![id.0, now.0]).await.map(Change::from_rows)
    }

    /// Uses a request and keeps its code, all or nothing; too late when it was used or is over, or the session is. Of many
    /// browsers that come with one reference one gets a code.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn answer_pushed_request(
        &self,
        id: TokenId,
        code: &AuthorizationCode,
        session: TokenId,
        now: UtcMillis,
    ) -> Result<Change, Error> {
        let used = Stmt::new(USE, params![id.0, now.0]).touching(1);
        self.db.batch(vec![used, code.insert(session)]).await.map(Change::from)
    }
}
