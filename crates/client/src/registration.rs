//! Registering this program at a server that does not know it (RFC 7591), and asking whether it is still known (RFC 7592).
//!
//! 1. What is registered is a public client for a program on a machine: PKCE, loopback, refresh, and the device grant
//!    where there is one. A server that takes no public clients gives a secret.
//! 2. What the server answers counts, not what was asked for (§3.2.1).
//! 3. It is kept in the vault, one for each issuer: the secret and the registration access token are secrets.
//! 4. Before a kept registration is used for a new sign-in the server is asked whether it still knows it: by its own
//!    address (RFC 7592 §2.1), else by revoking nothing (RFC 7009 §2.2 answers an unknown token with 200, an unknown client
//!    with `invalid_client`). What the answer gives anew, the secret or the token, takes the place of the old one before
//!    anything else is done (RFC 7592 §2.1). A page that only a browser sees would never tell us.

use crate::{
    Asker, Call, ClientAuthentication, Failure, Reply, Server, SignIns, Transport, WebUrl, loopback::uri::LoopbackUri,
    token_endpoint::revoke, which_client::secret_method,
};
use gatepass_oauth::{ClientAuthMethod, ClientId, ErrorCode, GrantType, Issuer, Secret, UtcMillis};
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::time::Duration;

/// What people read on the server's pages.
const NAME: &str = "gatepass";

/// A client that this program has registered for itself.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Registered {
    /// Where.
    pub issuer: Issuer,
    /// Who it is there.
    pub client_id: ClientId,
    /// How it proves itself.
    pub authentication: ClientAuthentication,
    /// The redirect URI that it was registered with.
    pub redirect_uri: String,
    /// Where the registration can be read, and with what.
    pub management: Option<Management>,
    /// When its secret ends, if it does.
    pub expires_at: Option<UtcMillis>,
}

/// RFC 7592 §3.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Management {
    /// `registration_client_uri`.
    pub uri: WebUrl,
    /// `registration_access_token`.
    pub token: Secret,
}

/// The members of the answer that matter here (RFC 7591 §3.2.1).
#[derive(Deserialize)]
struct Answer {
    client_id: String,
    #[serde(default)]
    client_secret: Option<Secret>,
    #[serde(default)]
    client_secret_expires_at: Option<i64>,
    #[serde(default)]
    token_endpoint_auth_method: Option<String>,
    #[serde(default)]
    registration_access_token: Option<Secret>,
    #[serde(default)]
    registration_client_uri: Option<String>,
}

/// What a read of the registration may give anew (RFC 7592 §2.1).
#[derive(Deserialize)]
struct Renewal {
    #[serde(default)]
    client_id: Option<String>,
    #[serde(default)]
    client_secret: Option<Secret>,
    #[serde(default)]
    client_secret_expires_at: Option<i64>,
    #[serde(default)]
    registration_access_token: Option<Secret>,
}

/// Whether a server only says that there is a secret, and keeps it to itself.
fn is_masked(secret: &Secret) -> bool {
    secret.expose().bytes().all(|byte| byte == b'*')
}

/// Whether a server knows a registration.
#[derive(Debug)]
pub(crate) enum Known {
    /// It does, and says what has changed.
    Yes(Option<Box<Registered>>),
    /// It does not.
    No,
}

/// Registers a client at `endpoint`.
///
/// # Errors
/// [`Failure`].
pub async fn register(
    transport: &Transport,
    server: &Server,
    endpoint: &WebUrl,
    redirect: &LoopbackUri,
) -> Result<Registered, Failure> {
    let method = method(&server.supported.auth_methods);
    let document = json!({
        "client_name": NAME,
        "application_type": "native",
        "redirect_uris": [redirect.to_string()],
        "grant_types": grants(server),
        "response_types": ["code"],
        "token_endpoint_auth_method": method.as_str(),
    });
    let reply = transport.send(Call::json(endpoint.clone(), &document)).await?;
    let answer: Answer = reply.read()?;
    take(&reply, answer, method, server, endpoint, redirect)
}

fn take(
    reply: &Reply,
    answer: Answer,
    asked: ClientAuthMethod,
    server: &Server,
    endpoint: &WebUrl,
    redirect: &LoopbackUri,
) -> Result<Registered, Failure> {
    let method = match &answer.token_endpoint_auth_method {
        None => asked,
        Some(text) => {
            text.parse().map_err(|_| reply.nonsense("a client with a way to prove itself that is not known"))?
        }
    };
    let client_id: ClientId = answer.client_id.parse().map_err(|_| reply.nonsense("a client without an identifier"))?;
    let authentication = match (method, answer.client_secret) {
        (ClientAuthMethod::None, _) => ClientAuthentication::None,
        (ClientAuthMethod::ClientSecretBasic, Some(secret)) => ClientAuthentication::ClientSecretBasic { secret },
        (ClientAuthMethod::ClientSecretPost, Some(secret)) => ClientAuthentication::ClientSecretPost { secret },
        _ => return Err(reply.nonsense("a client that has nothing to prove itself with")),
    };
    // The token goes to the host that gave it, and to no other.
    let uri = answer.registration_client_uri.and_then(|text| text.parse::<WebUrl>().ok());
    let management = match (uri, answer.registration_access_token) {
        (Some(uri), Some(token)) if uri.host() == endpoint.host() => Some(Management { uri, token }),
        _ => None,
    };
    Ok(Registered {
        issuer: server.issuer.clone(),
        client_id,
        authentication,
        redirect_uri: redirect.to_string(),
        management,
        expires_at: end_of(answer.client_secret_expires_at),
    })
}

