//! Sealing: authenticated encryption with XChaCha20-Poly1305.
//!
//! The nonce has 24 random bytes, so that one key may seal any number of texts without a counter. A
//! sealed text is the nonce followed by the ciphertext and its tag. The *context* is authenticated
//! with it: a text sealed for one row does not open in another.

use crate::{Entropy, entropy::NoEntropy, server_secret::derive};
use chacha20poly1305::{
    Key, XChaCha20Poly1305, XNonce,
    aead::{Aead, KeyInit, Payload},
};
use std::fmt;
use zeroize::Zeroizing;

const NONCE_LENGTH: usize = 24;

/// A key that seals and opens.
#[derive(Clone)]
pub struct SealingKey(Zeroizing<[u8; 32]>);

/// Why nothing was sealed or opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// No nonce could be drawn.
    #[error(transparent)]
    NoEntropy(#[from] NoEntropy),
    /// Another key, another context, or the text was changed.
    #[error("the sealed text does not open: it was changed, or the key is another")]
    Unopened,
}

impl SealingKey {
    /// Takes the key's bytes.
    #[must_use]
    pub fn new(bytes: Zeroizing<[u8; 32]>) -> Self {
        Self(bytes)
    }

    /// A new key.
    ///
    /// # Errors
    /// [`NoEntropy`].
    pub fn generate(entropy: &Entropy) -> Result<Self, NoEntropy> {
        entropy.bytes().map(|bytes| Self(Zeroizing::new(bytes)))
    }

    /// The key that only the holder of a random secret of full strength can derive, for `purpose`.
    #[must_use]
    pub fn from_secret(secret: &str, purpose: &str) -> Self {
        Self(derive(secret.as_bytes(), &["secret", purpose]))
    }

    /// The key's bytes, for whoever keeps it (a keyring, a file).
    #[must_use]
    pub fn expose(&self) -> &[u8; 32] {
        &self.0
    }

    /// Seals `text`, bound to `context`.
    ///
    /// # Errors
    /// [`SealError::NoEntropy`].
    pub fn seal(&self, context: &[u8], text: &[u8], entropy: &Entropy) -> Result<Vec<u8>, SealError> {
        let nonce: [u8; NONCE_LENGTH] = entropy.bytes()?;
        let sealed = self
            .cipher()
            .encrypt(&XNonce::from(nonce), Payload { msg: text, aad: context })
            .map_err(|_| SealError::Unopened)?;
        Ok([&nonce[..], &sealed].concat())
    }

    /// Opens what [`SealingKey::seal`] made.
    ///
    /// # Errors
    /// [`SealError::Unopened`].
    pub fn open(&self, context: &[u8], sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, SealError> {
        let (nonce, sealed) = sealed.split_first_chunk::<NONCE_LENGTH>().ok_or(SealError::Unopened)?;
        let text = self.cipher().decrypt(&XNonce::from(*nonce), Payload { msg: sealed, aad: context });
        text.map(Zeroizing::new).map_err(|_| SealError::Unopened)
    }

    fn cipher(&self) -> XChaCha20Poly1305 {
        XChaCha20Poly1305::new(&Key::from(*self.0))
    }
}

impl fmt::Debug for SealingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SealingKey(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sealed_text_opens_only_with_its_key_and_context_and_unchanged() {
        let entropy = Entropy::system();
        let key = SealingKey::from_secret("gpr_x", "replay");
        let mut sealed = key.seal(b"row 1", b"the answer", &entropy).unwrap();
        assert_eq!(&**key.open(b"row 1", &sealed).unwrap(), b"the answer");
        assert_eq!(key.open(b"row 2", &sealed), Err(SealError::Unopened));
        assert!(SealingKey::from_secret("gpr_y", "replay").open(b"row 1", &sealed).is_err());
        *sealed.last_mut().unwrap() ^= 1;
        assert!(key.open(b"row 1", &sealed).is_err());
        assert!(key.open(b"row 1", &sealed[..10]).is_err());
    }
}
