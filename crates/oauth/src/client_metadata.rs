//! What a client said of itself, as far as the server acts on it later.
//!
//! These are the members of RFC 7591 §2 and of the standards that add to it, without those that have a place of their
//! own in a registration (name, redirect URIs, grant types, scope, keys, method). They are kept together as one JSON
//! object; what stands at its default is left out of it.

use crate::{CertificateSubject, RedirectUri};
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

/// The further metadata of a client.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ClientMetadata {
    /// Where it runs (OpenID Connect Registration §2); `None` when it did not say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub application_type: Option<ApplicationType>,
    /// Its home page. Shown to nobody unasked, never fetched.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_uri: Option<String>,
    /// Its picture. Never fetched, and on none of our pages.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub logo_uri: Option<String>,
    /// Its terms.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tos_uri: Option<String>,
    /// Its privacy policy.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policy_uri: Option<String>,
    /// Who answers for it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub contacts: Vec<String>,
    /// What software it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub software_id: Option<String>,
    /// Which version.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub software_version: Option<String>,
    /// Where its public keys lie; then none are kept here.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jwks_uri: Option<String>,
    /// Where the browser may go after a sign-out (OpenID Connect RP-Initiated Logout §3.1).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub post_logout_redirect_uris: Vec<RedirectUri>,
    /// Whom to tell of a sign-out (OpenID Connect Back-Channel Logout §2.2).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub backchannel_logout_uri: Option<String>,
    /// Whether the notice must name the session.
    #[serde(skip_serializing_if = "is_false")]
    pub backchannel_logout_session_required: bool,
    /// The algorithm of the assertions with which it proves itself; `None`: whatever its keys are for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token_endpoint_auth_signing_alg: Option<String>,
    /// The algorithm of its ID tokens; `None`: the server's usual one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id_token_signed_response_alg: Option<String>,
    /// The algorithm of the answers to its introspection (RFC 9701 §6), by the operator's word: nobody else introspects.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub introspection_signed_response_alg: Option<String>,
    /// The subject of its certificate (RFC 8705 §2.1.2). At most one of these five is set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls_client_auth_subject_dn: Option<String>,
    /// A DNS name in its certificate.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls_client_auth_san_dns: Option<String>,
    /// A URI in its certificate.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls_client_auth_san_uri: Option<String>,
    /// An address in its certificate.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls_client_auth_san_ip: Option<String>,
    /// An email address in its certificate.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls_client_auth_san_email: Option<String>,
    /// Whether its tokens are bound to its certificate (RFC 8705 §3.4).
    #[serde(skip_serializing_if = "is_false")]
    pub tls_client_certificate_bound_access_tokens: bool,
    /// Whether it always uses DPoP (RFC 9449 §5.2).
    #[serde(skip_serializing_if = "is_false")]
    pub dpop_bound_access_tokens: bool,
    /// Whether it always pushes its requests (RFC 9126 §6).
    #[serde(skip_serializing_if = "is_false")]
    pub require_pushed_authorization_requests: bool,
}

impl ClientMetadata {
    /// The one name that its certificate must have (RFC 8705 §2.1.2); `None` when it names none that a certificate can.
    #[must_use]
    pub fn certificate_subject(&self) -> Option<CertificateSubject> {
        let kinds = [
            ("dn", &self.tls_client_auth_subject_dn),
            ("dns", &self.tls_client_auth_san_dns),
            ("uri", &self.tls_client_auth_san_uri),
            ("ip", &self.tls_client_auth_san_ip),
            ("email", &self.tls_client_auth_san_email),
        ];
        kinds.iter().find_map(|(kind, name)| format!("{kind}:{}", name.as_deref()?).parse().ok())
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
fn is_false(flag: &bool) -> bool {
    !flag
}

/// Where a program runs (OpenID Connect Registration §2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ApplicationType {
    /// On a server.
    Web,
    /// On the person's machine.
    Native,
}

/// Whose word a client's registration is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientOrigin {
    /// The operator's.
    Operator,
    /// Its own, told once (RFC 7591).
    Dynamic,
    /// Its own, read from the document that its identifier names (Client ID Metadata Document).
    MetadataDocument,
}

impl ClientOrigin {
    /// The word in the database.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Operator => "operator",
            Self::Dynamic => "dynamic",
            Self::MetadataDocument => "metadata_document",
        }
    }
}

impl fmt::Display for ClientOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for ClientOrigin {
    type Err = crate::client::UnknownValue;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "operator" => Ok(Self::Operator),
            "dynamic" => Ok(Self::Dynamic),
            "metadata_document" => Ok(Self::MetadataDocument),
            _ => Err(crate::client::UnknownValue::of(&["operator", "dynamic", "metadata_document"])),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_at_its_default_is_not_kept() {
        assert_eq!(serde_json::to_string(&ClientMetadata::default()).unwrap(), "{}");
        let metadata = ClientMetadata { dpop_bound_access_tokens: true, ..ClientMetadata::default() };
        let text = serde_json::to_string(&metadata).unwrap();
        assert_eq!(text, r#"{"dpop_bound_access_tokens":true}"#);
        assert_eq!(serde_json::from_str::<ClientMetadata>(&text).unwrap(), metadata);
    }
}
