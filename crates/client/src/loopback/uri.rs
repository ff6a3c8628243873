//! The redirect URI of a program on this machine (RFC 8252 §7.3), as it is registered.
//!
//! The standards leave the port open, and most servers do. Some compare it, and some know `localhost` only; there the
//! registered URI is named as it is.

use super::PATH;
use gatepass_keys::{HashedToken, jws::base64url};
use gatepass_oauth::{Issuer, issuer::is_loopback_host};
use std::{fmt, str::FromStr};
use url::Url;

/// `http://127.0.0.1/callback`, perhaps with another path, another name of this machine, or a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoopbackUri {
    host: &'static str,
    port: Option<u16>,
    path: String,
}

/// The text is no redirect URI that an answer can be heard at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a redirect URI here is http://127.0.0.1/PATH or http://localhost/PATH, with a port if the server compares it")]
pub struct InvalidLoopbackUri;

impl Default for LoopbackUri {
    fn default() -> Self {
        Self { host: "127.0.0.1", port: None, path: PATH.into() }
    }
}

impl LoopbackUri {
    /// The place of one server's answers: no other has the same.
    #[must_use]
    pub fn of(issuer: &Issuer) -> Self {
        let HashedToken(hash) = HashedToken::of(issuer.as_str());
        let name: String = base64url(&hash).chars().take(16).collect();
        Self { path: format!("{PATH}/{name}"), ..Self::default() }
    }

    /// This machine as the browser will name it at a port.
    #[must_use]
    pub fn host(&self, port: u16) -> String {
        format!("{}:{port}", self.host)
    }

    /// The port, if it must be that one.
    #[must_use]
    pub fn port(&self) -> Option<u16> {
        self.port
    }

    /// The path.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The redirect URI at a port.
    #[must_use]
    pub fn with_port(&self, port: u16) -> String {
        format!("http://{}:{port}{}", self.host, self.path)
    }
}

impl FromStr for LoopbackUri {
    type Err = InvalidLoopbackUri;

    fn from_str(text: &str) -> Result<Self, InvalidLoopbackUri> {
        let url = Url::parse(text).map_err(|_| InvalidLoopbackUri)?;
        let bare = url.query().is_none() && url.fragment().is_none() && url.username().is_empty();
        let host = match url.host_str() {
            Some("127.0.0.1") => "127.0.0.1",
            Some("localhost") => "localhost",
            _ => return Err(InvalidLoopbackUri),
        };
        if url.scheme() != "http" || !bare || !is_loopback_host(&url) || text.len() > 512 {
            return Err(InvalidLoopbackUri);
        }
        // The path stays as it was typed: the server compares it letter by letter.
        let path = text.splitn(4, '/').nth(3).map_or_else(String::new, |rest| format!("/{rest}"));
        if !path.is_empty() && url.path() != path {
            return Err(InvalidLoopbackUri);
        }
        Ok(Self { host, port: url.port(), path })
    }
}

impl fmt::Display for LoopbackUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.port {
            Some(port) => f.write_str(&self.with_port(port)),
            None => write!(f, "http://{}{}", self.host, self.path),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machine_is_a_place_for_an_answer() {
        for good in
            ["http://127.0.0.1/callback", "http://localhost:8400/auth/x", "http://localhost", "http://127.0.0.1/"]
        {
            assert_eq!(good.parse::<LoopbackUri>().unwrap().to_string(), good);
        }
        for bad in [
            "https://localhost/x",
            "http://evil.example/x",
            "http://127.0.0.1.evil.example/",
            "http://[::1]/x",
            "/callback",
            "http://127.0.0.1/a?b",
            "http://127.0.0.1/a#b",
            "http://u@localhost/",
            "http://127.0.0.1/a/../b",
            "http://127.1/x y",
        ] {
            assert_eq!(bad.parse::<LoopbackUri>(), Err(InvalidLoopbackUri), "{bad}");
        }
        assert_eq!(LoopbackUri::default().with_port(4711), "http://127.0.0.1:4711/callback");
        let of = |issuer: &str| LoopbackUri::of(&issuer.parse().unwrap()).to_string();
        assert!(of("https://a.example").starts_with("http://127.0.0.1/callback/"));
        assert_ne!(of("https://a.example"), of("https://b.example"));
        assert!(of("https://a.example").parse::<LoopbackUri>().is_ok());
        assert_eq!("http://localhost".parse::<LoopbackUri>().unwrap().with_port(1), "http://localhost:1");
    }
}
