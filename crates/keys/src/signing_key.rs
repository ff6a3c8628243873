//! Private keys that sign: ES256 by default, EdDSA and RS256 for clients that ask for them.
//!
//! A private half is kept as PKCS#8, sealed under the server's secret and bound to the key's name, which is the
//! thumbprint of its public half.

use crate::{
    Algorithm, Entropy, Jwk, SealingKey,
    entropy::NoEntropy,
    jwk::PublicKey,
    jws::{Header, base64url},
    seal::SealError,
};
use aws_lc_rs::{
    encoding::{AsDer, Pkcs8V1Der},
    rand::SystemRandom,
    rsa,
    signature::{self, EcdsaKeyPair, Ed25519KeyPair, KeyPair},
};
use serde::Serialize;
use std::fmt;
use zeroize::Zeroizing;

/// A private key that signs, with its public half.
pub struct SigningKey {
    pair: Pair,
    public: Jwk,
    random: SystemRandom,
}

/// A key pair of one kind.
pub(crate) enum Pair {
    Es256(EcdsaKeyPair),
    EdDsa(Ed25519KeyPair),
    Rs256(Box<rsa::KeyPair>),
}

/// Why there is no signing key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SigningKeyError {
    /// No key could be drawn.
    #[error(transparent)]
    NoEntropy(#[from] NoEntropy),
    /// The stored key does not open with this server secret.
    #[error("a stored signing key does not open with this server secret")]
    Unopened(#[from] SealError),
    /// The stored key is not one.
    #[error("a stored signing key is damaged")]
    Damaged,
    /// The algorithm is only for verifying.
    #[error("there are no signing keys for this algorithm")]
    NotSigned,
}

impl SigningKey {
    /// The algorithms that there are signing keys for, the standard one first.
    pub const ALGORITHMS: &'static [Algorithm] = &[Algorithm::Es256, Algorithm::EdDsa, Algorithm::Rs256];

    /// A new ES256 key and its private half, sealed for the database.
    ///
    /// # Errors
    /// [`SigningKeyError`].
    pub fn generate(seal: &SealingKey, entropy: &Entropy) -> Result<(Self, Vec<u8>), SigningKeyError> {
        Self::generate_for(Algorithm::Es256, seal, entropy)
    }

    /// A new key for an algorithm and its private half, sealed for the database. An RSA key takes some hundred
    /// milliseconds.
    ///
    /// # Errors
    /// [`SigningKeyError`].
    pub fn generate_for(
        algorithm: Algorithm,
        seal: &SealingKey,
        entropy: &Entropy,
    ) -> Result<(Self, Vec<u8>), SigningKeyError> {
        let damaged = |_| SigningKeyError::Damaged;
        let (pair, sealed) = match algorithm {
            Algorithm::Es256 => {
                let pair =
                    EcdsaKeyPair::generate(&signature::ECDSA_P256_SHA256_FIXED_SIGNING).map_err(|_| NoEntropy)?;
                let pkcs8 = pair.to_pkcs8v1().map_err(damaged)?;
                let pair = Self::from_pair(Pair::Es256(pair))?;
                let sealed = seal.seal(pair.kid().as_bytes(), pkcs8.as_ref(), entropy)?;
                (pair, sealed)
            }
            Algorithm::EdDsa => {
                let pair = Ed25519KeyPair::generate().map_err(|_| NoEntropy)?;
                let pkcs8 = pair.to_pkcs8().map_err(damaged)?;
                let pair = Self::from_pair(Pair::EdDsa(pair))?;
                let sealed = seal.seal(pair.kid().as_bytes(), pkcs8.as_ref(), entropy)?;
                (pair, sealed)
            }
            Algorithm::Rs256 => {
                let pair = rsa::KeyPair::generate(rsa::KeySize::Rsa2048).map_err(|_| NoEntropy)?;
                let pkcs8: Pkcs8V1Der<'_> = pair.as_der().map_err(damaged)?;
                let pair = Self::from_pair(Pair::Rs256(Box::new(pair)))?;
                let sealed = seal.seal(pair.kid().as_bytes(), pkcs8.as_ref(), entropy)?;
                (pair, sealed)
            }
            Algorithm::Ps256 => return Err(SigningKeyError::NotSigned),
        };
        Ok((pair, sealed))
    }

    /// A new ES256 key that is kept nowhere.
    ///
    /// # Errors
    /// [`SigningKeyError`].
    pub fn ephemeral() -> Result<Self, SigningKeyError> {
        let pair = EcdsaKeyPair::generate(&signature::ECDSA_P256_SHA256_FIXED_SIGNING).map_err(|_| NoEntropy)?;
        Self::from_pair(Pair::Es256(pair))
    }

    /// Opens a key that [`SigningKey::generate_for`] sealed.
    ///
    /// # Errors
    /// [`SigningKeyError`].
    pub fn open(algorithm: Algorithm, kid: &str, sealed: &[u8], seal: &SealingKey) -> Result<Self, SigningKeyError> {
        let pkcs8 = seal.open(kid.as_bytes(), sealed)?;
        let damaged = |_| SigningKeyError::Damaged;
        let pair = match algorithm {
            Algorithm::Es256 => Pair::Es256(
                EcdsaKeyPair::from_pkcs8(&signature::ECDSA_P256_SHA256_FIXED_SIGNING, &pkcs8).map_err(damaged)?,
            ),
            Algorithm::EdDsa => Pair::EdDsa(Ed25519KeyPair::from_pkcs8(&pkcs8).map_err(damaged)?),
            Algorithm::Rs256 => Pair::Rs256(Box::new(rsa::KeyPair::from_pkcs8(&pkcs8).map_err(damaged)?)),
            Algorithm::Ps256 => return Err(SigningKeyError::NotSigned),
        };
        Self::from_pair(pair)
    }

    /// A new ES256 key and its private half in the clear (PKCS#8), for a holder who keeps it among other secrets.
    pub(crate) fn exportable() -> Result<(Self, Zeroizing<Vec<u8>>), SigningKeyError> {
        let pair = EcdsaKeyPair::generate(&signature::ECDSA_P256_SHA256_FIXED_SIGNING).map_err(|_| NoEntropy)?;
        let pkcs8 = pair.to_pkcs8v1().map_err(|_| SigningKeyError::Damaged)?;
        let bytes = Zeroizing::new(pkcs8.as_ref().to_vec());
        Ok((Self::from_pair(Pair::Es256(pair))?, bytes))
    }

    /// An ES256 key that [`SigningKey::exportable`] gave.
    pub(crate) fn import(pkcs8: &[u8]) -> Result<Self, SigningKeyError> {
        let pair = EcdsaKeyPair::from_pkcs8(&signature::ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8);
        Self::from_pair(Pair::Es256(pair.map_err(|_| SigningKeyError::Damaged)?))
    }

    pub(crate) fn from_pair(pair: Pair) -> Result<Self, SigningKeyError> {
        let (key, algorithm) = match &pair {
            Pair::Es256(pair) => {
                // An uncompressed point: 0x04, x, y.
                let (x, y) = match pair.public_key().as_ref() {
                    [0x04, point @ ..] => point.split_at_checked(32).ok_or(SigningKeyError::Damaged)?,
                    _ => return Err(SigningKeyError::Damaged),
                };
                (PublicKey::Ec { crv: "P-256".into(), x: base64url(x), y: base64url(y) }, Algorithm::Es256)
            }
            Pair::EdDsa(pair) => {
                let key = PublicKey::Okp { crv: "Ed25519".into(), x: base64url(pair.public_key().as_ref()) };
                (key, Algorithm::EdDsa)
            }
            Pair::Rs256(pair) => {
                let key = KeyPair::public_key(&**pair);
                let (n, e) = (key.modulus(), key.exponent());
                let n = base64url(n.big_endian_without_leading_zero());
                (PublicKey::Rsa { n, e: base64url(e.big_endian_without_leading_zero()) }, Algorithm::Rs256)
            }
        };
        let mut public = Jwk { key, kid: None, alg: Some(algorithm.as_str().into()), usage: Some("sig".into()) };
        public.kid = Some(public.thumbprint());
        Ok(Self { pair, public, random: SystemRandom::new() })
    }

    /// The public half.
    #[must_use]
    pub fn public(&self) -> &Jwk {
        &self.public
    }

    /// The key's name: its thumbprint.
    #[must_use]
    pub fn kid(&self) -> &str {
        self.public.kid.as_deref().unwrap_or_default()
    }

    /// What it signs with.
    #[must_use]
    pub fn algorithm(&self) -> Algorithm {
        match &self.pair {
            Pair::Es256(_) => Algorithm::Es256,
            Pair::EdDsa(_) => Algorithm::EdDsa,
            Pair::Rs256(_) => Algorithm::Rs256,
        }
    }

    /// Signs `claims` as a compact JWS.
    ///
    /// # Errors
    /// [`SigningKeyError`] when there is no randomness for the signature.
    pub fn sign(&self, typ: &str, claims: &impl Serialize) -> Result<String, SigningKeyError> {
        let header = Header {
            alg: self.algorithm().as_str().into(),
            typ: Some(typ.into()),
            kid: self.public.kid.clone(),
            crit: false,
        };
        self.sign_under(&header, claims)
    }

    /// Signs `claims` under a header of another form.
    pub(crate) fn sign_under(
        &self,
        header: &impl Serialize,
        claims: &impl Serialize,
    ) -> Result<String, SigningKeyError> {
        self.sign_by(self.algorithm(), header, claims)
    }

    /// The same by an algorithm of the key's choice: an RSA key has two.
    pub(crate) fn sign_by(
        &self,
        algorithm: Algorithm,
        header: &impl Serialize,
        claims: &impl Serialize,
    ) -> Result<String, SigningKeyError> {
        let json = |bytes: Result<Vec<u8>, serde_json::Error>| {
            bytes.map(|bytes| base64url(&bytes)).map_err(|_| SigningKeyError::Damaged)
        };
        let mut token = format!("{}.{}", json(serde_json::to_vec(header))?, json(serde_json::to_vec(claims))?);
        let signature = self.signature(algorithm, token.as_bytes())?;
        token.push('.');
        token.push_str(&base64url(&signature));
        Ok(token)
    }

    fn signature(&self, algorithm: Algorithm, text: &[u8]) -> Result<Vec<u8>, SigningKeyError> {
        Ok(match (&self.pair, algorithm) {
            (Pair::Es256(pair), Algorithm::Es256) => {
                pair.sign(&self.random, text).map_err(|_| NoEntropy)?.as_ref().to_vec()
            }
            (Pair::EdDsa(pair), Algorithm::EdDsa) => pair.try_sign(text).map_err(|_| NoEntropy)?.as_ref().to_vec(),
            (Pair::Rs256(pair), Algorithm::Rs256 | Algorithm::Ps256) => {
                let padding: &'static dyn signature::RsaEncoding = match algorithm {
                    Algorithm::Ps256 => &signature::RSA_PSS_SHA256,
                    _ => &signature::RSA_PKCS1_SHA256,
                };
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(padding, &self.random, text, &mut signature).map_err(|_| NoEntropy)?;
                signature
            }
            _ => return Err(SigningKeyError::NotSigned),
        })
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({})", self.kid())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{JwkSet, jws::verify};
    use serde_json::{Value, json};

    #[test]
    fn a_sealed_key_opens_and_signs_what_its_public_half_verifies() {
        let entropy = Entropy::system();
        let seal = SealingKey::generate(&entropy).unwrap();
        for algorithm in SigningKey::ALGORITHMS.iter().copied() {
            let (made, sealed) = SigningKey::generate_for(algorithm, &seal, &entropy).unwrap();
            let opened = SigningKey::open(algorithm, made.kid(), &sealed, &seal).unwrap();
            let token = opened.sign("JWT", &json!({"sub": "u"})).unwrap();
            let set = JwkSet { keys: vec![made.public().clone()] };
            assert_eq!(verify::<Value>(&token, &set).unwrap(), json!({"sub": "u"}), "{algorithm}");
            assert!(SigningKey::open(algorithm, "other", &sealed, &seal).is_err());
            let text = serde_json::to_string(&set).unwrap();
            assert_eq!(JwkSet::parse(&text).unwrap(), set, "{algorithm}: the public half is one that verifies here");
        }
        assert!(SigningKey::generate_for(Algorithm::Ps256, &seal, &entropy).is_err());
    }

    #[test]
    fn a_key_of_one_algorithm_does_not_open_as_another() {
        let entropy = Entropy::system();
        let seal = SealingKey::generate(&entropy).unwrap();
        let (made, sealed) = SigningKey::generate(&seal, &entropy).unwrap();
        let opened = SigningKey::open(Algorithm::EdDsa, made.kid(), &sealed, &seal);
        assert_eq!(opened.err(), Some(SigningKeyError::Damaged));
    }

    #[test]
    fn half_a_hash_is_that_of_the_specification() {
        // OpenID Connect Core, appendix A.3: the access token and at_hash of its example.
        assert_eq!(Algorithm::Rs256.half_hash("jHkWEdUXMU1BwAsC4vtUsZwnNvTIxEl0z9K3vx5KF0Y"), "77QmUPtjPfzWtF2AnpK9RQ");
        assert_eq!(Algorithm::EdDsa.half_hash("x").len(), 43);
    }
}
