//! Locks between processes: a file that one of them holds locked.
//!
//! The operating system frees the lock when its holder ends, however it ends, so no lock is ever left
//! behind. Every wait has a bound.
//!
//! Some file systems cannot lock: NFS without a lock service, some of FUSE and SMB. There (or where [`Locking::Files`]
//! says so) the lock is a numbered file beside ([`crate::lock_files`]). Both kinds of holders keep each other out: who can
//! lock takes a number too wherever there are any, and who takes a number locks too wherever that can be done. One case is
//! left: on a file system that locks for one machine and not for another, the first number of all may be taken while the
//! lock is held. [`Locking::Files`] on both machines leaves none.

use crate::lock_files::{self, Claim, Sight};
use serde::Deserialize;
use std::{
    fs::{File, TryLockError},
    io,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

/// How long between two tries.
const PAUSE: Duration = Duration::from_millis(15);

/// How processes of one home keep each other out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Locking {
    /// By the operating system's locks; by lock files where the file system has none.
    #[default]
    Auto,
    /// By lock files: for a folder that several machines share over a file system whose locks hold on one machine only,
    /// as NFS mounted with `nolock` or `local_lock`.
    Files,
}

/// A held lock; dropped, it is free.
#[derive(Debug)]
pub struct FileLock {
    /// Let go before the other, so that who has that one finds this one free.
    claim: Option<Claim>,
    #[expect(dead_code, reason = "holding the open file is holding the lock")]
    system: Option<File>,
}

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

/// A lock that somebody wants, and what was seen of its holder meanwhile: a holder of a lock file who shows no sign
/// of life for long enough is taken for dead.
#[derive(Debug)]
pub struct Wanted {
    path: PathBuf,
    locking: Locking,
    sight: Sight,
}

impl Wanted {
    /// Wants the lock at `path`.
    #[must_use]
    pub fn new(path: PathBuf, locking: Locking) -> Self {
        Self { path, locking, sight: Sight::default() }
    }

    /// Takes the lock if it is free.
    ///
    /// # Errors
    /// [`LockError`].
    pub fn try_take(&mut self) -> Result<FileLock, LockError> {
        let failed = |source| LockError::Io { path: self.path.clone(), source };
        let system = self.system_lock()?;
        let by_files = system.is_none() || self.locking == Locking::Files;
        if !by_files && !lock_files::are_there(&self.path).map_err(failed)? {
            return Ok(FileLock { claim: None, system });
        }
        match Claim::take(&self.path, &mut self.sight).map_err(failed)? {
            claim @ Some(_) => Ok(FileLock { claim, system }),
            None => Err(LockError::Busy(self.path.clone())),
        }
    }

    /// The operating system's lock; `None` where there is no such thing, or where it does not count that there is trouble
    /// with it.
    fn system_lock(&self) -> Result<Option<File>, LockError> {
        let failed = |source| LockError::Io { path: self.path.clone(), source };
        let options = || crate::home::private_file().create(true).truncate(false).write(true).open(&self.path);
        let file = options().map_err(failed)?;
        match file.try_lock() {
            Ok(()) => Ok(Some(file)),
            Err(TryLockError::WouldBlock) => Err(LockError::Busy(self.path.clone())),
            Err(TryLockError::Error(source)) if self.locking == Locking::Files || has_no_locks(&source) => Ok(None),
            Err(TryLockError::Error(source)) => Err(failed(source)),
        }
    }

    /// Takes the lock, waiting for it at most this long; the thread sleeps meanwhile.
    ///
    /// # Errors
    /// [`LockError`].
    pub fn take(&mut self, wait: Duration) -> Result<FileLock, LockError> {
        let started = Instant::now();
        loop {
            match self.try_take() {
                Err(LockError::Busy(_)) if started.elapsed() < wait => std::thread::sleep(PAUSE),
                outcome => return outcome,
            }
        }
    }
}

impl FileLock {
    /// Takes the lock if it is free.
    ///
    /// # Errors
    /// [`LockError`].
    pub fn try_take(path: &Path) -> Result<Self, LockError> {
        Wanted::new(path.to_owned(), Locking::Auto).try_take()
    }

    /// Takes the lock, waiting for it at most this long; the thread sleeps meanwhile.
    ///
    /// # Errors
    /// [`LockError`].
    pub fn take(path: &Path, wait: Duration) -> Result<Self, LockError> {
        Wanted::new(path.to_owned(), Locking::Auto).take(wait)
    }

    /// Whether it is ours still: a holder that was stopped for long, with its whole machine perhaps, may find its lock
    /// file taken over.
    #[must_use]
    pub fn is_held(&self) -> bool {
        self.claim.as_ref().is_none_or(Claim::is_highest)
    }
}

/// Whether this error of `flock` says that the file system has no locks.
fn has_no_locks(error: &io::Error) -> bool {
    if error.kind() == io::ErrorKind::Unsupported {
        return true;
    }
    #[cfg(unix)]
    {
        use rustix::io::Errno;
        let none = [Errno::NOLCK, Errno::NOTSUP, Errno::OPNOTSUPP, Errno::NOSYS, Errno::INVAL];
        Errno::from_io_error(error).is_some_and(|errno| none.contains(&errno))
    }
    #[cfg(not(unix))]
    false
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

    #[test]
    fn both_kinds_of_holders_keep_each_other_out() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.lock");
        let take = |locking| Wanted::new(path.clone(), locking).try_take();
        let is_busy = |locking| matches!(take(locking), Err(LockError::Busy(_)));
        for (first, second) in [(Locking::Auto, Locking::Files), (Locking::Files, Locking::Auto)] {
            let held = take(first).unwrap();
            assert!(is_busy(second) && is_busy(first), "{second:?} while {first:?} is held");
            drop(held);
            assert!(take(second).is_ok(), "{second:?} after {first:?}");
        }
    }

    /// One machine locks, another cannot and has lock files only.
    #[test]
    fn who_can_lock_takes_a_number_where_there_are_any() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.lock");
        let cannot_lock = || Claim::take(&path, &mut Sight::default()).unwrap();
        drop(FileLock::try_take(&path).unwrap());
        assert!(!lock_files::are_there(&path).unwrap(), "nobody has needed one");
        let held = cannot_lock().unwrap();
        assert!(matches!(FileLock::try_take(&path), Err(LockError::Busy(_))));
        drop(held);
        let held = FileLock::try_take(&path).unwrap();
        assert!(held.is_held() && cannot_lock().is_none());
        drop(held);
        assert!(cannot_lock().is_some());
    }

    #[cfg(unix)]
    #[test]
    fn lock_files_are_chosen_only_where_the_file_system_has_no_locks() {
        use rustix::io::Errno;
        let says = |errno: Errno| has_no_locks(&io::Error::from_raw_os_error(errno.raw_os_error()));
        for errno in [Errno::NOLCK, Errno::NOTSUP, Errno::OPNOTSUPP, Errno::NOSYS, Errno::INVAL] {
            assert!(says(errno), "{errno}");
        }
        for errno in [Errno::ACCESS, Errno::ROFS, Errno::NOSPC, Errno::IO, Errno::INTR, Errno::BADF] {
            assert!(!says(errno), "{errno}");
        }
    }
}
