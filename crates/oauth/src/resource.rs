//! Resource indicators (RFC 8707): which API a token is for.

use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};
use url::Url;

/// `resource`: an absolute http(s) URI without a fragment, kept byte for byte as given.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ResourceUri(Box<str>);

/// The text is no resource indicator.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a resource is an absolute http or https URI without a fragment, at most 2048 characters")]
pub struct InvalidResource;

impl ResourceUri {
    /// One that was parsed before it was stored: its form is looked at, not its parts.
    #[must_use]
    pub fn from_stored(text: String) -> Option<Self> {
        (text.starts_with("http") && text.bytes().all(|b| b.is_ascii_graphic())).then(|| Self(text.into()))
    }

    /// The text as given.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The URL as it is compared: what names the same resource has the same text.
    #[must_use]
    pub fn canonical(&self) -> String {
        Url::parse(&self.0).map_or_else(|_| self.0.to_string(), String::from)
    }

    /// Whether both name the same resource: scheme, host and port compared as URLs, and one
    /// trailing slash of an otherwise empty path not counted, since URL libraries add it.
    #[must_use]
    pub fn names_same(&self, other: &Self) -> bool {
        if self.0 == other.0 {
            return true;
        }
        matches!((Url::parse(&self.0), Url::parse(&other.0)), (Ok(a), Ok(b)) if a == b)
    }
}

impl FromStr for ResourceUri {
    type Err = InvalidResource;

    fn from_str(text: &str) -> Result<Self, InvalidResource> {
        if text.len() > 2048 || !text.bytes().all(|b| b.is_ascii_graphic()) {
            return Err(InvalidResource);
        }
        let uri = Url::parse(text).map_err(|_| InvalidResource)?;
        let good = matches!(uri.scheme(), "https" | "http")
            && uri.has_host()
            && !text.contains('#')
            && uri.username().is_empty();
        if good { Ok(Self(text.into())) } else { Err(InvalidResource) }
    }
}

impl fmt::Display for ResourceUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_resource_is_kept_as_given_and_compared_as_a_url() {
        let (a, b): (ResourceUri, ResourceUri) =
            ("https://api.example".parse().unwrap(), "https://API.example:443/".parse().unwrap());
        assert_eq!(a.as_str(), "https://api.example");
        assert!(a.names_same(&b));
        assert!(!a.names_same(&"https://api.example/v2".parse().unwrap()));
    }

    #[test]
    fn what_is_no_http_uri_is_refused() {
        for bad in ["api", "urn:x:y", "https://a.example/#f", "https://u@a.example", "https://", "https://a b"] {
            assert!(bad.parse::<ResourceUri>().is_err(), "{bad}");
        }
    }
}
