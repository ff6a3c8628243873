//! Finding a server's endpoints (RFC 8414 §3, OpenID Connect Discovery 1.0 §4).
//!
//! 1. Ask for metadata at each place where the standards put it, in their order.
//! 2. Believe a document only if it names the very issuer that was asked for (§3.3).
//! 3. Take over the endpoints, each of them https, or http on this machine when the issuer is there too.

use crate::{Call, Failure, Transport, WebUrl, text::tidy};
use gatepass_oauth::{GrantType, Issuer, ServerMetadata};

/// A server whose metadata was checked: what a sign-in needs of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    /// Who it is.
    pub issuer: Issuer,
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
    /// Whether the end of one sign-in is the end of no other of the same person and client.
    pub has_separate_grants: bool,
    /// RFC 9126 §5.
    pub pushed_authorization_request_endpoint: Option<WebUrl>,
    /// Whether every authorization request must be pushed (RFC 9126 §5).
    pub requires_pushed_requests: bool,
    /// Whether tokens can be bound to a key that signs with ES256 (RFC 9449 §5.1).
    pub offers_dpop: bool,
}

impl Server {
    /// A server that has a token endpoint and says nothing else of itself.
    #[must_use]
    pub fn new(issuer: Issuer, token_endpoint: WebUrl) -> Self {
        Self {
            issuer,
            token_endpoint,
            authorization_endpoint: None,
            device_authorization_endpoint: None,
            revocation_endpoint: None,
            userinfo_endpoint: None,
            answers_with_iss: false,
            has_separate_grants: false,
            pushed_authorization_request_endpoint: None,
            requires_pushed_requests: false,
            offers_dpop: false,
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
}

/// Finds the server of `issuer`.
///
/// # Errors
/// [`DiscoveryError`]; a place that cannot be reached ends the search, one that has nothing does not.
pub async fn discover(transport: &Transport, issuer: &Issuer) -> Result<Server, DiscoveryError> {
    let mut wrong = None;
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
            Err(failure @ Failure::Unreachable { .. }) => return Err(failure.into()),
            // An absent document, or a site that answers every path with a page: look on.
            Err(_) => {}
        }
    }
    Err(wrong.unwrap_or_else(|| DiscoveryError::NoMetadata(issuer.clone())))
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
    // A server that lists its grants without this one does not mean us by the endpoint.
    let device = metadata.grant_types_supported.is_empty() || metadata.offers(GrantType::DeviceCode);
    Ok(Server {
        issuer: issuer.clone(),
        token_endpoint: read("token_endpoint", &metadata.token_endpoint)?
            .ok_or_else(|| DiscoveryError::BadEndpoint { issuer: issuer.clone(), endpoint: "token_endpoint" })?,
        authorization_endpoint: read("authorization_endpoint", &metadata.authorization_endpoint)?,
        device_authorization_endpoint: read("device_authorization_endpoint", &metadata.device_authorization_endpoint)?
            .filter(|_| device),
        revocation_endpoint: read("revocation_endpoint", &metadata.revocation_endpoint)?,
        userinfo_endpoint: read("userinfo_endpoint", &metadata.userinfo_endpoint)?,
        answers_with_iss: metadata.authorization_response_iss_parameter_supported,
        has_separate_grants: metadata.gatepass_separate_grants,
        pushed_authorization_request_endpoint: read(
            "pushed_authorization_request_endpoint",
            &metadata.pushed_authorization_request_endpoint,
        )?,
        requires_pushed_requests: metadata.require_pushed_authorization_requests,
        offers_dpop: metadata.dpop_signing_alg_values_supported.iter().any(|alg| alg == "ES256"),
    })
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
        assert!(check(&issuer, &metadata("https://a.example/", "https://a.example/t")).is_ok());
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
    fn a_device_endpoint_counts_only_when_the_grant_is_offered() {
        let issuer: Issuer = "https://a.example".parse().unwrap();
        let mut document = metadata("https://a.example", "https://a.example/t");
        document.device_authorization_endpoint = Some("https://a.example/d".into());
        assert!(check(&issuer, &document).unwrap().device_authorization_endpoint.is_some());
        document.grant_types_supported = vec!["authorization_code".into()];
        assert!(check(&issuer, &document).unwrap().device_authorization_endpoint.is_none());
    }
}
