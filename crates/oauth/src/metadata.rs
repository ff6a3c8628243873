//! Server metadata: RFC 8414 §2 and OpenID Connect Discovery 1.0 §3 in one document.

use crate::Issuer;
use serde::{Deserialize, Serialize};

/// What an authorization server says of itself. Members that a server leaves out are `None`, or
/// empty where the standards give an empty list the same meaning.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ServerMetadata {
    /// The issuer, as text: a client compares it exactly before it believes anything else.
    pub issuer: String,
    /// RFC 6749 §3.1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub authorization_endpoint: Option<String>,
    /// RFC 6749 §3.2.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token_endpoint: Option<String>,
    /// RFC 8628 §4.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub device_authorization_endpoint: Option<String>,
    /// RFC 7009.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub revocation_endpoint: Option<String>,
    /// RFC 7662.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub introspection_endpoint: Option<String>,
    /// OpenID Connect Core §5.3.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub userinfo_endpoint: Option<String>,
    /// RFC 7517.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jwks_uri: Option<String>,
    /// RFC 7591.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub registration_endpoint: Option<String>,
    /// RFC 9126 §5.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pushed_authorization_request_endpoint: Option<String>,
    /// OpenID Connect RP-Initiated Logout §2.1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub end_session_endpoint: Option<String>,
    /// The scopes that may be asked for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub scopes_supported: Vec<String>,
    /// The response types that may be asked for.
    pub response_types_supported: Vec<String>,
    /// How the response may travel.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub response_modes_supported: Vec<String>,
    /// The grant types that may be used.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub grant_types_supported: Vec<String>,
    /// The profiles of grants that may be used (Identity Assertion JWT Authorization Grant §7.2).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub authorization_grant_profiles_supported: Vec<String>,
    /// How clients may authenticate at the token endpoint.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub token_endpoint_auth_methods_supported: Vec<String>,
    /// The algorithms of client assertions.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub token_endpoint_auth_signing_alg_values_supported: Vec<String>,
    /// How clients may authenticate at the revocation endpoint.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub revocation_endpoint_auth_methods_supported: Vec<String>,
    /// The algorithms of client assertions at the revocation endpoint.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub revocation_endpoint_auth_signing_alg_values_supported: Vec<String>,
    /// How resource servers may authenticate at the introspection endpoint.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub introspection_endpoint_auth_methods_supported: Vec<String>,
    /// The algorithms of their assertions.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub introspection_endpoint_auth_signing_alg_values_supported: Vec<String>,
    /// The algorithms of signed introspection answers (RFC 9701 §7).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub introspection_signing_alg_values_supported: Vec<String>,
    /// The PKCE methods.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub code_challenge_methods_supported: Vec<String>,
    /// Whether responses carry `iss` (RFC 9207 §3).
    pub authorization_response_iss_parameter_supported: bool,
    /// Whether an HTTPS URL may be a `client_id` (Client ID Metadata Document §5).
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub client_id_metadata_document_supported: bool,
    /// Whether requests must be pushed (RFC 9126 §5).
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub require_pushed_authorization_requests: bool,
    /// The algorithms of DPoP proofs (RFC 9449 §5.1).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub dpop_signing_alg_values_supported: Vec<String>,
    /// Whether tokens can be bound to certificates (RFC 8705 §3.3).
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub tls_client_certificate_bound_access_tokens: bool,
    /// The endpoints that ask for a client certificate (RFC 8705 §5).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mtls_endpoint_aliases: Option<serde_json::Map<String, serde_json::Value>>,
    /// The authentication context classes (OpenID Connect Discovery §3).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub acr_values_supported: Vec<String>,
    /// Whether clients are told of a sign-out (OpenID Connect Back-Channel Logout §2.1).
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub backchannel_logout_supported: bool,
    /// Whether they are told the session too.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub backchannel_logout_session_supported: bool,
    /// The kinds of subject identifier (OpenID Connect Core §8).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub subject_types_supported: Vec<String>,
    /// The algorithms of ID tokens.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub id_token_signing_alg_values_supported: Vec<String>,
    /// The claims that may be met.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub claims_supported: Vec<String>,
    /// The values of `prompt` (OpenID Connect Prompt Create §4).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub prompt_values_supported: Vec<String>,
    /// Whether `claims` may name single claims (OpenID Connect Discovery §3).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub claims_parameter_supported: Option<bool>,
    /// Whether request objects by value are taken (OpenID Connect Core §6).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_parameter_supported: Option<bool>,
    /// Whether request objects by reference are taken; left out, it would mean yes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_uri_parameter_supported: Option<bool>,
    /// gatepass's own: whether each sign-in is a grant by itself, so that revoking its refresh token (RFC 7009 §2.1) ends
    /// no other one of the same person and client.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub gatepass_separate_grants: bool,
    /// The client that gatepass's own command line signs in as. Only gatepass's server has this member, so it tells the
    /// command line that it talks to one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gatepass_client_id: Option<String>,
    /// Where the developer reads on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service_documentation: Option<String>,
}

impl ServerMetadata {
    /// Whether the document is truly that of `issuer` (RFC 8414 §3.3): exact text, save for one
    /// trailing slash, which an [`Issuer`] does not keep.
    #[must_use]
    pub fn is_of(&self, issuer: &Issuer) -> bool {
        self.issuer.strip_suffix('/').unwrap_or(&self.issuer) == issuer.as_str()
    }

    /// Whether the server says that it offers this grant type. A server that says nothing offers
    /// `authorization_code` (RFC 8414 §2).
    #[must_use]
    pub fn offers(&self, grant: crate::GrantType) -> bool {
        if self.grant_types_supported.is_empty() {
            return grant == crate::GrantType::AuthorizationCode;
        }
        self.grant_types_supported.iter().any(|known| known == grant.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::GrantType;

    #[test]
    fn a_small_foreign_document_reads_with_the_defaults_of_rfc_8414() {
        let text = r#"{"issuer":"https://a.example/","token_endpoint":"https://a.example/t","unknown":[1]}"#;
        let metadata: ServerMetadata = serde_json::from_str(text).unwrap();
        assert!(metadata.is_of(&"https://a.example".parse().unwrap()));
        assert!(!metadata.is_of(&"https://b.example".parse().unwrap()));
        assert!(metadata.offers(GrantType::AuthorizationCode));
        assert!(!metadata.offers(GrantType::DeviceCode));
    }
}
