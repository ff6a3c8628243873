//! Registering a resource by the operator's hand, with the credential that its server asks about tokens with.

use crate::{
    Authority, Event, EventKind, Failure,
    add_client::{ClientRefused, NewClient, Registered},
};
use gatepass_keys::{Algorithm, JwkSet, SigningKey};
use gatepass_oauth::{ClientAuthMethod, ClientMetadata, GrantType, ResourceUri, Scope, TokenFormat};
use gatepass_store::Change;

pub use gatepass_store::resource::Resource;

/// A resource to be registered.
#[derive(Debug)]
pub struct NewResource {
    /// Its URI: the audience of its tokens.
    pub uri: ResourceUri,
    /// Its name for people; may be empty.
    pub name: String,
    /// What its access tokens look like.
    pub token_format: TokenFormat,
    /// What its access tokens, when they are JWTs, and the answers to its server are signed with.
    pub signing_alg: Algorithm,
    /// Its scopes; none: any.
    pub scope: Scope,
    /// Who may have tokens for it.
    pub offered: Offered,
    /// The keys that its server signs assertions with; without them it gets a secret.
    pub jwks: Option<JwkSet>,
    /// The resources for which its server may exchange the tokens that it was called with.
    pub downstream: Vec<ResourceUri>,
}

/// Who may have tokens for a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Offered {
    /// Every client.
    ToAll,
    /// The clients that are registered for it.
    ToNamed,
}

/// Why a resource could not be registered.
#[derive(Debug, thiserror::Error)]
pub enum ResourceRefused {
    /// It is there already.
    #[error("the resource {0} is registered already")]
    Taken(ResourceUri),
    /// It is this server.
    #[error("{0} is this server's own API, which needs no registration")]
    Own(ResourceUri),
    /// The server has no such key.
    #[error("tokens are signed with one of {}", SigningKey::ALGORITHMS.iter().map(|alg| alg.as_str()).collect::<Vec<_>>().join(", "))]
    Algorithm,
    /// There is none.
    #[error("the resource {0} is not registered")]
    Unknown(ResourceUri),
    /// Its server's credential could not be made.
    #[error(transparent)]
    Client(#[from] ClientRefused),
    /// Our own trouble.
    #[error(transparent)]
    Failure(#[from] Failure),
}

impl Authority {
    /// Registers a resource and makes the credential of its server.
    ///
    /// # Errors
    /// [`ResourceRefused`].
    pub async fn add_resource(&self, new: NewResource) -> Result<(Resource, Registered), ResourceRefused> {
        if new.uri.names_same(self.own_resource()) {
            return Err(ResourceRefused::Own(new.uri));
        }
        if !SigningKey::ALGORITHMS.contains(&new.signing_alg) {
            return Err(ResourceRefused::Algorithm);
        }
        if self.0.store.registered_resource(&new.uri).await.map_err(Failure::from)?.is_some() {
            return Err(ResourceRefused::Taken(new.uri));
        }
        let name = if new.name.is_empty() { new.uri.to_string() } else { new.name.clone() };
        let may_exchange = !new.downstream.is_empty();
        let credential = NewClient {
            name: name.chars().take(100).collect(),
            auth_method: match new.jwks {
                Some(_) => ClientAuthMethod::PrivateKeyJwt,
                None => ClientAuthMethod::ClientSecretBasic,
            },
            jwks: new.jwks,
            redirect_uris: Vec::new(),
            grant_types: if may_exchange { vec![GrantType::TokenExchange] } else { Vec::new() },
            scope: Scope::empty(),
            resources: new.downstream,
            metadata: ClientMetadata {
                introspection_signed_response_alg: Some(new.signing_alg.as_str().to_owned()),
                ..ClientMetadata::default()
            },
        };
        let registered = self.keep_client(credential).await?;
        let now = self.0.clock.now();
        let resource = Resource {
            uri: new.uri,
            name: new.name,
            token_format: new.token_format,
            signing_alg: new.signing_alg,
            scope: new.scope,
            open_since: (new.offered == Offered::ToAll).then_some(now),
            client_id: registered.client.id.clone(),
            created_at: now,
        };
        let added = self.0.store.add_resource(&resource).await.map_err(Failure::from)?;
        self.0.resources.forget();
        match added {
            Change::Made => {
                let event = Event::new(EventKind::ResourceAdded).client(&resource.client_id).by_operator();
                self.record(event.detail(&resource.uri)).await;
                Ok((resource, registered))
            }
            Change::TooLate => Err(ResourceRefused::Taken(resource.uri)),
        }
    }

    /// Registered resources in the order of their URIs.
    ///
    /// # Errors
    /// [`Failure::Internal`].
    pub async fn resources(&self, after: &str, limit: i64) -> Result<Vec<Resource>, Failure> {
        Ok(self.0.store.resources(after, limit).await?)
    }

    /// Forgets a resource: nobody can ask about its tokens any more. The tokens live to their end.
    ///
    /// # Errors
    /// [`ResourceRefused::Unknown`].
    pub async fn remove_resource(&self, uri: &ResourceUri) -> Result<(), ResourceRefused> {
        let removed = self.0.store.remove_resource(uri).await.map_err(Failure::from)?;
        self.0.resources.forget();
        if removed == Change::TooLate {
            return Err(ResourceRefused::Unknown(uri.clone()));
        }
        self.record(Event::new(EventKind::ResourceRemoved).by_operator().detail(uri)).await;
        Ok(())
    }
}
