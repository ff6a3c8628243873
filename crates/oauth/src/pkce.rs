//! Proof key for code exchange (RFC 7636): the one who redeems is the one who asked.
//!
//! Only the method `S256` is offered; `plain` would show the verifier to whoever reads the request.

use crate::{Error, Secret};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// The one method that is offered.
pub const METHOD_S256: &str = "S256";

/// `code_verifier`: 43 to 128 unreserved characters, known only to who started (RFC 7636 §4.1).
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CodeVerifier(Secret);

impl CodeVerifier {
    /// A verifier from 32 random bytes, as §4.1 recommends.
    #[must_use]
    pub fn from_random(bytes: [u8; 32]) -> Self {
        Self(URL_SAFE_NO_PAD.encode(bytes).into())
    }

    /// Reads the `code_verifier` parameter.
    ///
    /// # Errors
    /// `invalid_request` when it does not keep to the grammar of §4.1.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let unreserved = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_' | b'~');
        if (43..=128).contains(&text.len()) && text.bytes().all(unreserved) {
            Ok(Self(text.into()))
        } else {
            Err(Error::invalid_request("code_verifier is 43 to 128 letters, digits and -._~"))
        }
    }

    /// The challenge that this verifier answers (§4.2).
    #[must_use]
    pub fn challenge(&self) -> CodeChallenge {
        CodeChallenge(URL_SAFE_NO_PAD.encode(Sha256::digest(self.0.expose().as_bytes())))
    }

    /// The text, for the token request.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.0.expose()
    }
}

/// `code_challenge` of method `S256`: the base64url of a SHA-256 hash, 43 characters. Not a secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CodeChallenge(String);

impl CodeChallenge {
    /// Reads `code_challenge` and `code_challenge_method`.
    ///
    /// # Errors
    /// `invalid_request` for any method but `S256`, a method left out (which would mean `plain`,
    /// §4.3), or a text that is not 43 characters of base64url.
    pub fn parse(challenge: &str, method: Option<&str>) -> Result<Self, Error> {
        if method != Some(METHOD_S256) {
            return Err(Error::invalid_request("code_challenge_method must be S256"));
        }
        Self::from_stored(challenge)
            .ok_or_else(|| Error::invalid_request("code_challenge is the base64url of a SHA-256 hash, 43 characters"))
    }

    /// Reads a challenge that was checked before.
    #[must_use]
    pub fn from_stored(text: &str) -> Option<Self> {
        let base64url = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_');
        (text.len() == 43 && text.bytes().all(base64url)).then(|| Self(text.to_owned()))
    }

    /// Whether `verifier` answers this challenge. What is compared is public, so time tells nothing.
    #[must_use]
    pub fn is_answered_by(&self, verifier: &CodeVerifier) -> bool {
        *self == verifier.challenge()
    }

    /// The text, for the request or the database.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_rfc_7636_appendix_b_holds() {
        let verifier = CodeVerifier::parse("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk").unwrap();
        let challenge = CodeChallenge::parse("E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM", Some("S256")).unwrap();
        assert!(challenge.is_answered_by(&verifier));
        assert!(!challenge.is_answered_by(&CodeVerifier::from_random([7; 32])));
    }

    #[test]
    fn plain_and_a_missing_method_are_refused() {
        let good = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
        for method in [None, Some("plain"), Some("s256")] {
            assert!(CodeChallenge::parse(good, method).is_err());
        }
        assert!(CodeChallenge::parse("short", Some("S256")).is_err());
    }

    #[test]
    fn a_verifier_keeps_to_the_grammar() {
        assert!(CodeVerifier::parse(&"a".repeat(42)).is_err());
        assert!(CodeVerifier::parse(&"a".repeat(129)).is_err());
        assert!(CodeVerifier::parse(&format!("{}+", "a".repeat(43))).is_err());
        assert!(CodeVerifier::parse(&"~".repeat(128)).is_ok());
    }
}
