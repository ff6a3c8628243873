//! Whether the locks can be had, and who holds those that cannot.

use super::{Check, Section};
use crate::{
    Home,
    lock::{FileLock, LockError},
};
use std::{fs, path::Path};

/// The most locks that are tried.
const MOST: usize = 100;

/// Tries the locks that are there. One that nobody ever took is not made.
pub(super) fn look(home: &Home) -> Option<Check> {
    let name = "locks";
    let folder = home.vault_lock().parent()?.to_owned();
    let Ok(entries) = fs::read_dir(&folder) else {
        return Some(Check::skipped(Section::Vault, name, "nobody has taken one yet"));
    };
    let paths = entries.flatten().map(|entry| entry.path());
    let locks: Vec<_> = paths.filter(|path| path.extension().is_some_and(|end| end == "lock")).take(MOST).collect();
    for path in &locks {
        match FileLock::try_take(path) {
            Ok(free) => drop(free),
            Err(LockError::Busy(_)) => {
                let file = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
                let holder = holder(path).unwrap_or_else(|| "another process".into());
                return Some(
                    Check::warning(Section::Vault, name, format!("{file} is held by {holder}"))
                        .remedy("run this again; if it is held still, look at that process and end it"),
                );
            }
            Err(error) => {
                return Some(
                    Check::failure(Section::Vault, name, error.to_string())
                        .remedy(format!("check that {} can be written to", folder.display())),
                );
            }
        }
    }
    Some(Check::ok(Section::Vault, name, "free"))
}

/// Which process holds the lock of a file, as the kernel's table says.
#[cfg(target_os = "linux")]
fn holder(path: &Path) -> Option<String> {
    use std::os::unix::fs::MetadataExt;
    let inode = format!(":{}", fs::metadata(path).ok()?.ino());
    let table = fs::read_to_string("/proc/locks").ok()?;
    let process = table.lines().find_map(|line| {
        // `1: FLOCK ADVISORY WRITE 1234 08:01:131 0 EOF`
        let words: Vec<_> = line.split_whitespace().collect();
        let place = words.iter().position(|word| word.ends_with(&inode))?;
        words.get(place.checked_sub(1)?).copied().filter(|word| word.parse::<u32>().is_ok())
    })?;
    let program = fs::read_to_string(format!("/proc/{process}/comm")).unwrap_or_default();
    Some(format!("process {process} ({})", program.trim()))
}

#[cfg(not(target_os = "linux"))]
fn holder(_: &Path) -> Option<String> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Outcome;

    #[test]
    fn a_held_lock_is_told_with_its_holder() {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::at(folder.path());
        home.create().unwrap();
        assert_eq!(look(&home).unwrap().outcome, Outcome::Ok);
        assert_eq!(fs::read_dir(folder.path().join("locks")).unwrap().count(), 0, "none is made");
        let held = FileLock::try_take(&home.vault_lock()).unwrap();
        let check = look(&home).unwrap();
        assert_eq!(check.outcome, Outcome::Warning);
        #[cfg(target_os = "linux")]
        assert!(check.found.contains(&format!("vault.lock is held by process {}", std::process::id())), "{check:?}");
        drop(held);
        assert_eq!(look(&home).unwrap().found, "free");
    }
}
