//! Devices that wait for a person (RFC 8628).

use crate::{
    Authentication, Change, Error, Store, UserId, access_token::NewAccessToken, columns::Columns, token_grant::NewGrant,
};
use gatepass_db::{FromRow, Row, Stmt, params};
use gatepass_keys::{HashedToken, TokenId};
use gatepass_oauth::{ClientId, CodeChallenge, Confirmation, ResourceUri, Scope, UtcMillis};
use std::time::Duration;

/// A device's request and where it stands.
#[derive(Clone, Debug)]
pub struct DeviceGrant {
    /// The identifier in the device code.
    pub id: TokenId,
    /// The hash of the device code.
    pub hash: HashedToken,
    /// The keyed hash of the user code.
    pub user_code_hash: [u8; 32],
    /// Who asks.
    pub client_id: ClientId,
    /// For what.
    pub scope: Scope,
    /// For which API.
    pub resource: ResourceUri,
    /// What the poller must answer, when it bound the request to itself.
    pub code_challenge: Option<CodeChallenge>,
    /// The key of the poller, when it showed one.
    pub confirmation: Option<Confirmation>,
    /// The number that is shown only where the code is shown.
    pub number_match: Option<String>,
    /// What the device calls itself.
    pub device_name: String,
    /// Where it asked from.
    pub address: String,
    /// With what.
    pub user_agent: String,
    /// Since when.
    pub created_at: UtcMillis,
    /// Until when.
    pub expires_at: UtcMillis,
    /// The least time between polls.
    pub interval: Duration,
    /// The earliest time of the next poll.
    pub next_poll_at: UtcMillis,
    /// What the person said.
    pub decision: Decision,
    /// The grant that it becomes, fixed at birth.
    pub grant_id: TokenId,
}

/// What a person said of a device's request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Nothing yet.
    Pending,
    /// No.
    Denied,
    /// Yes.
    Approved(Approval),
    /// Yes, and the device has its tokens.
    Redeemed,
}

/// Who said yes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Approval {
    /// The person.
    pub user_id: UserId,
    /// How and when they proved themselves.
    pub authentication: Authentication,
}

pub(crate) const STATEMENTS: &[&str] = &[INSERT, BY_ID, BY_USER_CODE, POLLED, APPROVE, DENY, REDEEM];

const INSERT: &str = "insert into device_grant (id, hash, user_code_hash, client_id, scope, resource, code_challenge,
 number_match, device_name, address, user_agent, created_at, expires_at, interval_millis, next_poll_at, grant_id,
 confirmation) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)";
const BY_ID: &str = "select id, hash, user_code_hash, client_id, scope, resource, code_challenge, number_match,
 device_name, address, user_agent, created_at, expires_at, interval_millis, next_poll_at, user_id, authenticated_at,
 approved_at, denied_at, redeemed_at, grant_id, method, session_id, confirmation
 from device_grant where id = $1";
const BY_USER_CODE: &str = "select id, hash, user_code_hash, client_id, scope, resource, code_challenge, number_match,
 device_name, address, user_agent, created_at, expires_at, interval_millis, next_poll_at, user_id, authenticated_at,
 approved_at, denied_at, redeemed_at, grant_id, method, session_id, confirmation
 from device_grant where user_code_hash = $1";
const POLLED: &str =
    "update device_grant set interval_millis = $3, next_poll_at = $4 where id = $1 and next_poll_at = $2";
const APPROVE: &str = "update device_grant set user_id = $3, authenticated_at = $4, method = $5, session_id = $6,
 approved_at = $2
 where id = $1 and approved_at is null and denied_at is null and expires_at > $2";
const DENY: &str = "update device_grant set denied_at = $2
 where id = $1 and approved_at is null and denied_at is null and expires_at > $2";
const REDEEM: &str = "update device_grant set redeemed_at = $2
 where id = $1 and approved_at is not null and redeemed_at is null and expires_at > $2";

impl FromRow for DeviceGrant {
    fn from_row(row: &Row<'_>) -> Result<Self, Error> {
        Ok(Self {
            id: row.id(0)?,
            hash: row.hash(1)?,
            user_code_hash: row.get(2)?,
            client_id: row.parsed(3)?,
            scope: row.scope(4)?,
            resource: row.resource(5)?,
            code_challenge: row.get::<Option<String>>(6)?.as_deref().and_then(CodeChallenge::from_stored),
            number_match: row.get(7)?,
            device_name: row.get(8)?,
            address: row.get(9)?,
            user_agent: row.get(10)?,
            created_at: row.time(11)?,
            expires_at: row.time(12)?,
            interval: Duration::from_millis(u64::try_from(row.get::<i64>(13)?).unwrap_or(0)),
            next_poll_at: row.time(14)?,
            decision: read_decision(row)?,
            grant_id: row.id(20)?,
            confirmation: row.maybe_parsed(23)?,
        })
    }
}

