//! The session's cookie (RFC 6265bis §4.1.3): `__Host-` and `Secure` over https; neither over plain
//! http on loopback, where browsers would drop it.
//!
//! The browser keeps the cookie for as long as browsers keep any. When the session ends is decided here, so
//! that use can prolong it.

use axum::http::{HeaderMap, HeaderValue, header::COOKIE};
use gatepass_keys::{PlainToken, token::SessionCookie};
use gatepass_oauth::Issuer;

/// 400 days in seconds: browsers keep no cookie longer (RFC 6265bis §5.5).
const LONGEST: u32 = 400 * 24 * 60 * 60;

pub(crate) struct CookiePolicy {
    name: &'static str,
    attributes: String,
    removal: String,
}

impl CookiePolicy {
    pub(crate) fn new(issuer: &Issuer) -> Self {
        let (name, secure) = if issuer.is_plain_http() { ("gatepass", "") } else { ("__Host-gatepass", "; Secure") };
        let shared = format!("Path=/; HttpOnly; SameSite=Lax{secure}");
        Self {
            name,
            attributes: format!("{shared}; Max-Age={LONGEST}"),
            removal: format!("{name}=; {shared}; Max-Age=0"),
        }
    }

    /// The `Set-Cookie` of a new session.
    pub(crate) fn set(&self, cookie: &PlainToken<SessionCookie>) -> Option<HeaderValue> {
        let mut value =
            HeaderValue::from_str(&format!("{}={}; {}", self.name, cookie.expose(), self.attributes)).ok()?;
        value.set_sensitive(true);
        Some(value)
    }

    /// The `Set-Cookie` that ends it.
    pub(crate) fn remove(&self) -> Option<HeaderValue> {
        HeaderValue::from_str(&self.removal).ok()
    }

    /// The cookie of a request. When a name comes twice, somebody planted one: neither counts.
    pub(crate) fn read<'a>(&self, headers: &'a HeaderMap) -> Option<&'a str> {
        let pairs =
            headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(';'));
        let mut ours = pairs.filter_map(|pair| pair.trim().split_once('=')).filter(|(name, _)| *name == self.name);
        match (ours.next(), ours.next()) {
            (Some((_, value)), None) => Some(value),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(issuer: &str) -> CookiePolicy {
        CookiePolicy::new(&issuer.parse().unwrap())
    }

    #[test]
    fn over_https_the_cookie_is_bound_to_the_host() {
        let policy = policy("https://auth.example");
        assert_eq!(policy.removal, "__Host-gatepass=; Path=/; HttpOnly; SameSite=Lax; Secure; Max-Age=0");
        assert!(policy.attributes.ends_with("; Secure; Max-Age=34560000"));
    }

    #[test]
    fn a_cookie_is_read_only_when_it_comes_once() {
        let policy = policy("http://127.0.0.1:8484");
        let read =
            |value: &str| policy.read(&HeaderMap::from_iter([(COOKIE, value.parse().unwrap())])).map(str::to_owned);
        assert_eq!(read("a=1; gatepass=x; b=2").as_deref(), Some("x"));
        assert_eq!(read("gatepass=x; gatepass=y"), None);
        assert_eq!(read("notgatepass=x"), None);
    }
}
