//! Finding a server's endpoints (RFC 8414 §3, OpenID Connect Discovery 1.0 §4).
//!
//! 1. Ask for metadata at each place where the standards put it, in their order.
//! 2. Believe a document only if it names the very issuer that was asked for (§3.3).
//! 3. Take over the endpoints, each of them https, or http on this machine when the issuer is there too. What the
//!    document leaves out and the vendor's notes tell is filled in ([`crate::providers`]).
//! 4. Go on only where PKCE by S256 is not ruled out (RFC 7636, RFC 9700 §2.1.1).

use crate::{
    Call, ClientAuthentication, Failure, IssuerName, Transport, Unreachable, WebUrl,
    providers::{self, Provider},
    text::tidy,
};
use gatepass_oauth::{ClientId, GrantType, Issuer, ServerMetadata, pkce::METHOD_S256};

/// A server whose metadata was checked: what a sign-in needs of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    /// Who it is.
    pub issuer: Issuer,
    /// The same as it spells it itself, with a slash at the end perhaps: so it must stand in all that it says
    /// (RFC 9207 §2.4, OpenID Connect Core §3.1.3.7).
    pub iss: IssuerName,
    /// RFC 6749 §3.2.
    pub token_endpoint: WebUrl,
    /// RFC 6749 §3.1; without it there is no sign-in by browser redirect.
    pub authorization_endpoint: Option<WebUrl>,
    /// RFC 8628 §4; without it there is no sign-in by device code.
    pub device_authorization_endpoint: Option<WebUrl>,
    /// RFC 7009.
    pub revocation_endpoint: Option<WebUrl>,
    /// OpenID Connect Core §5.3.
    pub userinfo_endpoint: Option<WebUrl>,
    /// Whether every authorization response carries `iss` (RFC 9207 §3).
    pub answers_with_iss: bool,
    /// Whether it is known to look at the verifier of PKCE by S256: it says so, or its vendor does.
    pub takes_s256: bool,
    /// Whether the end of one sign-in is the end of no other of the same person and client.
    pub has_separate_grants: bool,
    /// RFC 9126 §5.
    pub pushed_authorization_request_endpoint: Option<WebUrl>,
    /// Whether every authorization request must be pushed (RFC 9126 §5).
    pub requires_pushed_requests: bool,
    /// Whether tokens can be bound to a key that signs with ES256 (RFC 9449 §5.1).
    pub offers_dpop: bool,
    /// Where programs register themselves (RFC 7591).
    pub registration_endpoint: Option<WebUrl>,
    /// Whether an https URL may be a `client_id` (Client ID Metadata Document §5).
    pub takes_client_urls: bool,
    /// The client of the command line, at a server of gatepass's own; other servers have none.
    pub gatepass_client_id: Option<ClientId>,
    /// What it says of scopes, grants and client authentication; empty where it says nothing.
    pub supported: Supported,
    /// The endpoints for clients that prove themselves by a certificate (RFC 8705 §5).
    pub certificate_endpoints: CertificateEndpoints,
    /// What is known of its vendor.
    pub provider: Option<&'static Provider>,
}

/// The lists of a metadata document (RFC 8414 §2).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Supported {
    /// `scopes_supported`.
    pub scopes: Vec<String>,
    /// `grant_types_supported`.
    pub grants: Vec<String>,
    /// `token_endpoint_auth_methods_supported`.
    pub auth_methods: Vec<String>,
    /// `token_endpoint_auth_signing_alg_values_supported`.
    pub auth_algorithms: Vec<String>,
}

/// `mtls_endpoint_aliases` (RFC 8705 §5).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CertificateEndpoints {
    /// Instead of the token endpoint.
    pub token: Option<WebUrl>,
    /// Instead of the revocation endpoint.
    pub revocation: Option<WebUrl>,
    /// Instead of the userinfo endpoint.
    pub userinfo: Option<WebUrl>,
    /// Instead of the device authorization endpoint.
    pub device_authorization: Option<WebUrl>,
    /// Instead of the endpoint for pushed requests.
    pub pushed_authorization_request: Option<WebUrl>,
}

impl Server {
    /// A server of which only the token endpoint is known.
    #[must_use]
    pub fn bare(issuer: Issuer, token_endpoint: WebUrl) -> Self {
        Self {
            iss: IssuerName::new(issuer.clone(), None),
            issuer,
            token_endpoint,
            authorization_endpoint: None,
            device_authorization_endpoint: None,
            revocation_endpoint: None,
            userinfo_endpoint: None,
            answers_with_iss: false,
            takes_s256: false,
            has_separate_grants: false,
            pushed_authorization_request_endpoint: None,
            requires_pushed_requests: false,
            offers_dpop: false,
            registration_endpoint: None,
            takes_client_urls: false,
            gatepass_client_id: None,
            supported: Supported::default(),
            certificate_endpoints: CertificateEndpoints::default(),
            provider: None,
        }
    }

