//! Redirect URIs: where an authorization response may go.
//!
//! A request's URI must equal a registered one character by character (RFC 9700 §2.1). The one
//! exception is a loopback URI of an installed program, which gets its port from the operating
//! system at the last moment: there the port does not count (RFC 8252 §7.3). `localhost` is treated
//! as loopback too, since many programs register it, though RFC 8252 §8.3 advises against it.

use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};
use url::Url;

/// The longest redirect URI that is taken, in bytes.
const MAX_LENGTH: usize = 2048;

/// A redirect URI that a client may register. It keeps the text as given.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RedirectUri(String);

/// Why a text is no redirect URI.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidRedirectUri {
    /// It does not parse, or is too long.
    #[error("a redirect URI is an absolute URI of at most 2048 characters")]
    NotAbsolute,
    /// RFC 6749 §3.1.2.
    #[error("a redirect URI has no fragment")]
    Fragment,
    /// User information in the URI helps only a deceiver.
    #[error("a redirect URI names no user or password")]
    UserInfo,
    /// A code sent over plain http can be read on the way.
    #[error(
        "a redirect URI uses https, or http on loopback, or a private-use scheme with a dot such as com.example.app"
    )]
    Scheme,
}

impl RedirectUri {
    /// One that was parsed before it was stored: its form is looked at, not its parts.
    #[must_use]
    pub fn from_stored(text: String) -> Option<Self> {
        (text.contains(':') && text.bytes().all(|b| b.is_ascii_graphic() && b != b'#')).then_some(Self(text))
    }

    /// The URI as given.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether a request's `redirect_uri` is this registered one.
    #[must_use]
    pub fn matches(&self, requested: &Self) -> bool {
        self.0 == requested.0 || without_port(&self.0).is_some_and(|mine| without_port(&requested.0) == Some(mine))
    }

    /// Whether the response stays on the person's own machine.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        Url::parse(&self.0).is_ok_and(|uri| is_loopback(&uri))
    }

    /// The host to name on a consent page; the scheme for a private-use scheme.
    #[must_use]
    pub fn shown_host(&self) -> String {
        match Url::parse(&self.0) {
            Ok(uri) => uri.host_str().map_or_else(|| format!("{}:", uri.scheme()), str::to_owned),
            Err(_) => String::new(),
        }
    }
}

/// A loopback URI's text before its port and after it; `None` for any other. Nothing is normalised: what is compared is
/// what stands there.
fn without_port(uri: &str) -> Option<(&str, &str)> {
    let hosts = ["http://127.0.0.1", "http://[::1]", "http://localhost"];
    let host = hosts.into_iter().find(|host| uri.starts_with(host))?;
    let (before, rest) = uri.split_at_checked(host.len())?;
    let after = match rest.strip_prefix(':') {
        None => rest,
        Some(rest) => rest.trim_start_matches(|c: char| c.is_ascii_digit()),
    };
    (after.is_empty() || after.starts_with(['/', '?'])).then_some((before, after))
}

fn is_loopback(uri: &Url) -> bool {
    uri.scheme() == "http" && matches!(uri.host_str(), Some("127.0.0.1" | "[::1]" | "localhost"))
}

/// A host of letters, digits, dots and dashes, or an address: it will stand in headers.
fn has_plain_host(uri: &Url) -> bool {
    match uri.host() {
        Some(url::Host::Domain(name)) => name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-')),
        Some(_) => true,
        None => false,
    }
}

impl FromStr for RedirectUri {
    type Err = InvalidRedirectUri;

