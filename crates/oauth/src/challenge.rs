//! `WWW-Authenticate` challenges (RFC 6750 §3, RFC 9728 §5.1).

use crate::{ErrorCode, Scope, error::printable};
use std::fmt;

/// A `Bearer` challenge: why a request was refused, and what would be accepted.
#[derive(Clone, Debug, Default)]
pub struct Challenge {
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
        f.write_str("Bearer")?;
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
        if let Some(classes) = &self.acr_values {
            parameter(f, "acr_values", classes)?;
        }
        if let Some(seconds) = self.max_age {
            parameter(f, "max_age", &seconds.to_string())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_challenge_without_credentials_names_no_error() {
        assert_eq!(Challenge::default().to_string(), "Bearer");
        let challenge = Challenge { resource_metadata: Some("https://a.example/m".into()), ..Challenge::default() };
        assert_eq!(challenge.to_string(), "Bearer resource_metadata=\"https://a.example/m\"");
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