    /// The server as a client meets it that proves itself so: one with a certificate has endpoints of its own.
    #[must_use]
    pub fn for_client(self, authentication: &ClientAuthentication) -> Self {
        if !matches!(authentication, ClientAuthentication::Tls(_)) {
            return self;
        }
        let own = self.certificate_endpoints.clone();
        let device = self.device_authorization_endpoint.map(|usual| own.device_authorization.unwrap_or(usual));
        let pushed =
            self.pushed_authorization_request_endpoint.map(|usual| own.pushed_authorization_request.unwrap_or(usual));
        Self {
            token_endpoint: own.token.unwrap_or(self.token_endpoint),
            revocation_endpoint: self.revocation_endpoint.map(|usual| own.revocation.unwrap_or(usual)),
            userinfo_endpoint: self.userinfo_endpoint.map(|usual| own.userinfo.unwrap_or(usual)),
            device_authorization_endpoint: device,
            pushed_authorization_request_endpoint: pushed,
            ..self
        }
    }
}

/// Why no server was found.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DiscoveryError {
    /// No metadata could be read.
    #[error(transparent)]
    Failed(#[from] Failure),
    /// None of the places has metadata.
    #[error("{0} is no authorization server: it has no metadata")]
    NoMetadata(Issuer),
    /// The document is another server's (RFC 8414 §3.3).
    #[error("{asked} says that it is {said}; a server must name itself exactly")]
    WrongIssuer {
        /// Who was asked.
        asked: Issuer,
        /// Who the document says it is, made fit for a terminal.
        said: String,
    },
    /// An endpoint that a secret must not be sent to.
    #[error("the metadata of {issuer} has no usable {endpoint}")]
    BadEndpoint {
        /// Who was asked.
        issuer: Issuer,
        /// The metadata member.
        endpoint: &'static str,
    },
    /// It lists the PKCE methods that it takes, and S256 is not among them.
    #[error("{0} does not take PKCE with S256, and a sign-in without it can be stolen")]
    NoS256(Issuer),
}

/// Finds the server of `issuer`, with what is known of its vendor.
///
/// # Errors
/// [`DiscoveryError`]; a server that cannot be reached ends the search, a place that has nothing or that fails does not.
pub async fn discover(transport: &Transport, issuer: &Issuer) -> Result<Server, DiscoveryError> {
    discover_as(transport, issuer, providers::of(issuer)).await
}

/// Finds the server of `issuer`, knowing its vendor.
///
/// # Errors
/// Those of [`discover`].
pub async fn discover_as(
    transport: &Transport,
    issuer: &Issuer,
    provider: Option<&'static Provider>,
) -> Result<Server, DiscoveryError> {
    let known = provider.map(|provider| provider.metadata_of(issuer));
    if let (Some(Provider { has_metadata: false, .. }), Some(metadata)) = (provider, &known) {
        return Ok(Server { provider, takes_s256: true, ..check(issuer, metadata)? });
    }
    let found = ask(transport, issuer).await?;
    // What the notes add is documented, whatever the lists of the document leave out.
    let added = known.map(|metadata| metadata.device_authorization_endpoint.and_then(|text| text.parse().ok()));
    let device_authorization_endpoint = found.device_authorization_endpoint.clone().or(added.flatten());
    let takes_s256 = found.takes_s256 || provider.is_some();
    Ok(Server { provider, device_authorization_endpoint, takes_s256, ..found })
}

async fn ask(transport: &Transport, issuer: &Issuer) -> Result<Server, DiscoveryError> {
    let (mut wrong, mut failed) = (None, None);
    for place in issuer.metadata_urls() {
        let Ok(url) = place.parse::<WebUrl>() else { continue };
        let reply = transport.send(Call::get(url)).await?;
        match reply.read::<ServerMetadata>() {
            Ok(metadata) => match check(issuer, &metadata) {
                Ok(server) => {
                    tracing::debug!("the metadata at {place} is believed");
                    return Ok(server);
                }
                Err(error) => {
                    tracing::debug!("the metadata at {place} is not believed: {error}");
                    wrong = Some(error);
                }
            },
            // Some servers fail where they have nothing.
            Err(failure @ Failure::Unreachable { why: Unreachable::Busy(_), .. }) => {
                failed.get_or_insert(failure);
            }
            Err(failure @ Failure::Unreachable { .. }) => return Err(failure.into()),
            // An absent document, or a site that answers every path with a page: look on.
            Err(_) => {}
        }
    }
    // The one that failed might have been right.
    let last = failed.map(DiscoveryError::Failed).or(wrong);
    Err(last.unwrap_or_else(|| DiscoveryError::NoMetadata(issuer.clone())))
}

