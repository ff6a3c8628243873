//! What a DPoP proof is for: its target, and the key that a request names ahead (RFC 9449).
//!
//! A proof is made for one method at one URL. The URLs of proof and request are compared after the
//! normalisations of RFC 3986 §6.2.2 and §6.2.3, without query and fragment (RFC 9449 §4.3).

use crate::{Confirmation, Error, Params, confirmation::is_thumbprint};
use url::Url;

/// The header that carries a proof.
pub const HEADER: &str = "dpop";
/// The header that carries the server's nonce.
pub const NONCE_HEADER: &str = "dpop-nonce";
/// `typ` of a proof (RFC 9449 §4.2).
pub const PROOF_TYPE: &str = "dpop+jwt";

/// The longest URL that is compared, in bytes.
const MAX_URL: usize = 4096;

/// A URL as proofs are compared by: scheme, host, port and path in their normal form, nothing after them.
/// `None` for what is no http(s) URL, is longer than 4096 bytes or names a user.
#[must_use]
pub fn target(url: &str) -> Option<String> {
    if url.len() > MAX_URL {
        return None;
    }
    // The parser writes scheme and host small, resolves dots, and leaves the scheme's own port out.
    let url = Url::parse(url).ok()?;
    let good = matches!(url.scheme(), "https" | "http") && url.username().is_empty() && url.password().is_none();
    good.then(|| format!("{}{}", url.origin().ascii_serialization(), normal_path(url.path())))
}

/// Escapes with large digits, and none for a character that needs none (RFC 3986 §6.2.2.1, §6.2.2.2).
fn normal_path(path: &str) -> String {
    let mut normal = String::with_capacity(path.len());
    let mut rest = path;
    while let Some(at) = rest.find('%') {
        let (before, escaped) = rest.split_at(at);
        normal.push_str(before);
        let digits = escaped.get(1..3).filter(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit()));
        let byte = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok());
        match byte {
            Some(byte) if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') => {
                normal.push(char::from(byte));
            }
            Some(byte) => normal.push_str(&format!("%{byte:02X}")),
            None => {
                normal.push('%');
                rest = escaped.get(1..).unwrap_or_default();
                continue;
            }
        }
        rest = escaped.get(3..).unwrap_or_default();
    }
    normal.push_str(rest);
    normal
}

/// Reads `dpop_jkt`: the key that must show itself later (RFC 9449 §10).
///
/// # Errors
/// `invalid_request` when it is no thumbprint.
pub fn read_jkt(params: &Params<'_>) -> Result<Option<Confirmation>, Error> {
    match params.get("dpop_jkt") {
        None => Ok(None),
        Some(text) if is_thumbprint(text) => Ok(Some(Confirmation::Jkt(text.into()))),
        Some(_) => {
            Err(Error::invalid_request("dpop_jkt is the SHA-256 thumbprint of a key: 43 characters of base64url"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_that_mean_the_same_are_the_same_target() {
        let table = [
            ("https://as.example/token", "https://as.example/token"),
            ("HTTPS://AS.example:443/token", "https://as.example/token"),
            ("https://as.example/a/../token?x=1#y", "https://as.example/token"),
            ("https://as.example", "https://as.example/"),
            ("https://as.example/%7euser%2fa%C3%A9", "https://as.example/~user%2Fa%C3%A9"),
            ("http://as.example:8080/", "http://as.example:8080/"),
            ("http://[::1]:1/x", "http://[::1]:1/x"),
            ("https://as.example/%zz", "https://as.example/%zz"),
            ("https://as.example/%\u{e9}", "https://as.example/%%C3%A9"),
        ];
        for (url, normal) in table {
            assert_eq!(target(url).as_deref(), Some(normal), "{url}");
        }
        assert_ne!(target("https://as.example/token"), target("https://as.example/token/"));
        assert_ne!(target("https://as.example/token"), target("http://as.example/token"));
        assert_ne!(target("https://as.example/a%2fb"), target("https://as.example/a/b"));
    }

    #[test]
    fn what_is_no_plain_web_address_is_no_target() {
        for bad in ["", "/token", "ftp://as.example/", "https://user@as.example/", "https://:p@as.example/", "urn:x"] {
            assert_eq!(target(bad), None, "{bad}");
        }
        assert_eq!(target(&format!("https://as.example/{}", "x".repeat(5000))), None);
    }

    #[test]
    fn a_key_named_ahead_is_a_thumbprint() {
        let read = |query: &str| read_jkt(&Params::parse(query.as_bytes()).unwrap());
        assert_eq!(read("a=b").unwrap(), None);
        assert!(read("dpop_jkt=NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs").unwrap().is_some());
        assert!(read("dpop_jkt=short").is_err());
        assert!(read(&format!("dpop_jkt={}", "%C3%A9".repeat(43))).is_err());
    }

    proptest::proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "\\PC{0,60}") {
            let _ = target(&format!("https://a.example/{text}"));
        }
    }
}
