//! Replacing a file so that a crash, a full disk or a power cut leaves the old one or the new one.

use crate::home::private_file;
use std::{
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
};

/// Replaces `path` by `bytes`:
///
/// 1. write them to a file beside it, readable by its owner alone;
/// 2. `fsync` that file, so that the bytes are on the disk before the name points to them;
/// 3. rename it over `path`, which the file system does wholly or not at all;
/// 4. `fsync` the folder, so that the new name is on the disk too.
///
/// The caller holds the vault's lock: the file beside has one fixed name, so that a crash leaves at
/// most one, which the next write takes over.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let beside = beside(path);
    let written = write(&beside, bytes).and_then(|()| fs::rename(&beside, path));
    if written.is_err() {
        let _ = fs::remove_file(&beside);
    }
    written?;
    sync_folder(path)
}

/// Tries whether `length` bytes could be written in place of `path`, and leaves everything as it was.
pub(crate) fn rehearse(path: &Path, length: usize) -> io::Result<()> {
    let beside = beside(path);
    let written = write(&beside, &vec![0; length]);
    let removed = fs::remove_file(&beside);
    written.and(removed)
}

fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = private_file().create(true).truncate(true).write(true).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

fn beside(path: &Path) -> PathBuf {
    path.with_extension("new")
}

#[cfg(unix)]
fn sync_folder(path: &Path) -> io::Result<()> {
    path.parent().map_or(Ok(()), |folder| File::open(folder)?.sync_all())
}

#[cfg(not(unix))]
fn sync_folder(_: &Path) -> io::Result<()> {
    Ok(())
}

/// Gives a damaged file a name of its own, so that nothing overwrites it.
pub(crate) fn set_aside(path: &Path, stamp: &str) -> io::Result<PathBuf> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let names = std::iter::once(format!("vault.damaged-{stamp}.gpv"))
        .chain((2..).map(|number| format!("vault.damaged-{stamp}-{number}.gpv")));
    for name in names.take(1000) {
        let aside = folder.join(name);
        if fs::symlink_metadata(&aside).is_err() {
            fs::rename(path, &aside)?;
            return Ok(aside);
        }
    }
    Err(io::Error::other("a thousand damaged vaults lie here already"))
}