/// Checks a metadata document of `issuer` and takes over its endpoints.
///
/// # Errors
/// [`DiscoveryError::WrongIssuer`], [`DiscoveryError::BadEndpoint`].
pub fn check(issuer: &Issuer, metadata: &ServerMetadata) -> Result<Server, DiscoveryError> {
    if !metadata.is_of(issuer) {
        return Err(DiscoveryError::WrongIssuer { asked: issuer.clone(), said: tidy(&metadata.issuer, 200) });
    }
    let read = |endpoint: &'static str, text: &Option<String>| match text.as_deref() {
        None => Ok(None),
        Some(text) => text
            .parse::<WebUrl>()
            .ok()
            // A server on the net has no business with the ports of this machine.
            .filter(|url| issuer.is_plain_http() || url.url().scheme() == "https")
            .map(Some)
            .ok_or_else(|| DiscoveryError::BadEndpoint { issuer: issuer.clone(), endpoint }),
    };
    let methods = &metadata.code_challenge_methods_supported;
    if !methods.is_empty() && !methods.iter().any(|method| method == METHOD_S256) {
        return Err(DiscoveryError::NoS256(issuer.clone()));
    }
    // A server that lists its grants without this one does not mean us by the endpoint.
    let device = metadata.grant_types_supported.is_empty() || metadata.offers(GrantType::DeviceCode);
    Ok(Server {
        issuer: issuer.clone(),
        iss: IssuerName::new(issuer.clone(), Some(metadata.issuer.clone())),
        token_endpoint: read("token_endpoint", &metadata.token_endpoint)?
            .ok_or_else(|| DiscoveryError::BadEndpoint { issuer: issuer.clone(), endpoint: "token_endpoint" })?,
        authorization_endpoint: read("authorization_endpoint", &metadata.authorization_endpoint)?,
        device_authorization_endpoint: read("device_authorization_endpoint", &metadata.device_authorization_endpoint)?
            .filter(|_| device),
        revocation_endpoint: read("revocation_endpoint", &metadata.revocation_endpoint)?,
        userinfo_endpoint: read("userinfo_endpoint", &metadata.userinfo_endpoint)?,
        takes_s256: !methods.is_empty(),
        answers_with_iss: metadata.authorization_response_iss_parameter_supported,
        has_separate_grants: metadata.gatepass_separate_grants,
        pushed_authorization_request_endpoint: read(
            "pushed_authorization_request_endpoint",
            &metadata.pushed_authorization_request_endpoint,
        )?,
        requires_pushed_requests: metadata.require_pushed_authorization_requests,
        offers_dpop: metadata.dpop_signing_alg_values_supported.iter().any(|alg| alg == "ES256"),
        registration_endpoint: read("registration_endpoint", &metadata.registration_endpoint)?,
        takes_client_urls: metadata.client_id_metadata_document_supported,
        gatepass_client_id: metadata.gatepass_client_id.as_deref().and_then(|text| text.parse().ok()),
        supported: Supported {
            scopes: metadata.scopes_supported.clone(),
            grants: metadata.grant_types_supported.clone(),
            auth_methods: metadata.token_endpoint_auth_methods_supported.clone(),
            auth_algorithms: metadata.token_endpoint_auth_signing_alg_values_supported.clone(),
        },
        certificate_endpoints: CertificateEndpoints {
            token: read("token_endpoint", &alias(metadata, "token_endpoint"))?,
            revocation: read("revocation_endpoint", &alias(metadata, "revocation_endpoint"))?,
            userinfo: read("userinfo_endpoint", &alias(metadata, "userinfo_endpoint"))?,
            device_authorization: read(
                "device_authorization_endpoint",
                &alias(metadata, "device_authorization_endpoint"),
            )?,
            pushed_authorization_request: read(
                "pushed_authorization_request_endpoint",
                &alias(metadata, "pushed_authorization_request_endpoint"),
            )?,
        },
        provider: None,
    })
}

