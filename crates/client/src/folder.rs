//! Which account a folder means: by a file in it, or by a binding that this machine keeps.
//!
//! 1. The nearest `.gatepass.toml`, from the folder upwards. It may be shared: it names a server and an account, and
//!    holds nothing secret. It may have come from a stranger with the folder, so it chooses among the sign-ins that are
//!    here and says nothing of where else a secret goes. One that another user laid there, as in `/tmp`, is passed over.
//! 2. The nearest folder that was bound with [`Bindings::bind`]. That is this machine's own affair and lies in its home.

use crate::{
    AccountId, Home, home,
    settings_file::{self, SettingsError},
};
use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeMap,
    fs::{self, File, Metadata},
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

impl FolderFile {
    /// The nearest file, from `folder` upwards, and where it lies.
    ///
    /// # Errors
    /// [`SettingsError`] for one that is there and cannot be used: to pass it over could mean another account.
    pub fn nearest(folder: &Path) -> Result<Option<(PathBuf, Self)>, SettingsError> {
        for place in folder.ancestors() {
            let path = place.join(FILE);
            match fs::metadata(&path) {
                Ok(data) if data.is_file() => {
                    if let Some(file) = Self::read(&path)? {
                        return Ok(Some((path, file)));
                    }
                }
                // Something else of that name, a folder that may not be looked into: go on upwards.
                _ => {}
            }
        }
        Ok(None)
    }

    /// Reads a file; `None` for one of another user.
    fn read(path: &Path) -> Result<Option<Self>, SettingsError> {
        let failed = |source| SettingsError::Read { path: path.to_owned(), source };
        let is_passed_over = |data: &Metadata| {
            let stranger = home::stranger(data);
            if let Some(stranger) = &stranger {
                tracing::debug!("{} is passed over: {stranger}", path.display());
            }
            stranger.is_some()
        };
        // Neither a stranger's file, which perhaps may not be read, nor a stranger's link to a file; nor what has taken its
        // place since.
        let data = [fs::symlink_metadata(path), fs::metadata(path)];
        if data.into_iter().filter_map(Result::ok).any(|data| is_passed_over(&data)) {
            return Ok(None);
        }
        let file = File::open(path).map_err(failed)?;
        if is_passed_over(&file.metadata().map_err(failed)?) {
            return Ok(None);
        }
        settings_file::parse(path, &settings_file::text(path, file, MAX_SIZE)?).map(Some)
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
    /// [`SettingsError`].
    pub fn read(home: &Home) -> Result<Self, SettingsError> {
        settings_file::read(&home.bindings())
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

    /// Changes the bindings under a lock, on what is read under that lock. What is the same afterwards is not written.
    ///
    /// # Errors
    /// [`SettingsError`]; then the earlier ones are kept still.
    pub fn update<T>(home: &Home, change: impl FnOnce(&mut Self) -> T) -> Result<T, SettingsError> {
        settings_file::update(home, &home.bindings(), home.bindings_lock(), change)
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
        let bound = Bindings::update(&home, |bindings| {
            bindings.bind("/work".into(), id("aaaa"));
            bindings.bind("/work/inner".into(), id("bbbb"));
            bindings.clone()
        });
        let mut read = Bindings::read(&home).unwrap();
        assert_eq!(read, bound.unwrap());
        let nearest = |bindings: &Bindings, path: &str| bindings.nearest(Path::new(path)).map(|(_, id)| id.to_string());
        assert_eq!(nearest(&read, "/work/inner/deep").as_deref(), Some("bbbb"));
        assert_eq!(nearest(&read, "/work/other").as_deref(), Some("aaaa"));
        assert_eq!(nearest(&read, "/elsewhere"), None);
        read.forget(&id("aaaa"));
        assert_eq!(nearest(&read, "/work/other"), None);
        assert!(read.unbind(Path::new("/work/inner")) && !read.unbind(Path::new("/work/inner")));
    }

    #[test]
    fn of_many_who_bind_at_once_nobody_is_forgotten() {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::at(folder.path().join("home"));
        let id = serde_json::from_str::<AccountId>("\"aaaa\"").unwrap();
        std::thread::scope(|scope| {
            for number in 0..24 {
                let (home, id) = (&home, &id);
                scope.spawn(move || {
                    let folder = format!("/work/{number}").into();
                    Bindings::update(home, |bindings| bindings.bind(folder, id.clone())).unwrap();
                });
            }
        });
        assert_eq!(Bindings::read(&home).unwrap().folders.len(), 24);
    }

    /// Root alone can lay another user's file somewhere.
    #[cfg(unix)]
    #[test]
    fn a_file_or_a_link_of_another_user_is_passed_over_and_roots_is_not() {
        use std::os::unix::fs::{MetadataExt, chown, lchown, symlink};
        let root = tempfile::tempdir().unwrap();
        let deep = root.path().join("a");
        fs::create_dir(&deep).unwrap();
        fs::write(root.path().join(FILE), "account = 'own'\n").unwrap();
        let nearest = || FolderFile::nearest(&deep).unwrap().unwrap().1.account.unwrap();
        assert_eq!(fs::metadata("/").map(|data| (data.uid(), home::stranger(&data).is_none())).unwrap(), (0, true));
        if !rustix::process::geteuid().is_root() {
            return;
        }
        fs::write(deep.join(FILE), "server = 'https://evil.example'\n").unwrap();
        chown(deep.join(FILE), Some(65_534), None).unwrap();
        assert_eq!(nearest(), "own");
        fs::remove_file(deep.join(FILE)).unwrap();
        fs::write(deep.join("other"), "account = 'other'\n").unwrap();
        symlink(deep.join("other"), deep.join(FILE)).unwrap();
        assert_eq!(nearest(), "other");
        lchown(deep.join(FILE), Some(65_534), None).unwrap();
        assert_eq!(nearest(), "own");
    }
}
