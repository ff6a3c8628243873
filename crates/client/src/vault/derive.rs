//! Keys from what people or commands say.

use super::custody::KeyAway;
use argon2::{Algorithm, Argon2, Params, Version};
use gatepass_keys::{SealingKey, Secret, ServerSecret};
use zeroize::Zeroizing;

/// Argon2id's memory in KiB and rounds for new vaults: the second recommendation of RFC 9106 §4.
pub(crate) const COST: (u32, u32) = (64 * 1024, 3);
/// No header may have us take more: 1 GiB and 32 rounds.
const MAX_COST: (u32, u32) = (1024 * 1024, 32);

/// The key that a passphrase stands for (argon2id).
pub(crate) fn from_passphrase(passphrase: &Secret, salt: &[u8; 16], cost: (u32, u32)) -> Result<SealingKey, KeyAway> {
    if cost.0 > MAX_COST.0 || cost.1 > MAX_COST.1 {
        return Err(KeyAway("the vault asks for more work than any vault needs".into()));
    }
    let failed = |error: argon2::Error| KeyAway(format!("the passphrase cannot be turned into a key: {error}"));
    let params = Params::new(cost.0, cost.1, 1, Some(32)).map_err(failed)?;
    let mut key = Zeroizing::new([0; 32]);
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
        .hash_password_into(passphrase.expose().as_bytes(), salt, &mut *key)
        .map_err(failed)?;
    Ok(SealingKey::new(key))
}

/// The key that a command's output stands for: 64 hexadecimal digits are the key itself, anything else
/// is taken as a passphrase, since nothing tells how random it is.
pub(crate) fn from_output(output: &Secret, salt: &[u8; 16], cost: (u32, u32)) -> Result<SealingKey, KeyAway> {
    match from_hex(output.expose()) {
        Some(key) => Ok(key),
        None => from_passphrase(output, salt, cost),
    }
}

/// A key written as 64 hexadecimal digits.
pub(crate) fn from_hex(text: &str) -> Option<SealingKey> {
    ServerSecret::from_hex(text).ok()?;
    let mut bytes = Zeroizing::new([0; 32]);
    let digits = text.trim();
    for (index, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(digits.get(index * 2..index * 2 + 2)?, 16).ok()?;
    }
    Some(SealingKey::new(bytes))
}

/// A key as 64 hexadecimal digits, for its file.
pub(crate) fn to_hex(key: &SealingKey) -> Zeroizing<String> {
    Zeroizing::new(key.expose().iter().map(|byte| format!("{byte:02x}")).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUICK: (u32, u32) = (64, 1);

    #[test]
    fn a_passphrase_gives_the_same_key_for_the_same_salt_only() {
        let key = |text: &str, salt: u8| *from_passphrase(&text.into(), &[salt; 16], QUICK).unwrap().expose();
        assert_eq!(key("correct horse", 1), key("correct horse", 1));
        assert_ne!(key("correct horse", 1), key("correct horse", 2));
        assert_ne!(key("correct horse", 1), key("correct house", 1));
        assert!(from_passphrase(&"x".into(), &[0; 16], (u32::MAX, 1)).is_err(), "a header cannot exhaust the memory");
    }

    #[test]
    fn sixty_four_digits_are_the_key_itself() {
        let hex = "0f".repeat(32);
        assert_eq!(from_output(&hex.as_str().into(), &[0; 16], QUICK).unwrap().expose(), &[0x0f; 32]);
        assert_eq!(*to_hex(&from_hex(&hex).unwrap()), hex);
        assert!(from_hex("zz").is_none());
    }
}
