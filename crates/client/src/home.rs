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
//! | `locks/` | empty files that processes lock |

use crate::AccountId;
use std::{
    fs, io,
    path::{Path, PathBuf},
};

/// The folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Home(PathBuf);

impl Home {
    /// A folder of the caller's choice.
    #[must_use]
    pub fn at(folder: impl Into<PathBuf>) -> Self {
        Self(folder.into())
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
        base.map(|base| Self(base.join(name)))
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

    /// Makes the folders, open to their owner alone.
    ///
    /// # Errors
    /// What the operating system says.
    pub fn create(&self) -> io::Result<()> {
        let locks = self.0.join("locks");
        if locks.is_dir() {
            return Ok(());
        }
        private_folder(&self.0)?;
        private_folder(&locks)
    }
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
}
