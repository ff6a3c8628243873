//! What a compact JWS says of itself, read before anybody has verified it: which key to fetch, whose policy to look up.
//! Nothing else may be decided by it; after [`crate::jws::verify`] has passed, header and claims are those read here.

use crate::jwk::decode;
use serde::{
    Deserialize, Deserializer,
    de::{DeserializeOwned, IgnoredAny},
};

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
    /// Whether it says a type of its own, such as `logout+jwt`, and not merely that it is a JWT (RFC 8725 §3.11).
    #[must_use]
    pub fn has_own_type(&self) -> bool {
        self.typ.as_deref().is_some_and(|typ| typ.to_ascii_lowercase().ends_with("+jwt"))
    }

    /// Whether the token is of this type; letters in any case, `application/` may be left out (RFC 7515 §4.1.9).
    #[must_use]
    pub fn is_of_type(&self, wanted: &str) -> bool {
        let Some(typ) = self.typ.as_deref() else { return false };
        let bare = typ.split_at_checked(12).filter(|(start, _)| start.eq_ignore_ascii_case("application/"));
        bare.map_or(typ, |(_, rest)| rest).eq_ignore_ascii_case(wanted)
    }
}

/// A header or claims: a JSON object in UTF-8 (RFC 7515 §5.2, RFC 7519 §7.2). A list would pass for one with the members
/// in order, and bytes that nobody reads would not be looked at.
pub(crate) fn object<T: DeserializeOwned>(bytes: &[u8]) -> Option<T> {
    let text = std::str::from_utf8(bytes).ok()?;
    let is_object = text.trim_ascii_start().starts_with('{');
    serde_json::from_str(text).ok().filter(|_| is_object)
}

/// Whether a member is there, whatever it says.
pub(crate) fn is_there<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    IgnoredAny::deserialize(deserializer).map(|_| true)
}

/// Header and claims of a token that nobody has verified; `None` when it is not three parts of base64url with JSON.
#[must_use]
pub fn unverified<C: DeserializeOwned>(token: &str) -> Option<(JoseHeader, C)> {
    if token.len() > MAX_LENGTH {
        return None;
    }
    let (signed, _) = token.rsplit_once('.')?;
    let (header, payload) = signed.split_once('.')?;
    Some((object(&decode(header)?)?, object(&decode(payload)?)?))
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

    #[test]
    fn header_and_claims_are_objects_in_utf_8() {
        let read = |header: &[u8], claims: &[u8]| {
            unverified::<serde::de::IgnoredAny>(&format!("{}.{}.x", base64url(header), base64url(claims))).is_some()
        };
        assert!(read(br#"{"alg":"ES256","new":1}"#, b" {}"));
        let bad: [(&[u8], &[u8]); 5] = [
            (br#"["ES256"]"#, b"{}"),
            (br#"{"alg":"ES256","alg":"ES256"}"#, b"{}"),
            (b"{\"alg\":\"ES256\",\"new\":\"\xff\"}", b"{}"),
            (br#"{"alg":"ES256"}"#, b"[]"),
            (br#"{"alg":"ES256"}"#, b"{\"a\":\"\xff\"}"),
        ];
        for (header, claims) in bad {
            assert!(!read(header, claims), "{} {}", header.escape_ascii(), claims.escape_ascii());
        }
        let typed = |typ: &str| JoseHeader { alg: "ES256".into(), typ: Some(typ.into()), kid: None }.has_own_type();
        assert_eq!(["JWT", "logout+jwt", "application/AT+JWT"].map(typed), [false, true, true]);
    }

    proptest::proptest! {
        #[test]
        fn no_text_makes_reading_panic(text in "\\PC{0,80}") {
            let _ = unverified::<Value>(&text);
        }
    }
}
