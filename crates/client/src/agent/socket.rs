//! Listening on a Unix socket.
//!
//! 1. The folder is ours and nobody else writes to it; one that is not there is made with mode 0700.
//! 2. A lock beside the socket is held as long as the agent runs, so there is one agent for a socket.
//! 3. What stands at the path already is removed only if it is a socket of our own at which nobody listens: an agent that
//!    was killed leaves one.
//! 4. The socket has mode 0600, and the kernel says of each caller who it is. Another user is answered `denied`, the system's
//!    administrator too: who may become us need not ask.

use super::serve::ListenError;
use crate::{
    home::private_folder,
    lock::{FileLock, LockError},
};
use std::{
    fs::{self, Permissions},
    io,
    os::unix::{
        fs::{FileTypeExt, MetadataExt, PermissionsExt},
        net::{SocketAddr, UnixStream as StdUnixStream},
    },
    path::{Path, PathBuf},
};
use tokio::net::{UnixListener, unix::UCred};

/// A socket with its lock; dropped, the socket is removed.
#[derive(Debug)]
pub struct SocketListener {
    pub(super) listener: UnixListener,
    path: PathBuf,
    owner: u32,
    _lock: FileLock,
}

impl SocketListener {
    /// Listens at an absolute path.
    ///
    /// # Errors
    /// [`ListenError`].
    pub fn open(path: &Path) -> Result<Self, ListenError> {
        let owner = rustix::process::geteuid().as_raw();
        if !path.is_absolute() {
            return Err(ListenError::NotAbsolute(path.to_owned()));
        }
        SocketAddr::from_pathname(path).map_err(|_| ListenError::TooLong(path.to_owned()))?;
        let Some(folder) = path.parent() else { return Err(ListenError::NotAbsolute(path.to_owned())) };
        check_folder(folder, owner)?;
        let mut lock = path.as_os_str().to_owned();
        lock.push(".lock");
        let lock = FileLock::try_take(Path::new(&lock)).map_err(|error| match error {
            LockError::Busy(_) => ListenError::Running(path.to_owned()),
            LockError::Io { path, source } => ListenError::Io { what: "lock", path, source },
        })?;
        clear(path, owner)?;
        let failed = |what: &'static str| move |source| ListenError::Io { what, path: path.to_owned(), source };
        let listener = UnixListener::bind(path).map_err(failed("listen at"))?;
        fs::set_permissions(path, Permissions::from_mode(0o600)).map_err(failed("close"))?;
        Ok(Self { listener, path: path.to_owned(), owner, _lock: lock })
    }

    /// Where it listens.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether a caller is one that is answered.
    pub(super) fn knows(&self, caller: io::Result<UCred>) -> bool {
        caller.is_ok_and(|caller| is_ours(caller.uid(), self.owner))
    }
}

impl Drop for SocketListener {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}

fn is_ours(caller: u32, owner: u32) -> bool {
    caller == owner
}

/// Step 1.
fn check_folder(folder: &Path, owner: u32) -> Result<(), ListenError> {
    let failed = |what: &'static str| move |source| ListenError::Io { what, path: folder.to_owned(), source };
    if !folder.exists() {
        private_folder(folder).map_err(failed("make"))?;
    }
    let data = fs::metadata(folder).map_err(failed("look at"))?;
    let why = match () {
        () if !data.is_dir() => "is no folder",
        () if data.uid() != owner => "belongs to another user",
        () if data.mode() & 0o022 != 0 => "can be written to by others",
        () => return Ok(()),
    };
    Err(ListenError::Folder { path: folder.to_owned(), why })
}

/// Step 3.
fn clear(path: &Path, owner: u32) -> Result<(), ListenError> {
    let failed = |source| ListenError::Io { what: "clear", path: path.to_owned(), source };
    let data = match fs::symlink_metadata(path) {
        Ok(data) => data,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(failed(error)),
    };
    if !data.file_type().is_socket() {
        return Err(ListenError::NotASocket(path.to_owned()));
    }
    if data.uid() != owner {
        return Err(ListenError::Foreign(path.to_owned()));
    }
    match StdUnixStream::connect(path) {
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => fs::remove_file(path).map_err(failed),
        Ok(_) => Err(ListenError::InUse(path.to_owned())),
        Err(error) => Err(failed(error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_own_user_is_answered() {
        assert!(is_ours(1000, 1000));
        for (caller, owner) in [(1001, 1000), (0, 1000), (1000, 0), (65534, 0)] {
            assert!(!is_ours(caller, owner), "{caller} {owner}");
        }
    }

    #[tokio::test]
    async fn a_place_that_will_not_do_is_named_and_left_as_it_is() {
        let folder = tempfile::tempdir().unwrap();
        fs::set_permissions(folder.path(), Permissions::from_mode(0o700)).unwrap();
        let at = |name: &str| folder.path().join(name);
        let said = |path: &Path| SocketListener::open(path).unwrap_err().to_string();
        fs::write(at("file"), "mine").unwrap();
        assert!(said(&at("file")).ends_with("is there and is no socket"));
        assert_eq!(fs::read_to_string(at("file")).unwrap(), "mine");
        std::os::unix::fs::symlink(at("file"), at("link")).unwrap();
        assert!(said(&at("link")).ends_with("is there and is no socket"));
        assert!(said(&at(&"x".repeat(120))).contains("too long"));
        assert!(said(Path::new("a.sock")).contains("absolute"));
        assert!(said(&at("file/a.sock")).contains("is no folder"));
        fs::create_dir(at("open")).unwrap();
        fs::set_permissions(at("open"), Permissions::from_mode(0o777)).unwrap();
        assert!(said(&at("open/a.sock")).contains("can be written to by others"));
        let other = std::os::unix::net::UnixListener::bind(at("other")).unwrap();
        assert!(said(&at("other")).contains("another program listens"));
        drop(other);
        let left = SocketListener::open(&at("other")).unwrap();
        assert!(said(&at("other")).contains("an agent runs at"));
        drop(left);
        assert!(!at("other").exists(), "an agent that ends takes its socket along");
        let made = SocketListener::open(&at("new/folder/a.sock")).unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(made.path()), mode(&at("new/folder"))), (0o600, 0o700));
    }

    #[test]
    fn what_belongs_to_another_user_is_not_touched() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.sock");
        drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
        let stranger = rustix::process::geteuid().as_raw() + 1;
        assert!(matches!(clear(&path, stranger), Err(ListenError::Foreign(_))));
        assert!(path.exists());
        let refused = check_folder(folder.path(), stranger).unwrap_err().to_string();
        assert!(refused.ends_with("belongs to another user"), "{refused}");
    }
}
