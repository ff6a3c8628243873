//! The private key with which a client proves itself (RFC 7523 §2.2), as its operator has it: a PEM file (PKCS#8, SEC 1 or
//! PKCS#1), or a JWK.
//!
//! It is kept by value, like any other secret of a sign-in: what signed in once goes on by itself, whatever becomes of the
//! file. Whoever replaces the key signs in anew.

use crate::{Failure, Unreachable, WebUrl};
use gatepass_keys::{
    Algorithm, Clock, Entropy, PrivateKey, jws,
    jws::SigningKeyError,
    private_key::{Encoding, UnusableKey},
};
use gatepass_oauth::{ClientId, Secret};
use rustls::pki_types::{PrivateKeyDer, pem::PemObject};
use serde::{Deserialize, Serialize};
use std::{
    fmt,
    sync::{Arc, OnceLock},
};

/// How long an assertion is good, in seconds: it is made for one request.
const LIFE: i64 = 60;

/// The text of a key. It is read when something is to be signed, and not before.
#[derive(Clone, Serialize, Deserialize)]
#[serde(from = "Secret", into = "Secret")]
pub struct ClientKey {
    text: Secret,
    opened: Arc<OnceLock<Result<PrivateKey, BadKey>>>,
}

/// Why a text is no key to sign with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadKey {
    /// It opens with a passphrase only.
    #[error("it is locked with a passphrase; a service needs one that is not")]
    Locked,
    /// It is neither PEM nor JSON.
    #[error("it holds no private key, neither in PEM nor as a JWK")]
    None,
    /// It does not sign.
    #[error(transparent)]
    Unusable(#[from] UnusableKey),
}

impl ClientKey {
    /// A key in PEM or JSON.
    ///
    /// # Errors
    /// [`BadKey`].
    pub fn read(text: Secret) -> Result<Self, BadKey> {
        let key = Self::from(text);
        key.opened()?;
        Ok(key)
    }

    /// What it is called in its owner's set, if its file says.
    #[must_use]
    pub fn kid(&self) -> Option<&str> {
        self.opened().ok()?.kid()
    }

    /// What it signs by at a server that lists what it takes: the most usual that both have.
    #[must_use]
    pub fn algorithm_for(&self, listed: &[String]) -> Option<Algorithm> {
        let own = self.opened().ok()?.algorithms();
        let both = own.iter().find(|own| listed.iter().any(|known| known == own.as_str()));
        both.or(own.first()).copied()
    }

    fn opened(&self) -> Result<&PrivateKey, BadKey> {
        self.opened.get_or_init(|| open(&self.text)).as_ref().map_err(|error| *error)
    }
}

fn open(text: &Secret) -> Result<PrivateKey, BadKey> {
    let text = text.expose().trim();
    if text.starts_with('{') {
        return Ok(PrivateKey::from_jwk(&text.into())?);
    }
    match PrivateKeyDer::from_pem_slice(text.as_bytes()) {
        Ok(PrivateKeyDer::Pkcs8(der)) => Ok(PrivateKey::from_der(der.secret_pkcs8_der(), Encoding::Pkcs8)?),
        Ok(PrivateKeyDer::Sec1(der)) => Ok(PrivateKey::from_der(der.secret_sec1_der(), Encoding::Sec1)?),
        Ok(PrivateKeyDer::Pkcs1(der)) => Ok(PrivateKey::from_der(der.secret_pkcs1_der(), Encoding::Pkcs1)?),
        _ if text.contains("ENCRYPTED") => Err(BadKey::Locked),
        _ => Err(BadKey::None),
    }
}

impl From<Secret> for ClientKey {
    fn from(text: Secret) -> Self {
        Self { text, opened: Arc::default() }
    }
}

impl From<ClientKey> for Secret {
    fn from(key: ClientKey) -> Self {
        key.text
    }
}

impl fmt::Debug for ClientKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ClientKey(<secret>)")
    }
}

