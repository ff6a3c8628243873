//! Which client a sign-in uses: the first of these that there is.
//!
//! 1. The one that was named, with the proof that was given.
//! 2. At a server of gatepass's own, the command line's own client, which its metadata names.
//! 3. The one that was named for an earlier sign-in there, with its proof: who signs in anew need not say it again.
//! 4. The URL of this program's metadata document, if one is configured and the server takes such
//!    (Client ID Metadata Document §5).
//! 5. The one that was registered here before (RFC 7591), if the server still knows it; else a new registration.

use crate::{
    ClientAuthentication, ClientKey, Failure, Refusal, Server, SignIns, Vault, VaultError,
    client_key::ClientSigner,
    loopback::uri::LoopbackUri,
    registration::{self, Known, Registered},
    sign_in::{
        SignInError,
        wish::{Proof, Wish},
    },
};
use gatepass_oauth::{ClientAuthMethod, ClientId, ErrorCode, Issuer, Secret};

/// The client of one sign-in.
#[derive(Clone, Debug)]
pub struct Chosen {
    /// Who asks.
    pub client_id: ClientId,
    /// How it proves itself.
    pub authentication: ClientAuthentication,
    /// Where it came from.
    pub origin: Origin,
}

/// Where a client came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// It was named, or the server named it.
    Named,
    /// It was registered in an earlier sign-in.
    Kept,
    /// It was registered for this one.
    Registered,
}

/// Why there is no client to sign in with.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ClientError {
    /// None was named, and the server gives none to strangers.
    #[error("{issuer} knows no client of ours{}", because(.refused.as_ref()))]
    None {
        /// The server.
        issuer: Issuer,
        /// Why it would not register one.
        refused: Option<Failure>,
        /// How to come by one there.
        hint: Option<&'static str>,
    },
    /// The server does not know the one that was named, or it may not do this.
    #[error("{issuer} does not take the client {client_id}: {refusal}")]
    Refused {
        /// The server.
        issuer: Issuer,
        /// The client.
        client_id: ClientId,
        /// What it said.
        refusal: Refusal,
        /// How to come by one there.
        hint: Option<&'static str>,
    },
    /// The vendor gives every client a secret and wants to see it.
    #[error("{name} wants the client's secret for this way of signing in")]
    SecretNeeded {
        /// The vendor.
        name: &'static str,
        /// How to come by one.
        hint: &'static str,
    },
    /// The key signs nothing.
    #[error("the client's key cannot be used at {0}")]
    NoKey(Issuer),
    /// The server takes no secrets.
    #[error("{0} takes no client secrets, but other proofs")]
    NoSecrets(Issuer),
}

fn because(refused: Option<&Failure>) -> String {
    refused.map_or_else(String::new, |failure| format!(", and would not register one: {failure}"))
}

/// How a secret is sent to a server that lists the ways: `client_secret_basic` if it can be.
#[must_use]
pub fn secret_method(supported: &[String]) -> Option<ClientAuthMethod> {
    [ClientAuthMethod::ClientSecretBasic, ClientAuthMethod::ClientSecretPost]
        .into_iter()
        .find(|method| supported.iter().any(|known| known == method.as_str()))
}

impl ClientAuthentication {
    /// A secret, sent as was said; else as the server lists it; else in the header, which is what a silent server takes
    /// (RFC 8414 §2).
    ///
    /// # Errors
    /// [`ClientError::NoSecrets`].
    pub fn by_secret(secret: Secret, said: Option<ClientAuthMethod>, server: &Server) -> Result<Self, ClientError> {
        let supported = &server.supported.auth_methods;
        let method = match said {
            Some(method) => Some(method),
            None if supported.is_empty() => Some(ClientAuthMethod::ClientSecretBasic),
            None => secret_method(supported),
        };
        match method {
            Some(ClientAuthMethod::ClientSecretPost) => Ok(Self::ClientSecretPost { secret }),
            Some(ClientAuthMethod::ClientSecretBasic) => Ok(Self::ClientSecretBasic { secret }),
            _ => Err(ClientError::NoSecrets(server.issuer.clone())),
        }
    }
}

impl ClientAuthentication {
    /// A key, by the algorithm that the server takes, for whom the server wants what is signed with it to be.
    #[must_use]
    pub fn by_key(key: ClientKey, kid: Option<String>, server: &Server) -> Option<Self> {
        let alg = key.algorithm_for(&server.supported.auth_algorithms)?;
        let kid = kid.or_else(|| key.kid().map(str::to_owned));
        let audience = match server.provider {
            Some(provider) if provider.assertion_for_token_endpoint => server.token_endpoint.to_string(),
            _ => server.iss.as_str().to_owned(),
        };
        Some(Self::PrivateKeyJwt(ClientSigner { key, kid, alg, audience }))
    }
}

