//! Token grants: what a person has allowed a client, and the refresh token that stands for it.
//!
//! One row is the whole family of refresh tokens. Every token of the family carries the row's
//! identifier; the row knows the hash of the current one and of the one before. So a presented token
//! of the family is one of three:
//!
//! 1. the current one: it may rotate ([`Store::rotate_refresh_token`], a compare-and-set on its hash);
//! 2. the one before: perhaps its answer was lost, and the sealed answer is given again;
//! 3. anything else: an older one, so somebody holds a copy, and the family ends.

use crate::{
    Authentication, Change, Error, Store, UserId,
    access_token::NewAccessToken,
    columns::Columns,
    ending::{Ending, SessionNames},
};
use gatepass_db::{FromRow, Row, Stmt, params};
use gatepass_keys::{HashedToken, TokenId};
use gatepass_oauth::{ClientId, Confirmation, ResourceUri, Scope, UtcMillis};

/// A grant as it begins.
#[derive(Clone, Debug)]
pub struct NewGrant {
    /// The identifier that its refresh tokens carry.
    pub id: TokenId,
    /// To whom.
    pub client_id: ClientId,
    /// By whom.
    pub user_id: UserId,
    /// What.
    pub scope: Scope,
    /// For which API.
    pub resource: ResourceUri,
    /// How and when the person proved themselves.
    pub authentication: Authentication,
    /// The session that a device was approved in; the grant is no part of it, but an operator may end both.
    pub approved_in: Option<TokenId>,
    /// The key that its refresh tokens are bound to.
    pub confirmation: Option<Confirmation>,
    /// Since when.
    pub created_at: UtcMillis,
    /// The first refresh token; `None` for a client that may not refresh.
    pub refresh_hash: Option<HashedToken>,
    /// When it can no longer be refreshed.
    pub refresh_expires_at: UtcMillis,
}

/// A grant as it stands.
#[derive(Clone, Debug)]
pub struct TokenGrant {
    /// The identifier that its refresh tokens carry.
    pub id: TokenId,
    /// To whom.
    pub client_id: ClientId,
    /// By whom.
    pub user_id: UserId,
    /// What.
    pub scope: Scope,
    /// For which API.
    pub resource: ResourceUri,
    /// How and when the person proved themselves.
    pub authentication: Authentication,
    /// The key that its refresh tokens are bound to.
    pub confirmation: Option<Confirmation>,
    /// The current refresh token.
    pub refresh_hash: Option<HashedToken>,
    /// When it can no longer be refreshed.
    pub refresh_expires_at: UtcMillis,
    /// The last rotation, if there was one.
    pub last_rotation: Option<Rotation>,
    /// When it ended.
    pub revoked_at: Option<UtcMillis>,
}

/// The last rotation of a family.
#[derive(Clone, Debug)]
pub struct Rotation {
    /// When.
    pub at: UtcMillis,
    /// The token that was given up.
    pub previous_hash: HashedToken,
    /// The answer, sealed so that only the token that was given up opens it.
    pub sealed_answer: Vec<u8>,
    /// When the new access token was first seen in use.
    pub successor_used_at: Option<UtcMillis>,
}

/// A client that holds a grant or knows that a person is signed in, and of which session.
#[derive(Clone, Debug)]
pub struct Holder {
    /// The client.
    pub client_id: ClientId,
    /// The session; `None` for a device's grant.
    pub session_id: Option<TokenId>,
}

impl FromRow for Holder {
    fn from_row(row: &Row<'_>) -> Result<Self, Error> {
        Ok(Self { client_id: row.parsed(0)?, session_id: row.maybe_id(1)? })
    }
}

/// Why a grant ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RevokedBecause {
    /// Its client asked.
    ClientAsked,
    /// A refresh token that was given up came again.
    RefreshReuse,
    /// Its authorization code came again.
    CodeReuse,
    /// Its person signed out.
    SignedOut,
    /// The operator ended it.
    Operator,
    /// Its client is gone.
    ClientRemoved,
}

impl RevokedBecause {
    /// The word in the database and in logs.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ClientAsked => "client_asked",
            Self::RefreshReuse => "refresh_reuse",
            Self::CodeReuse => "code_reuse",
            Self::SignedOut => "signed_out",
            Self::Operator => "operator",
            Self::ClientRemoved => "client_removed",
        }
    }
}

