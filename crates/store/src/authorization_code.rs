//! Authorization codes: made at `authorize`, redeemed once at `token`.

use crate::{
    Authentication, Change, Error, Store, UserId,
    access_token::NewAccessToken,
    columns::{Columns, of_another_kind},
    session_client::SessionClient,
    token_grant::NewGrant,
    user_account::Person,
};
use gatepass_db::{FromRow, Row, Stmt, Value, params};
use gatepass_keys::{HashedToken, TokenId};
use gatepass_oauth::{ClientId, CodeChallenge, Confirmation, RedirectUri, ResourceUri, Scope, UtcMillis};

/// A code and all that it stands for.
#[derive(Clone, Debug)]
pub struct AuthorizationCode {
    /// The identifier in the code.
    pub id: TokenId,
    /// The hash of the code.
    pub hash: HashedToken,
    /// Who asked for it.
    pub client_id: ClientId,
    /// Who allowed it.
    pub user_id: UserId,
    /// Where it was sent; if the token request names it again, it must be the same.
    pub redirect_uri: RedirectUri,
    /// What was allowed.
    pub scope: Scope,
    /// For which API.
    pub resource: ResourceUri,
    /// What the verifier must answer.
    pub code_challenge: CodeChallenge,
    /// For the ID token.
    pub nonce: Option<String>,
    /// How and when the person proved themselves.
    pub authentication: Authentication,
    /// The key that must redeem it (`dpop_jkt`, RFC 9449 §10).
    pub confirmation: Option<Confirmation>,
    /// When it ends.
    pub expires_at: UtcMillis,
    /// The grant that it becomes, fixed at birth: a second redemption can so revoke what the first gave.
    pub grant_id: TokenId,
}

/// A code as it comes back, with the person who allowed it.
#[derive(Clone, Debug)]
pub struct PresentedCode {
    /// The code.
    pub code: AuthorizationCode,
    /// When it was redeemed.
    pub used_at: Option<UtcMillis>,
    /// Who allowed it.
    pub person: Person,
}

pub(crate) const STATEMENTS: &[&str] = &[INSERT, BY_ID, USE];

/// Who has signed out meanwhile gets none: what ends with a session has looked for its codes by then.
const INSERT: &str = "insert into authorization_code (id, hash, client_id, user_id, redirect_uri, scope, resource,
 code_challenge, nonce, authenticated_at, expires_at, grant_id, method, session_id, confirmation)
 select $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15
 where exists (select 1 from session where id = $16 and revoked_at is null)";
const BY_ID: &str =
    "select c.id, c.hash, c.client_id, c.user_id, c.redirect_uri, c.scope, c.resource, c.code_challenge,
 c.nonce, c.authenticated_at, c.method, c.session_id, c.expires_at, c.used_at, c.grant_id, c.confirmation,
 u.id, u.email, u.name, u.email_verified_at
 from authorization_code c join user_account u on u.id = c.user_id where c.id = $1";
const USE: &str = "update authorization_code set used_at = $2 where id = $1 and used_at is null and expires_at > $2";

impl FromRow for AuthorizationCode {
    fn from_row(row: &Row<'_>) -> Result<Self, Error> {
        let challenge: String = row.get(7)?;
        Ok(Self {
            id: row.id(0)?,
            hash: row.hash(1)?,
            client_id: row.parsed(2)?,
            user_id: row.user(3)?,
            redirect_uri: RedirectUri::from_stored(row.get(4)?).ok_or_else(|| of_another_kind(4))?,
            scope: row.scope(5)?,
            resource: row.resource(6)?,
            code_challenge: CodeChallenge::from_stored(&challenge)
                .ok_or_else(|| Error::Corrupt { what: "a code challenge of another form".into() })?,
            nonce: row.get(8)?,
            authentication: row.authentication(9)?,
            expires_at: row.time(12)?,
            grant_id: row.id(14)?,
            confirmation: row.maybe_parsed(15)?,
        })
    }
}

impl FromRow for PresentedCode {
    fn from_row(row: &Row<'_>) -> Result<Self, Error> {
        Ok(Self {
            code: AuthorizationCode::from_row(row)?,
            used_at: row.maybe_time(13)?,
            person: Person::read(row, 16)?,
        })
    }
}

impl AuthorizationCode {
    pub(crate) fn insert(&self, session: TokenId) -> Stmt {
        Stmt::new(INSERT, self.values(session)).touching(1)
    }

    fn values(&self, session: TokenId) -> Vec<Value> {
        params![
            self.id.0,
            self.hash.0,
            self.client_id.as_str(),
            self.user_id.0,
            self.redirect_uri.as_str(),
            self.scope.to_string(),
            self.resource.as_str(),
            self.code_challenge.as_str(),
            self.nonce.clone(),
            self.authentication.at.0,
            self.expires_at.0,
            self.grant_id.0,
            self.authentication.method.as_str(),
            self.authentication.session_id.map(|id| id.0),
            self.confirmation.as_ref().map(ToString::to_string),
            session.0
        ]
    }
}

impl Store {
    /// Keeps a new code that was asked for in a session; too late when that has ended.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn add_authorization_code(&self, code: &AuthorizationCode, session: TokenId) -> Result<Change, Error> {
        self.db.execute(INSERT, code.values(session)).await.map(Change::from_rows)
    }

    /// The code with this identifier, used or not, and its person. The caller compares the hash.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn authorization_code(&self, id: TokenId) -> Result<Option<PresentedCode>, Error> {
        self.db.query_opt(BY_ID, params![id.0]).await
    }

    /// Uses a code and keeps what it becomes, all or nothing, with a client that so comes to know of a session; too late
    /// when the code was used or is over.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn redeem_authorization_code(
        &self,
        id: TokenId,
        grant: &NewGrant,
        token: &NewAccessToken,
        told: Option<&SessionClient>,
    ) -> Result<Change, Error> {
        let used = Stmt::new(USE, params![id.0, grant.created_at.0]).touching(1);
        let mut statements = vec![used, grant.insert(), token.insert()];
        statements.extend(told.map(SessionClient::note));
        self.db.batch(statements).await.map(Change::from)
    }
}
