//! A sign-in at a server of any vendor.
//!
//! 1. Find the server: by its metadata, by the notes on its vendor, by endpoints that were named.
//! 2. Choose or register a client ([`crate::which_client`]).
//! 3. Leave out the ways that the vendor opens only to clients with a secret, where there is none.
//! 4. Sign in. When the server turns out not to know a client that was registered here earlier, register once more and
//!    begin again. A sign-in that is kept is never moved to another client.

use super::{SignInError, SignInRequest};
use crate::{
    Account, ClientAuthentication, ClientKey, KeyBinding, Person, Server, SignIns, Ways, WebUrl,
    discovery::{CertificateEndpoints, DiscoveryError, discover_as},
    loopback::uri::LoopbackUri,
    providers::{self, Provider},
    which_client::{Chosen, ClientError, Origin, refusal_of_client},
};
use gatepass_oauth::{ClientAuthMethod, ClientId, GrantType, Issuer, ResourceUri, Scope, Secret};
use tokio::sync::mpsc;

/// The scopes of OpenID Connect that are asked for when nobody names any.
const SCOPES: [&str; 4] = ["openid", "profile", "email", "offline_access"];
/// What gatepass's own server has besides.
const GATEPASS_SCOPE: &str = "account";

/// What a person wishes; what is left out, the server and its vendor's notes decide.
#[derive(Clone, Debug)]
pub struct Wish {
    /// The server.
    pub issuer: Issuer,
    /// Endpoints that count instead of what the metadata says.
    pub endpoints: Endpoints,
    /// Whose notes count; `None`: those of the vendor whose issuer it is.
    pub provider: Option<&'static Provider>,
    /// The client.
    pub client_id: Option<ClientId>,
    /// The URL of this program's metadata document.
    pub client_url: Option<ClientId>,
    /// How the client proves itself.
    pub proof: Proof,
    /// What is asked for.
    pub scope: Option<Scope>,
    /// Which API the token is for (RFC 8707).
    pub resource: Option<ResourceUri>,
    /// The same as some vendors name it.
    pub audience: Option<String>,
    /// Where the browser's answer comes back.
    pub redirect: Option<LoopbackUri>,
    /// The space that the account is for, if it is for one.
    pub space: Option<String>,
    /// What this machine calls itself.
    pub device_name: Option<String>,
    /// Whether the sign-in is bound to a key.
    pub key_binding: KeyBinding,
}

/// How the client proves itself.
#[derive(Clone, Debug, Default)]
pub enum Proof {
    /// Not at all.
    #[default]
    None,
    /// By a secret, sent in a way that was said or that the server lists.
    Secret {
        /// The secret.
        secret: Secret,
        /// `client_secret_basic` or `client_secret_post`.
        method: Option<ClientAuthMethod>,
    },
    /// By a key that signs (RFC 7523 §2.2).
    Key {
        /// The key.
        key: ClientKey,
        /// The name that the server knows it by, where its file does not say.
        kid: Option<String>,
    },
    /// As it is.
    Ready(ClientAuthentication),
}

/// Endpoints by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Endpoints {
    /// RFC 6749 §3.1.
    pub authorization: Option<WebUrl>,
    /// RFC 6749 §3.2. With it no metadata is asked for.
    pub token: Option<WebUrl>,
    /// RFC 8628 §3.1.
    pub device_authorization: Option<WebUrl>,
    /// RFC 7009.
    pub revocation: Option<WebUrl>,
    /// OpenID Connect Core §5.3.
    pub userinfo: Option<WebUrl>,
}

impl Wish {
    /// A sign-in at a server, with all else left to it.
    #[must_use]
    pub fn new(issuer: Issuer) -> Self {
        Self {
            issuer,
            endpoints: Endpoints::default(),
            provider: None,
            client_id: None,
            client_url: None,
            proof: Proof::None,
            scope: None,
            resource: None,
            audience: None,
            redirect: None,
            space: None,
            device_name: None,
            key_binding: KeyBinding::default(),
        }
    }