fn alias(metadata: &ServerMetadata, endpoint: &str) -> Option<String> {
    metadata.mtls_endpoint_aliases.as_ref()?.get(endpoint)?.as_str().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn metadata(issuer: &str, token: &str) -> ServerMetadata {
        ServerMetadata { issuer: issuer.into(), token_endpoint: Some(token.into()), ..ServerMetadata::default() }
    }

    #[test]
    fn only_the_very_issuer_is_believed() {
        let issuer: Issuer = "https://a.example".parse().unwrap();
        assert!(check(&issuer, &metadata("https://a.example", "https://a.example/t")).is_ok());
        let with_slash = check(&issuer, &metadata("https://a.example/", "https://a.example/t")).unwrap();
        assert_eq!((with_slash.issuer, with_slash.iss.as_str()), (issuer.clone(), "https://a.example/"));
        for other in ["https://A.example", "https://a.example/x", "https://a.example.evil.example", ""] {
            let error = check(&issuer, &metadata(other, "https://a.example/t")).unwrap_err();
            assert!(matches!(error, DiscoveryError::WrongIssuer { .. }), "{other}");
        }
    }

    #[test]
    fn endpoints_are_https_unless_the_issuer_itself_is_on_this_machine() {
        let far: Issuer = "https://a.example".parse().unwrap();
        let near: Issuer = "http://127.0.0.1:8484".parse().unwrap();
        for bad in ["http://a.example/t", "http://127.0.0.1/t", "file:///etc/passwd", "javascript:alert(1)", ""] {
            let error = check(&far, &metadata("https://a.example", bad)).unwrap_err();
            assert!(matches!(error, DiscoveryError::BadEndpoint { endpoint: "token_endpoint", .. }), "{bad}");
        }
        assert!(check(&near, &metadata("http://127.0.0.1:8484", "http://127.0.0.1:8484/token")).is_ok());
        assert!(check(&far, &ServerMetadata { issuer: "https://a.example".into(), ..Default::default() }).is_err());
    }

    #[test]
    fn a_list_of_pkce_methods_without_s256_ends_it_and_no_list_does_not() {
        let issuer: Issuer = "https://a.example".parse().unwrap();
        let mut document = metadata("https://a.example", "https://a.example/t");
        assert!(check(&issuer, &document).is_ok());
        document.code_challenge_methods_supported = vec!["plain".into()];
        assert_eq!(check(&issuer, &document).unwrap_err(), DiscoveryError::NoS256(issuer.clone()));
        document.code_challenge_methods_supported.push("S256".into());
        assert!(check(&issuer, &document).is_ok());
    }

    #[test]
    fn who_shows_a_certificate_goes_to_the_endpoints_for_it() {
        let issuer: Issuer = "https://a.example".parse().unwrap();
        let named = [
            "token_endpoint",
            "revocation_endpoint",
            "userinfo_endpoint",
            "device_authorization_endpoint",
            "pushed_authorization_request_endpoint",
        ];
        let document = |host: &str, alias: &str| -> ServerMetadata {
            let all = |host: &str| named.map(|name| (name.to_owned(), format!("https://{host}/{name}").into()));
            let mut members = serde_json::Map::from_iter(all(host));
            members.insert("issuer".into(), "https://a.example".into());
            let mut aliases = serde_json::Map::from_iter(all("mtls.a.example"));
            aliases.insert("token_endpoint".into(), alias.into());
            members.insert("mtls_endpoint_aliases".into(), aliases.into());
            serde_json::from_value(members.into()).unwrap()
        };
        let server = check(&issuer, &document("a.example", "https://mtls.a.example/token_endpoint")).unwrap();
        let hosts = |server: Server| {
            let optional = [
                server.revocation_endpoint,
                server.userinfo_endpoint,
                server.device_authorization_endpoint,
                server.pushed_authorization_request_endpoint,
            ];
            let all = [Some(server.token_endpoint)].into_iter().chain(optional);
            all.map(|url| url.unwrap().host()).collect::<Vec<_>>()
        };
        let own = rcgen::generate_simple_self_signed(["client".to_owned()]).unwrap();
        let identity = crate::TlsIdentity::read(own.cert.pem(), own.signing_key.serialize_pem().into()).unwrap();
        let certificate = ClientAuthentication::Tls(identity);
        assert_eq!(hosts(server.clone().for_client(&certificate)), ["mtls.a.example"; 5]);
        assert_eq!(hosts(server.for_client(&ClientAuthentication::None)), ["a.example"; 5]);
        let plain = check(&issuer, &document("a.example", "http://mtls.a.example/token_endpoint"));
        assert!(matches!(plain, Err(DiscoveryError::BadEndpoint { .. })));
    }

    #[test]
    fn a_device_endpoint_counts_only_when_the_grant_is_offered() {
        let issuer: Issuer = "https://a.example".parse().unwrap();
        let mut document = metadata("https://a.example", "https://a.example/t");
        document.device_authorization_endpoint = Some("https://a.example/d".into());
        assert!(check(&issuer, &document).unwrap().device_authorization_endpoint.is_some());
        document.grant_types_supported = vec!["authorization_code".into()];
        assert!(check(&issuer, &document).unwrap().device_authorization_endpoint.is_none());
    }
}