fn read_decision(row: &Row<'_>) -> Result<Decision, Error> {
    if row.maybe_time(18)?.is_some() {
        return Ok(Decision::Denied);
    }
    if row.maybe_time(19)?.is_some() {
        return Ok(Decision::Redeemed);
    }
    match (row.maybe_time(17)?, row.maybe_user(15)?, row.maybe_time(16)?, row.maybe_parsed(21)?) {
        (None, ..) => Ok(Decision::Pending),
        (Some(_), Some(user_id), Some(at), Some(method)) => {
            let authentication = Authentication { at, method, session_id: row.maybe_id(22)? };
            Ok(Decision::Approved(Approval { user_id, authentication }))
        }
        _ => Err(Error::Corrupt { what: "an approved device without its person".into() }),
    }
}

fn millis(span: Duration) -> i64 {
    i64::try_from(span.as_millis()).unwrap_or(i64::MAX)
}

impl Store {
    /// Keeps a device's request; too late when its user code is taken, and another must be drawn.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn add_device_grant(&self, grant: &DeviceGrant) -> Result<Change, Error> {
        let params = params![
            grant.id.0,
            grant.hash.0,
            grant.user_code_hash,
            grant.client_id.as_str(),
            grant.scope.to_string(),
            grant.resource.as_str(),
            grant.code_challenge.as_ref().map(CodeChallenge::as_str),
            grant.number_match.clone(),
            &grant.device_name,
            &grant.address,
            &grant.user_agent,
            grant.created_at.0,
            grant.expires_at.0,
            millis(grant.interval),
            grant.next_poll_at.0,
            grant.grant_id.0,
            grant.confirmation.as_ref().map(ToString::to_string)
        ];
        match self.db.execute(INSERT, params).await {
            Err(Error::Unique { .. }) => Ok(Change::TooLate),
            rows => rows.map(Change::from_rows),
        }
    }

    /// The request behind a device code. The caller compares the hash.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn device_grant(&self, id: TokenId) -> Result<Option<DeviceGrant>, Error> {
        self.db.query_opt(BY_ID, params![id.0]).await
    }

    /// The request behind a user code.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn device_grant_by_user_code(&self, hash: [u8; 32]) -> Result<Option<DeviceGrant>, Error> {
        self.db.query_opt(BY_USER_CODE, params![hash]).await
    }

    /// Notes a poll: from now on `interval` between polls, the next not before `next_poll_at`. Too
    /// late when another poll was noted since the request was read.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn note_poll(
        &self,
        read: &DeviceGrant,
        interval: Duration,
        next_poll_at: UtcMillis,
    ) -> Result<Change, Error> {
        let params = params![read.id.0, read.next_poll_at.0, millis(interval), next_poll_at.0];
        self.db.execute(POLLED, params).await.map(Change::from_rows)
    }

    /// The person says yes; too late when somebody has decided or time is over.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn approve_device(&self, id: TokenId, approval: Approval, now: UtcMillis) -> Result<Change, Error> {
        let Approval { user_id, authentication: Authentication { at, method, session_id } } = approval;
        let params = params![id.0, now.0, user_id.0, at.0, method.as_str(), session_id.map(|id| id.0)];
        self.db.execute(APPROVE, params).await.map(Change::from_rows)
    }

    /// The person says no; too late when somebody has decided or time is over.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn deny_device(&self, id: TokenId, now: UtcMillis) -> Result<Change, Error> {
        self.db.execute(DENY, params![id.0, now.0]).await.map(Change::from_rows)
    }

    /// Gives the device its tokens, all or nothing; too late when it has them or time is over.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn redeem_device(&self, id: TokenId, grant: &NewGrant, token: &NewAccessToken) -> Result<Change, Error> {
        let redeem = Stmt::new(REDEEM, params![id.0, grant.created_at.0]).touching(1);
        self.db.batch(vec![redeem, grant.insert(), token.insert()]).await.map(Change::from)
    }
}
