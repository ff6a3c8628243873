//! The folder where sign-ins are kept, and the files in it.
//!
//! | file | holds |
//! |---|---|
//! | `config.toml` | settings, written by people |
//! | `vault.gpv` | every sign-in, encrypted |
//! | `vault.key` | the vault's key, when nothing better keeps it |
//! | `vault.damaged-…gpv` | a vault that no longer opened, set aside |
//! | `bindings.toml` | which folder means which account |
//! | `agent/` | the agent's socket, or the token of one that listens on a port |
//! | `helpers.toml` | which tool gets whose token for which place |
//! | `locks/` | files that processes lock |
//!
//! The folder is one user's own. Others are kept out by its mode, and root, whom no mode keeps out, does not write into
//! it either: what root wrote would be root's, and its owner would be locked out of every sign-in.

use crate::{
    AccountId,
    lock::{Locking, Wanted},
};
use std::{
    fs, io,
    path::{Path, PathBuf},
};

/// The folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Home(PathBuf, Locking);

/// A folder or a file is another user's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it belongs to another user (uid {owner})")]
pub struct NotOurs {
    /// Whose it is.
    pub owner: u32,
}

impl Home {
    /// A folder of the caller's choice.
    #[must_use]
    pub fn at(folder: impl Into<PathBuf>) -> Self {
        Self(folder.into(), Locking::Auto)
    }

    /// The usual place for a program called `name`: below `XDG_CONFIG_HOME` or `~/.config`; on Windows
    /// below `APPDATA`. `None` when the environment names none of them.
    #[must_use]
    pub fn usual(name: &str, variable: impl Fn(&str) -> Option<String>) -> Option<Self> {
        let absolute = |name: &str| variable(name).map(PathBuf::from).filter(|path| path.is_absolute());
        let base = if cfg!(windows) {
            absolute("APPDATA")
        } else {
            absolute("XDG_CONFIG_HOME").or_else(|| absolute("HOME").map(|home| home.join(".config")))
        };
        base.map(|base| Self::at(base.join(name)))
    }

    /// The same folder with locks of this kind.
    #[must_use]
    pub fn with_locking(self, locking: Locking) -> Self {
        Self(self.0, locking)
    }

    /// The folder's path.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// The settings file.
    #[must_use]
    pub fn config(&self) -> PathBuf {
        self.0.join("config.toml")
    }

    /// The vault.
    #[must_use]
    pub fn vault(&self) -> PathBuf {
        self.0.join("vault.gpv")
    }

    /// The vault's key, if it lies in a file.
    #[must_use]
    pub fn key_file(&self) -> PathBuf {
        self.0.join("vault.key")
    }

    /// Which folder means which account.
    #[must_use]
    pub fn bindings(&self) -> PathBuf {
        self.0.join("bindings.toml")
    }

    /// Which tool gets whose token for which place.
    #[must_use]
    pub fn helpers(&self) -> PathBuf {
        self.0.join("helpers.toml")
    }

    /// The lock that guards changes of that.
    #[must_use]
    pub fn helpers_lock(&self) -> PathBuf {
        self.0.join("locks").join("helpers.lock")
    }

    /// The lock that guards changes of which folder means which account.
    #[must_use]
    pub fn bindings_lock(&self) -> PathBuf {
        self.0.join("locks").join("bindings.lock")
    }

    /// Where agents keep their socket or token.
    #[must_use]
    pub fn agent_folder(&self) -> PathBuf {
        self.0.join("agent")
    }

    /// The usual agent's socket.
    #[must_use]
    pub fn agent_socket(&self) -> PathBuf {
        self.agent_folder().join("agent.sock")
    }

    /// The lock that guards changes of the vault.
    #[must_use]
    pub fn vault_lock(&self) -> PathBuf {
        self.0.join("locks").join("vault.lock")
    }

    /// The lock that guards one account's refreshes.
    #[must_use]
    pub fn account_lock(&self, account: &AccountId) -> PathBuf {
        self.0.join("locks").join(format!("{account}.lock"))
    }

    /// One of the locks above, to be taken.
    #[must_use]
    pub fn wanted(&self, lock: PathBuf) -> Wanted {
        Wanted::new(lock, self.1)
    }

    /// Makes the folders, open to their owner alone.
    ///
    /// # Errors
    /// What the operating system says, or [`NotOurs`] within.
    pub fn create(&self) -> io::Result<()> {
        let locks = self.0.join("locks");
        if let Some(not_ours) = self.not_roots() {
            return Err(io::Error::new(io::ErrorKind::PermissionDenied, not_ours));
        }
        if locks.is_dir() {
            return Ok(());
        }
        private_folder(&self.0)?;
        private_folder(&locks)
    }
}

