//! `WWW-Authenticate` challenges (RFC 6750 §3, RFC 9449 §7.1, RFC 9728 §5.1).

use crate::{ErrorCode, Scope, error::printable};
use std::fmt;

/// How an access token is sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Scheme {
    /// Alone (RFC 6750 §2.1).
    #[default]
    Bearer,
    /// With a proof beside it (RFC 9449 §7.1).
    Dpop,
}

impl Scheme {
    /// The name in the header.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Bearer => "Bearer",
            Self::Dpop => "DPoP",
        }
    }
}

/// A challenge: why a request was refused, and what would be accepted.
#[derive(Clone, Debug, Default)]
pub struct Challenge {
    /// How a token is to be sent.
    pub scheme: Scheme,
    /// The algorithms of proofs, with spaces between them (RFC 9449 §7.1).
    pub algs: Option<String>,
    /// Left out when the request carried no credential at all (RFC 6750 §3.1).
    pub error: Option<ErrorCode>,
    /// A sentence for the developer.
    pub description: Option<String>,
    /// The scope that the request needs.
    pub scope: Option<Scope>,
    /// Where the resource's own metadata lies (RFC 9728 §5.1).
    pub resource_metadata: Option<String>,
    /// The authentication context classes of which one is needed (RFC 9470 §3).
    pub acr_values: Option<String>,
    /// The oldest sign-in that is good enough, in seconds (RFC 9470 §3).
    pub max_age: Option<u64>,
}

impl fmt::Display for Challenge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.scheme.as_str())?;
        let mut separator = " ";
        let mut parameter = |f: &mut fmt::Formatter<'_>, name: &str, value: &str| {
            let written = write!(f, "{separator}{name}=\"{}\"", printable(value));
            separator = ", ";
            written
        };
        if let Some(error) = self.error {
            parameter(f, "error", error.as_str())?;
        }
        if let Some(description) = &self.description {
            parameter(f, "error_description", description)?;
        }
        if let Some(scope) = &self.scope {
            parameter(f, "scope", &scope.to_string())?;
        }
        if let Some(url) = &self.resource_metadata {
            parameter(f, "resource_metadata", url)?;
        }
        if let Some(algs) = &self.algs {
            parameter(f, "algs", algs)?;
        }
        if let Some(classes) = &self.acr_values {
            parameter(f, "acr_values", classes)?;
        }
        if let Some(seconds) = self.max_age {
            parameter(f, "max_age", &seconds.to_string())?;
        }
        // RFC 6750 §3: a challenge has one parameter at least.
        if separator == " " { f.write_str(" realm=\"api\"") } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_challenge_without_credentials_names_no_error() {
        assert_eq!(Challenge::default().to_string(), "Bearer realm=\"api\"", "one parameter at least");
        let challenge = Challenge { resource_metadata: Some("https://a.example/m".into()), ..Challenge::default() };
        assert_eq!(challenge.to_string(), "Bearer resource_metadata=\"https://a.example/m\"");
    }

    #[test]
    fn a_challenge_for_a_proof_names_its_algorithms() {
        let challenge = Challenge { scheme: Scheme::Dpop, algs: Some("ES256 EdDSA".into()), ..Challenge::default() };
        assert_eq!(challenge.to_string(), "DPoP algs=\"ES256 EdDSA\"");
    }

    #[test]
    fn a_quote_cannot_break_out_of_its_parameter() {
        let challenge = Challenge {
            error: Some(ErrorCode::InsufficientScope),
            description: Some("a\", evil=\"b\r\nX: y".into()),
            scope: Some("read write".parse().unwrap()),
            ..Challenge::default()
        };
        assert_eq!(
            challenge.to_string(),
            "Bearer error=\"insufficient_scope\", error_description=\"a', evil='b??X: y\", scope=\"read write\""
        );
    }
}
