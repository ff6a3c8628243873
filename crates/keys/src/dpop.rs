//! DPoP proofs (RFC 9449): a small signed text that says "whoever sends this request holds this key".
//!
//! Verifying one, in the order of §4.3:
//!
//! 1. It is a JWS of at most eight kilobytes with `typ` `dpop+jwt`, an algorithm that is offered, and no
//!    extension.
//! 2. Its header holds a public key that is good for that algorithm, and no member that only the key's owner
//!    may have.
//! 3. The key made the signature.
//! 4. `htm` and `htu` are the request's; `iat` is near; `jti` is there and short; `ath` is the hash of the access
//!    token, where there is one.
//!
//! Whether the nonce is a good one and whether the proof came before is for those to decide who remember:
//! [`Proof`] says what there is to compare.

use crate::{
    Clock, Entropy, HashedToken, Jwk, SigningKey,
    entropy::NoEntropy,
    jose::{is_there, object},
    jwk::decode,
    jws::{self, Algorithm, SigningKeyError, base64url},
};
use gatepass_oauth::{
    Confirmation, Secret, UtcMillis,
    dpop::{PROOF_TYPE, target},
};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::time::Duration;
use zeroize::Zeroizing;

/// The longest proof that is read, in bytes. One with a key of RSA-8192 stays below.
pub const MAX_LENGTH: usize = 8 * 1024;
/// How far `iat` may be from the verifier's time, before or after.
pub const WINDOW: Duration = Duration::from_secs(5 * 60);
/// The longest `jti`, in bytes.
const MAX_JTI: usize = 256;
/// The longest nonce, in bytes.
const MAX_NONCE: usize = 256;
/// What only a key's owner may have (RFC 7518 §6.2.2, §6.3.2, §6.4.1).
const PRIVATE_MEMBERS: &[&str] = &["d", "p", "q", "dp", "dq", "qi", "oth", "k"];

/// The request that a proof must be for.
#[derive(Clone, Copy, Debug)]
pub struct Expected<'a> {
    /// Its method.
    pub method: &'a str,
    /// Its URL as the client knows it; query and fragment do not matter.
    pub url: &'a str,
    /// The access token beside the proof: at a protected resource, and nowhere else.
    pub access_token: Option<&'a str>,
    /// The time.
    pub now: UtcMillis,
}

/// What a good proof says.
#[derive(Clone, Debug)]
pub struct Proof {
    /// The key that was proven to be held.
    pub confirmation: Confirmation,
    /// The nonce, if there is one.
    pub nonce: Option<String>,
    /// What tells this proof from every other of every key: a proof with the same comes a second time.
    pub once: HashedToken,
    /// Until when it must be remembered; afterwards its `iat` refuses it.
    pub remember_until: UtcMillis,
}

/// Why a proof was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidProof {
    /// It is no JWS with a JSON header and claims, or too long.
    #[error("the proof is malformed or longer than {MAX_LENGTH} bytes")]
    Malformed,
    /// It may be a token of another kind.
    #[error("the proof's typ is not dpop+jwt")]
    Type,
    /// The header names an algorithm that is not offered, or an extension.
    #[error("the proof uses an algorithm or extension that is not offered")]
    Unsupported,
    /// The header's key is missing, not public, or not for the algorithm.
    #[error("the proof's jwk is not a public key for its algorithm")]
    Key,
    /// The key did not make the signature.
    #[error("the proof's signature is not that of its key")]
    Signature,
    /// It is for another method.
    #[error("the proof's htm is not the method of the request")]
    Method,
    /// It is for another URL.
    #[error("the proof's htu is not the URL of the request")]
    Url,
    /// It is too old or from the future.
    #[error("the proof's iat is not within five minutes of the server's time")]
    Time,
    /// It cannot be told from others.
    #[error("the proof's jti is missing or longer than {MAX_JTI} bytes")]
    Identifier,
    /// It is for another access token, or for none.
    #[error("the proof's ath is not the hash of the access token")]
    AccessToken,
}

#[derive(Deserialize)]
struct Header {
    #[serde(default)]
    typ: Option<String>,
    alg: String,
    #[serde(default)]
    jwk: Option<Box<RawValue>>,
    #[serde(default, deserialize_with = "is_there")]
    crit: bool,
}

