//! Locks between processes: a file that one of them holds locked.
//!
//! The operating system frees the lock when its holder ends, however it ends, so no lock is ever left
//! behind. Every wait has a bound.

use std::{
    fs::{File, TryLockError},
    io,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

/// How long between two tries.
const PAUSE: Duration = Duration::from_millis(15);

/// A held lock; dropped, it is free.
#[derive(Debug)]
pub struct FileLock(#[expect(dead_code, reason = "holding the open file is holding the lock")] File);

/// Why a lock is not held.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Another process held it all the time.
    #[error("another process holds {path}", path = .0.display())]
    Busy(PathBuf),
    /// The lock file cannot be used.
    #[error("{path} cannot be locked: {source}", path = .path.display())]
    Io {
        /// The lock file.
        path: PathBuf,
        /// What the operating system says.
        source: io::Error,
    },
}

impl FileLock {
    /// Takes the lock if it is free.
    ///
    /// # Errors
    /// [`LockError`].
    pub fn try_take(path: &Path) -> Result<Self, LockError> {
        let failed = |source| LockError::Io { path: path.to_owned(), source };
        let file = crate::home::private_file().create(true).truncate(false).write(true).open(path).map_err(failed)?;
        match file.try_lock() {
            Ok(()) => Ok(Self(file)),
            Err(TryLockError::WouldBlock) => Err(LockError::Busy(path.to_owned())),
            Err(TryLockError::Error(source)) => Err(failed(source)),
        }
    }

    /// Takes the lock, waiting for it at most this long; the thread sleeps meanwhile.
    ///
    /// # Errors
    /// [`LockError`].
    pub fn take(path: &Path, wait: Duration) -> Result<Self, LockError> {
        let started = Instant::now();
        loop {
            match Self::try_take(path) {
                Err(LockError::Busy(_)) if started.elapsed() < wait => std::thread::sleep(PAUSE),
                outcome => return outcome,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_is_held_by_one_and_freed_by_its_end() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.lock");
        let held = FileLock::try_take(&path).unwrap();
        assert!(matches!(FileLock::take(&path, Duration::from_millis(40)), Err(LockError::Busy(_))));
        drop(held);
        assert!(FileLock::take(&path, Duration::ZERO).is_ok());
        assert!(matches!(FileLock::try_take(&folder.path().join("no/x.lock")), Err(LockError::Io { .. })));
    }
}
