//! The small TOML files of a person: read whole and within bounds, changed under a lock.

use crate::{Home, home::with_owner, lock::LockError, network::without_credentials, vault::replace_file};
use serde::{Serialize, de::DeserializeOwned};
use std::{
    fs::File,
    io::{self, Read},
    path::{Path, PathBuf},
    time::Duration,
};

/// The most of a file that is read, in bytes.
const MAX_SIZE: u64 = 1024 * 1024;
/// How long a change waits for another process's change, which takes milliseconds.
const LOCK_WAIT: Duration = Duration::from_secs(10);

/// A file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// It cannot be read.
    #[error("{path} cannot be read: {source}", path = .path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// What the operating system says.
        source: io::Error,
    },
    /// It cannot be written.
    #[error("{path} cannot be written: {source}", path = .path.display())]
    Write {
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
    /// Another process is changing it and does not come to an end.
    #[error(transparent)]
    Lock(#[from] LockError),
}

/// The text of an open file, of so many bytes at most.
pub(crate) fn text(path: &Path, file: File, most: u64) -> Result<String, SettingsError> {
    let invalid = |message: String| SettingsError::Invalid { path: path.to_owned(), message };
    let mut bytes = Vec::new();
    let read = file.take(most + 1).read_to_end(&mut bytes);
    let length = read.map_err(|source| SettingsError::Read { path: path.to_owned(), source })?;
    if u64::try_from(length).is_ok_and(|length| length > most) {
        return Err(invalid(format!("it is longer than {} KiB", most / 1024)));
    }
    String::from_utf8(bytes).map_err(|_| invalid("it is not text in UTF-8".into()))
}

/// What a text means. An error shows its line, without what may be a proxy's password.
pub(crate) fn parse<T: DeserializeOwned>(path: &Path, text: &str) -> Result<T, SettingsError> {
    toml::from_str(text).map_err(|error| SettingsError::Invalid {
        path: path.to_owned(),
        message: without_credentials(error.to_string().trim()).replace('\n', "\n  "),
    })
}

/// Reads a file; none is fine.
pub(crate) fn read<T: DeserializeOwned + Default>(path: &Path) -> Result<T, SettingsError> {
    match File::open(path) {
        Ok(file) => parse(path, &text(path, file, MAX_SIZE)?),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(T::default()),
        Err(source) => Err(SettingsError::Read { path: path.to_owned(), source: with_owner(path, source) }),
    }
}

/// Changes a file under a lock, on what is read under that lock. What is the same afterwards is not written; after an error
/// the file is as it was.
pub(crate) fn update<T, R>(
    home: &Home,
    path: &Path,
    lock: PathBuf,
    change: impl FnOnce(&mut T) -> R,
) -> Result<R, SettingsError>
where
    T: DeserializeOwned + Serialize + Default + Clone + PartialEq,
{
    let failed = |source| SettingsError::Write { path: path.to_owned(), source };
    home.create().map_err(failed)?;
    let _lock = home.wanted(lock).take(LOCK_WAIT)?;
    let before: T = read(path)?;
    let mut after = before.clone();
    let result = change(&mut after);
    if after != before {
        let text = toml::to_string(&after).map_err(|error| failed(io::Error::other(error)))?;
        replace_file(path, text.as_bytes()).map_err(failed)?;
    }
    Ok(result)
}
