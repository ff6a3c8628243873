//! URLs that a secret may be sent to.

use gatepass_oauth::issuer::is_loopback_host;
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};
use url::Url;

/// An https URL, or a plain http one that stays on this machine; no user, password or fragment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct WebUrl(Url);

/// The text is no URL that a secret may be sent to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a URL here is https, or http on a loopback address, without user, password and fragment")]
pub struct InvalidWebUrl;

impl WebUrl {
    /// The URL.
    #[must_use]
    pub fn url(&self) -> &Url {
        &self.0
    }

    /// The text, in ASCII.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// Whether a request to it never leaves this machine.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        is_loopback_host(&self.0)
    }

    /// Host and, where it is not the scheme's own, port: what a message names.
    #[must_use]
    pub fn host(&self) -> String {
        let host = self.0.host_str().unwrap_or_default();
        self.0.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
    }
}

impl FromStr for WebUrl {
    type Err = InvalidWebUrl;

    fn from_str(text: &str) -> Result<Self, InvalidWebUrl> {
        if text.len() > 4096 {
            return Err(InvalidWebUrl);
        }
        let url = Url::parse(text).map_err(|_| InvalidWebUrl)?;
        let safe = match url.scheme() {
            "https" => url.has_host(),
            "http" => is_loopback_host(&url),
            _ => false,
        };
        let bare = url.username().is_empty() && url.password().is_none() && url.fragment().is_none();
        if safe && bare { Ok(Self(url)) } else { Err(InvalidWebUrl) }
    }
}

impl TryFrom<String> for WebUrl {
    type Error = InvalidWebUrl;

    fn try_from(text: String) -> Result<Self, InvalidWebUrl> {
        text.parse()
    }
}

impl From<WebUrl> for String {
    fn from(url: WebUrl) -> Self {
        url.0.into()
    }
}

impl fmt::Display for WebUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_travels_only_under_https_or_on_this_machine() {
        for good in ["https://a.example/t", "http://127.0.0.1:8484/t", "http://[::1]/t", "http://localhost/"] {
            assert!(good.parse::<WebUrl>().is_ok(), "{good}");
        }
        for bad in ["http://a.example/", "ftp://a.example/", "https://u:p@a.example/", "https://a.example/#x", "/t"] {
            assert!(bad.parse::<WebUrl>().is_err(), "{bad}");
        }
        assert_eq!("https://a.example:8443/x".parse::<WebUrl>().unwrap().host(), "a.example:8443");
    }
}
