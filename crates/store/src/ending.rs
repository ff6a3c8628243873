//! What ends together: a session with its grants, everything of a person, everything of a client.
//!
//! The statements for a person and for a client are run by an operator's hand. They may walk a table whose rows live for
//! minutes, and walk one of many rows in steps.

use crate::{
    Change, Error, Store, UserId,
    audit::first_id,
    client,
    client_registration::{END_CONSENT, REGISTERED_PREFIX},
    columns::Columns,
    logout_notice::LogoutNotice,
    session_client,
    token_grant::{self, RevokedBecause},
};
use gatepass_db::{FromRow, Row, Stmt, Value, params};
use gatepass_keys::TokenId;
use gatepass_oauth::{ClientId, UtcMillis};

/// A session by its names, whether it lives or not.
#[derive(Clone, Copy, Debug)]
pub struct SessionNames {
    /// Its identifier.
    pub id: TokenId,
    /// The first session of the browser, which grants are noted under.
    pub origin_id: TokenId,
    /// Whose it is.
    pub user_id: UserId,
}

/// Which grants of a session end with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// Those that were not to outlive it: without `offline_access` (Back-Channel Logout 1.0 §2.7).
    OnlineGrants,
    /// All of them.
    AllGrants,
}

/// How a session ends.
#[derive(Clone, Copy, Debug)]
pub struct SessionEnd {
    /// Which of its grants end with it.
    pub ending: Ending,
    /// Why they do.
    pub because: RevokedBecause,
    /// When the oldest codes were made that may still live.
    pub codes_since: UtcMillis,
    /// Now.
    pub at: UtcMillis,
}

/// What a client had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EndedOfClient {
    /// How many codes and devices waited.
    pub begun: u64,
    /// How many grants and tokens of its own it had.
    pub given: u64,
}

pub(crate) const STATEMENTS: &[&str] = &[
    SESSION,
    END_SESSION,
    CODES_OF_SESSION,
    CODES_OF_USER,
    CODES_OF_CLIENT,
    DEVICES_OF_USER,
    DEVICES_OF_CLIENT,
    DEVICES_OF_SESSION,
    TOKEN_STEP,
    TOKENS_OF_USER,
    TOKENS_OF_CLIENT,
];

const SESSION: &str = "select id, coalesce(origin_id, id), user_id from session where id = $1";
const END_SESSION: &str = "update session set revoked_at = $2 where id = $1 and revoked_at is null";
// The identifier is the time: of the codes only those are looked at that may still live.
const CODES_OF_SESSION: &str = "update authorization_code set used_at = $2
 where id >= $3 and session_id = $1 and used_at is null";
const CODES_OF_USER: &str = "update authorization_code set used_at = $2
 where user_id = $1 and used_at is null and expires_at > $2";
const CODES_OF_CLIENT: &str = "update authorization_code set used_at = $2
 where client_id = $1 and used_at is null and expires_at > $2";
const DEVICES_OF_USER: &str = "update device_grant set denied_at = $2
 where user_id = $1 and redeemed_at is null and denied_at is null and expires_at > $2";
const DEVICES_OF_CLIENT: &str = "update device_grant set denied_at = $2
 where client_id = $1 and redeemed_at is null and denied_at is null and expires_at > $2";
const DEVICES_OF_SESSION: &str = "update device_grant set denied_at = $2
 where session_id = $1 and redeemed_at is null and denied_at is null and expires_at > $2";
// These are rare, by the operator's hand, and have no index that every token would pay for: they walk the table in steps.
const TOKEN_STEP: &str = "select id from access_token where id > $1 order by id limit 1 offset 4999";
const TOKENS_OF_USER: &str = "update access_token set revoked_at = $2
 where id > $3 and id <= $4 and user_id = $1 and grant_id is null and revoked_at is null and expires_at > $2";
const TOKENS_OF_CLIENT: &str = "update access_token set revoked_at = $2
 where id > $3 and id <= $4 and client_id = $1 and grant_id is null and revoked_at is null and expires_at > $2";

impl FromRow for SessionNames {
    fn from_row(row: &Row<'_>) -> Result<Self, Error> {
        Ok(Self { id: row.id(0)?, origin_id: row.id(1)?, user_id: row.user(2)? })
    }
}