    /// Where the answer comes back to a client that was named: as was said, as the vendor's clients have it, or at the
    /// usual place.
    #[must_use]
    pub fn redirect(&self, server: &Server) -> LoopbackUri {
        self.own_redirect(server).unwrap_or_default()
    }

    /// The same for a client that this program registers: where answers do not say whose they are, each server has a
    /// place of its own, so that no server can pass for another (RFC 8252 §8.10, RFC 9700 §4.4.2).
    #[must_use]
    pub(crate) fn registered_redirect(&self, server: &Server) -> LoopbackUri {
        let usual = || if server.answers_with_iss { LoopbackUri::default() } else { LoopbackUri::of(&server.issuer) };
        self.own_redirect(server).unwrap_or_else(usual)
    }

    fn own_redirect(&self, server: &Server) -> Option<LoopbackUri> {
        let vendors = || server.provider?.redirect_uri.as_deref()?.parse().ok();
        self.redirect.clone().or_else(vendors)
    }

    /// What is asked for: as was said; as the vendor documents; or what OpenID Connect has, as far as the server lists it.
    fn scope(&self, server: &Server) -> Scope {
        if let Some(scope) = &self.scope {
            return scope.clone();
        }
        if server.gatepass_client_id.is_some() {
            return SCOPES.into_iter().chain([GATEPASS_SCOPE]).collect();
        }
        if let Some(provider) = server.provider {
            return provider.scope.clone();
        }
        let listed = &server.supported.scopes;
        SCOPES.into_iter().filter(|name| listed.is_empty() || listed.iter().any(|known| known == name)).collect()
    }

    fn request(&self, server: &Server, client: &Chosen) -> SignInRequest {
        SignInRequest {
            authentication: client.authentication.clone(),
            scope: self.scope(server),
            resource: self.resource.clone(),
            audience: self.audience.clone(),
            redirect: match client.origin {
                Origin::Named => self.redirect(server),
                Origin::Kept | Origin::Registered => self.registered_redirect(server),
            },
            space: self.space.clone(),
            device_name: self.device_name.clone(),
            key_binding: self.key_binding,
            ..SignInRequest::new(server.issuer.clone(), client.client_id.clone())
        }
    }
}

impl Endpoints {
    /// Puts what was named in place of what was found.
    fn onto(&self, server: Server) -> Server {
        let own = server.certificate_endpoints;
        let certificate_endpoints = CertificateEndpoints {
            token: own.token.filter(|_| self.token.is_none()),
            revocation: own.revocation.filter(|_| self.revocation.is_none()),
            userinfo: own.userinfo.filter(|_| self.userinfo.is_none()),
            device_authorization: own.device_authorization.filter(|_| self.device_authorization.is_none()),
            pushed_authorization_request: own.pushed_authorization_request,
        };
        Server {
            certificate_endpoints,
            token_endpoint: self.token.clone().unwrap_or(server.token_endpoint),
            authorization_endpoint: self.authorization.clone().or(server.authorization_endpoint),
            device_authorization_endpoint: self.device_authorization.clone().or(server.device_authorization_endpoint),
            revocation_endpoint: self.revocation.clone().or(server.revocation_endpoint),
            userinfo_endpoint: self.userinfo.clone().or(server.userinfo_endpoint),
            ..server
        }
    }
}

impl SignIns {
    /// Signs a person in at a server of any vendor, and keeps the sign-in as [`SignIns::sign_in`] does.
    ///
    /// # Errors
    /// [`SignInError`]. Whatever was kept before is kept still.
    pub async fn sign_in_as_wished(&self, wish: &Wish, mut person: Person<'_>) -> Result<Account, SignInError> {
        // A sign-in that could not be kept is not begun.
        self.with_vault(|vault| vault.read().and_then(|_| vault.rehearse())).await?;
        let server = self.find(wish).await?;
        let mut client = self.choose_client(wish, &server).await?;
        let mut pasted = person.pasted.take();
        loop {
            let request = wish.request(&server, &client);
            let open = open_to(server.clone(), &client, person.ways)?;
            let (relay, lines) = mpsc::channel(4);
            let again = Person {
                environment: person.environment.clone(),
                ways: person.ways,
                pasted: pasted.is_some().then_some(lines),
                tell: person.tell,
            };
            let outcome = tokio::select! {
                outcome = self.sign_in_at(open, &request, again) => outcome,
                never = pass_on(&mut pasted, relay) => match never {},
            };
            let Err(error) = outcome else { return outcome };
            match refusal_of_client(&error) {
                Some(_) if client.origin == Origin::Kept => client = self.register_client(wish, &server).await?,
                Some(refusal) => {
                    return Err(ClientError::Refused {
                        issuer: server.issuer.clone(),
                        client_id: client.client_id,
                        refusal: refusal.clone(),
                        hint: server.provider.map(|provider| provider.client_hint.as_str()),
                    }
                    .into());
                }
                None => return Err(error),
            }
        }
    }

