//! Access tokens: what opens an API.

use crate::{
    Authentication, Change, Error, Store, UserId, columns::Columns, service_account::ServiceId, user_account::Person,
};
use gatepass_db::{FromRow, Row, Stmt, params};
use gatepass_keys::{HashedToken, TokenId};
use gatepass_oauth::{ClientId, Confirmation, ResourceUri, Scope, UtcMillis};

/// An access token as it begins.
#[derive(Clone, Debug)]
pub struct NewAccessToken {
    /// The identifier in the token.
    pub id: TokenId,
    /// The hash of the token.
    pub hash: HashedToken,
    /// The grant that it comes from; a client's own token has none.
    pub grant_id: Option<TokenId>,
    /// Who asked for it.
    pub client_id: ClientId,
    /// On whose behalf.
    pub user_id: Option<UserId>,
    /// What it opens.
    pub scope: Scope,
    /// Where.
    pub resource: ResourceUri,
    /// The key that it is bound to.
    pub confirmation: Option<Confirmation>,
    /// Since when.
    pub issued_at: UtcMillis,
    /// Until when.
    pub expires_at: UtcMillis,
    /// The service account that it stands for.
    pub service_id: Option<ServiceId>,
    /// Who acts for the subject, as JSON.
    pub act: Option<String>,
    /// The first token of the chain of exchanges that it comes from; ends with it.
    pub parent_id: Option<TokenId>,
}

/// A live access token with its person.
#[derive(Clone, Debug)]
pub struct LiveAccessToken {
    /// The identifier in the token.
    pub id: TokenId,
    /// What a presented token's hash must equal.
    pub hash: HashedToken,
    /// The grant that it comes from.
    pub grant_id: Option<TokenId>,
    /// Who asked for it.
    pub client_id: ClientId,
    /// On whose behalf.
    pub user: Option<Person>,
    /// What it opens.
    pub scope: Scope,
    /// Where.
    pub resource: ResourceUri,
    /// The key that it is bound to.
    pub confirmation: Option<Confirmation>,
    /// Since when.
    pub issued_at: UtcMillis,
    /// Until when.
    pub expires_at: UtcMillis,
    /// Whether its use settles a rotation that is still open to a repeat.
    pub settles_rotation: bool,
    /// How and when the person proved themselves; `None` for a token without a grant.
    pub authentication: Option<Authentication>,
    /// The service account that it stands for.
    pub service: Option<TokenService>,
    /// Who acts for the subject, as JSON.
    pub act: Option<String>,
    /// The first token of the chain of exchanges that it comes from.
    pub parent_id: Option<TokenId>,
}

/// The service account behind a token.
#[derive(Clone, Debug)]
pub struct TokenService {
    /// Which it is.
    pub id: ServiceId,
    /// Its name.
    pub name: String,
}

pub(crate) const STATEMENTS: &[&str] = &[INSERT, INSERT_PLAIN, LIVE, REVOKE];

const INSERT: &str =
    "insert into access_token (id, hash, grant_id, client_id, user_id, scope, resource, issued_at, expires_at,
 confirmation, service_id, act, parent_id) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)";
/// The same of a token that has none of the last four. Most are such, and each value has its price.
const INSERT_PLAIN: &str =
    "insert into access_token (id, hash, grant_id, client_id, user_id, scope, resource, issued_at, expires_at)
 values ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
const LIVE: &str = "select t.hash, t.grant_id, t.client_id, t.scope, t.resource, t.issued_at, t.expires_at,
 u.id, u.email, u.name, u.email_verified_at,
 case when g.rotated_at <= t.issued_at and g.successor_used_at is null and t.parent_id is null then 1 else 0 end, t.confirmation,
 g.authenticated_at, g.method, g.session_id, t.id, s.id, s.name, t.act, t.parent_id
 from access_token t left join token_grant g on g.id = t.grant_id left join user_account u on u.id = t.user_id
 left join service_account s on s.id = t.service_id left join access_token p on p.id = t.parent_id
 where t.id = $1 and t.expires_at > $2 and t.revoked_at is null
 and (t.grant_id is null or (g.id is not null and g.revoked_at is null))
 and (t.parent_id is null or (p.id is not null and p.revoked_at is null))
 and (t.user_id is null or u.id is not null)
 and (t.service_id is null or (s.id is not null and s.disabled_at is null))";
const REVOKE: &str = "update access_token set revoked_at = $2 where id = $1 and revoked_at is null";

impl FromRow for LiveAccessToken {
    fn from_row(row: &Row<'_>) -> Result<Self, Error> {
        let user = row.maybe_user(7)?.map(|_| Person::read(row, 7)).transpose()?;
        Ok(Self {
            hash: row.hash(0)?,
            grant_id: row.maybe_id(1)?,
            client_id: row.parsed(2)?,
            user,
            scope: row.scope(3)?,
            resource: row.resource(4)?,
            issued_at: row.time(5)?,
            expires_at: row.time(6)?,
            settles_rotation: row.get::<i64>(11)? == 1,
            confirmation: row.maybe_parsed(12)?,
            authentication: row.maybe_time(13)?.map(|_| row.authentication(13)).transpose()?,
            id: row.id(16)?,
            service: match row.maybe_user(17)? {
                Some(id) => Some(TokenService { id: ServiceId(id), name: row.get(18)? }),
                None => None,
            },
            act: row.get(19)?,
            parent_id: row.maybe_id(20)?,
        })
    }
}

impl NewAccessToken {
    /// Whether it is bound to no key, stands for no service account and comes from no exchange.
    fn is_plain(&self) -> bool {
        self.confirmation.is_none() && self.service_id.is_none() && self.act.is_none() && self.parent_id.is_none()
    }

    pub(crate) fn insert(&self) -> Stmt {
        let mut params = params![
            self.id.0,
            self.hash.0,
            self.grant_id.map(|id| id.0),
            self.client_id.as_str(),
            self.user_id.map(|id| id.0),
            self.scope.to_string(),
            self.resource.as_str(),
            self.issued_at.0,
            self.expires_at.0
        ];
        if self.is_plain() {
            return Stmt::new(INSERT_PLAIN, params);
        }
        params.extend(params![
            self.confirmation.as_ref().map(ToString::to_string),
            self.service_id.map(|id| id.0.0),
            self.act.clone(),
            self.parent_id.map(|id| id.0)
        ]);
        Stmt::new(INSERT, params)
    }
}

impl Store {
    /// Keeps a client's own token.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn add_access_token(&self, token: &NewAccessToken) -> Result<(), Error> {
        // An insertion touches its row or fails: there is no third outcome.
        self.db.batch(vec![token.insert()]).await.map(drop)
    }

    /// The token if it lives at `now`, and its grant, its person and what it was exchanged for do. The caller compares the hash.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn live_access_token(&self, id: TokenId, now: UtcMillis) -> Result<Option<LiveAccessToken>, Error> {
        self.db.query_opt(LIVE, params![id.0, now.0]).await
    }

    /// Ends one access token; and if it is the first of a chain of exchanges, the others, which live by it.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn revoke_access_token(&self, id: TokenId, now: UtcMillis) -> Result<Change, Error> {
        let rows = self.db.execute(REVOKE, params![id.0, now.0]).await?;
        Ok(if rows > 0 { Change::Made } else { Change::TooLate })
    }
}
