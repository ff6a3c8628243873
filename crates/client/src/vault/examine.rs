//! Looking at a vault without touching it: a damaged one is left where it is.

use super::{Contents, Found, Vault, VaultError};

/// A vault as it was found.
#[derive(Debug)]
pub enum Examined {
    /// There is none yet.
    None,
    /// It opens.
    Open(Contents),
    /// It does not open, whatever the key.
    Damaged,
}

impl Vault {
    /// Looks whether the vault opens. Unlike [`Vault::read`] it sets nothing aside and takes no lock.
    ///
    /// # Errors
    /// [`VaultError`]: the key cannot be had or does not fit, the file cannot be read, or it is too new.
    pub fn examine(&self) -> Result<Examined, VaultError> {
        Ok(match self.find()? {
            Found::None => Examined::None,
            Found::Open(_, contents) => Examined::Open(contents),
            Found::Damaged => Examined::Damaged,
        })
    }
}