    /// Step 1.
    pub(super) async fn find(&self, wish: &Wish) -> Result<Server, DiscoveryError> {
        let provider = wish.provider.or_else(|| providers::of(&wish.issuer));
        let found = match &wish.endpoints.token {
            Some(token) => {
                let takes_s256 = provider.is_some();
                Server { provider, takes_s256, ..Server::bare(wish.issuer.clone(), token.clone()) }
            }
            None => discover_as(self.transport(), &wish.issuer, provider).await?,
        };
        Ok(wish.endpoints.onto(found))
    }
}

/// Step 3.
fn open_to(server: Server, client: &Chosen, ways: Option<Ways>) -> Result<Server, ClientError> {
    let Some(provider) = server.provider else { return Ok(server) };
    if !matches!(client.authentication, ClientAuthentication::None) {
        return Ok(server);
    }
    let closed = |grant| provider.needs_secret.contains(&grant);
    let open = Server {
        authorization_endpoint: server.authorization_endpoint.filter(|_| !closed(GrantType::AuthorizationCode)),
        device_authorization_endpoint: server.device_authorization_endpoint.filter(|_| !closed(GrantType::DeviceCode)),
        ..server
    };
    let is_open = match ways {
        Some(Ways::Browser | Ways::Paste) => open.authorization_endpoint.is_some(),
        Some(Ways::Device) => open.device_authorization_endpoint.is_some(),
        Some(Ways::BrowserAndDevice) | None => {
            open.authorization_endpoint.is_some() || open.device_authorization_endpoint.is_some()
        }
    };
    // A way that the vendor does not have at all is another matter, which the race tells.
    let needs = !provider.needs_secret.is_empty();
    if needs && !is_open {
        return Err(ClientError::SecretNeeded { name: &provider.name, hint: &provider.client_hint });
    }
    Ok(open)
}

/// Hands pasted lines to the attempt that is under way. It ends with that attempt only.
async fn pass_on(pasted: &mut Option<mpsc::Receiver<String>>, relay: mpsc::Sender<String>) -> std::convert::Infallible {
    if let Some(lines) = pasted {
        while let Some(line) = lines.recv().await {
            if relay.send(line).await.is_err() {
                break;
            }
        }
    }
    // The input has ended: so it shall be seen.
    drop(relay);
    std::future::pending().await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_that_was_named_counts_for_a_client_with_a_certificate_too() {
        let url = |text: &str| Some(text.parse::<WebUrl>().unwrap());
        let mut server = Server::bare("https://a.example".parse().unwrap(), "https://a.example/t".parse().unwrap());
        server.revocation_endpoint = url("https://a.example/r");
        server.certificate_endpoints.token = url("https://mtls.a.example/t");
        server.certificate_endpoints.revocation = url("https://mtls.a.example/r");
        let named = Endpoints { token: url("https://named.example/t"), ..Endpoints::default() };
        let own = rcgen::generate_simple_self_signed(["client".to_owned()]).unwrap();
        let identity = crate::TlsIdentity::read(own.cert.pem(), own.signing_key.serialize_pem().into()).unwrap();
        let met = named.onto(server).for_client(&ClientAuthentication::Tls(identity));
        assert_eq!(met.token_endpoint.as_str(), "https://named.example/t");
        assert_eq!(met.revocation_endpoint.unwrap().as_str(), "https://mtls.a.example/r");
    }
}
