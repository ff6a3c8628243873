//! Which API a token is for (RFC 8707): this server's own, one that the client was registered for, or one that is
//! registered and open to every client.
//!
//! What was read of a resource stays good for a second, as of a client. A request that names none costs nothing.

use crate::{Authority, Client, Failure};
use gatepass_oauth::{Error, ErrorCode, ResourceUri, Scope, UtcMillis};
use gatepass_store::resource::Resource;
use quick_cache::sync::Cache;
use std::{sync::Arc, time::Duration};

/// How long a resource stays good without being read again.
const FRESH: Duration = Duration::from_secs(1);
/// How many are kept at most; also that there is none.
const CAPACITY: usize = 1024;
/// The scopes that speak of the person or of the grant, not of an API.
pub(crate) const OF_THE_PERSON: &[&str] = &["openid", "profile", "email", "offline_access"];

pub(crate) struct Resources(Cache<ResourceUri, (Option<Arc<Resource>>, UtcMillis)>);

impl Default for Resources {
    fn default() -> Self {
        Self(Cache::new(CAPACITY))
    }
}

impl Resources {
    pub(crate) fn forget(&self) {
        self.0.clear();
    }
}

/// What of a scope this resource takes. One without scopes of its own takes any.
pub(crate) fn taken_by(resource: &Resource, scope: &Scope) -> Scope {
    if resource.scope.is_empty() {
        return scope.clone();
    }
    scope.iter().filter(|name| OF_THE_PERSON.contains(name) || resource.scope.contains(name)).collect()
}

impl Authority {
    /// The registered resource that this URI names.
    pub(crate) async fn find_resource(&self, uri: &ResourceUri) -> Result<Option<Arc<Resource>>, Failure> {
        let now = self.0.clock.now();
        if let Some((found, read_at)) = self.0.resources.0.get(uri)
            && now < read_at.plus(FRESH)
        {
            return Ok(found);
        }
        let found = self.0.store.registered_resource(uri).await?.map(Arc::new);
        self.0.resources.0.insert(uri.clone(), (found.clone(), now));
        Ok(found)
    }

    /// The audience of a token, and what of the scope means something there.
    ///
    /// # Errors
    /// `invalid_target` for a resource that the client may not have tokens for; `invalid_scope` when the resource takes
    /// nothing of what was asked.
    pub(crate) async fn choose_target(
        &self,
        client: &Client,
        scope: Scope,
        asked: Option<&ResourceUri>,
    ) -> Result<(Scope, ResourceUri), Failure> {
        let Some(asked) = asked else { return Ok((scope, self.own_resource().clone())) };
        if asked.names_same(self.own_resource()) {
            return Ok((scope, self.own_resource().clone()));
        }
        let named = client.resources.iter().find(|resource| resource.names_same(asked));
        match (self.find_resource(asked).await?, named) {
            (Some(resource), named) if named.is_some() || resource.open_since.is_some() => {
                Ok((self.narrow_to(&resource, &scope)?, resource.uri.clone()))
            }
            (None, Some(named)) => Ok((scope, named.clone())),
            _ => Err(Error::new(ErrorCode::InvalidTarget, "this client may not have tokens for this resource").into()),
        }
    }

    /// What of the scope this resource takes.
    pub(crate) fn narrow_to(&self, resource: &Resource, scope: &Scope) -> Result<Scope, Error> {
        let taken = taken_by(resource, scope);
        if taken.is_empty() && !scope.is_empty() {
            let offer = format!("this resource takes: {}", resource.scope);
            return Err(Error::new(ErrorCode::InvalidScope, offer));
        }
        Ok(taken)
    }
}
