//! Public keys as JSON (RFC 7517, RFC 7518 §6, RFC 8037).

use crate::Algorithm;
use aws_lc_rs::digest;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};

/// The most keys that are read from one set; a stranger's set may be long.
const MAX_KEYS: usize = 32;

/// A public key. Members that do not matter here are ignored; a private member is never kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Jwk {
    /// The key itself.
    #[serde(flatten)]
    pub key: PublicKey,
    /// Its name within its set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kid: Option<String>,
    /// The one algorithm that it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alg: Option<String>,
    /// `sig` or `enc`.
    #[serde(default, rename = "use", skip_serializing_if = "Option::is_none")]
    pub usage: Option<String>,
}

/// The kinds of key that verify signatures here; numbers are base64url without padding.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kty")]
pub enum PublicKey {
    /// An elliptic curve key.
    #[serde(rename = "EC")]
    Ec {
        /// `P-256`.
        crv: String,
        /// The point's x coordinate.
        x: String,
        /// The point's y coordinate.
        y: String,
    },
    /// An Edwards curve key.
    #[serde(rename = "OKP")]
    Okp {
        /// `Ed25519`.
        crv: String,
        /// The point.
        x: String,
    },
    /// An RSA key.
    #[serde(rename = "RSA")]
    Rsa {
        /// The modulus.
        n: String,
        /// The exponent.
        e: String,
    },
}

/// A set of public keys (RFC 7517 §5).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct JwkSet {
    /// The keys.
    pub keys: Vec<Jwk>,
}

/// Why a text is no usable key set.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidJwkSet {
    /// It is not a JSON object with `keys`.
    #[error("a key set is a JSON object with a member \"keys\"")]
    NotASet,
    /// It holds none that can verify here.
    #[error("the key set holds no key that is offered: EC P-256, OKP Ed25519 or RSA of 2048 bits and more")]
    NoUsableKey,
    /// It holds too many.
    #[error("the key set holds more than {MAX_KEYS} keys")]
    TooMany,
    /// It holds what only its owner may have.
    #[error("the key set holds a private key; give the public keys only")]
    Private,
}

impl JwkSet {
    /// Reads a set from a stranger. Keys of unknown kinds are left out (RFC 7517 §5).
    ///
    /// # Errors
    /// [`InvalidJwkSet`].
    pub fn parse(text: &str) -> Result<Self, InvalidJwkSet> {
        let document: serde_json::Value = serde_json::from_str(text).map_err(|_| InvalidJwkSet::NotASet)?;
        let members = document.get("keys").and_then(serde_json::Value::as_array).ok_or(InvalidJwkSet::NotASet)?;
        if members.len() > MAX_KEYS {
            return Err(InvalidJwkSet::TooMany);
        }
        if members.iter().any(|key| key.get("d").is_some() || key.get("k").is_some()) {
            return Err(InvalidJwkSet::Private);
        }
        let keys: Vec<Jwk> =
            members.iter().filter_map(|key| Jwk::deserialize(key).ok()).filter(Jwk::is_usable).collect();
        if keys.is_empty() { Err(InvalidJwkSet::NoUsableKey) } else { Ok(Self { keys }) }
    }

    /// The keys that may verify a signature with this `kid` and algorithm. Without a `kid`, every key
    /// of the right kind.
    pub fn candidates<'a>(&'a self, kid: Option<&'a str>, algorithm: Algorithm) -> impl Iterator<Item = &'a Jwk> {
        self.keys.iter().filter(move |jwk| jwk.may_verify(algorithm) && (kid.is_none() || jwk.kid.as_deref() == kid))
    }
}