#[derive(Deserialize)]
struct Claims {
    #[serde(default)]
    jti: Option<String>,
    htm: String,
    htu: String,
    iat: serde_json::Number,
    #[serde(default)]
    ath: Option<String>,
    #[serde(default)]
    nonce: Option<String>,
}

/// Verifies a proof for a request.
///
/// # Errors
/// [`InvalidProof`].
pub fn verify(proof: &str, expected: &Expected<'_>) -> Result<Proof, InvalidProof> {
    if proof.len() > MAX_LENGTH {
        return Err(InvalidProof::Malformed);
    }
    let (signed, signature) = proof.rsplit_once('.').ok_or(InvalidProof::Malformed)?;
    let (header, payload) = signed.split_once('.').ok_or(InvalidProof::Malformed)?;
    let header = decode(header).ok_or(InvalidProof::Malformed)?;
    let header: Header = object(&header).ok_or(InvalidProof::Malformed)?;
    if !header.typ.as_deref().is_some_and(|typ| typ.eq_ignore_ascii_case(PROOF_TYPE)) {
        return Err(InvalidProof::Type);
    }
    let algorithm = Algorithm::from_header(&header.alg).filter(|_| !header.crit).ok_or(InvalidProof::Unsupported)?;
    let jwk =
        header.jwk.as_deref().and_then(public_key).filter(|jwk| jwk.may_verify(algorithm)).ok_or(InvalidProof::Key)?;
    let signature = decode(signature).ok_or(InvalidProof::Malformed)?;
    if !jws::is_signed_by(&jwk, algorithm, signed.as_bytes(), &signature) {
        return Err(InvalidProof::Signature);
    }
    let claims = decode(payload).and_then(|bytes| object::<Claims>(&bytes));
    check_claims(claims.ok_or(InvalidProof::Malformed)?, &jwk, expected)
}

/// The key of a header, if it is a public one that can verify here.
fn public_key(text: &RawValue) -> Option<Jwk> {
    let members: serde_json::Map<String, serde_json::Value> = serde_json::from_str(text.get()).ok()?;
    if PRIVATE_MEMBERS.iter().any(|name| members.contains_key(*name)) {
        return None;
    }
    serde_json::from_str(text.get()).ok().filter(Jwk::is_usable)
}

fn check_claims(claims: Claims, jwk: &Jwk, expected: &Expected<'_>) -> Result<Proof, InvalidProof> {
    if claims.htm != expected.method {
        return Err(InvalidProof::Method);
    }
    let url = target(&claims.htu);
    if url.is_none() || url != target(expected.url) {
        return Err(InvalidProof::Url);
    }
    let issued_at = issued_at(&claims.iat).ok_or(InvalidProof::Time)?;
    if issued_at.plus(WINDOW) <= expected.now || issued_at > expected.now.plus(WINDOW) {
        return Err(InvalidProof::Time);
    }
    let jti = claims.jti.filter(|jti| (1..=MAX_JTI).contains(&jti.len())).ok_or(InvalidProof::Identifier)?;
    let ath = expected.access_token.map(access_token_hash);
    if ath != claims.ath {
        return Err(InvalidProof::AccessToken);
    }
    let thumbprint = jwk.thumbprint();
    Ok(Proof {
        once: HashedToken::of(&format!("{thumbprint}.{jti}")),
        confirmation: Confirmation::Jkt(thumbprint.into()),
        // One that is longer than any that is given out is none of ours.
        nonce: claims.nonce.filter(|nonce| nonce.len() <= MAX_NONCE),
        remember_until: issued_at.plus(WINDOW),
    })
}

/// A `NumericDate`, whole or not (RFC 7519 §2).
fn issued_at(iat: &serde_json::Number) -> Option<UtcMillis> {
    let whole = |text: &str| text.split(['.', 'e', 'E']).next().and_then(|whole| whole.parse().ok());
    let seconds = iat
        .as_i64()
        .or_else(|| iat.as_f64().filter(|seconds| seconds.abs() < 1e12).and_then(|s| whole(&format!("{s:.0}"))));
    seconds.map(UtcMillis::from_seconds)
}

/// `ath`: the SHA-256 of the access token, base64url (§4.2).
#[must_use]
pub fn access_token_hash(access_token: &str) -> String {
    let HashedToken(hash) = HashedToken::of(access_token);
    base64url(&hash)
}

/// A key that makes proofs.
#[derive(Debug)]
pub struct ProofKey(SigningKey);