/// A rotation to be made.
#[derive(Clone, Debug)]
pub struct NewRotation {
    /// The family.
    pub id: TokenId,
    /// The token that is given up; the rotation is made only while it is the current one.
    pub previous_hash: HashedToken,
    /// The token that takes its place.
    pub refresh_hash: HashedToken,
    /// When.
    pub at: UtcMillis,
    /// When the new one can no longer be refreshed.
    pub refresh_expires_at: UtcMillis,
    /// The answer, sealed.
    pub sealed_answer: Vec<u8>,
}

pub(crate) const STATEMENTS: &[&str] = &[
    INSERT,
    INSERT_PLAIN,
    BY_ID,
    ROTATE,
    SUCCESSOR_USED,
    REVOKE,
    CLIENTS_OF_SESSION,
    COUNT_OF_SESSION,
    CLIENTS_OF_USER,
    END_ONLINE_OF_SESSION,
    END_OF_SESSION,
    END_APPROVED_IN_SESSION,
    END_OF_USER,
    STEP,
    END_OF_CLIENT,
    END_OF_REGISTERED,
];

const INSERT: &str = "insert into token_grant (id, client_id, user_id, scope, resource, authenticated_at, created_at,
 refresh_hash, refresh_expires_at, method, session_id, confirmation, approved_in)
 values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)";
/// The same of a grant that has neither of the last two.
const INSERT_PLAIN: &str =
    "insert into token_grant (id, client_id, user_id, scope, resource, authenticated_at, created_at,
 refresh_hash, refresh_expires_at, method, session_id) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)";
const BY_ID: &str = "select id, client_id, user_id, scope, resource, refresh_hash, refresh_expires_at, rotated_at,
 previous_hash, sealed_answer, successor_used_at, revoked_at, authenticated_at, method, session_id, confirmation
 from token_grant where id = $1";
const ROTATE: &str = "update token_grant set refresh_hash = $3, previous_hash = $2, rotated_at = $4,
 refresh_expires_at = $5, sealed_answer = $6, successor_used_at = null
 where id = $1 and refresh_hash = $2 and revoked_at is null";
const SUCCESSOR_USED: &str = "update token_grant set successor_used_at = $2
 where id = $1 and rotated_at <= $3 and successor_used_at is null";
const REVOKE: &str = "update token_grant set revoked_at = $2, revoked_because = $3, sealed_answer = null
 where id = $1 and revoked_at is null";
const CLIENTS_OF_SESSION: &str = "select client_id, session_id from token_grant
 where user_id = $3 and session_id = $1 and revoked_at is null and refresh_expires_at > $2
 union select client_id, session_id from session_client where session_id = $1";
const COUNT_OF_SESSION: &str = "select count(*) from token_grant
 where user_id = $2 and session_id = $1 and revoked_at is null";
const CLIENTS_OF_USER: &str = "select client_id, session_id from token_grant
 where user_id = $1 and revoked_at is null and refresh_expires_at > $2
 union select told.client_id, told.session_id from session
 join session_client as told on told.session_id = coalesce(session.origin_id, session.id)
 where session.user_id = $1 and session.revoked_at is null and session.expires_at > $2";
const END_ONLINE_OF_SESSION: &str = "update token_grant set revoked_at = $2, revoked_because = $3, sealed_answer = null
 where user_id = $4 and session_id = $1 and revoked_at is null and (' ' || scope || ' ') not like '% offline_access %'";
const END_OF_SESSION: &str = "update token_grant set revoked_at = $2, revoked_because = $3, sealed_answer = null
 where user_id = $4 and session_id = $1 and revoked_at is null";
pub(crate) const END_APPROVED_IN_SESSION: &str =
    "update token_grant set revoked_at = $2, revoked_because = $3, sealed_answer = null
 where user_id = $4 and approved_in = $1 and revoked_at is null";
pub(crate) const END_OF_USER: &str =
    "update token_grant set revoked_at = $2, revoked_because = $3, sealed_answer = null
 where user_id = $1 and revoked_at is null";
// By the operator's hand: it walks the table in steps.
pub(crate) const STEP: &str = "select id from token_grant where id > $1 order by id limit 1 offset 4999";
pub(crate) const END_OF_CLIENT: &str =
    "update token_grant set revoked_at = $2, revoked_because = $3, sealed_answer = null
 where id > $4 and id <= $5 and client_id = $1 and revoked_at is null";
// The beginning of the identifier is in the index's own words: `REGISTERED_PREFIX`.
pub(crate) const END_OF_REGISTERED: &str =
    "update token_grant set revoked_at = $2, revoked_because = $3, sealed_answer = null
 where client_id = $1 and client_id like 'reg-%' and revoked_at is null";