/// A key as a client uses it at one server.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ClientSigner {
    /// The key.
    pub key: ClientKey,
    /// The name that the server knows it by, if it needs one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kid: Option<String>,
    /// What it signs by.
    pub alg: Algorithm,
    /// Whom an assertion is for: the server's issuer, or its token endpoint.
    pub audience: String,
}

#[derive(Serialize)]
struct Claims<'a> {
    iss: &'a str,
    sub: &'a str,
    aud: &'a str,
    jti: String,
    iat: i64,
    exp: i64,
}

impl ClientSigner {
    /// An assertion for one request (RFC 7523 §3), by the server's time. No two are alike.
    ///
    /// # Errors
    /// [`Failure`], when the key does not sign.
    pub(crate) fn assert(
        &self,
        client_id: &ClientId,
        endpoint: &WebUrl,
        clock: &Clock,
        entropy: &Entropy,
    ) -> Result<Secret, Failure> {
        let signed = || -> Result<Secret, String> {
            let now = clock.now().seconds();
            let client = client_id.as_str();
            let jti = jws::base64url(&entropy.bytes::<16>().map_err(|error| error.to_string())?);
            let claims =
                Claims { iss: client, sub: client, aud: &self.audience, jti, iat: now, exp: now.saturating_add(LIFE) };
            let key = self.key.opened().map_err(|error| error.to_string())?;
            key.sign(self.alg, self.kid.as_deref(), &claims).map_err(|error: SigningKeyError| error.to_string())
        };
        signed().map_err(|error| Failure::Unreachable {
            host: endpoint.host(),
            why: Unreachable::NoConnection(format!("the key of this client signs nothing: {error}")),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_ECDSA_P384_SHA384, PKCS_ED25519};

    #[test]
    fn a_pem_file_is_read_and_shows_itself_nowhere() {
        for kind in [&PKCS_ECDSA_P256_SHA256, &PKCS_ED25519] {
            let pem = KeyPair::generate_for(kind).unwrap().serialize_pem();
            let key = ClientKey::read(format!("\n{pem}\n").into()).unwrap();
            let kept = serde_json::to_string(&key).unwrap();
            let again: ClientKey = serde_json::from_str(&kept).unwrap();
            assert!(again.algorithm_for(&[]).is_some() && again.kid().is_none());
            assert!(!format!("{again:?}{:?}", again.opened).contains(&pem[40..60]));
        }
        let other = KeyPair::generate_for(&PKCS_ECDSA_P384_SHA384).unwrap().serialize_pem();
        assert_eq!(ClientKey::read(other.into()).err(), Some(BadKey::Unusable(UnusableKey)));
    }

    #[test]
    fn what_is_no_key_is_told_apart() {
        let locked = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n";
        assert_eq!(ClientKey::read(locked.into()).err(), Some(BadKey::Locked));
        for none in ["", "hunter2", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"] {
            assert_eq!(ClientKey::read(none.into()).err(), Some(BadKey::None), "{none}");
        }
        assert_eq!(ClientKey::read("{\"kty\":\"EC\"}".into()).err(), Some(BadKey::Unusable(UnusableKey)));
    }

    #[test]
    fn no_two_assertions_are_alike_and_each_is_short_lived() {
        let pem = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap().serialize_pem();
        let key = ClientKey::read(pem.into()).unwrap();
        let signer = ClientSigner { key, kid: None, alg: Algorithm::Es256, audience: "https://a.example".into() };
        let assert = || {
            let (clock, entropy) = (Clock::System, Entropy::system());
            let endpoint = "https://a.example/token".parse().unwrap();
            signer.assert(&"svc".parse().unwrap(), &endpoint, &clock, &entropy).unwrap()
        };
        let claims = || {
            let (_, claims) = gatepass_keys::jose::unverified::<serde_json::Value>(assert().expose()).unwrap();
            claims
        };
        let (one, two) = (claims(), claims());
        assert_ne!(one["jti"], two["jti"]);
        assert_eq!((&one["iss"], &one["sub"], &one["aud"]), (&two["sub"], &"svc".into(), &"https://a.example".into()));
        assert_eq!(one["exp"].as_i64().unwrap() - one["iat"].as_i64().unwrap(), 60);
    }
}
