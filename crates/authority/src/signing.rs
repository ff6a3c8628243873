//! The key that signs ID tokens.

use crate::Failure;
use gatepass_keys::{Clock, Entropy, ServerSecret, SigningKey};
use gatepass_store::{Store, signing_key::StoredKey};

/// What the sealing key for private keys is derived for.
const PURPOSE: &str = "signing key";

/// Opens the key that signs, after making one where there is none. Nodes that start together all read
/// after they wrote, and one of them wrote.
pub(crate) async fn load_or_generate(
    store: &Store,
    secret: &ServerSecret,
    clock: &Clock,
    entropy: &Entropy,
) -> Result<SigningKey, Failure> {
    let seal = secret.sealing_key(PURPOSE);
    if store.signing_key().await?.is_none() {
        let (key, sealed) = SigningKey::generate(&seal, entropy)?;
        let stored = StoredKey { kid: key.kid().to_owned(), sealed, created_at: clock.now() };
        store.add_first_signing_key(&stored).await?;
    }
    let stored = store.signing_key().await?.ok_or_else(|| Failure::internal("no signing key could be kept"))?;
    SigningKey::open(&stored.kid, &stored.sealed, &seal)
        .map_err(|error| Failure::internal(format!("{error}; start with the secret that this database was made with")))
}

impl crate::Authority {
    /// How old the key is that signs; `None` when there is none.
    ///
    /// # Errors
    /// [`Failure::Internal`].
    pub async fn signing_key_age(&self) -> Result<Option<std::time::Duration>, Failure> {
        let key = self.0.store.signing_key().await?;
        Ok(key.map(|key| key.created_at.until(self.0.clock.now())))
    }
}
