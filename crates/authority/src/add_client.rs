//! Registering a client by the operator's hand.

use crate::{
    Authority, Client, ClientProof, Event, EventKind, Failure, certificate::tidy_distinguished_name,
    clients::FIRST_PARTY,
};
use gatepass_keys::{JwkSet, PlainToken, Secret, TokenId, token::ClientSecret};
use gatepass_oauth::{
    ClientAuthMethod, ClientId, ClientMetadata, ClientOrigin, GrantType, RedirectUri, ResourceUri, Scope,
    issuer::is_loopback_host,
};
use gatepass_store::Change;

pub use crate::clients::{FIRST_PARTY as FIRST_PARTY_CLIENT, FIRST_PARTY_SCOPE};

/// A client to be registered.
#[derive(Debug)]
pub struct NewClient {
    /// Its name on a page.
    pub name: String,
    /// How it will prove itself.
    pub auth_method: ClientAuthMethod,
    /// Its keys, for `private_key_jwt` and `self_signed_tls_client_auth`.
    pub jwks: Option<JwkSet>,
    /// Where its authorization responses may go.
    pub redirect_uris: Vec<RedirectUri>,
    /// What it may ask for tokens with.
    pub grant_types: Vec<GrantType>,
    /// The most that it may ask for.
    pub scope: Scope,
    /// The APIs that its tokens may be for.
    pub resources: Vec<ResourceUri>,
    /// What else there is to say of it.
    pub metadata: ClientMetadata,
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
    #[error(
        "private_key_jwt and self_signed_tls_client_auth take a key set or the address of one, and no other method takes any"
    )]
    Keys,
    /// The server will ask there.
    #[error("{0} is an https URL without a fragment, or http on loopback")]
    Url(&'static str),
    /// The server does not sign so.
    #[error("the algorithm of ID tokens is one of {}", crate::client_policy::ID_TOKEN_ALGORITHMS.join(", "))]
    Algorithm,
    /// A subject without the method, or the method without a subject.
    #[error("tls_client_auth takes the one subject of its certificate, and no other method does")]
    Subject,
    /// A subject that no certificate can have.
    #[error("the distinguished name is not in the form of RFC 4514, such as CN=build,O=Example")]
    DistinguishedName,
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
            () if !self.has_its_keys() => Err(ClientRefused::Keys),
            () if (self.auth_method == ClientAuthMethod::TlsClientAuth)
                != self.metadata.certificate_subject().is_some() =>
            {
                Err(ClientRefused::Subject)
            }
            () if !may_be_asked(self.metadata.jwks_uri.as_deref()) => Err(ClientRefused::Url("jwks_uri")),
            () if !may_be_asked(self.metadata.backchannel_logout_uri.as_deref()) => {
                Err(ClientRefused::Url("backchannel_logout_uri"))
            }
            () if !signs_with(self.metadata.id_token_signed_response_alg.as_deref()) => Err(ClientRefused::Algorithm),
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

impl NewClient {
    fn has_its_keys(&self) -> bool {
        let places = usize::from(self.jwks.is_some()) + usize::from(self.metadata.jwks_uri.is_some());
        match self.auth_method {
            ClientAuthMethod::PrivateKeyJwt | ClientAuthMethod::SelfSignedTlsClientAuth => places == 1,
            _ => self.jwks.is_none(),
        }
    }
}

fn may_be_asked(url: Option<&str>) -> bool {
    url.is_none_or(|url| {
        url::Url::parse(url).is_ok_and(|url| {
            (url.scheme() == "https" || (url.scheme() == "http" && is_loopback_host(&url))) && url.fragment().is_none()
        })
    })
}

fn signs_with(algorithm: Option<&str>) -> bool {
    algorithm.is_none_or(|name| crate::client_policy::ID_TOKEN_ALGORITHMS.contains(&name))
}

impl Authority {
    /// Registers a client.
    ///
    /// # Errors
    /// [`ClientRefused`].
    pub async fn add_client(&self, new: NewClient) -> Result<Registered, ClientRefused> {
        new.check()?;
        self.keep_client(new).await
    }

    /// Registers a client that is known to be good.
    pub(crate) async fn keep_client(&self, mut new: NewClient) -> Result<Registered, ClientRefused> {
        let now = self.0.clock.now();
        let secret = PlainToken::<ClientSecret>::mint(now, &self.0.entropy).map_err(Failure::from)?;
        let (proof, secret) = match (new.auth_method, new.jwks) {
            (ClientAuthMethod::ClientSecretBasic, _) => {
                (ClientProof::SecretBasic(secret.hash()), Some(secret.into_secret()))
            }
            (ClientAuthMethod::ClientSecretPost, _) => {
                (ClientProof::SecretPost(secret.hash()), Some(secret.into_secret()))
            }
            (ClientAuthMethod::PrivateKeyJwt, jwks) => (ClientProof::PrivateKeyJwt(jwks.unwrap_or_default()), None),
            (ClientAuthMethod::SelfSignedTlsClientAuth, jwks) => {
                (ClientProof::SelfSignedTls(jwks.unwrap_or_default()), None)
            }
            (ClientAuthMethod::TlsClientAuth, _) => {
                // In the form in which certificates are compared with it.
                if let Some(name) = &mut new.metadata.tls_client_auth_subject_dn {
                    *name = tidy_distinguished_name(name).ok_or(ClientRefused::DistinguishedName)?;
                }
                let subject = new.metadata.certificate_subject().ok_or(ClientRefused::Subject)?;
                (ClientProof::TlsSubject(subject), None)
            }
            (ClientAuthMethod::None, _) => (ClientProof::Public, None),
        };
        let client = Client {
            id: self.new_client_id("")?,
            name: new.name.trim().to_owned(),
            proof,
            redirect_uris: new.redirect_uris,
            grant_types: new.grant_types,
            scope: new.scope,
            resources: new.resources,
            first_party_since: None,
            created_at: now,
            origin: ClientOrigin::Operator,
            metadata: new.metadata,
            used_at: None,
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

    /// The client with this identifier, as it was registered.
    ///
    /// # Errors
    /// [`Failure::Internal`].
    pub async fn client(&self, id: &ClientId) -> Result<Option<Client>, Failure> {
        Ok(self.0.store.client(id).await?)
    }

    /// Removes a client, whoever registered it, and ends what it was given; `false` when there was none.
    ///
    /// # Errors
    /// [`Failure::Internal`].
    pub async fn remove_client(&self, id: &ClientId) -> Result<bool, Failure> {
        let removed = self.0.store.remove_client(id, self.0.clock.now()).await? == Change::Made;
        if removed {
            self.0.clients.forget(id);
            self.forget_verified();
            self.record(Event::new(EventKind::ClientDeleted).client(id).by_operator()).await;
        }
        Ok(removed)
    }

    /// An identifier that nobody had before, with a beginning.
    pub(crate) fn new_client_id(&self, beginning: &str) -> Result<ClientId, Failure> {
        let TokenId(bytes) = TokenId::new(self.0.clock.now(), &self.0.entropy)?;
        let digits: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        let text = format!("{beginning}{digits}");
        debug_assert_ne!(text, FIRST_PARTY);
        text.parse().map_err(|_| Failure::internal("a client identifier was made of other characters"))
    }
}