/// `client_secret_expires_at`: 0 means never (§3.2.1).
fn end_of(seconds: Option<i64>) -> Option<UtcMillis> {
    seconds.filter(|seconds| *seconds > 0).map(|seconds| UtcMillis(seconds.saturating_mul(1000)))
}

/// `none`, unless the server says what it takes and that is not among it.
fn method(supported: &[String]) -> ClientAuthMethod {
    if supported.is_empty() || supported.iter().any(|known| known == ClientAuthMethod::None.as_str()) {
        return ClientAuthMethod::None;
    }
    secret_method(supported).unwrap_or(ClientAuthMethod::None)
}

/// The grants that we use and the server has.
fn grants(server: &Server) -> Vec<&'static str> {
    let listed = |grant: GrantType| {
        server.supported.grants.is_empty() || server.supported.grants.iter().any(|known| known == grant.as_str())
    };
    let page = server.authorization_endpoint.is_some().then_some(GrantType::AuthorizationCode);
    let device = server.device_authorization_endpoint.as_ref().map(|_| GrantType::DeviceCode);
    let refresh = Some(GrantType::RefreshToken).filter(|grant| listed(*grant));
    [page, refresh, device].into_iter().flatten().map(GrantType::as_str).collect()
}

impl Registered {
    /// Whether it serves a sign-in now, as far as can be told without asking.
    #[must_use]
    pub fn serves(&self, issuer: &Issuer, redirect: &LoopbackUri, now: UtcMillis) -> bool {
        self.issuer == *issuer
            && self.redirect_uri == redirect.to_string()
            && self.expires_at.is_none_or(|end| now.plus(Duration::from_secs(60)) < end)
    }

    /// What a read of the registration gives anew; `None` when nothing. A `client_id` that changes is another client.
    fn renewed(&self, told: Renewal) -> Option<Known> {
        if told.client_id.is_some_and(|id| id != self.client_id.as_str()) {
            return Some(Known::No);
        }
        let mut next = self.clone();
        let mut is_new = false;
        // The end of the same secret may have moved.
        let end = told.client_secret_expires_at.map(|end| end_of(Some(end)));
        if let Some(end) = end.filter(|end| *end != next.expires_at) {
            next.expires_at = end;
            is_new = true;
        }
        match (&mut next.authentication, told.client_secret) {
            (
                ClientAuthentication::ClientSecretBasic { secret } | ClientAuthentication::ClientSecretPost { secret },
                Some(given),
            ) if secret.expose() != given.expose() && !is_masked(&given) => {
                *secret = given;
                is_new = true;
            }
            _ => {}
        }
        if let (Some(management), Some(given)) = (&mut next.management, told.registration_access_token)
            && management.token.expose() != given.expose()
        {
            management.token = given;
            is_new = true;
        }
        is_new.then(|| Known::Yes(Some(Box::new(next))))
    }

    /// Step 4: whether the server still knows it. When that cannot be told, it counts as known.
    pub(crate) async fn is_known(&self, sign_ins: &SignIns, server: &Server) -> Known {
        let transport = sign_ins.transport();
        if let Some(Management { uri, token }) = &self.management {
            let told = match transport.send(Call::get(uri.clone()).with_bearer(token)).await {
                Ok(reply) if matches!(reply.status, 401 | 404 | 410) => return Known::No,
                Ok(reply) => reply.read::<Renewal>().ok(),
                Err(_) => None,
            };
            return told.and_then(|told| self.renewed(told)).unwrap_or(Known::Yes(None));
        }
        let Some(endpoint) = &server.revocation_endpoint else { return Known::Yes(None) };
        let asker = Asker {
            transport,
            clock: sign_ins.clock(),
            entropy: sign_ins.entropy(),
            client_id: &self.client_id,
            authentication: &self.authentication,
            prover: None,
        };
        let nothing = Secret::from("no-token");
        let told = revoke(asker, endpoint, ("refresh_token", &nothing)).await;
        match told {
            Err(failure) if failure.is(ErrorCode::InvalidClient) => Known::No,
            _ => Known::Yes(None),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_public_client_is_asked_for_where_there_are_such() {
        let of = |methods: &[&str]| method(&methods.iter().map(|m| (*m).to_owned()).collect::<Vec<_>>());
        assert_eq!(of(&[]), ClientAuthMethod::None);
        assert_eq!(of(&["client_secret_basic", "none"]), ClientAuthMethod::None);
        assert_eq!(of(&["client_secret_post", "client_secret_basic"]), ClientAuthMethod::ClientSecretBasic);
        assert_eq!(of(&["client_secret_post"]), ClientAuthMethod::ClientSecretPost);
    }
}