impl SignIns {
    /// The client for a sign-in at `server`.
    ///
    /// # Errors
    /// [`SignInError::Client`], [`SignInError::Vault`].
    pub(crate) async fn choose_client(&self, wish: &Wish, server: &Server) -> Result<Chosen, SignInError> {
        let named = |client_id: &ClientId, authentication| Chosen {
            client_id: client_id.clone(),
            authentication,
            origin: Origin::Named,
        };
        if let Some(client_id) = &wish.client_id {
            let authentication = match &wish.proof {
                Proof::None => ClientAuthentication::None,
                Proof::Secret { secret, method } => ClientAuthentication::by_secret(secret.clone(), *method, server)?,
                Proof::Key { key, kid } => ClientAuthentication::by_key(key.clone(), kid.clone(), server)
                    .ok_or_else(|| ClientError::NoKey(server.issuer.clone()))?,
                Proof::Ready(authentication) => authentication.clone(),
            };
            return Ok(named(client_id, authentication));
        }
        if let Some(client_id) = &server.gatepass_client_id {
            return Ok(named(client_id, ClientAuthentication::None));
        }
        if let Some(earlier) = self.client_of_earlier_sign_in(&server.issuer).await? {
            return Ok(earlier);
        }
        if let (Some(url), true) = (&wish.client_url, server.takes_client_urls) {
            return Ok(named(url, ClientAuthentication::None));
        }
        if let Some(kept) = self.kept_registration(wish, server).await?
            && let Known::Yes(changed) = kept.is_known(self, server).await
        {
            if let Some(changed) = &changed {
                self.keep_registration(changed).await?;
            }
            let Registered { client_id, authentication, .. } = changed.map_or(kept, |changed| *changed);
            return Ok(Chosen { client_id, authentication, origin: Origin::Kept });
        }
        self.register_client(wish, server).await
    }

    /// Registers a client in place of one that is not known any more.
    ///
    /// # Errors
    /// [`SignInError::Client`], [`SignInError::Vault`].
    pub(crate) async fn register_client(&self, wish: &Wish, server: &Server) -> Result<Chosen, SignInError> {
        let hint = server.provider.map(|provider| provider.client_hint.as_str());
        let open = server.provider.is_none_or(|provider| provider.registers_clients);
        let none = |refused| ClientError::None { issuer: server.issuer.clone(), refused, hint };
        let Some(endpoint) = server.registration_endpoint.as_ref().filter(|_| open) else {
            return Err(none(None).into());
        };
        let registered =
            match registration::register(self.transport(), server, endpoint, &wish.registered_redirect(server)).await {
                Ok(registered) => registered,
                Err(failure @ Failure::Unreachable { .. }) => return Err(SignInError::NoTokens(failure)),
                Err(failure) => return Err(none(Some(failure)).into()),
            };
        self.keep_registration(&registered).await?;
        let Registered { client_id, authentication, .. } = registered;
        Ok(Chosen { client_id, authentication, origin: Origin::Registered })
    }

    /// Keeps a registration in place of an earlier one at the same server.
    async fn keep_registration(&self, registered: &Registered) -> Result<(), VaultError> {
        let kept = registered.clone();
        let keep = move |vault: &Vault| {
            vault.update(|contents| {
                // The sign-ins of this client prove themselves as it does.
                for sign_in in &mut contents.sign_ins {
                    if sign_in.account.issuer == kept.issuer && sign_in.account.client_id == kept.client_id {
                        sign_in.authentication = kept.authentication.clone();
                    }
                }
                contents.registrations.retain(|known| known.issuer != kept.issuer);
                contents.registrations.push(kept);
            })
        };
        self.with_vault(keep).await
    }

    async fn client_of_earlier_sign_in(&self, issuer: &Issuer) -> Result<Option<Chosen>, VaultError> {
        let contents = self.with_vault(|vault| vault.read()).await?;
        // Where we register ourselves, an earlier sign-in's client may be one that was forgotten.
        if contents.registrations.iter().any(|known| known.issuer == *issuer) {
            return Ok(None);
        }
        let earlier = contents
            .sign_ins
            .into_iter()
            // A service's own client is for no person.
            .rfind(|sign_in| sign_in.account.issuer == *issuer && sign_in.renewal.is_of_a_person());
        Ok(earlier.map(|sign_in| Chosen {
            client_id: sign_in.account.client_id,
            authentication: sign_in.authentication,
            origin: Origin::Named,
        }))
    }

    async fn kept_registration(&self, wish: &Wish, server: &Server) -> Result<Option<Registered>, VaultError> {
        let (issuer, redirect, now): (Issuer, LoopbackUri, _) =
            (server.issuer.clone(), wish.registered_redirect(server), self.clock().now());
        let kept = self.with_vault(|vault| Ok(vault.read()?.registrations)).await?;
        Ok(kept.into_iter().find(|known| known.serves(&issuer, &redirect, now)))
    }
}

/// What the server said if it does not know the client, or does not let it do this.
#[must_use]
pub fn refusal_of_client(error: &SignInError) -> Option<&Refusal> {
    use crate::{
        device::{DeviceError, poller::Ended},
        sign_in::attempt::BadAnswer,
    };
    let refusal = match error {
        SignInError::NoTokens(Failure::Refused(refusal))
        | SignInError::Device(
            DeviceError::NotStarted(Failure::Refused(refusal)) | DeviceError::Ended(Ended::Refused(refusal)),
        )
        | SignInError::BadAnswer(BadAnswer::Refused(refusal)) => refusal,
        _ => return None,
    };
    (refusal.is(ErrorCode::InvalidClient) || refusal.is(ErrorCode::UnauthorizedClient)).then_some(refusal)
}
