//! Signatures over JSON: compact JWS (RFC 7515) with the algorithms of RFC 7518 and RFC 8037.
//!
//! Verification starts from the keys that are trusted, never from the header: the header's `alg`
//! only selects among them, so neither `none` nor a public key used as an HMAC secret can pass
//! (RFC 8725 §2.1, §3.1).

use crate::{
    Jwk, JwkSet,
    jose::{is_there, object},
    jwk::{PublicKey, decode},
};
use aws_lc_rs::{
    digest,
    rsa::PublicKeyComponents,
    signature::{self, UnparsedPublicKey},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use std::{fmt, str::FromStr};

pub use crate::signing_key::SigningKeyError;

/// The longest compact JWS that is read, in bytes.
pub(crate) const MAX_LENGTH: usize = 16 * 1024;

/// The signature algorithms that are offered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Algorithm {
    /// ECDSA on P-256 with SHA-256.
    #[serde(rename = "ES256")]
    Es256,
    /// Ed25519.
    #[serde(rename = "EdDSA")]
    EdDsa,
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    #[serde(rename = "RS256")]
    Rs256,
    /// RSASSA-PSS with SHA-256.
    #[serde(rename = "PS256")]
    Ps256,
}

impl Algorithm {
    /// Every algorithm.
    pub const ALL: &'static [Self] = &[Self::Es256, Self::EdDsa, Self::Rs256, Self::Ps256];

    /// The name in a header.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Es256 => "ES256",
            Self::EdDsa => "EdDSA",
            Self::Rs256 => "RS256",
            Self::Ps256 => "PS256",
        }
    }

    /// Every name that a header may have: Ed25519 has a new one beside its old one (RFC 9864 §2.2).
    pub fn names() -> impl Iterator<Item = &'static str> {
        Self::ALL.iter().flat_map(|algorithm| algorithm.all_names()).copied()
    }

    /// What this one may be called.
    #[must_use]
    pub fn all_names(self) -> &'static [&'static str] {
        match self {
            Self::Es256 => &["ES256"],
            Self::EdDsa => &["EdDSA", "Ed25519"],
            Self::Rs256 => &["RS256"],
            Self::Ps256 => &["PS256"],
        }
    }

    pub(crate) fn from_header(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|algorithm| algorithm.all_names().contains(&name))
    }

    /// The left half of a text's hash, base64url: `at_hash` and its like (OpenID Connect Core §3.1.3.6). The hash is the
    /// algorithm's own, for Ed25519 SHA-512.
    #[must_use]
    pub fn half_hash(self, text: &str) -> String {
        let hash = if self == Self::EdDsa { &digest::SHA512 } else { &digest::SHA256 };
        let digest = digest::digest(hash, text.as_bytes());
        let (half, _) = digest.as_ref().split_at(digest.as_ref().len() / 2);
        base64url(half)
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The text names no algorithm that is offered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an algorithm is ES256, EdDSA (or Ed25519), RS256 or PS256")]
pub struct UnknownAlgorithm;

impl FromStr for Algorithm {
    type Err = UnknownAlgorithm;

    fn from_str(text: &str) -> Result<Self, UnknownAlgorithm> {
        Self::from_header(text).ok_or(UnknownAlgorithm)
    }
}

#[derive(Serialize, Deserialize)]
pub(crate) struct Header {
    pub(crate) alg: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) typ: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) kid: Option<String>,
    /// Whether it names extensions that must be understood.
    #[serde(default, skip_serializing, deserialize_with = "is_there")]
    pub(crate) crit: bool,
}

