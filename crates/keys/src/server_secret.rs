//! The server's secret, and the keys derived from it.
//!
//! One secret of 32 bytes guards what must be read back: private keys, and codes that are too short
//! to be hashed plainly. It lies apart from the database, so that a stolen database alone opens
//! nothing. Each purpose has its own key (HKDF-SHA-256, RFC 5869), so that none can stand for another.

use crate::{Entropy, SealingKey, entropy::NoEntropy};
use aws_lc_rs::{hkdf, hmac};
use std::fmt;
use zeroize::Zeroizing;

/// 32 random bytes that are the server's own.
#[derive(Clone)]
pub struct ServerSecret(Zeroizing<[u8; 32]>);

/// The text is no server secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a server secret is 64 hexadecimal digits")]
pub struct InvalidServerSecret;

impl ServerSecret {
    /// A new secret.
    ///
    /// # Errors
    /// [`NoEntropy`].
    pub fn generate(entropy: &Entropy) -> Result<Self, NoEntropy> {
        entropy.bytes().map(|bytes| Self(Zeroizing::new(bytes)))
    }

    /// Reads 64 hexadecimal digits, as [`ServerSecret::to_hex`] writes them.
    ///
    /// # Errors
    /// [`InvalidServerSecret`].
    pub fn from_hex(text: &str) -> Result<Self, InvalidServerSecret> {
        let text = text.trim();
        if text.len() != 64 || !text.is_ascii() {
            return Err(InvalidServerSecret);
        }
        let mut bytes = Zeroizing::new([0; 32]);
        for (index, byte) in bytes.iter_mut().enumerate() {
            let digits = text.get(index * 2..index * 2 + 2).ok_or(InvalidServerSecret)?;
            *byte = u8::from_str_radix(digits, 16).map_err(|_| InvalidServerSecret)?;
        }
        Ok(Self(bytes))
    }

    /// The secret as 64 hexadecimal digits, for its file.
    #[must_use]
    pub fn to_hex(&self) -> Zeroizing<String> {
        Zeroizing::new(self.0.iter().map(|byte| format!("{byte:02x}")).collect())
    }

    /// The key that seals what the database keeps for `purpose`.
    #[must_use]
    pub fn sealing_key(&self, purpose: &str) -> SealingKey {
        SealingKey::new(derive(&*self.0, &["seal", purpose]))
    }

    /// The key that hashes short codes for `purpose`.
    #[must_use]
    pub fn keyed_hash(&self, purpose: &str) -> KeyedHash {
        KeyedHash(hmac::Key::new(hmac::HMAC_SHA256, &*derive(&*self.0, &["hash", purpose])))
    }
}

impl fmt::Debug for ServerSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ServerSecret(…)")
    }
}

/// Hashes texts that are too short for a plain hash: whoever has the hashes alone cannot try them all.
#[derive(Clone)]
pub struct KeyedHash(hmac::Key);

impl KeyedHash {
    /// The HMAC-SHA-256 of `text`.
    #[must_use]
    pub fn hash(&self, text: &str) -> [u8; 32] {
        let mut hash = [0; 32];
        let tag = hmac::sign(&self.0, text.as_bytes());
        hash.iter_mut().zip(tag.as_ref()).for_each(|(to, from)| *to = *from);
        hash
    }
}

impl fmt::Debug for KeyedHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyedHash(…)")
    }
}

/// HKDF-SHA-256 of `secret` with the parts of `info` joined by a byte that stands in none of them.
pub(crate) fn derive(secret: &[u8], info: &[&str]) -> Zeroizing<[u8; 32]> {
    let info = info.join("\n");
    let mut key = Zeroizing::new([0; 32]);
    let salt = hkdf::Salt::new(hkdf::HKDF_SHA256, b"gatepass");
    // Only a length over 255 hashes can fail, and this is one.
    let filled = salt.extract(secret).expand(&[info.as_bytes()], hkdf::HKDF_SHA256).and_then(|okm| okm.fill(&mut *key));
    debug_assert!(filled.is_ok());
    key
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_reads_back_from_its_file() {
        let secret = ServerSecret::generate(&Entropy::system()).unwrap();
        let again = ServerSecret::from_hex(&format!("{}\n", *secret.to_hex())).unwrap();
        assert_eq!(secret.keyed_hash("x").hash("abc"), again.keyed_hash("x").hash("abc"));
        for bad in ["", "zz", &"g".repeat(64), &"é".repeat(32)] {
            assert!(ServerSecret::from_hex(bad).is_err());
        }
    }

    #[test]
    fn each_purpose_has_its_own_key() {
        let secret = ServerSecret::from_hex(&"07".repeat(32)).unwrap();
        assert_ne!(secret.keyed_hash("a").hash("x"), secret.keyed_hash("b").hash("x"));
        let sealed = secret.sealing_key("a").seal(b"aad", b"text", &Entropy::system()).unwrap();
        assert!(secret.sealing_key("b").open(b"aad", &sealed).is_err());
    }
}