impl Store {
    /// The session with this identifier, over or not.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn session_names(&self, id: TokenId) -> Result<Option<SessionNames>, Error> {
        self.db.query_opt(SESSION, params![id.0]).await
    }

    /// Ends a session with its codes and grants and keeps what is to be told of it, all or nothing. A code on its way ends
    /// whatever it was to become: who signs out wants no sign-in to come of it afterwards.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn end_session(
        &self,
        session: SessionNames,
        end: SessionEnd,
        notices: &[LogoutNotice],
    ) -> Result<(), Error> {
        let SessionEnd { ending, because, codes_since, at } = end;
        let mut statements = vec![
            Stmt::new(END_SESSION, params![session.id.0, at.0]),
            Stmt::new(CODES_OF_SESSION, params![session.origin_id.0, at.0, first_id(codes_since).0]),
            token_grant::end_of_session(session, ending, because, at),
            session_client::forget(session.origin_id),
        ];
        statements.extend(notices.iter().map(LogoutNotice::insert));
        self.db.batch(statements).await.map(drop)
    }

    /// Ends what devices were given in a session: those that wait, and the grants of those that were signed in. By the
    /// operator's hand: it looks at all that the session's person has.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn end_devices_of_session(
        &self,
        session: SessionNames,
        because: RevokedBecause,
        now: UtcMillis,
    ) -> Result<u64, Error> {
        let SessionNames { origin_id, user_id, .. } = session;
        self.db.execute(DEVICES_OF_SESSION, params![origin_id.0, now.0]).await?;
        let values = params![origin_id.0, now.0, because.as_str(), user_id.0];
        self.db.execute(token_grant::END_APPROVED_IN_SESSION, values).await
    }

    /// Ends everything of a person: sessions, codes, devices, grants and the tokens without one, in the order in which one
    /// could become the next. Answers the number of grants and such tokens.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn end_all_of_user(
        &self,
        user: UserId,
        notices: &[LogoutNotice],
        because: RevokedBecause,
        now: UtcMillis,
    ) -> Result<u64, Error> {
        let first = vec![crate::session::revoke_all_statement(user, now)];
        self.db.batch(first.into_iter().chain(notices.iter().map(LogoutNotice::insert)).collect()).await.map(drop)?;
        self.db.execute(CODES_OF_USER, params![user.0, now.0]).await?;
        self.db.execute(DEVICES_OF_USER, params![user.0, now.0]).await?;
        let grants = self.db.execute(token_grant::END_OF_USER, params![user.0, now.0, because.as_str()]).await?;
        Ok(grants + self.in_steps(TOKEN_STEP, TOKENS_OF_USER, params![user.0, now.0]).await?)
    }

    /// Ends everything of a client: codes, devices, grants and its own tokens.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn end_all_of_client(
        &self,
        client: &ClientId,
        because: RevokedBecause,
        now: UtcMillis,
    ) -> Result<EndedOfClient, Error> {
        let codes = self.db.execute(CODES_OF_CLIENT, params![client.as_str(), now.0]).await?;
        let devices = self.db.execute(DEVICES_OF_CLIENT, params![client.as_str(), now.0]).await?;
        let tokens = self.in_steps(TOKEN_STEP, TOKENS_OF_CLIENT, params![client.as_str(), now.0]).await?;
        let grants = self.end_grants_of_client(client, because, now).await?;
        Ok(EndedOfClient { begun: codes + devices, given: grants + tokens })
    }

    /// Removes a client, whoever registered it, and ends what it was given; too late when it is not there.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn remove_client(&self, id: &ClientId, now: UtcMillis) -> Result<Change, Error> {
        if self.client(id).await?.is_none() {
            return Ok(Change::TooLate);
        }
        // Before, so that a walk that fails leaves a client that can be removed again; and after, for what came meanwhile.
        self.end_all_of_client(id, RevokedBecause::ClientRemoved, now).await?;
        let remove = Stmt::new(client::REMOVE, params![id.as_str()]).touching(1);
        let removed = self.remove_with_grants(id, remove, now).await?;
        self.end_all_of_client(id, RevokedBecause::ClientRemoved, now).await?;
        Ok(removed)
    }

    /// Removes a client by a statement of its own, and ends its grants and what people have allowed it.
    pub(crate) async fn remove_with_grants(
        &self,
        id: &ClientId,
        removal: Stmt,
        now: UtcMillis,
    ) -> Result<Change, Error> {
        let forget = Stmt::new(END_CONSENT, params![id.as_str()]);
        let (because, mut batch) = (RevokedBecause::ClientRemoved, vec![removal, forget]);
        if is_registered(id) {
            batch.push(Stmt::new(token_grant::END_OF_REGISTERED, params![id.as_str(), now.0, because.as_str()]));
            return self.db.batch(batch).await.map(Change::from);
        }
        let removed = Change::from(self.db.batch(batch).await?);
        if removed == Change::Made {
            self.end_grants_of_client(id, because, now).await?;
        }
        Ok(removed)
    }

    async fn end_grants_of_client(&self, id: &ClientId, because: RevokedBecause, now: UtcMillis) -> Result<u64, Error> {
        let values = params![id.as_str(), now.0, because.as_str()];
        if is_registered(id) {
            self.db.execute(token_grant::END_OF_REGISTERED, values).await
        } else {
            self.in_steps(token_grant::STEP, token_grant::END_OF_CLIENT, values).await
        }
    }

    /// Runs a statement over a whole table, however many rows that has: `step` finds the end of the next part, and the last two
    /// values of `sql` are where the part begins and ends.
    async fn in_steps(&self, step: &'static str, sql: &'static str, values: Vec<Value>) -> Result<u64, Error> {
        let (mut changed, mut after) = (0, [0; 16]);
        loop {
            let next = self.db.query::<[u8; 16]>(step, params![after]).await?.into_iter().next();
            let until = next.unwrap_or([0xff; 16]);
            changed += self.db.execute(sql, [values.clone(), params![after, until]].concat()).await?;
            match next {
                Some(next) => after = next,
                None => return Ok(changed),
            }
        }
    }
}

fn is_registered(id: &ClientId) -> bool {
    id.as_str().starts_with(REGISTERED_PREFIX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_index_of_registered_clients_has_their_prefix_in_its_words() {
        let words = format!("client_id like '{REGISTERED_PREFIX}%'");
        assert!(token_grant::END_OF_REGISTERED.contains(&words));
        assert!(include_str!("../migrations/0012_cheaper_sign_ins.sql").contains(&words));
    }
}
