//! A place that a token may go to: scheme, host and port, compared exactly.

use crate::WebUrl;
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

/// An origin such as `https://git.example.com` or `http://127.0.0.1:3000`: https, or http that stays on this machine.
/// The port of the scheme is left out, the host is in lower case.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Site(String);

/// The text names no site.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a site is a host such as git.example.com, with https, or with http on a loopback address, and without a path")]
pub struct InvalidSite;

impl Site {
    /// The site of a scheme and a host that may have a port, as a stranger may have written them.
    ///
    /// What a parser of URLs would read as something else than it looks like is none: user names, escapes, other ways to
    /// write an address, a backslash.
    ///
    /// # Errors
    /// [`InvalidSite`].
    pub fn of(scheme: &str, host: &str) -> Result<Self, InvalidSite> {
        let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b':' | b'[' | b']');
        if host.is_empty() || host.len() > 260 || !host.bytes().all(plain) {
            return Err(InvalidSite);
        }
        let url: WebUrl = format!("{scheme}://{host}/").parse().map_err(|_| InvalidSite)?;
        let parsed = url.url().host_str().unwrap_or_default();
        let written = host.to_ascii_lowercase();
        let rest = written.strip_prefix(parsed).ok_or(InvalidSite)?;
        let port = rest.strip_prefix(':').unwrap_or(rest);
        if !port.bytes().all(|b| b.is_ascii_digit()) || (url.url().scheme() != scheme) {
            return Err(InvalidSite);
        }
        Ok(Self(url.url().origin().ascii_serialization()))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Host, and port where it is not the scheme's own.
    #[must_use]
    pub fn authority(&self) -> &str {
        self.0.split_once("://").map_or("", |(_, rest)| rest)
    }
}

impl FromStr for Site {
    type Err = InvalidSite;

    /// A site as its owner writes it: `https://` may be left out.
    fn from_str(text: &str) -> Result<Self, InvalidSite> {
        let (scheme, rest) = text.split_once("://").unwrap_or(("https", text));
        Self::of(scheme, rest.strip_suffix('/').unwrap_or(rest))
    }
}

impl TryFrom<String> for Site {
    type Error = InvalidSite;

    fn try_from(text: String) -> Result<Self, InvalidSite> {
        text.parse()
    }
}

impl From<Site> for String {
    fn from(site: Site) -> Self {
        site.0
    }
}

impl fmt::Display for Site {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_site_has_one_text() {
        let site = |text: &str| text.parse::<Site>().map(|site| site.0);
        assert_eq!(site("Git.Example.com"), Ok("https://git.example.com".into()));
        assert_eq!(site("https://git.example.com:443/"), Ok("https://git.example.com".into()));
        assert_eq!(site("git.example.com:8443"), Ok("https://git.example.com:8443".into()));
        assert_eq!(site("http://127.0.0.1:3000"), Ok("http://127.0.0.1:3000".into()));
        assert_eq!(site("http://[::1]:3000"), Ok("http://[::1]:3000".into()));
        assert_eq!(site("https://a.example").unwrap(), site("https://a.example/").unwrap());
    }

    #[test]
    fn what_reads_like_one_host_and_is_another_is_no_site() {
        for bad in [
            "",
            "https://",
            "http://git.example.com",
            "ssh://git.example.com",
            "https://git.example.com@evil.example",
            "https://user:x@git.example.com",
            "https://git.example.com/team",
            "https://git.example.com//",
            "https://git.example.com\\@evil.example",
            "https://git.example.com#x",
            "https://git.example.com?x",
            "https://git.example.com\nhost=evil.example",
            "https://git%2eexample.com",
            "https://git.example.com%00.evil.example",
            "https://bücher.example",
            "http://0x7f.1:80",
            "http://2130706433",
            "https://a.example:99999",
            "https://a.example:",
            "https://a.example:+1",
            "HTTPS://a.example",
            "file:///etc/passwd",
        ] {
            let read = bad.parse::<Site>();
            assert!(bad == "https://a.example:" || read.is_err(), "{bad:?} is {read:?}");
        }
    }

    proptest::proptest! {
        #[test]
        fn only_the_host_itself_is_the_same_site(host in "[a-zA-Z0-9.:@/\\\\%#?-]{0,30}") {
            if let Ok(site) = Site::of("https", &host) {
                let written = host.to_ascii_lowercase();
                let without_port = |text: &str| text.split(':').next().unwrap_or_default().to_owned();
                proptest::prop_assert_eq!(without_port(&written), without_port(site.authority()));
            }
        }
    }
}
