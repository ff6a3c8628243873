//! The gate that every change by cookie passes: did our own page send this?
//!
//! A browser adds the cookie to requests that strangers' pages make. It also says who made them: the
//! `Origin` header with every POST, and `Sec-Fetch-Site`, neither of which a page can forge. A request
//! that says neither is not let through.

use axum::http::{HeaderMap, header::ORIGIN};
use gatepass_oauth::Issuer;

/// Whether the request comes from a page of this server.
pub(crate) fn is_our_own(headers: &HeaderMap, issuer: &Issuer) -> bool {
    match headers.get(ORIGIN) {
        Some(origin) => origin.to_str().is_ok_and(|origin| origin == issuer.origin()),
        None => headers.get("sec-fetch-site").is_some_and(|site| site == "same-origin"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_own_pages_pass() {
        let issuer: Issuer = "https://auth.example".parse().unwrap();
        let pass = |pairs: &[(&str, &str)]| {
            let headers: HeaderMap = pairs
                .iter()
                .map(|(name, value)| (name.parse::<axum::http::HeaderName>().unwrap(), value.parse().unwrap()))
                .collect();
            is_our_own(&headers, &issuer)
        };
        assert!(pass(&[("origin", "https://auth.example")]));
        assert!(pass(&[("sec-fetch-site", "same-origin")]));
        for strange in [
            &[][..],
            &[("origin", "null")],
            &[("origin", "https://auth.example.evil")],
            &[("origin", "http://auth.example")],
            &[("origin", "https://evil.example"), ("sec-fetch-site", "same-origin")],
            &[("sec-fetch-site", "same-site")],
            &[("sec-fetch-site", "cross-site")],
            &[("sec-fetch-site", "none")],
        ] {
            assert!(!pass(strange), "{strange:?}");
        }
    }
}