    fn from_str(text: &str) -> Result<Self, InvalidRedirectUri> {
        if text.len() > MAX_LENGTH || !text.bytes().all(|b| b.is_ascii_graphic()) {
            return Err(InvalidRedirectUri::NotAbsolute);
        }
        let uri = Url::parse(text).map_err(|_| InvalidRedirectUri::NotAbsolute)?;
        if uri.fragment().is_some() {
            return Err(InvalidRedirectUri::Fragment);
        }
        if !uri.username().is_empty() || uri.password().is_some() {
            return Err(InvalidRedirectUri::UserInfo);
        }
        let allowed = match uri.scheme() {
            "https" => has_plain_host(&uri),
            "http" => is_loopback(&uri),
            // RFC 8252 §7.1: a private-use scheme is a reversed domain name, so it has a dot.
            scheme => scheme.contains('.'),
        };
        if allowed { Ok(Self(text.to_owned())) } else { Err(InvalidRedirectUri::Scheme) }
    }
}

impl TryFrom<String> for RedirectUri {
    type Error = InvalidRedirectUri;

    fn try_from(text: String) -> Result<Self, InvalidRedirectUri> {
        text.parse()
    }
}

impl From<RedirectUri> for String {
    fn from(uri: RedirectUri) -> Self {
        uri.0
    }
}

impl fmt::Display for RedirectUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn uri(text: &str) -> RedirectUri {
        text.parse().unwrap()
    }

    #[test]
    fn a_registered_uri_matches_itself_and_nothing_like_it() {
        let registered = uri("https://app.example/cb");
        assert!(registered.matches(&uri("https://app.example/cb")));
        for other in [
            "https://app.example/cb/",
            "https://app.example/cb?x=1",
            "https://app.example:444/cb",
            "https://evil.example/cb",
            "https://APP.example/cb",
        ] {
            assert!(!registered.matches(&uri(other)), "{other}");
        }
    }

    #[test]
    fn a_loopback_uri_matches_on_any_port_of_the_same_host_and_path() {
        let registered = uri("http://127.0.0.1/callback");
        assert!(registered.matches(&uri("http://127.0.0.1:49152/callback")));
        for other in [
            "http://localhost:49152/callback",
            "http://[::1]:49152/callback",
            "http://127.0.0.1:49152/other",
            "http://127.0.0.1:49152/callback?x=1",
            "https://127.0.0.1:49152/callback",
            "HTTP://127.0.0.1:49152/callback",
            "http://127.1:49152/callback",
            "http://127.0.0.1:49152/x/../callback",
            "http://127.0.0.1:49152/%2e/callback",
            "http:\\\\127.0.0.1:49152\\callback",
        ] {
            assert!(!registered.matches(&uri(other)), "{other}");
        }
        assert!(uri("http://localhost/callback").matches(&uri("http://localhost:9/callback")));
        assert!(uri("http://[::1]:1/cb").matches(&uri("http://[::1]:2/cb")));
    }

    #[test]
    fn dangerous_uris_cannot_be_registered() {
        use InvalidRedirectUri as E;
        let table = [
            ("/relative", E::NotAbsolute),
            ("https://a.example/cb#x", E::Fragment),
            ("https://a@b.example/cb", E::UserInfo),
            ("http://app.example/cb", E::Scheme),
            ("http://127.0.0.1.evil.example/cb", E::Scheme),
            ("http://127.1.evil/cb", E::Scheme),
            ("javascript:alert(1)", E::Scheme),
            ("data:text/html,x", E::Scheme),
            ("file:///etc/passwd", E::Scheme),
            ("https://a.example/c b", E::NotAbsolute),
            ("https://a;sandbox;x/", E::Scheme),
            ("https://a*b/", E::Scheme),
        ];
        for (text, reason) in table {
            assert_eq!(text.parse::<RedirectUri>(), Err(reason), "{text}");
        }
        assert!("com.example.app:/cb".parse::<RedirectUri>().is_ok());
    }

    proptest::proptest! {
        #[test]
        fn matching_never_leaves_the_registered_host(text in "[a-z]{2,8}://[a-z0-9.:@\\[\\]]{1,20}/[a-z/?]{0,8}") {
            let registered = uri("http://127.0.0.1/cb");
            if let Ok(requested) = text.parse::<RedirectUri>() && registered.matches(&requested) {
                proptest::prop_assert_eq!(requested.shown_host(), "127.0.0.1");
            }
        }
    }
}
