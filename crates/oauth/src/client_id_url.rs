//! A client identifier that is the URL of the client's metadata document (Client ID Metadata Document §3).
//!
//! `https`, a host name, a path; no fragment, no user, no dot segments. It stands in its normal form, so that one document
//! has one name: whatever a URL parser would change is refused. A query is discouraged, and allowed.

use crate::ClientId;
use url::{Host, Url};

/// An identifier that names a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientIdUrl(Url);

/// The identifier names no document that may be fetched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a client_id that is a URL is https://HOST/PATH in its normal form, without fragment, user and dot segments")]
pub struct InvalidClientIdUrl;

impl ClientIdUrl {
    /// Whether an identifier claims to be a URL, good or not. No other registration has such an identifier.
    #[must_use]
    pub fn is_claimed_by(id: &ClientId) -> bool {
        id.as_str().contains("://")
    }

    /// Reads an identifier. `may_be_plain` says of which hosts plain `http` is taken: of none but in tests.
    ///
    /// # Errors
    /// [`InvalidClientIdUrl`].
    pub fn read(id: &ClientId, may_be_plain: impl Fn(&str) -> bool) -> Result<Self, InvalidClientIdUrl> {
        let text = id.as_str();
        let url = Url::parse(text).map_err(|_| InvalidClientIdUrl)?;
        let Some(Host::Domain(host)) = url.host() else { return Err(InvalidClientIdUrl) };
        let good = url.as_str() == text
            && (url.scheme() == "https" || (url.scheme() == "http" && may_be_plain(host)))
            && !text.contains('#')
            && url.username().is_empty()
            && url.password().is_none()
            && !host.ends_with('.')
            && host.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-'));
        if good { Ok(Self(url)) } else { Err(InvalidClientIdUrl) }
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// The host: who stands for the document.
    #[must_use]
    pub fn host(&self) -> &str {
        self.0.host_str().unwrap_or_default()
    }
}

/// Whether a host is one of these domains or lies below one.
#[must_use]
pub fn lies_in(host: &str, domains: &[String]) -> bool {
    domains.iter().any(|domain| {
        host.len() >= domain.len()
            && host.get(host.len() - domain.len()..).is_some_and(|end| end.eq_ignore_ascii_case(domain))
            && (host.len() == domain.len()
                || host.get(..host.len() - domain.len()).is_some_and(|start| start.ends_with('.')))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<ClientIdUrl, InvalidClientIdUrl> {
        ClientIdUrl::read(&text.parse().unwrap(), |host| host == "localhost")
    }

    #[test]
    fn only_a_normal_https_url_with_a_path_names_a_document() {
        for good in [
            "https://app.example/client.json",
            "https://app.example/",
            "https://app.example:8443/a/b?v=1",
            "http://localhost:99/c",
        ] {
            assert!(read(good).is_ok(), "{good}");
        }
        for bad in [
            "https://app.example",
            "http://app.example/c",
            "https://app.example/c#f",
            "https://app.example/c#",
            "https://u@app.example/c",
            "https://u:p@app.example/c",
            "https://app.example/a/../c",
            "https://app.example/./c",
            "https://app.example/%2e%2e/c",
            "https://app.example/a/%2E/c",
            "https://app.example:443/c",
            "https://APP.example/c",
            "HTTPS://app.example/c",
            "https://app.example./c",
            "https://app.example\\c",
            "https:///c",
            "https://127.0.0.1/c",
            "https://[::1]/c",
            "https://0x7f.1/c",
            "https://a b/c",
            "https://app.example/c d",
            "ftp://app.example/c",
            "file:///etc/passwd",
            "app://x/y",
        ] {
            assert_eq!(read(bad), Err(InvalidClientIdUrl), "{bad}");
        }
    }

    #[test]
    fn a_domain_covers_itself_and_what_lies_below() {
        let domains = vec!["example.com".to_owned()];
        assert!(lies_in("example.com", &domains) && lies_in("a.b.example.com", &domains));
        for other in ["notexample.com", "example.com.evil", "com", ""] {
            assert!(!lies_in(other, &domains), "{other}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_text_makes_reading_panic(text in "https://[ -~]{0,40}") {
            if let Ok(id) = text.parse() {
                let _ = ClientIdUrl::read(&id, |_| false);
            }
        }
    }
}
