//! What a resource says of itself (RFC 9728).

use gatepass_oauth::ResourceUri;
use serde::{Deserialize, Serialize};

/// The protected resource's metadata (RFC 9728 §2).
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ResourceMetadata {
    /// The resource itself.
    pub resource: ResourceUri,
    /// Who gives tokens for it.
    pub authorization_servers: Vec<String>,
    /// What may be asked for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub scopes_supported: Vec<String>,
    /// How the token travels: in the header only.
    pub bearer_methods_supported: Vec<String>,
    /// The algorithms of DPoP proofs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub dpop_signing_alg_values_supported: Vec<String>,
    /// Whether it takes tokens that are bound to certificates.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub tls_client_certificate_bound_access_tokens: bool,
    /// Its name for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource_name: Option<String>,
}

impl ResourceMetadata {
    /// The document's path and query on the resource's own host: the well-known name is inserted
    /// before the resource's path (RFC 9728 §3.1).
    #[must_use]
    pub fn well_known_path(resource_path: &str) -> String {
        format!("/.well-known/oauth-protected-resource{}", resource_path.trim_end_matches('/'))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_well_known_name_stands_before_the_path() {
        assert_eq!(ResourceMetadata::well_known_path("/"), "/.well-known/oauth-protected-resource");
        assert_eq!(ResourceMetadata::well_known_path("/mcp"), "/.well-known/oauth-protected-resource/mcp");
    }
}