#[cfg(unix)]
impl Home {
    /// Whose the vault or else the folder is, if we are root and it is not.
    fn not_roots(&self) -> Option<NotOurs> {
        let vault = self.vault();
        rustix::process::geteuid().is_root().then(|| not_ours(if vault.exists() { &vault } else { &self.0 })).flatten()
    }
}

#[cfg(not(unix))]
impl Home {
    fn not_roots(&self) -> Option<NotOurs> {
        None
    }
}

/// Whose a file or folder is, if it is another user's.
#[cfg(unix)]
fn not_ours(path: &Path) -> Option<NotOurs> {
    let owner = std::os::unix::fs::MetadataExt::uid(&fs::metadata(path).ok()?);
    (owner != rustix::process::geteuid().as_raw()).then_some(NotOurs { owner })
}

#[cfg(not(unix))]
fn not_ours(_: &Path) -> Option<NotOurs> {
    None
}

/// Whose a file is, if it is neither ours nor root's, who may change everything of ours anyway.
#[cfg(unix)]
pub(crate) fn stranger(data: &fs::Metadata) -> Option<NotOurs> {
    let owner = std::os::unix::fs::MetadataExt::uid(data);
    (owner != rustix::process::geteuid().as_raw() && owner != 0).then_some(NotOurs { owner })
}

#[cfg(not(unix))]
pub(crate) fn stranger(_: &fs::Metadata) -> Option<NotOurs> {
    None
}

/// Says whose a file is that was denied to us, or the nearest folder above it that we can see.
pub(crate) fn with_owner(path: &Path, error: io::Error) -> io::Error {
    if error.kind() != io::ErrorKind::PermissionDenied {
        return error;
    }
    let seen = path.ancestors().find(|place| fs::symlink_metadata(place).is_ok());
    match seen.and_then(not_ours) {
        Some(not_ours) => io::Error::new(io::ErrorKind::PermissionDenied, not_ours),
        None => error,
    }
}

/// Whether an error says that something is another user's.
#[must_use]
pub fn is_not_ours(error: &io::Error) -> bool {
    error.get_ref().is_some_and(|inner| inner.is::<NotOurs>())
}

#[cfg(unix)]
pub(crate) fn private_folder(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    fs::DirBuilder::new().recursive(true).mode(0o700).create(path)
}

#[cfg(not(unix))]
pub(crate) fn private_folder(path: &Path) -> io::Result<()> {
    fs::create_dir_all(path)
}

/// Options that make a file which only its owner can read.
#[must_use]
pub fn private_file() -> fs::OpenOptions {
    let mut options = fs::OpenOptions::new();
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    #[test]
    fn the_usual_place_follows_the_environment_and_is_private() {
        use std::os::unix::fs::PermissionsExt;
        let place = |pairs: &'static [(&str, &str)]| {
            Home::usual("gatepass", |name| {
                pairs.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
            })
        };
        assert_eq!(place(&[("XDG_CONFIG_HOME", "/x"), ("HOME", "/h")]), Some(Home::at("/x/gatepass")));
        assert_eq!(place(&[("XDG_CONFIG_HOME", "relative"), ("HOME", "/h")]), Some(Home::at("/h/.config/gatepass")));
        assert_eq!(place(&[]), None);
        let folder = tempfile::tempdir().unwrap();
        let home = Home::at(folder.path().join("a/b"));
        home.create().unwrap();
        assert_eq!(fs::metadata(home.path()).unwrap().permissions().mode() & 0o777, 0o700);
    }

    /// Root finds a folder that is given away; anybody else finds that `/` is not theirs.
    #[cfg(unix)]
    #[test]
    fn a_folder_of_another_user_is_named_and_not_written_to() {
        let folder = tempfile::tempdir().unwrap();
        let (home, owner) = match rustix::process::geteuid().is_root() {
            true => {
                std::os::unix::fs::chown(folder.path(), Some(65_534), None).unwrap();
                let home = Home::at(folder.path());
                assert!(is_not_ours(&home.create().unwrap_err()));
                assert!(!home.vault_lock().exists());
                (home, 65_534)
            }
            false => (Home::at("/"), 0),
        };
        let error = with_owner(&home.vault(), io::Error::from(io::ErrorKind::PermissionDenied));
        assert_eq!(error.to_string(), format!("it belongs to another user (uid {owner})"));
        let other = with_owner(&home.vault(), io::Error::from(io::ErrorKind::NotFound));
        assert!(!is_not_ours(&other));
    }
}
