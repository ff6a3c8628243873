//! The issuer: the one name of an authorization server (RFC 8414 §2), and where its metadata lies.

use crate::ResourceUri;
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};
use url::Url;

/// An issuer identifier: https (or http on loopback), no query, no fragment, no trailing slash.
/// Two issuers are equal when their texts are equal (RFC 9207 §2.4).
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Issuer(String);

/// Why a text is no issuer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidIssuer {
    /// It does not parse or has a part that an issuer must not have.
    #[error("an issuer is a URL such as https://auth.example.com, without query, fragment or user")]
    NotUrl,
    /// Plain http leaves the machine.
    #[error("an issuer uses https; plain http is only for loopback addresses")]
    PlainHttp,
}

impl Issuer {
    /// The text, without a trailing slash.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it names a loopback host over plain http.
    #[must_use]
    pub fn is_plain_http(&self) -> bool {
        self.0.starts_with("http:")
    }

    /// The origin: scheme, host, and the port if it is not the scheme's own.
    #[must_use]
    pub fn origin(&self) -> String {
        Url::parse(&self.0).map_or_else(|_| self.0.clone(), |url| url.origin().ascii_serialization())
    }

    /// The path, `""` when there is none.
    #[must_use]
    pub fn path(&self) -> &str {
        self.0
            .find("://")
            .and_then(|at| self.0.get(at + 3..))
            .and_then(|rest| rest.find('/').and_then(|at| rest.get(at..)))
            .unwrap_or("")
    }

    /// The URL of one of the server's own endpoints; `path` starts with a slash.
    #[must_use]
    pub fn endpoint(&self, path: &str) -> String {
        format!("{}{path}", self.0)
    }

    /// The issuer itself as the audience of tokens that name no other resource.
    #[must_use]
    pub fn as_resource(&self) -> Option<ResourceUri> {
        self.0.parse().ok()
    }

    /// Where metadata may lie, in the order to ask: RFC 8414 §3.1 (inserted before the path), then
    /// OpenID Connect Discovery §4 (appended), then its inserted form (RFC 8414 §5), and last what RFC 8414 does not
    /// know and some servers do: its own document appended.
    #[must_use]
    pub fn metadata_urls(&self) -> Vec<String> {
        let (origin, path) = (self.origin(), self.path());
        let mut urls = vec![
            format!("{origin}/.well-known/oauth-authorization-server{path}"),
            format!("{}/.well-known/openid-configuration", self.0),
        ];
        if !path.is_empty() {
            urls.push(format!("{origin}/.well-known/openid-configuration{path}"));
            urls.push(format!("{}/.well-known/oauth-authorization-server", self.0));
        }
        urls
    }
}

impl FromStr for Issuer {
    type Err = InvalidIssuer;

    fn from_str(text: &str) -> Result<Self, InvalidIssuer> {
        let url = Url::parse(text).map_err(|_| InvalidIssuer::NotUrl)?;
        let bare =
            url.query().is_none() && url.fragment().is_none() && url.username().is_empty() && url.password().is_none();
        if !bare || !url.has_host() || text.len() > 2048 {
            return Err(InvalidIssuer::NotUrl);
        }
        match url.scheme() {
            "https" => {}
            "http" if is_loopback_host(&url) => {}
            "http" => return Err(InvalidIssuer::PlainHttp),
            _ => return Err(InvalidIssuer::NotUrl),
        }
        Ok(Self(text.trim_end_matches('/').to_owned()))
    }
}

/// Whether the URL's host is this machine: 127.0.0.0/8, `::1` or `localhost`.
#[must_use]
pub fn is_loopback_host(url: &Url) -> bool {
    match url.host() {
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        Some(url::Host::Domain(name)) => name == "localhost",
        None => false,
    }
}

impl TryFrom<String> for Issuer {
    type Error = InvalidIssuer;

    fn try_from(text: String) -> Result<Self, InvalidIssuer> {
        text.parse()
    }
}

impl From<Issuer> for String {
    fn from(issuer: Issuer) -> Self {
        issuer.0
    }
}

impl fmt::Display for Issuer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metadata_is_looked_for_where_the_standards_put_it() {
        let bare: Issuer = "https://a.example/".parse().unwrap();
        assert_eq!(
            bare.metadata_urls(),
            [
                "https://a.example/.well-known/oauth-authorization-server",
                "https://a.example/.well-known/openid-configuration"
            ]
        );
        let deep: Issuer = "https://a.example/t/1".parse().unwrap();
        assert_eq!(
            deep.metadata_urls(),
            [
                "https://a.example/.well-known/oauth-authorization-server/t/1",
                "https://a.example/t/1/.well-known/openid-configuration",
                "https://a.example/.well-known/openid-configuration/t/1",
                "https://a.example/t/1/.well-known/oauth-authorization-server"
            ]
        );
    }

    #[test]
    fn plain_http_is_for_loopback_only() {
        for good in ["http://127.0.0.1:8484", "http://localhost:1", "http://[::1]:8484", "http://127.9.9.9"] {
            assert!(good.parse::<Issuer>().is_ok(), "{good}");
        }
        assert_eq!("http://auth.example".parse::<Issuer>(), Err(InvalidIssuer::PlainHttp));
        assert_eq!("http://127.0.0.1.evil.example".parse::<Issuer>(), Err(InvalidIssuer::PlainHttp));
        assert_eq!("https://a.example/#f".parse::<Issuer>(), Err(InvalidIssuer::NotUrl));
        for bad in ["auth.example", "ftp://a.example", "https://a.example/?q", "https://u:p@a.example"] {
            assert_eq!(bad.parse::<Issuer>(), Err(InvalidIssuer::NotUrl), "{bad}");
        }
    }
}