impl Jwk {
    /// Whether the key is of the algorithm's kind and not declared for another or for encryption.
    #[must_use]
    pub fn may_verify(&self, algorithm: Algorithm) -> bool {
        let kind = match (&self.key, algorithm) {
            (PublicKey::Ec { crv, .. }, Algorithm::Es256) => crv == "P-256",
            (PublicKey::Okp { crv, .. }, Algorithm::EdDsa) => crv == "Ed25519",
            (PublicKey::Rsa { .. }, Algorithm::Rs256 | Algorithm::Ps256) => true,
            _ => false,
        };
        kind && self.alg.as_deref().is_none_or(|alg| algorithm.all_names().contains(&alg))
            && self.usage.as_deref().is_none_or(|usage| usage == "sig")
    }

    pub(crate) fn is_usable(&self) -> bool {
        Algorithm::ALL.iter().any(|algorithm| self.may_verify(*algorithm))
            && match &self.key {
                PublicKey::Ec { x, y, .. } => numbers_have(&[x, y], 32),
                PublicKey::Okp { x, .. } => numbers_have(&[x], 32),
                PublicKey::Rsa { n, e } => {
                    decode(n).is_some_and(|n| (256..=1024).contains(&n.len()))
                        && decode(e).is_some_and(|e| e.len() <= 8)
                }
            }
    }

    /// The thumbprint (RFC 7638): the key's name that everybody computes alike.
    #[must_use]
    pub fn thumbprint(&self) -> String {
        let canonical = match &self.key {
            PublicKey::Ec { crv, x, y } => format!(r#"{{"crv":"{crv}","kty":"EC","x":"{x}","y":"{y}"}}"#),
            PublicKey::Okp { crv, x } => format!(r#"{{"crv":"{crv}","kty":"OKP","x":"{x}"}}"#),
            PublicKey::Rsa { n, e } => format!(r#"{{"e":"{e}","kty":"RSA","n":"{n}"}}"#),
        };
        URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, canonical.as_bytes()))
    }
}

pub(crate) fn decode(number: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(number).ok()
}

fn numbers_have(numbers: &[&String], length: usize) -> bool {
    numbers.iter().all(|number| decode(number).is_some_and(|bytes| bytes.len() == length))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_thumbprint_is_that_of_rfc_7638() {
        let text = r#"{"kty":"RSA","e":"AQAB","alg":"RS256","kid":"2011-04-29","n":"0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw"}"#;
        let jwk: Jwk = serde_json::from_str(text).unwrap();
        assert_eq!(jwk.thumbprint(), "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs");
    }

    #[test]
    fn a_set_is_bounded_public_and_usable() {
        assert_eq!(JwkSet::parse("[]"), Err(InvalidJwkSet::NotASet));
        assert_eq!(JwkSet::parse(r#"{"keys":[{"kty":"oct","k":"c2VjcmV0"}]}"#), Err(InvalidJwkSet::Private));
        assert_eq!(
            JwkSet::parse(r#"{"keys":[{"kty":"EC","crv":"P-521","x":"AA","y":"AA"}]}"#),
            Err(InvalidJwkSet::NoUsableKey)
        );
        assert_eq!(
            JwkSet::parse(r#"{"keys":[{"kty":"EC","crv":"P-256","x":"AA","y":"AA"}]}"#),
            Err(InvalidJwkSet::NoUsableKey)
        );
        let many = vec![r#"{"kty":"x"}"#; 33].join(",");
        assert_eq!(JwkSet::parse(&format!(r#"{{"keys":[{many}]}}"#)), Err(InvalidJwkSet::TooMany));
        let short = json!({"kty": "RSA", "e": "AQAB", "n": crate::jws::base64url(&[0xff; 128])});
        assert_eq!(JwkSet::parse(&json!({"keys": [short]}).to_string()), Err(InvalidJwkSet::NoUsableKey));
    }

    #[test]
    fn what_is_not_understood_in_a_set_does_not_matter() {
        let number = "A".repeat(43);
        let known = json!({"kty": "EC", "crv": "P-256", "x": number, "y": number, "x5t": "a", "ext": true});
        let set = json!({"keys": [{"kty": "new"}, known, {"crv": "P-256"}], "more": 1});
        assert_eq!(JwkSet::parse(&set.to_string()).unwrap().keys.len(), 1);
    }
}
