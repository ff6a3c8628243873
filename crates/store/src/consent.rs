//! Consent: what a person has allowed a client to ask for.

use crate::{Error, Store, UserId, columns::Columns};
use gatepass_db::{FromRow, Row, params};
use gatepass_oauth::{ClientId, ResourceUri, Scope, UtcMillis};

pub(crate) const STATEMENTS: &[&str] = &[UPSERT, SCOPE];

const UPSERT: &str = "insert into consent (user_id, client_id, resource, scope, granted_at) values ($1, $2, $3, $4, $5)
 on conflict (user_id, client_id, resource) do update set scope = $4, granted_at = $5 where consent.scope = $6";
const SCOPE: &str = "select scope from consent where user_id = $1 and client_id = $2 and resource = $3";

/// How often a consent is added to what others add at the same moment.
const TRIES: usize = 5;

struct Consented(Scope);

impl FromRow for Consented {
    fn from_row(row: &Row<'_>) -> Result<Self, Error> {
        row.scope(0).map(Self)
    }
}

impl Store {
    /// Remembers a consent, together with what was consented to before.
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
        for _ in 0..TRIES {
            let before = self.consented(user, client, resource).await?.unwrap_or_default();
            let (key, all) = (params![user.0, client.as_str(), resource.as_str()], before.union(scope));
            let values = params![all.to_string(), now.0, before.to_string()];
            if self.db.execute(UPSERT, [key, values].concat()).await? == 1 {
                return Ok(());
            }
        }
        Err(Error::Busy { why: "a consent was changed by too many requests at once" })
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
        let found: Option<Consented> =
            self.db.query_opt(SCOPE, params![user.0, client.as_str(), resource.as_str()]).await?;
        Ok(found.map(|Consented(scope)| scope))
    }
}
