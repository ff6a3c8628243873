//! Who keeps the vault's key.
//!
//! A new vault's key goes to the first of these that is there:
//!
//! 1. a command, if one is configured: whoever sets it means it;
//! 2. a passphrase, if one is given, for the same reason;
//! 3. the operating system's keyring;
//! 4. a file beside the vault that only its owner can read. It protects a copy of the vault alone, and
//!    not against whoever reads the whole folder.
//!
//! The choice is written into the vault's header and shown. An existing vault is opened by its own
//! custody or not at all: a keyring that is away does not turn it into one with a key file.

use super::{VaultError, command, derive, header::Header, keyring};
use crate::{Home, config::CommandLine, home::private_file};
use gatepass_keys::{Entropy, SealingKey, Secret};
use std::{
    fmt, fs,
    io::{self, Write},
    path::Path,
    sync::Arc,
};

/// Who keeps the key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Custody {
    /// The operating system's keyring.
    Keyring,
    /// An external command.
    Command,
    /// A passphrase that a person knows.
    Passphrase,
    /// A file beside the vault.
    KeyFile,
}

impl Custody {
    pub(crate) fn code(self) -> u8 {
        match self {
            Self::Keyring => 1,
            Self::Command => 2,
            Self::Passphrase => 3,
            Self::KeyFile => 4,
        }
    }

    pub(crate) fn from_code(code: u8) -> Option<Self> {
        [Self::Keyring, Self::Command, Self::Passphrase, Self::KeyFile].into_iter().find(|known| known.code() == code)
    }
}

impl fmt::Display for Custody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Keyring => "the OS keyring",
            Self::Command => "an external command",
            Self::Passphrase => "a passphrase",
            Self::KeyFile => "a key file",
        })
    }
}

/// The key cannot be had; the text says why and holds nothing of it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct KeyAway(pub String);

/// Asks a person for the vault's passphrase; `None` when nobody can be asked.
pub type AskPassphrase = Arc<dyn Fn() -> Option<Secret> + Send + Sync>;

/// Where keys may be had.
#[derive(Clone, Default)]
pub struct KeySources {
    /// Leave the keyring alone.
    pub no_keyring: bool,
    /// The external command.
    pub command: Option<CommandLine>,
    /// The passphrase, if it is known already.
    pub passphrase: Option<Secret>,
    /// How to ask for it, for a vault that has one.
    pub ask: Option<AskPassphrase>,
}

impl fmt::Debug for KeySources {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeySources {{ no_keyring: {}, … }}", self.no_keyring)
    }
}

impl KeySources {
    /// Makes a key for a new vault and gives it into custody.
    pub(crate) fn make(&self, home: &Home, entropy: &Entropy) -> Result<(Header, SealingKey), VaultError> {
        let (id, salt) = (entropy.bytes()?, entropy.bytes()?);
        let (custody, cost, key) = if let Some(command) = &self.command {
            let output = command::run(command).map_err(|why| away(Custody::Command, why))?;
            let key = derive::from_output(&output, &salt, derive::COST).map_err(|why| away(Custody::Command, why))?;
            (Custody::Command, derive::COST, key)
        } else if let Some(passphrase) = &self.passphrase {
            let key = derive::from_passphrase(passphrase, &salt, derive::COST);
            (Custody::Passphrase, derive::COST, key.map_err(|why| away(Custody::Passphrase, why))?)
        } else {
            let key = SealingKey::generate(entropy)?;
            match self.no_keyring || keyring::keep(&entry_name(&id), &key).is_err() {
                true => (Custody::KeyFile, (0, 0), key_file(home, key)?),
                false => (Custody::Keyring, (0, 0), key),
            }
        };
        Ok((Header::new(custody, salt, cost, &key, id, entropy)?, key))
    }

    /// Fetches the key of a vault from its own custody.
    pub(crate) fn fetch(&self, header: &Header, home: &Home) -> Result<SealingKey, VaultError> {
        let custody = header.custody;
        let key = match custody {
            Custody::Keyring if self.no_keyring => Err(KeyAway("the keyring is switched off".into())),
            Custody::Keyring => keyring::fetch(&entry_name(&header.id)),
            Custody::Command => match &self.command {
                Some(command) => {
                    command::run(command).and_then(|output| derive::from_output(&output, &header.salt, header.cost))
                }
                None => Err(KeyAway("no command is configured".into())),
            },
            Custody::Passphrase => match self.passphrase.clone().or_else(|| self.ask.as_ref().and_then(|ask| ask())) {
                Some(passphrase) => derive::from_passphrase(&passphrase, &header.salt, header.cost),
                None => Err(KeyAway("nobody is there to be asked for it".into())),
            },
            Custody::KeyFile => read_key_file(&home.key_file()),
        };
        let key = key.map_err(|why| away(custody, why))?;
        if header.fits(&key) { Ok(key) } else { Err(VaultError::WrongKey(custody)) }
    }
}

fn away(custody: Custody, why: KeyAway) -> VaultError {
    VaultError::KeyAway { custody, why }
}

/// What the keyring lists the key of a vault as.
fn entry_name(id: &[u8; 16]) -> String {
    format!("vault {}", id.iter().map(|byte| format!("{byte:02x}")).collect::<String>())
}

/// Writes a new key file, or takes over the one that is there: an older vault may need it.
fn key_file(home: &Home, fresh: SealingKey) -> Result<SealingKey, VaultError> {
    let path = home.key_file();
    if path.exists() {
        return read_key_file(&path).map_err(|why| away(Custody::KeyFile, why));
    }
    let write = || -> io::Result<()> {
        let mut file = private_file().create_new(true).write(true).open(&path)?;
        file.write_all(derive::to_hex(&fresh).as_bytes())?;
        file.write_all(b"\n")?;
        file.sync_all()
    };
    write().map_err(|source| {
        // A key file that is cut short must not be taken for a key later.
        let _ = fs::remove_file(&path);
        VaultError::Io { what: "write", path: path.clone(), source }
    })?;
    Ok(fresh)
}

fn read_key_file(path: &Path) -> Result<SealingKey, KeyAway> {
    let text = fs::read_to_string(path)
        .map(zeroize::Zeroizing::new)
        .map_err(|error| KeyAway(format!("{} cannot be read: {error}", path.display())))?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let open = fs::metadata(path).is_ok_and(|data| data.permissions().mode() & 0o077 != 0);
        if open {
            return Err(KeyAway(format!("{} can be read by others; it must have mode 0600", path.display())));
        }
    }
    derive::from_hex(&text).ok_or_else(|| KeyAway(format!("{} holds no key", path.display())))
}
