//! What a compact JWS says of itself, read before anybody has verified it: which key to fetch, whose policy to look up.
//! Nothing else may be decided by it; after [`crate::jws::verify`] has passed, header and claims are those read here.

use crate::jwk::decode;
use serde::{Deserialize, de::DeserializeOwned};

/// The longest compact JWS that is read, in bytes.
const MAX_LENGTH: usize = 16 * 1024;

/// The header's members that matter here (RFC 7515 §4.1).
#[derive(Clone, Debug, Deserialize)]
pub struct JoseHeader {
    /// The algorithm.
    pub alg: String,
    /// The media type, with or without `application/`.
    #[serde(default)]
    pub typ: Option<String>,
    /// The key's name.
    #[serde(default)]
    pub kid: Option<String>,
}

impl JoseHeader {
    /// Whether the token is of this type; letters in any case, `application/` may be left out (RFC 7515 §4.1.9).
    #[must_use]
    pub fn is_of_type(&self, wanted: &str) -> bool {
        let Some(typ) = self.typ.as_deref() else { return false };
        let bare = typ.split_at_checked(12).filter(|(start, _)| start.eq_ignore_ascii_case("application/"));
        bare.map_or(typ, |(_, rest)| rest).eq_ignore_ascii_case(wanted)
    }
}

/// Header and claims of a token that nobody has verified; `None` when it is not three parts of base64url with JSON.
#[must_use]
pub fn unverified<C: DeserializeOwned>(token: &str) -> Option<(JoseHeader, C)> {
    if token.len() > MAX_LENGTH {
        return None;
    }
    let (signed, _) = token.rsplit_once('.')?;
    let (header, payload) = signed.split_once('.')?;
    let header = serde_json::from_slice(&decode(header)?).ok()?;
    Some((header, serde_json::from_slice(&decode(payload)?).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jws::base64url;
    use serde_json::Value;

    #[test]
    fn a_type_is_compared_as_a_media_type() {
        let of = |typ: &str| {
            let header = base64url(format!(r#"{{"alg":"ES256","typ":"{typ}"}}"#).as_bytes());
            unverified::<Value>(&format!("{header}.{}.x", base64url(b"{}"))).unwrap().0
        };
        assert!(of("at+jwt").is_of_type("at+jwt"));
        assert!(of("Application/AT+JWT").is_of_type("at+jwt"));
        assert!(!of("JWT").is_of_type("at+jwt"));
    }

    proptest::proptest! {
        #[test]
        fn no_text_makes_reading_panic(text in "\\PC{0,80}") {
            let _ = unverified::<Value>(&text);
        }
    }
}
