//! What strangers' programs may be and have: those that register themselves, and those whose identifier is the address of
//! a document.
//!
//! 1. Neither acts for itself: the grants are those in which a person says yes.
//! 2. Their scopes are those that the server offers, their resources those that the operator names.
//! 3. A host that the operator denies is neither their identity nor where an answer goes.
//! 4. What the server will ask later (`jwks_uri`, `backchannel_logout_uri`) is https and does not lead inside. What it
//!    would never ask (`logo_uri` and the like) does not matter.

use crate::{CliAccessTokens, Client, certificate::tidy_distinguished_name};
use gatepass_fetch::address::is_public;
use gatepass_keys::{Algorithm, JwkSet};
use gatepass_oauth::{
    ClientAuthMethod, Error, ErrorCode, GrantType, RedirectUri, Registration, ResourceUri, Scope,
    client_id_url::lies_in, issuer::is_loopback_host,
};
use std::time::Duration;
use url::{Host, Url};

/// The algorithms of ID tokens that a client may choose.
pub const ID_TOKEN_ALGORITHMS: &[&str] = &["ES256", "EdDSA", "RS256"];

/// What the operator lets strangers' programs do.
#[derive(Clone, Debug)]
pub struct ClientPolicy {
    /// Whether programs may register themselves.
    pub registration: bool,
    /// Whether an identifier may be the address of a document.
    pub metadata_documents: bool,
    /// If there are any, only documents of these domains are fetched.
    pub trusted_domains: Vec<String>,
    /// Documents of these domains are not fetched, and answers do not go there.
    pub denied_domains: Vec<String>,
    /// Hosts that are asked although they are not public, also by plain http: for tests.
    pub private_hosts: Vec<String>,
    /// After how long without use a registration is removed.
    pub registration_idle: Duration,
    /// How many programs register from one address in an hour.
    pub registrations_per_hour: u32,
    /// How many register from all addresses together in an hour.
    pub registrations_per_hour_in_all: u32,
    /// How many documents that are not known yet are fetched for one address in an hour.
    pub documents_per_hour: u32,
    /// How they may prove themselves: what this server offers anybody.
    pub auth_methods: Vec<ClientAuthMethod>,
    /// What they may ask for.
    pub scope: Scope,
    /// Which APIs their tokens may be for, besides this server's own.
    pub resources: Vec<ResourceUri>,
    /// What access tokens gatepass's own command line gets for its key.
    pub cli_access_tokens: CliAccessTokens,
}

impl Default for ClientPolicy {
    fn default() -> Self {
        Self {
            registration: true,
            metadata_documents: true,
            trusted_domains: Vec::new(),
            denied_domains: Vec::new(),
            private_hosts: Vec::new(),
            registration_idle: Duration::from_secs(90 * 24 * 60 * 60),
            registrations_per_hour: 100,
            registrations_per_hour_in_all: 2000,
            documents_per_hour: 60,
            auth_methods: ClientAuthMethod::ALL.to_vec(),
            scope: crate::clients::FIRST_PARTY_SCOPE.split(' ').collect(),
            resources: Vec::new(),
            cli_access_tokens: CliAccessTokens::default(),
        }
    }
}

/// A member will not do.
pub(crate) fn bad(description: impl Into<std::borrow::Cow<'static, str>>) -> Error {
    Error::new(ErrorCode::InvalidClientMetadata, description)
}

