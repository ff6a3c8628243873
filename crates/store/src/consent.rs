//! Consent: what a person has allowed a client to ask for, one row per scope name.

use crate::{Error, Store, UserId};
use gatepass_db::{Stmt, params};
use gatepass_oauth::{ClientId, ResourceUri, Scope, UtcMillis};

pub(crate) const STATEMENTS: &[&str] = &[INSERT, SCOPES];

const INSERT: &str =
    "insert into consent (user_id, client_id, resource, scope_name, granted_at) values ($1, $2, $3, $4, $5)
 on conflict (user_id, client_id, resource, scope_name) do nothing";
const SCOPES: &str = "select scope_name from consent where user_id = $1 and client_id = $2 and resource = $3";

/// Stands for the bare wish to sign in, when a request names no scope. No scope name is `-` alone by
/// the server's own rules, and a row is needed to remember by.
const NO_SCOPE: &str = "-";

impl Store {
    /// Remembers a consent.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn add_consent(
        &self,
        user: UserId,
        client: &ClientId,
        resource: &ResourceUri,
        scope: &Scope,
        now: UtcMillis,
    ) -> Result<(), Error> {
        let insert = |name: &str| Stmt::new(INSERT, params![user.0, client.as_str(), resource.as_str(), name, now.0]);
        let statements = std::iter::once(NO_SCOPE).chain(scope.iter()).map(insert).collect();
        // Repeating a consent touches no row, which is no failure: the outcome says nothing new.
        self.db.batch(statements).await.map(drop)
    }

    /// What was consented to; `None` when nothing ever was.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn consented(
        &self,
        user: UserId,
        client: &ClientId,
        resource: &ResourceUri,
    ) -> Result<Option<Scope>, Error> {
        let names: Vec<String> = self.db.query(SCOPES, params![user.0, client.as_str(), resource.as_str()]).await?;
        Ok((!names.is_empty()).then(|| names.iter().map(String::as_str).filter(|name| *name != NO_SCOPE).collect()))
    }
}
