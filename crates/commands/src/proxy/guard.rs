//! Who may use the proxy.
//!
//! It listens on loopback, but other people's programs on this machine can connect there, and so can every page in the
//! browser. There are two guards:
//!
//! - [`Guard::Path`]: the first segment of the path is a secret, which only the person who started the proxy has seen.
//! - [`Guard::Browser`]: no secret, so every program on this machine may use it, but no web page. A page whose name was
//!   made to point here (DNS rebinding) gives itself away by `Host`, another site's page by `Origin`,
//!   `Sec-Fetch-Site` or `Referer`.

use aws_lc_rs::constant_time::verify_slices_are_equal;
use gatepass_client::{Entropy, Secret};
use gatepass_keys::entropy::NoEntropy;
use hyper::{
    HeaderMap, Uri,
    header::{HOST, HeaderName, ORIGIN, REFERER},
};

/// How many characters the secret in the path has: 256 bits.
const LENGTH: usize = 43;
const ALPHABET: &[u8] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// What a request must show.
pub(crate) enum Guard {
    /// The secret as the path's first segment.
    Path(Secret),
    /// That it is meant for this port and comes from no other site.
    Browser {
        /// The port.
        port: u16,
    },
}

/// Why a request is not let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refused {
    /// The path does not begin with the secret. Nothing more is said.
    NotFound,
    /// The request is meant for another host: DNS rebinding, or a wrong name.
    Host,
    /// A page of another site sends it.
    Origin,
}

impl Guard {
    /// A guard with a secret of its own.
    ///
    /// # Errors
    /// [`NoEntropy`].
    pub(crate) fn path(entropy: &Entropy) -> Result<Self, NoEntropy> {
        Ok(Self::Path(entropy.text(ALPHABET, LENGTH)?.into()))
    }

    /// What the path of every good request begins with: `/` and the secret, or nothing.
    pub(crate) fn prefix(&self) -> String {
        match self {
            Self::Path(secret) => format!("/{}", secret.expose()),
            Self::Browser { .. } => String::new(),
        }
    }

    /// Lets a request in; what is left of its path, with the query.
    pub(super) fn admit<'r>(&self, uri: &'r Uri, headers: &HeaderMap) -> Result<&'r str, Refused> {
        let whole = uri.path_and_query().map_or("", |path| path.as_str());
        match self {
            Self::Path(secret) => {
                let path = whole.strip_prefix('/').ok_or(Refused::NotFound)?;
                let end = path.find(['/', '?']).unwrap_or(path.len());
                let (shown, rest) = path.split_at_checked(end).ok_or(Refused::NotFound)?;
                verify_slices_are_equal(shown.as_bytes(), secret.expose().as_bytes()).map_err(|_| Refused::NotFound)?;
                Ok(rest)
            }
            Self::Browser { port } => {
                is_ours_alone(*port, uri, headers)?;
                Ok(whole)
            }
        }
    }
}

fn is_ours_alone(port: u16, uri: &Uri, headers: &HeaderMap) -> Result<(), Refused> {
    // HTTP/2 and the absolute form name the host in the address, HTTP/1.1 in a header; a request with both has two.
    let named = uri.authority().map(|authority| authority.as_str().as_bytes());
    let mut hosts = named.into_iter().chain(headers.get_all(HOST).iter().map(|value| value.as_bytes())).peekable();
    if hosts.peek().is_none() || !hosts.all(|host| is_own_host(host, port)) {
        return Err(Refused::Host);
    }
    if !headers.get_all(ORIGIN).iter().all(|origin| is_own_origin(origin.as_bytes(), port)) {
        return Err(Refused::Origin);
    }
    // A browser that knows none of the others' headers says at least on which page it was.
    if !headers.get_all(REFERER).iter().all(|page| is_own_page(page.as_bytes(), port)) {
        return Err(Refused::Origin);
    }
    // `none` is a person who typed the address (Fetch Metadata §2.3).
    let site = |value: &[u8]| matches!(value, b"none" | b"same-origin");
    if !headers.get_all(SEC_FETCH_SITE).iter().all(|value| site(value.as_bytes())) {
        return Err(Refused::Origin);
    }
    Ok(())
}

/// Whether an `Origin` is the proxy's own.
pub(super) fn is_own_origin(origin: &[u8], port: u16) -> bool {
    origin.strip_prefix(b"http://").is_some_and(|host| is_own_host(host, port))
}

/// Whether a `Referer` is a page that came through the proxy.
fn is_own_page(page: &[u8], port: u16) -> bool {
    if page.is_empty() {
        return true;
    }
    let host =
        page.strip_prefix(b"http://").and_then(|rest| rest.split(|byte| matches!(byte, b'/' | b'?' | b'#')).next());
    host.is_some_and(|host| is_own_host(host, port))
}