/// Bytes as base64url without padding, the alphabet of everything around JWS (RFC 7515 §2).
#[must_use]
pub fn base64url(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Why a JWS was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidJws {
    /// It is not three base64url parts with a JSON header, or too long.
    #[error("the signed token is malformed")]
    Malformed,
    /// The header names an algorithm that is not offered, or an extension that is not known.
    #[error("the signed token uses an algorithm or extension that is not offered")]
    Unsupported,
    /// No trusted key made the signature.
    #[error("the signature is not that of a trusted key")]
    Signature,
    /// The payload is not the JSON that was expected.
    #[error("the signed token's claims are malformed")]
    Claims,
}

/// Verifies a compact JWS against trusted keys and reads its claims. Times and audiences are the
/// caller's to check.
///
/// # Errors
/// [`InvalidJws`].
pub fn verify<C: DeserializeOwned>(token: &str, keys: &JwkSet) -> Result<C, InvalidJws> {
    if token.len() > MAX_LENGTH {
        return Err(InvalidJws::Malformed);
    }
    let (signed, signature) = token.rsplit_once('.').ok_or(InvalidJws::Malformed)?;
    let (header, payload) = signed.split_once('.').ok_or(InvalidJws::Malformed)?;
    let header: Header = decode(header).and_then(|bytes| object(&bytes)).ok_or(InvalidJws::Malformed)?;
    let algorithm = Algorithm::from_header(&header.alg).filter(|_| !header.crit).ok_or(InvalidJws::Unsupported)?;
    let signature = decode(signature).ok_or(InvalidJws::Malformed)?;
    if !keys
        .candidates(header.kid.as_deref(), algorithm)
        .any(|jwk| is_signed_by(jwk, algorithm, signed.as_bytes(), &signature))
    {
        return Err(InvalidJws::Signature);
    }
    decode(payload).and_then(|bytes| object(&bytes)).ok_or(InvalidJws::Claims)
}

pub(crate) fn is_signed_by(jwk: &Jwk, algorithm: Algorithm, signed: &[u8], signature: &[u8]) -> bool {
    let verified = match (&jwk.key, algorithm) {
        (PublicKey::Ec { x, y, .. }, Algorithm::Es256) => {
            let (Some(x), Some(y)) = (decode(x), decode(y)) else { return false };
            let point = [&[0x04][..], &x, &y].concat();
            UnparsedPublicKey::new(&signature::ECDSA_P256_SHA256_FIXED, point).verify(signed, signature)
        }
        (PublicKey::Okp { x, .. }, Algorithm::EdDsa) => {
            UnparsedPublicKey::new(&signature::ED25519, decode(x).unwrap_or_default()).verify(signed, signature)
        }
        (PublicKey::Rsa { n, e }, Algorithm::Rs256 | Algorithm::Ps256) => {
            let (Some(n), Some(e)) = (decode(n), decode(e)) else { return false };
            let padding = if algorithm == Algorithm::Rs256 {
                &signature::RSA_PKCS1_2048_8192_SHA256
            } else {
                &signature::RSA_PSS_2048_8192_SHA256
            };
            PublicKeyComponents { n, e }.verify(padding, signed, signature)
        }
        _ => return false,
    };
    verified.is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Entropy, SealingKey, SigningKey};
    use serde_json::{Value, json};

    fn key() -> SigningKey {
        let entropy = Entropy::system();
        SigningKey::generate(&SealingKey::generate(&entropy).unwrap(), &entropy).unwrap().0
    }

    fn set(key: &SigningKey) -> JwkSet {
        JwkSet { keys: vec![key.public().clone()] }
    }

    #[test]
    fn a_token_of_another_key_or_changed_is_refused() {
        let (ours, other) = (key(), key());
        let token = other.sign("JWT", &json!({"sub": "u"})).unwrap();
        assert_eq!(verify::<Value>(&token, &set(&ours)), Err(InvalidJws::Signature));
        let mine = ours.sign("JWT", &json!({"sub": "u"})).unwrap();
        let parts: Vec<&str> = mine.split('.').collect();
        let forged = format!("{}.{}.{}", parts[0], URL_SAFE_NO_PAD.encode(r#"{"sub":"v"}"#), parts[2]);
        assert_eq!(verify::<Value>(&forged, &set(&ours)), Err(InvalidJws::Signature));
    }

    #[test]
    fn ed25519_goes_by_its_old_name_and_by_its_new_one() {
        let seal = SealingKey::new([7; 32].into());
        let (key, _) = SigningKey::generate_for(Algorithm::EdDsa, &seal, &Entropy::system()).unwrap();
        for name in ["EdDSA", "Ed25519"] {
            let token = key.sign_under(&json!({"alg": name}), &json!({"sub": "u"})).unwrap();
            let public = Jwk { alg: Some(name.into()), ..key.public().clone() };
            assert_eq!(verify::<Value>(&token, &JwkSet { keys: vec![public] }), Ok(json!({"sub": "u"})), "{name}");
        }
        assert!(Algorithm::from_header("ed25519").is_none());
    }

    /// RFC 8725 §3.10: only the trusted keys count.
    #[test]
    fn a_header_that_brings_or_names_a_key_chooses_none() {
        let (ours, other) = (key(), key());
        let table = [
            ("jwk", json!(other.public())),
            ("jku", json!("https://evil.example/keys")),
            ("x5u", json!("https://evil.example/chain")),
            ("x5c", json!(["AAAA"])),
        ];
        for (name, value) in table {
            let header = json!({"alg": "ES256", (name): value});
            let forged = other.sign_under(&header, &json!({"sub": "u"})).unwrap();
            assert_eq!(verify::<Value>(&forged, &set(&ours)), Err(InvalidJws::Signature), "{name}");
            let own = ours.sign_under(&header, &json!({"sub": "u"})).unwrap();
            assert!(verify::<Value>(&own, &set(&ours)).is_ok(), "{name} does not matter");
        }
    }

    /// RFC 7518 §3.4: two numbers of 32 bytes, not their ASN.1.
    #[test]
    fn an_es256_signature_of_another_form_is_refused() {
        let (ours, pkcs8) = SigningKey::exportable().unwrap();
        let good = ours.sign("JWT", &json!({"sub": "u"})).unwrap();
        assert!(verify::<Value>(&good, &set(&ours)).is_ok());
        let (signed, _) = good.rsplit_once('.').unwrap();
        let pair = signature::EcdsaKeyPair::from_pkcs8(&signature::ECDSA_P256_SHA256_ASN1_SIGNING, &pkcs8).unwrap();
        let der = pair.sign(&aws_lc_rs::rand::SystemRandom::new(), signed.as_bytes()).unwrap();
        let token = format!("{signed}.{}", base64url(der.as_ref()));
        assert_eq!(verify::<Value>(&token, &set(&ours)), Err(InvalidJws::Signature));
    }

    #[test]
    fn neither_none_nor_hmac_with_the_public_key_passes() {
        let ours = key();
        let payload = URL_SAFE_NO_PAD.encode(r#"{"sub":"u"}"#);
        for alg in ["none", "None", "HS256", "ES384"] {
            let header = URL_SAFE_NO_PAD.encode(format!(r#"{{"alg":"{alg}"}}"#));
            assert_eq!(
                verify::<Value>(&format!("{header}.{payload}."), &set(&ours)),
                Err(InvalidJws::Unsupported),
                "{alg}"
            );
        }
        let header = URL_SAFE_NO_PAD.encode(r#"{"alg":"RS256"}"#);
        assert_eq!(verify::<Value>(&format!("{header}.{payload}.AAAA"), &set(&ours)), Err(InvalidJws::Signature));
        let critical = URL_SAFE_NO_PAD.encode(r#"{"alg":"ES256","crit":["x"]}"#);
        assert_eq!(verify::<Value>(&format!("{critical}.{payload}.AAAA"), &set(&ours)), Err(InvalidJws::Unsupported));
    }

    /// RFC 8725 §2.1: the public key's bytes are no HMAC secret, in whatever form the key is written.
    #[test]
    fn an_hmac_keyed_with_the_public_key_passes_under_no_name() {
        let ours = key();
        let PublicKey::Ec { x, y, .. } = &ours.public().key else { panic!("a key of another kind") };
        let point = [&[0x04][..], &decode(x).unwrap(), &decode(y).unwrap()].concat();
        let document = serde_json::to_vec(ours.public()).unwrap();
        for alg in ["HS256", "ES256", "RS256", "PS256", "EdDSA"] {
            for secret in [&point[..], &document] {
                let kid = ours.kid();
                let header = URL_SAFE_NO_PAD.encode(format!(r#"{{"alg":"{alg}","kid":"{kid}"}}"#));
                let signed = format!("{header}.{}", URL_SAFE_NO_PAD.encode(r#"{"sub":"u"}"#));
                let key = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, secret);
                let tag = URL_SAFE_NO_PAD.encode(aws_lc_rs::hmac::sign(&key, signed.as_bytes()));
                assert!(verify::<Value>(&format!("{signed}.{tag}"), &set(&ours)).is_err(), "{alg}");
            }
        }
    }

    /// The signature is good, and the set's key is not the one, or not for this.
    #[test]
    fn an_unknown_kid_or_a_key_that_is_for_something_else_verifies_nothing() {
        let ours = key();
        let token = ours.sign("JWT", &json!({"sub": "u"})).unwrap();
        type Change = fn(&mut Jwk);
        let changes: [(&str, Change); 5] = [
            ("another kid", |jwk| jwk.kid = Some("other".into())),
            ("no kid", |jwk| jwk.kid = None),
            ("for another algorithm", |jwk| jwk.alg = Some("RS256".into())),
            ("for encryption", |jwk| jwk.usage = Some("enc".into())),
            ("of another curve", |jwk| {
                let PublicKey::Ec { crv, .. } = &mut jwk.key else { panic!("a key of another kind") };
                *crv = "secp256k1".into();
            }),
        ];
        for (name, change) in changes {
            let mut set = set(&ours);
            change(&mut set.keys[0]);
            assert_eq!(verify::<Value>(&token, &set), Err(InvalidJws::Signature), "{name}");
        }
        let mut of_another_kind = set(&ours);
        of_another_kind.keys[0].key = PublicKey::Okp { crv: "Ed25519".into(), x: "A".repeat(43) };
        assert_eq!(verify::<Value>(&token, &of_another_kind), Err(InvalidJws::Signature));
        assert_eq!(verify::<Value>(&token, &JwkSet::default()), Err(InvalidJws::Signature));
    }

    #[test]
    fn what_is_no_compact_jws_is_malformed() {
        let ours = key();
        let good = ours.sign("JWT", &json!({"sub": "u"})).unwrap();
        let twice = URL_SAFE_NO_PAD.encode(r#"{"alg":"ES256","alg":"none"}"#);
        let rest = good.split_once('.').unwrap().1;
        for bad in [
            String::new(),
            ".".into(),
            "..".into(),
            "a.b.c".into(),
            format!("{good}."),
            format!("{good}="),
            format!(" {good}"),
            format!("{twice}.{rest}"),
            "x".repeat(MAX_LENGTH + 1),
        ] {
            assert!(verify::<Value>(&bad, &set(&ours)).is_err(), "{bad}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_text_makes_verification_panic(text in "\\PC{0,80}") {
            let _ = verify::<Value>(&text, &JwkSet::default());
        }
    }
}