pub(crate) fn end_of_session(session: SessionNames, ending: Ending, because: RevokedBecause, now: UtcMillis) -> Stmt {
    let sql = match ending {
        Ending::OnlineGrants => END_ONLINE_OF_SESSION,
        Ending::AllGrants => END_OF_SESSION,
    };
    Stmt::new(sql, params![session.origin_id.0, now.0, because.as_str(), session.user_id.0])
}

impl FromRow for TokenGrant {
    fn from_row(row: &Row<'_>) -> Result<Self, Error> {
        let last_rotation = match (row.maybe_time(7)?, row.maybe_hash(8)?, row.get::<Option<Vec<u8>>>(9)?) {
            (Some(at), Some(previous_hash), Some(sealed_answer)) => {
                Some(Rotation { at, previous_hash, sealed_answer, successor_used_at: row.maybe_time(10)? })
            }
            _ => None,
        };
        Ok(Self {
            id: row.id(0)?,
            client_id: row.parsed(1)?,
            user_id: row.user(2)?,
            scope: row.scope(3)?,
            resource: row.resource(4)?,
            refresh_hash: row.maybe_hash(5)?,
            refresh_expires_at: row.time(6)?,
            last_rotation,
            revoked_at: row.maybe_time(11)?,
            authentication: row.authentication(12)?,
            confirmation: row.maybe_parsed(15)?,
        })
    }
}

impl NewGrant {
    pub(crate) fn insert(&self) -> Stmt {
        let mut params = params![
            self.id.0,
            self.client_id.as_str(),
            self.user_id.0,
            self.scope.to_string(),
            self.resource.as_str(),
            self.authentication.at.0,
            self.created_at.0,
            self.refresh_hash.map(|hash| hash.0),
            self.refresh_expires_at.0,
            self.authentication.method.as_str(),
            self.authentication.session_id.map(|id| id.0)
        ];
        if self.confirmation.is_none() && self.approved_in.is_none() {
            return Stmt::new(INSERT_PLAIN, params);
        }
        params.extend(params![self.confirmation.as_ref().map(ToString::to_string), self.approved_in.map(|id| id.0)]);
        Stmt::new(INSERT, params)
    }
}

impl Store {
    /// The grant with this identifier, ended or not. The caller compares hashes.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn token_grant(&self, id: TokenId) -> Result<Option<TokenGrant>, Error> {
        self.db.query_opt(BY_ID, params![id.0]).await
    }

    /// Gives up a refresh token for the next and keeps the new access token; too late when another
    /// rotation or the end of the family came first.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn rotate_refresh_token(&self, rotation: &NewRotation, token: &NewAccessToken) -> Result<Change, Error> {
        let params = params![
            rotation.id.0,
            rotation.previous_hash.0,
            rotation.refresh_hash.0,
            rotation.at.0,
            rotation.refresh_expires_at.0,
            rotation.sealed_answer.clone()
        ];
        let rotate = Stmt::new(ROTATE, params).touching(1);
        self.db.batch(vec![rotate, token.insert()]).await.map(Change::from)
    }

    /// Notes that an access token of the last rotation (issued at `issued_at`) is in use: its holder
    /// has the answer, so a repeat of the refresh is no longer innocent.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn note_successor_used(&self, id: TokenId, issued_at: UtcMillis, now: UtcMillis) -> Result<(), Error> {
        self.db.execute(SUCCESSOR_USED, params![id.0, now.0, issued_at.0]).await.map(drop)
    }

    /// Ends a grant: its refresh token and all its access tokens.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn revoke_grant(&self, id: TokenId, because: RevokedBecause, now: UtcMillis) -> Result<Change, Error> {
        self.db.execute(REVOKE, params![id.0, now.0, because.as_str()]).await.map(Change::from_rows)
    }

    /// The clients with a living grant of a session, and those that know of it.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn clients_of_session(&self, session: SessionNames, now: UtcMillis) -> Result<Vec<Holder>, Error> {
        self.db.query(CLIENTS_OF_SESSION, params![session.origin_id.0, now.0, session.user_id.0]).await
    }

    /// How many grants of a session have not ended.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn grants_of_session(&self, session: SessionNames) -> Result<u64, Error> {
        let count: Option<i64> =
            self.db.query_opt(COUNT_OF_SESSION, params![session.origin_id.0, session.user_id.0]).await?;
        Ok(count.and_then(|count| count.try_into().ok()).unwrap_or(0))
    }

    /// The clients with a living grant of a person, and those that know of a living session of theirs.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn clients_of_user(&self, user: UserId, now: UtcMillis) -> Result<Vec<Holder>, Error> {
        self.db.query(CLIENTS_OF_USER, params![user.0, now.0]).await
    }
}