/// Whether this is how loopback and our port are written.
fn is_own_host(host: &[u8], port: u16) -> bool {
    let Ok(host) = std::str::from_utf8(host) else { return false };
    let (name, written) = match host.rsplit_once(':') {
        Some((name, number)) if !number.ends_with(']') => (name, number.parse().ok()),
        _ => (host, Some(80)),
    };
    written == Some(port) && ["127.0.0.1", "localhost", "[::1]"].iter().any(|own| name.eq_ignore_ascii_case(own))
}

#[cfg(test)]
mod tests {
    use super::*;
    use hyper::header::HeaderValue;

    fn admit(guard: &Guard, uri: &str, headers: &[(&'static str, &'static str)]) -> Result<String, Refused> {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, HeaderValue::from_static(value));
        }
        guard.admit(&uri.parse().unwrap(), &map).map(str::to_owned)
    }

    #[test]
    fn only_who_knows_the_secret_gets_past_the_path() {
        let guard = Guard::path(&Entropy::system()).unwrap();
        let prefix = guard.prefix();
        assert_eq!(prefix.len(), 44);
        assert_eq!(admit(&guard, &format!("{prefix}/a/b?c=d"), &[]).unwrap(), "/a/b?c=d");
        assert_eq!(admit(&guard, &format!("{prefix}?c"), &[]).unwrap(), "?c");
        assert_eq!(admit(&guard, &prefix, &[]).unwrap(), "");
        let (longer, shorter) = (format!("{prefix}x/a"), prefix[..43].to_owned());
        for wrong in ["/", "//", "/a", &longer, &shorter, &format!("/x{prefix}/a"), &prefix.to_ascii_uppercase()] {
            assert_eq!(admit(&guard, wrong, &[]), Err(Refused::NotFound), "{wrong}");
        }
    }

    #[test]
    fn without_a_secret_neither_rebinding_nor_another_site_gets_in() {
        let guard = Guard::Browser { port: 4000 };
        let good: &[&[(&str, &str)]] = &[
            &[("host", "127.0.0.1:4000")],
            &[("host", "LOCALHOST:4000")],
            &[("host", "[::1]:4000"), ("origin", "http://[::1]:4000"), ("sec-fetch-site", "same-origin")],
            &[("host", "localhost:4000"), ("sec-fetch-site", "none")],
            &[("host", "localhost:4000"), ("referer", "http://localhost:4000/page?x")],
            &[("host", "localhost:4000"), ("referer", "")],
        ];
        for headers in good {
            assert_eq!(admit(&guard, "/x", headers).as_deref(), Ok("/x"), "{headers:?}");
        }
        let table: &[(Refused, &[(&str, &str)])] = &[
            (Refused::Host, &[]),
            (Refused::Host, &[("host", "evil.example:4000")]),
            (Refused::Host, &[("host", "127.0.0.1")]),
            (Refused::Host, &[("host", "127.0.0.1:4001")]),
            (Refused::Host, &[("host", "127.0.0.1.evil.example:4000")]),
            (Refused::Host, &[("host", "localhost:4000"), ("host", "evil.example:4000")]),
            (Refused::Host, &[("host", "::1:4000")]),
            (Refused::Host, &[("host", "[::1]")]),
            (Refused::Origin, &[("host", "localhost:4000"), ("origin", "null")]),
            (Refused::Origin, &[("host", "localhost:4000"), ("origin", "https://localhost:4000")]),
            (Refused::Origin, &[("host", "localhost:4000"), ("origin", "http://localhost:3000")]),
            (Refused::Origin, &[("host", "localhost:4000"), ("origin", "http://evil.example")]),
            (Refused::Origin, &[("host", "localhost:4000"), ("sec-fetch-site", "cross-site")]),
            (Refused::Origin, &[("host", "localhost:4000"), ("sec-fetch-site", "same-site")]),
            (Refused::Origin, &[("host", "localhost:4000"), ("referer", "https://evil.example/localhost:4000")]),
            (Refused::Origin, &[("host", "localhost:4000"), ("referer", "http://localhost:4000@evil.example/")]),
        ];
        for (why, headers) in table {
            assert_eq!(admit(&guard, "/x", headers), Err(*why), "{headers:?}");
        }
        assert_eq!(admit(&guard, "http://evil.example/x", &[("host", "localhost:4000")]), Err(Refused::Host));
        assert_eq!(admit(&guard, "http://localhost:4000/x", &[]).as_deref(), Ok("/x"));
        assert_eq!(admit(&Guard::Browser { port: 80 }, "/x", &[("host", "localhost")]).as_deref(), Ok("/x"));
    }
}