/// The request that a proof is made for.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'a> {
    /// Its method.
    pub method: &'a str,
    /// Its URL; query and fragment are left out.
    pub url: &'a str,
    /// The server's last nonce, if it gave one.
    pub nonce: Option<&'a str>,
    /// The access token that is sent beside it.
    pub access_token: Option<&'a str>,
}

#[derive(Serialize)]
struct MadeHeader<'a> {
    typ: &'a str,
    alg: &'a str,
    jwk: PublicHalf<'a>,
}

#[derive(Serialize)]
struct PublicHalf<'a> {
    #[serde(flatten)]
    key: &'a crate::jwk::PublicKey,
}

#[derive(Serialize)]
struct MadeClaims<'a> {
    jti: String,
    htm: &'a str,
    htu: &'a str,
    iat: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    ath: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    nonce: Option<&'a str>,
}

impl ProofKey {
    /// A new key that is kept nowhere.
    ///
    /// # Errors
    /// [`SigningKeyError`].
    pub fn ephemeral() -> Result<Self, SigningKeyError> {
        SigningKey::ephemeral().map(Self)
    }

    /// A new key, and the text by which a client keeps it among its other secrets.
    ///
    /// # Errors
    /// [`SigningKeyError`].
    pub fn generate() -> Result<(Self, Secret), SigningKeyError> {
        let (key, pkcs8) = SigningKey::exportable()?;
        Ok((Self(key), base64url(&pkcs8).into()))
    }

    /// The key of a text that [`ProofKey::generate`] gave.
    ///
    /// # Errors
    /// [`SigningKeyError::Damaged`].
    pub fn from_secret(text: &Secret) -> Result<Self, SigningKeyError> {
        let pkcs8 = decode(text.expose()).map(Zeroizing::new).ok_or(SigningKeyError::Damaged)?;
        SigningKey::import(&pkcs8).map(Self)
    }

    /// The thumbprint of its public half: `dpop_jkt` (§10).
    #[must_use]
    pub fn thumbprint(&self) -> &str {
        self.0.kid()
    }

    /// A key that was kept; [`SigningKey::generate`] and [`SigningKey::open`] seal and open it.
    #[must_use]
    pub fn new(key: SigningKey) -> Self {
        Self(key)
    }

    /// What tokens that are bound to this key carry.
    #[must_use]
    pub fn confirmation(&self) -> Confirmation {
        Confirmation::Jkt(self.0.public().thumbprint().into())
    }

    /// Makes a proof for one request (§4.2).
    ///
    /// # Errors
    /// [`SigningKeyError`] when there is no randomness.
    pub fn prove(&self, wanted: &Wanted<'_>, clock: &Clock, entropy: &Entropy) -> Result<Secret, SigningKeyError> {
        self.make(wanted, wanted.access_token.map(access_token_hash), clock, entropy)
    }

    /// The same for whoever knows the hash of the access token ([`access_token_hash`]) and not the token; `wanted` names
    /// none.
    ///
    /// # Errors
    /// [`SigningKeyError`] when there is no randomness.
    pub fn prove_by_hash(
        &self,
        wanted: &Wanted<'_>,
        ath: &str,
        clock: &Clock,
        entropy: &Entropy,
    ) -> Result<Secret, SigningKeyError> {
        self.make(wanted, Some(ath.to_owned()), clock, entropy)
    }

    fn make(
        &self,
        wanted: &Wanted<'_>,
        ath: Option<String>,
        clock: &Clock,
        entropy: &Entropy,
    ) -> Result<Secret, SigningKeyError> {
        let public = self.0.public();
        let header =
            MadeHeader { typ: PROOF_TYPE, alg: Algorithm::Es256.as_str(), jwk: PublicHalf { key: &public.key } };
        let claims = MadeClaims {
            jti: identifier(entropy)?,
            htm: wanted.method,
            htu: wanted.url.split(['?', '#']).next().unwrap_or_default(),
            iat: clock.now().seconds(),
            ath,
            nonce: wanted.nonce,
        };
        self.0.sign_under(&header, &claims).map(Secret::new)
    }
}

/// 128 random bits (§4.2 asks for 96).
fn identifier(entropy: &Entropy) -> Result<String, NoEntropy> {
    entropy.bytes::<16>().map(|bytes| base64url(&bytes))
}

#[cfg(test)]
#[path = "dpop_tests.rs"]
mod tests;
