//! Registering a client by the operator's hand.

use crate::{Authority, Client, ClientProof, Event, EventKind, Failure, clients::FIRST_PARTY};
use gatepass_keys::{JwkSet, PlainToken, Secret, TokenId, token::ClientSecret};
use gatepass_oauth::{ClientAuthMethod, ClientId, GrantType, RedirectUri, ResourceUri, Scope};
use gatepass_store::Change;

pub use crate::clients::{FIRST_PARTY as FIRST_PARTY_CLIENT, FIRST_PARTY_SCOPE};

/// A client to be registered.
#[derive(Debug)]
pub struct NewClient {
    /// Its name on a page.
    pub name: String,
    /// How it will prove itself.
    pub auth_method: ClientAuthMethod,
    /// Its keys, for `private_key_jwt`.
    pub jwks: Option<JwkSet>,
    /// Where its authorization responses may go.
    pub redirect_uris: Vec<RedirectUri>,
    /// What it may ask for tokens with.
    pub grant_types: Vec<GrantType>,
    /// The most that it may ask for.
    pub scope: Scope,
    /// The APIs that its tokens may be for.
    pub resources: Vec<ResourceUri>,
}

/// A client that was registered.
#[derive(Debug)]
pub struct Registered {
    /// The registration.
    pub client: Client,
    /// Its secret, shown this once.
    pub secret: Option<Secret>,
}

/// Why a client could not be registered.
#[derive(Debug, thiserror::Error)]
pub enum ClientRefused {
    /// No name, or an odd one.
    #[error("a client has a name of 1 to 100 characters without control characters")]
    Name,
    /// Keys without the method, or the method without keys.
    #[error("private_key_jwt takes a key set, and no other method does")]
    Keys,
    /// A code needs somewhere to go.
    #[error("a client that uses authorization_code has at least one redirect URI")]
    NoRedirectUri,
    /// A redirect URI without a code.
    #[error("redirect URIs are for clients that use authorization_code")]
    IdleRedirectUri,
    /// A refresh token alone comes from nowhere.
    #[error("refresh_token comes with authorization_code or device_code")]
    LoneRefresh,
    /// A public client has nothing to show.
    #[error("client_credentials are for confidential clients")]
    PublicCredentials,
    /// Nothing could be asked with.
    #[error("a client uses at least one grant type")]
    NoGrant,
    /// Our own trouble.
    #[error(transparent)]
    Failure(#[from] Failure),
}

impl NewClient {
    fn check(&self) -> Result<(), ClientRefused> {
        let uses = |grant| self.grant_types.contains(&grant);
        let named = crate::add_user::tidy_name(&self.name).is_some_and(|name| !name.is_empty());
        match () {
            () if !named => Err(ClientRefused::Name),
            () if self.grant_types.is_empty() => Err(ClientRefused::NoGrant),
            () if (self.auth_method == ClientAuthMethod::PrivateKeyJwt) != self.jwks.is_some() => {
                Err(ClientRefused::Keys)
            }
            () if uses(GrantType::AuthorizationCode) && self.redirect_uris.is_empty() => {
                Err(ClientRefused::NoRedirectUri)
            }
            () if !uses(GrantType::AuthorizationCode) && !self.redirect_uris.is_empty() => {
                Err(ClientRefused::IdleRedirectUri)
            }
            () if uses(GrantType::ClientCredentials) && self.auth_method == ClientAuthMethod::None => {
                Err(ClientRefused::PublicCredentials)
            }
            () if uses(GrantType::RefreshToken)
                && !uses(GrantType::AuthorizationCode)
                && !uses(GrantType::DeviceCode) =>
            {
                Err(ClientRefused::LoneRefresh)
            }
            () => Ok(()),
        }
    }
}

impl Authority {
    /// Registers a client.
    ///
    /// # Errors
    /// [`ClientRefused`].
    pub async fn add_client(&self, new: NewClient) -> Result<Registered, ClientRefused> {
        new.check()?;
        let now = self.0.clock.now();
        let secret = PlainToken::<ClientSecret>::mint(now, &self.0.entropy).map_err(Failure::from)?;
        let (proof, secret) = match (new.auth_method, new.jwks) {
            (ClientAuthMethod::ClientSecretBasic, _) => {
                (ClientProof::SecretBasic(secret.hash()), Some(secret.into_secret()))
            }
            (ClientAuthMethod::ClientSecretPost, _) => {
                (ClientProof::SecretPost(secret.hash()), Some(secret.into_secret()))
            }
            (ClientAuthMethod::PrivateKeyJwt, Some(jwks)) => (ClientProof::PrivateKeyJwt(jwks), None),
            (ClientAuthMethod::PrivateKeyJwt, None) => return Err(ClientRefused::Keys),
            (ClientAuthMethod::None, _) => (ClientProof::Public, None),
        };
        let client = Client {
            id: self.new_client_id()?,
            name: new.name.trim().to_owned(),
            proof,
            redirect_uris: new.redirect_uris,
            grant_types: new.grant_types,
            scope: new.scope,
            resources: new.resources,
            first_party_since: None,
            created_at: now,
        };
        match self.0.store.add_client(&client).await.map_err(Failure::from)? {
            Change::Made => {
                self.record(Event::new(EventKind::ClientAdded).client(&client.id).by_operator()).await;
                Ok(Registered { client, secret })
            }
            Change::TooLate => Err(Failure::internal("a new client identifier was taken").into()),
        }
    }

    /// Registered clients in the order of their identifiers.
    ///
    /// # Errors
    /// [`Failure::Internal`].
    pub async fn clients(&self, after: &str, limit: i64) -> Result<Vec<Client>, Failure> {
        Ok(self.0.store.clients(after, limit).await?)
    }

    fn new_client_id(&self) -> Result<ClientId, Failure> {
        let TokenId(bytes) = TokenId::new(self.0.clock.now(), &self.0.entropy)?;
        let text: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        debug_assert_ne!(text, FIRST_PARTY);
        text.parse().map_err(|_| Failure::internal("a client identifier was made of other characters"))
    }
}
