//! The one server that requests go to: an origin, and perhaps a path that all of them begin with.

use gatepass_client::WebUrl;
use hyper::{
    Uri,
    http::uri::{Authority, Scheme},
};
use url::Url;

/// Where requests go.
#[derive(Clone, Debug)]
pub(crate) struct Upstream {
    url: WebUrl,
    scheme: Scheme,
    authority: Authority,
    /// The path that each request's path is put after; without a slash at its end, often empty.
    base: Box<str>,
}

/// The URL is no place that requests can be put below.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the upstream is a URL without a query")]
pub(crate) struct InvalidUpstream;

/// A path that climbs out of the base path, or that is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct BadPath;

impl TryFrom<WebUrl> for Upstream {
    type Error = InvalidUpstream;

    fn try_from(url: WebUrl) -> Result<Self, InvalidUpstream> {
        if url.url().query().is_some() {
            return Err(InvalidUpstream);
        }
        let whole: Uri = url.as_str().parse().map_err(|_| InvalidUpstream)?;
        let parts = whole.into_parts();
        let (Some(scheme), Some(authority)) = (parts.scheme, parts.authority) else { return Err(InvalidUpstream) };
        let base = url.url().path().trim_end_matches('/').into();
        Ok(Self { url, scheme, authority, base })
    }
}

impl Upstream {
    /// The URL as it was named.
    pub(crate) fn url(&self) -> &WebUrl {
        &self.url
    }

    /// Scheme, host and port.
    pub(super) fn origin(&self) -> String {
        self.url.url().origin().ascii_serialization()
    }

    /// The address of a request: the base path, then what the client asked for, byte for byte.
    pub(super) fn uri(&self, rest: &str) -> Result<Uri, BadPath> {
        let path = rest.split_once('?').map_or(rest, |(path, _)| path);
        if climbs(path) {
            return Err(BadPath);
        }
        let slash = if rest.starts_with('/') || !self.base.is_empty() { "" } else { "/" };
        Uri::builder()
            .scheme(self.scheme.clone())
            .authority(self.authority.clone())
            .path_and_query(format!("{}{slash}{rest}", self.base))
            .build()
            .map_err(|_| BadPath)
    }

    /// What a `Location` of the upstream is called here (RFC 9110 §10.2.2). `None` where it may stay as it is: it is
    /// relative to the request, or leads elsewhere.
    pub(super) fn seen_from_here(&self, asked: &Uri, location: &str, prefix: &str) -> Option<String> {
        let is_absolute = location.starts_with('/') || location.split_once(':').is_some_and(|(s, _)| is_scheme(s));
        if !is_absolute {
            return None;
        }
        let target = Url::parse(&asked.to_string()).ok()?.join(location).ok()?;
        let below = target.path().strip_prefix(&*self.base).filter(|rest| rest.is_empty() || rest.starts_with('/'));
        let is_bare = target.username().is_empty() && target.password().is_none();
        match below {
            Some(rest) if target.origin() == self.url.url().origin() && is_bare => {
                let mut here = format!("{prefix}{rest}");
                if here.starts_with("//") {
                    // Without this it would be a host's name (RFC 3986 §4.2).
                    here.insert_str(0, "/.");
                } else if here.is_empty() {
                    here.push('/');
                }
                for (mark, part) in [('?', target.query()), ('#', target.fragment())] {
                    if let Some(part) = part {
                        here.push(mark);
                        here.push_str(part);
                    }
                }
                Some(here)
            }
            // Without its scheme it would be taken for ours, which is http.
            _ if location.starts_with("//") => Some(target.into()),
            _ => None,
        }
    }

    /// The path of a cookie as it is called here; `None` when the upstream's cookie is for another path than what is
    /// reached through us.
    pub(super) fn cookie_path(&self, path: &str, prefix: &str) -> String {
        let rest = path.strip_prefix(&*self.base).filter(|rest| rest.is_empty() || rest.starts_with('/'));
        let here = format!("{prefix}{}", rest.unwrap_or("/"));
        if here.is_empty() { "/".into() } else { here }
    }
}

fn is_scheme(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.'))
}

/// Whether a path has a segment `.` or `..`, also when it is written with percent signs or backslashes: what the
/// upstream makes of it may lie outside of the base path.
fn climbs(path: &str) -> bool {
    if !path.contains(['.', '%']) {
        return false;
    }
    let plain =
        path.to_ascii_lowercase().replace("%2e", ".").replace("%2f", "/").replace("%5c", "/").replace('\\', "/");
    plain.split('/').any(|segment| matches!(segment, "." | ".."))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn upstream(url: &str) -> Upstream {
        url.parse::<WebUrl>().unwrap().try_into().unwrap()
    }

    #[test]
    fn a_request_goes_below_the_base_path_and_keeps_its_bytes() {
        let table = [
            ("https://a.example", "", "https://a.example/"),
            ("https://a.example/", "/x?y=%20z", "https://a.example/x?y=%20z"),
            ("https://a.example/v1/", "/x//y%2Fz", "https://a.example/v1/x//y%2Fz"),
            ("https://a.example/v1", "", "https://a.example/v1"),
            ("https://a.example:8443/v1", "?q=../..", "https://a.example:8443/v1?q=../.."),
            ("https://a.example", "//evil.example/x", "https://a.example//evil.example/x"),
            ("https://a.example", "/a..b/...", "https://a.example/a..b/..."),
        ];
        for (url, rest, expected) in table {
            assert_eq!(upstream(url).uri(rest).unwrap().to_string(), expected);
        }
        for bad in ["/..", "/x/../y", "/%2e%2E/y", "/x/.%2e", "/x%2f..%2fy", "/x%5c..", "/./x"] {
            assert_eq!(upstream("https://a.example/v1").uri(bad), Err(BadPath), "{bad}");
        }
        assert!(Upstream::try_from("https://a.example/?q".parse::<WebUrl>().unwrap()).is_err());
    }

    #[test]
    fn a_redirect_to_the_upstream_leads_back_through_the_proxy() {
        let up = upstream("https://a.example/v1");
        let asked = up.uri("/x/y?z").unwrap();
        let table = [
            ("https://a.example/v1/next?a=b#c", Some("/t/next?a=b#c")),
            ("https://A.EXAMPLE:443/v1", Some("/t")),
            ("/v1/next", Some("/t/next")),
            ("//a.example/v1/n", Some("/t/n")),
            ("//b.example/n", Some("https://b.example/n")),
            ("next", None),
            ("../next", None),
            ("?page=2", None),
            ("https://a.example/other", None),
            ("/v10/x", None),
            ("https://b.example/v1/x", None),
            ("http://a.example/v1/x", None),
            ("https://u:p@a.example/v1/x", None),
            ("https://a.example.evil/v1", None),
            ("javascript:alert(1)", None),
        ];
        for (location, expected) in table {
            assert_eq!(up.seen_from_here(&asked, location, "/t").as_deref(), expected, "{location}");
        }
        let root = upstream("https://a.example");
        let asked = root.uri("/").unwrap();
        assert_eq!(root.seen_from_here(&asked, "https://a.example", "").as_deref(), Some("/"));
        assert_eq!(root.seen_from_here(&asked, "https://a.example//evil/", "").as_deref(), Some("/.//evil/"));
    }
}
