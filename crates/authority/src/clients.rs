//! Looking clients up: the built-in one, and the registered ones through a small cache.
//!
//! A registration changes rarely and is read on every request, so what was read stays good for a
//! second. That is also how soon a change on another node takes effect.

use crate::{Asking, Authority, Caller, Client, ClientProof, Failure};
use gatepass_oauth::{
    ClientId, ClientIdUrl, ClientMetadata, ClientOrigin, Error, ErrorCode, GrantType, Scope, UtcMillis,
};
use quick_cache::sync::Cache;
use std::{sync::Arc, time::Duration};

/// How long a registration stays good without being read again.
const FRESH: Duration = Duration::from_secs(1);
/// How many registrations are kept at most.
const CAPACITY: usize = 1024;

/// The identifier of gatepass's own command line.
pub const FIRST_PARTY: &str = "gatepass-cli";
/// What it may ask for.
pub const FIRST_PARTY_SCOPE: &str = "account email offline_access openid profile";

/// The identifier of whoever brings an assertion and no name.
pub(crate) const WORKLOAD: &str = "gatepass-workload";

pub(crate) struct Clients {
    first_party: Option<Arc<Client>>,
    workload: Option<Arc<Client>>,
    read: Cache<ClientId, (Arc<Client>, UtcMillis)>,
}

impl Default for Clients {
    fn default() -> Self {
        Self {
            first_party: first_party().map(Arc::new),
            workload: workload().map(Arc::new),
            read: Cache::new(CAPACITY),
        }
    }
}

/// gatepass's own command line: public, with PKCE, by loopback or device. It may narrow its tokens.
fn first_party() -> Option<Client> {
    Some(Client {
        id: FIRST_PARTY.parse().ok()?,
        name: "gatepass command line".into(),
        proof: ClientProof::Public,
        redirect_uris: ["http://127.0.0.1/callback", "http://[::1]/callback"]
            .iter()
            .filter_map(|uri| uri.parse().ok())
            .collect(),
        grant_types: vec![
            GrantType::AuthorizationCode,
            GrantType::RefreshToken,
            GrantType::DeviceCode,
            GrantType::TokenExchange,
        ],
        scope: FIRST_PARTY_SCOPE.parse().ok()?,
        resources: Vec::new(),
        first_party_since: Some(UtcMillis(0)),
        created_at: UtcMillis(0),
        origin: ClientOrigin::Operator,
        metadata: ClientMetadata::default(),
        used_at: None,
    })
}

/// Who brings an assertion and no name of its own (RFC 7521 §4.1): the assertion is all that it has.
fn workload() -> Option<Client> {
    Some(Client {
        id: WORKLOAD.parse().ok()?,
        name: "workload".into(),
        redirect_uris: Vec::new(),
        grant_types: vec![GrantType::JwtBearer],
        scope: Scope::empty(),
        first_party_since: None,
        ..first_party()?
    })
}

impl Clients {
    /// The registration has changed: what was read is no longer good.
    pub(crate) fn forget(&self, id: &ClientId) {
        self.read.remove(id);
    }
}

impl Asking<'_> {
    /// Whether the client may use a grant at all.
    ///
    /// # Errors
    /// `unauthorized_client`.
    pub fn check_grant_type(&self, grant: GrantType) -> Result<(), Error> {
        if self.client.may_use(grant) {
            return Ok(());
        }
        Err(Error::new(ErrorCode::UnauthorizedClient, "this client is not registered for this grant type"))
    }
}

impl Authority {
    /// The client that stands in for whoever brings an assertion and no name.
    ///
    /// # Errors
    /// [`Failure::Internal`].
    pub fn workload_client(&self) -> Result<Arc<Client>, Failure> {
        self.0.clients.workload.clone().ok_or_else(|| Failure::internal("there is no workload client"))
    }

    pub(crate) fn is_workload(&self, client: &Client) -> bool {
        client.id.as_str() == WORKLOAD
    }

    /// The client with this identifier; inside, the reason why there is none, fit for its developer. A document that is
    /// not known yet is fetched only for somebody.
    pub(crate) async fn client_for(
        &self,
        id: &ClientId,
        caller: Option<&Caller>,
    ) -> Result<Result<Arc<Client>, String>, Failure> {
        if ClientIdUrl::is_claimed_by(id) {
            return self.document_client(id, caller).await;
        }
        Ok(self.find_client(id).await?.ok_or_else(|| "there is no such client".into()))
    }

    /// The client with this identifier, if there is one that is known already.
    pub(crate) async fn find_client(&self, id: &ClientId) -> Result<Option<Arc<Client>>, Failure> {
        let (clients, now) = (&self.0.clients, self.0.clock.now());
        let built_in = [&clients.first_party, &clients.workload].into_iter().flatten();
        if let Some(client) = built_in.into_iter().find(|client| client.id == *id) {
            return Ok(Some(client.clone()));
        }
        if let Some((client, read_at)) = clients.read.get(id)
            && now < read_at.plus(FRESH)
        {
            return Ok(Some(client));
        }
        if ClientIdUrl::is_claimed_by(id) {
            return Ok(self.document_client(id, None).await?.ok());
        }
        let Some(mut client) = self.0.store.client(id).await? else { return Ok(None) };
        if client.origin != ClientOrigin::Operator {
            self.0.settings.clients.put_on(&mut client);
        }
        let client = Arc::new(client);
        clients.read.insert(id.clone(), (client.clone(), now));
        Ok(Some(client))
    }
}
