//! Which account a folder means: by a file in it, or by a binding that this machine keeps.
//!
//! 1. The nearest `.gatepass.toml`, from the folder upwards. It may be shared: it names a server and an account, and
//!    holds nothing secret.
//! 2. The nearest folder that was bound with [`Bindings::bind`]. That is this machine's own affair and lies in its home.

use crate::{AccountId, Home};
use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
};

/// The file's name.
pub const FILE: &str = ".gatepass.toml";
/// The most bytes of it that are read.
const MAX_SIZE: u64 = 64 * 1024;

/// What a `.gatepass.toml` says.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct FolderFile {
    /// The server to sign in at.
    pub server: Option<String>,
    /// The account, as in `--account`.
    pub account: Option<String>,
    /// The space, as in `--space`.
    pub space: Option<String>,
}

/// A file or the bindings cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// It cannot be read or written.
    #[error("{path}: {source}", path = .path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// What the operating system says.
        source: io::Error,
    },
    /// It says something that is not understood.
    #[error("{path}: {message}", path = .path.display())]
    Invalid {
        /// Which.
        path: PathBuf,
        /// What and where.
        message: String,
    },
}

impl FolderFile {
    /// The nearest file, from `folder` upwards, and where it lies.
    ///
    /// # Errors
    /// [`FolderError`] for one that is there and cannot be used: to pass it over could mean another account.
    pub fn nearest(folder: &Path) -> Result<Option<(PathBuf, Self)>, FolderError> {
        for place in folder.ancestors() {
            let path = place.join(FILE);
            match fs::metadata(&path) {
                Ok(data) if data.is_file() => {
                    let file = Self::read(&path, data.len())?;
                    return Ok(Some((path, file)));
                }
                // Something else of that name, a folder that may not be looked into: go on upwards.
                _ => {}
            }
        }
        Ok(None)
    }

    fn read(path: &Path, size: u64) -> Result<Self, FolderError> {
        let invalid = |message: String| FolderError::Invalid { path: path.to_owned(), message };
        if size > MAX_SIZE {
            return Err(invalid("it is longer than 64 KiB".into()));
        }
        let text = fs::read_to_string(path).map_err(|source| FolderError::Io { path: path.to_owned(), source })?;
        toml::from_str(&text).map_err(|error| invalid(error.to_string().trim().replace('\n', "\n  ")))
    }
}

/// The folders that are bound to accounts, in `bindings.toml` of the home.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Bindings {
    /// Each folder, absolute, and the short name of its account.
    pub folders: BTreeMap<PathBuf, AccountId>,
}

impl Bindings {
    /// Reads the bindings; none are fine.
    ///
    /// # Errors
    /// [`FolderError`].
    pub fn read(home: &Home) -> Result<Self, FolderError> {
        let path = home.bindings();
        match fs::read_to_string(&path) {
            Ok(text) => toml::from_str(&text).map_err(|error| FolderError::Invalid {
                path,
                message: error.to_string().trim().replace('\n', "\n  "),
            }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Self::default()),
            Err(source) => Err(FolderError::Io { source: crate::home::with_owner(&path, source), path }),
        }
    }

    /// The account of the nearest bound folder, from `folder` upwards.
    #[must_use]
    pub fn nearest(&self, folder: &Path) -> Option<(&Path, &AccountId)> {
        folder.ancestors().find_map(|place| self.folders.get_key_value(place)).map(|(path, id)| (path.as_path(), id))
    }

    /// Binds a folder, in place of an earlier binding.
    pub fn bind(&mut self, folder: PathBuf, account: AccountId) {
        self.folders.insert(folder, account);
    }

    /// Ends a folder's binding; whether there was one.
    pub fn unbind(&mut self, folder: &Path) -> bool {
        self.folders.remove(folder).is_some()
    }

    /// Ends every binding to an account.
    pub fn forget(&mut self, account: &AccountId) {
        self.folders.retain(|_, bound| bound != account);
    }

    /// Keeps the bindings.
    ///
    /// # Errors
    /// [`FolderError`]; then the earlier ones are kept still.
    pub fn write(&self, home: &Home) -> Result<(), FolderError> {
        let path = home.bindings();
        let failed = |source| FolderError::Io { path: path.clone(), source };
        let text = toml::to_string(self).map_err(|error| failed(io::Error::other(error)))?;
        home.create().map_err(failed)?;
        crate::vault::replace_file(&path, text.as_bytes()).map_err(failed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_file_counts_and_a_wrong_one_is_told() {
        let root = tempfile::tempdir().unwrap();
        let deep = root.path().join("a/b/c");
        fs::create_dir_all(&deep).unwrap();
        fs::write(root.path().join("a").join(FILE), "server = 'https://a.example'\n").unwrap();
        let (path, file) = FolderFile::nearest(&deep).unwrap().unwrap();
        assert_eq!((path, file.server.as_deref()), (root.path().join("a").join(FILE), Some("https://a.example")));
        fs::write(deep.join(FILE), "account = 'ada@a.example'\n").unwrap();
        assert_eq!(FolderFile::nearest(&deep).unwrap().unwrap().1.account.as_deref(), Some("ada@a.example"));
        for wrong in ["acount = 'x'", "server =", "server = 5"] {
            fs::write(deep.join(FILE), wrong).unwrap();
            assert!(FolderFile::nearest(&deep).unwrap_err().to_string().contains(FILE), "{wrong}");
        }
    }

    #[test]
    fn bindings_are_kept_and_the_nearest_folder_counts() {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::at(folder.path().join("home"));
        assert_eq!(Bindings::read(&home).unwrap(), Bindings::default());
        let id = |text: &str| serde_json::from_str::<AccountId>(&format!("\"{text}\"")).unwrap();
        let mut bindings = Bindings::default();
        bindings.bind("/work".into(), id("aaaa"));
        bindings.bind("/work/inner".into(), id("bbbb"));
        bindings.write(&home).unwrap();
        let mut read = Bindings::read(&home).unwrap();
        assert_eq!(read, bindings);
        let nearest = |bindings: &Bindings, path: &str| bindings.nearest(Path::new(path)).map(|(_, id)| id.to_string());
        assert_eq!(nearest(&read, "/work/inner/deep").as_deref(), Some("bbbb"));
        assert_eq!(nearest(&read, "/work/other").as_deref(), Some("aaaa"));
        assert_eq!(nearest(&read, "/elsewhere"), None);
        read.forget(&id("aaaa"));
        assert_eq!(nearest(&read, "/work/other"), None);
        assert!(read.unbind(Path::new("/work/inner")) && !read.unbind(Path::new("/work/inner")));
    }
}
