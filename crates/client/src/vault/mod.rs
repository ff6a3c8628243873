//! The vault: one encrypted file with every sign-in.
//!
//! - It is sealed with XChaCha20-Poly1305 under a key that [`custody`] keeps, and bound to its header.
//! - It is replaced as a whole, by rename, after `fsync`: a crash or a full disk leaves the old one.
//! - Reading takes no lock. A change is made under a lock, on what is read under that lock.
//! - A vault that no longer opens is set aside under a name of its own, never overwritten.

mod command;
pub mod contents;
pub mod custody;
mod derive;
pub mod examine;
mod file;
mod header;
mod keyring;
#[cfg(test)]
pub(crate) mod tests;

use crate::{
    Home, calendar, home,
    lock::{FileLock, LockError},
};
use contents::Contents;
use custody::{Custody, KeyAway, KeySources};
pub(crate) use file::replace as replace_file;
use gatepass_keys::{Clock, Entropy, SealingKey, entropy::NoEntropy, seal::SealError};
use header::{BadHeader, Header};
use std::{
    fs, io,
    path::PathBuf,
    sync::{Mutex, PoisonError},
    time::Duration,
};
use zeroize::Zeroizing;

/// How long a change waits for another process's change, which takes milliseconds.
const LOCK_WAIT: Duration = Duration::from_secs(10);
/// The largest vault that is read or written, in bytes.
const MAX_SIZE: u64 = 16 * 1024 * 1024;
/// What a rehearsal leaves room for beyond the vault's present size, in bytes.
const ROOM: usize = 16 * 1024;

/// A vault in its home. Made without I/O; a key that was fetched is kept for the life of this value.
#[derive(Debug)]
pub struct Vault {
    home: Home,
    sources: KeySources,
    clock: Clock,
    entropy: Entropy,
    opened: Mutex<Option<([u8; 16], SealingKey)>>,
}