impl ClientPolicy {
    /// What is left of a stranger's registration: changed to what it may have.
    pub(crate) fn admit(&self, mut registration: Registration) -> Result<Registration, Error> {
        if let Some(method) = registration.auth_method.filter(|method| !self.auth_methods.contains(method)) {
            return Err(bad(format!("token_endpoint_auth_method {method} is not offered by this server")));
        }
        if let Some(name) = &mut registration.metadata.tls_client_auth_subject_dn {
            *name = tidy_distinguished_name(name)
                .ok_or_else(|| bad("tls_client_auth_subject_dn is a name in the form of RFC 4514"))?;
        }
        registration.grant_types.retain(|grant| {
            matches!(grant, GrantType::AuthorizationCode | GrantType::RefreshToken | GrantType::DeviceCode)
        });
        if registration.grant_types.is_empty() {
            return Err(bad(
                "grant_types: a program that registers itself may use authorization_code, refresh_token and \
                            device_code",
            ));
        }
        let scope = match &registration.scope {
            None => self.scope.clone(),
            Some(asked) => asked.intersection(&self.scope),
        };
        if scope.is_empty() && registration.scope.as_ref().is_some_and(|asked| !asked.is_empty()) {
            return Err(bad(format!("scope: what may be asked for is {}", self.scope)));
        }
        registration.scope = Some(scope);
        let named = [
            ("redirect_uris", &registration.redirect_uris),
            ("post_logout_redirect_uris", &registration.metadata.post_logout_redirect_uris),
        ];
        for (name, uris) in named {
            if let Some(uri) = uris.iter().find(|uri| self.is_denied(uri)) {
                let description = format!("{name}: answers do not go to {}", uri.shown_host());
                return Err(Error::new(ErrorCode::InvalidRedirectUri, description));
            }
        }
        if registration.auth_method != Some(ClientAuthMethod::PrivateKeyJwt) {
            // Of no meaning for another method (RFC 7591 §2).
            registration.metadata.token_endpoint_auth_signing_alg = None;
        }
        let metadata = &registration.metadata;
        for (name, url) in
            [("jwks_uri", &metadata.jwks_uri), ("backchannel_logout_uri", &metadata.backchannel_logout_uri)]
        {
            if url.as_deref().is_some_and(|url| !self.may_be_asked(url)) {
                return Err(bad(format!("{name} is an https URL with a public address")));
            }
        }
        let of_assertions: Vec<&str> = Algorithm::names().collect();
        let chosen = [
            ("id_token_signed_response_alg", &metadata.id_token_signed_response_alg, ID_TOKEN_ALGORITHMS),
            ("token_endpoint_auth_signing_alg", &metadata.token_endpoint_auth_signing_alg, of_assertions.as_slice()),
        ];
        for (name, chosen, known) in chosen {
            if chosen.as_deref().is_some_and(|chosen| !known.contains(&chosen)) {
                return Err(bad(format!("{name}: the known values are {}", known.join(", "))));
            }
        }
        Ok(registration)
    }

    fn is_denied(&self, uri: &RedirectUri) -> bool {
        Url::parse(uri.as_str()).is_ok_and(|url| url.host_str().is_some_and(|host| lies_in(host, &self.denied_domains)))
    }

    /// Whether an address may be worth asking. The fetcher looks again, at what the name resolves to.
    fn may_be_asked(&self, text: &str) -> bool {
        let Ok(url) = Url::parse(text) else { return false };
        let Some(host) = url.host() else { return false };
        if self.private_hosts.contains(&host.to_string()) {
            return true;
        }
        let public = match host {
            Host::Ipv4(address) => is_public(address.into()),
            Host::Ipv6(address) => is_public(address.into()),
            Host::Domain(_) => !is_loopback_host(&url),
        };
        url.scheme() == "https" && public
    }

    /// What holds for a stranger's program at this moment, whatever was so when it registered.
    pub(crate) fn put_on(&self, client: &mut Client) {
        client.resources.clone_from(&self.resources);
        client.scope = client.scope.intersection(&self.scope);
        client.redirect_uris.retain(|uri| !self.is_denied(uri));
        client.metadata.post_logout_redirect_uris.retain(|uri| !self.is_denied(uri));
    }
}

/// The keys of a program that proves itself with them: given here, or none, and to be fetched.
pub(crate) fn registered_keys(registration: &Registration) -> Result<JwkSet, Error> {
    match (&registration.jwks, &registration.metadata.jwks_uri) {
        (Some(jwks), None) => JwkSet::parse(&jwks.to_string()).map_err(|error| bad(format!("jwks: {error}"))),
        (None, Some(_)) => Ok(JwkSet::default()),
        _ => Err(bad("private_key_jwt and self_signed_tls_client_auth take jwks or jwks_uri")),
    }
}