/// Why the vault was not read or changed. Nothing that was kept is lost by any of them.
#[derive(Debug, thiserror::Error)]
pub enum VaultError {
    /// The file system said no.
    #[error("cannot {what} {path}: {source}", path = .path.display())]
    Io {
        /// What was tried, as a verb.
        what: &'static str,
        /// With which file.
        path: PathBuf,
        /// What the operating system says.
        source: io::Error,
    },
    /// The key cannot be had.
    #[error("the vault's key, kept by {custody}, cannot be had: {why}")]
    KeyAway {
        /// Who keeps it.
        custody: Custody,
        /// Why not.
        why: KeyAway,
    },
    /// The key is not the one that the vault was made with.
    #[error("the vault does not open with this key from {0}")]
    WrongKey(Custody),
    /// The vault was damaged and was set aside; sign-ins in it must be made anew.
    #[error("the vault was damaged and is set aside as {path}", path = .0.display())]
    Damaged(PathBuf),
    /// A later version of the program wrote it, in a form or with contents that this one does not know.
    #[error("{path} was written by a newer program, and this one is too old to read it", path = .0.display())]
    Newer(PathBuf),
    /// Another process is changing it and does not come to an end.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// No randomness.
    #[error(transparent)]
    NoEntropy(#[from] NoEntropy),
    /// Sealing failed.
    #[error(transparent)]
    Seal(#[from] SealError),
}

/// A vault file as read.
enum Found {
    None,
    Open(Header, Contents),
    Damaged,
}

impl Vault {
    /// The vault of `home`.
    #[must_use]
    pub fn new(home: Home, sources: KeySources, clock: Clock, entropy: Entropy) -> Self {
        Self { home, sources, clock, entropy, opened: Mutex::new(None) }
    }

    /// Its home.
    #[must_use]
    pub fn home(&self) -> &Home {
        &self.home
    }

    /// Who keeps its key; `None` when there is no vault yet. Needs no key.
    ///
    /// # Errors
    /// [`VaultError::Io`], [`VaultError::Newer`].
    pub fn custody(&self) -> Result<Option<Custody>, VaultError> {
        let Some(bytes) = self.bytes()? else { return Ok(None) };
        match Header::decode(&bytes) {
            Ok(header) => Ok(Some(header.custody)),
            Err(BadHeader::Damaged) => Ok(None),
            Err(BadHeader::Newer(_)) => Err(VaultError::Newer(self.home.vault())),
        }
    }

    /// Reads the vault; one that is not there yet is empty.
    ///
    /// # Errors
    /// [`VaultError`]; a damaged vault was set aside when this returns.
    pub fn read(&self) -> Result<Contents, VaultError> {
        match self.find()? {
            Found::None => Ok(Contents::default()),
            Found::Open(_, contents) => Ok(contents),
            Found::Damaged => {
                // Look again under the lock: another process may have dealt with it.
                let _lock = self.lock()?;
                match self.find()? {
                    Found::None => Ok(Contents::default()),
                    Found::Open(_, contents) => Ok(contents),
                    Found::Damaged => Err(self.set_aside()),
                }
            }
        }
    }

    /// Changes the vault, making it if need be. What `change` returns comes back once the change is on
    /// the disk.
    ///
    /// # Errors
    /// [`VaultError`]; then nothing was changed.
    pub fn update<T>(&self, change: impl FnOnce(&mut Contents) -> T) -> Result<T, VaultError> {
        let lock = self.lock()?;
        let (header, mut contents) = match self.find()? {
            Found::Open(header, contents) => (header, contents),
            Found::Damaged => return Err(self.set_aside()),
            Found::None => {
                let (header, key) = self.sources.make(&self.home, &self.entropy)?;
                self.remember(header.id, key);
                (header, Contents::default())
            }
        };
        let result = change(&mut contents);
        // Another process wrote meanwhile if it took us for dead: what we read is old.
        if !lock.is_held() {
            return Err(LockError::Busy(self.home.vault_lock()).into());
        }
        self.write(&header, &contents)?;
        Ok(result)
    }

    /// Tries whether a change could be written, so that a refresh whose result could not be kept is not
    /// begun.
    ///
    /// # Errors
    /// [`VaultError::Io`] or [`VaultError::Lock`].
    pub fn rehearse(&self) -> Result<(), VaultError> {
        let _lock = self.lock()?;
        let path = self.home.vault();
        let size = fs::metadata(&path).map_or(0, |data| usize::try_from(data.len()).unwrap_or(0)) + ROOM;
        self.fits(size)?;
        file::rehearse(&path, size).map_err(|source| VaultError::Io { what: "write", path, source })
    }

    fn find(&self) -> Result<Found, VaultError> {
        let Some(bytes) = self.bytes()? else { return Ok(Found::None) };
        let header = match Header::decode(&bytes) {
            Ok(header) => header,
            Err(BadHeader::Damaged) => return Ok(Found::Damaged),
            Err(BadHeader::Newer(_)) => return Err(VaultError::Newer(self.home.vault())),
        };
        let key = self.key(&header)?;
        let Some((context, sealed)) = bytes.split_at_checked(header::LENGTH) else { return Ok(Found::Damaged) };
        let Ok(text) = key.open(context, sealed) else { return Ok(Found::Damaged) };
        // It opened, so it is as somebody with the key wrote it.
        let contents = serde_json::from_slice(&text).map_err(|_| VaultError::Newer(self.home.vault()))?;
        Ok(Found::Open(header, contents))
    }

    fn write(&self, header: &Header, contents: &Contents) -> Result<(), VaultError> {
        let text =
            Zeroizing::new(serde_json::to_vec(contents).map_err(|error| self.io("write", io::Error::other(error)))?);
        let mut bytes = header.encode();
        bytes.extend(self.key(header)?.seal(&bytes, &text, &self.entropy)?);
        self.fits(bytes.len())?;
        file::replace(&self.home.vault(), &bytes).map_err(|source| self.io("write", source))
    }

    /// What is larger would not be read again.
    fn fits(&self, size: usize) -> Result<(), VaultError> {
        match u64::try_from(size) {
            Ok(size) if size <= MAX_SIZE => Ok(()),
            _ => Err(self.io("write", io::ErrorKind::FileTooLarge.into())),
        }
    }

    fn bytes(&self) -> Result<Option<Vec<u8>>, VaultError> {
        let path = self.home.vault();
        match fs::metadata(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Ok(data) if data.len() > MAX_SIZE => return Ok(Some(Vec::new())),
            _ => {}
        }
        // Over NFS a file that was replaced while it was read is stale; its name leads to the new one.
        let replaced = |error: &io::Error| error.kind() == io::ErrorKind::StaleNetworkFileHandle;
        let read = match fs::read(&path) {
            Err(error) if replaced(&error) => fs::read(&path),
            read => read,
        };
        match read {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(self.io("read", home::with_owner(&path, source))),
        }
    }

    fn key(&self, header: &Header) -> Result<SealingKey, VaultError> {
        let known = self.opened.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some((id, key)) = known
            && id == header.id
        {
            return Ok(key);
        }
        let key = self.sources.fetch(header, &self.home)?;
        self.remember(header.id, key.clone());
        Ok(key)
    }

    fn remember(&self, id: [u8; 16], key: SealingKey) {
        *self.opened.lock().unwrap_or_else(PoisonError::into_inner) = Some((id, key));
    }

    fn lock(&self) -> Result<FileLock, VaultError> {
        self.make_home()?;
        Ok(self.home.wanted(self.home.vault_lock()).take(LOCK_WAIT)?)
    }

    /// Makes the home, if it may be made and written to.
    pub(crate) fn make_home(&self) -> Result<(), VaultError> {
        self.home.create().map_err(|source| VaultError::Io {
            what: if home::is_not_ours(&source) { "write to" } else { "make" },
            path: self.home.path().to_owned(),
            source,
        })
    }

    fn set_aside(&self) -> VaultError {
        match file::set_aside(&self.home.vault(), &calendar::file_stamp(self.clock.now())) {
            Ok(aside) => VaultError::Damaged(aside),
            Err(source) => self.io("set aside the damaged", source),
        }
    }

    fn io(&self, what: &'static str, source: io::Error) -> VaultError {
        VaultError::Io { what, path: self.home.vault(), source }
    }
}
