//! What is kept here: whose files they are, whether the vault opens, and who keeps its key.

use super::{Check, Section, locks};
use crate::{Contents, Custody, Vault, VaultError, vault::examine::Examined};
use std::{fs, path::Path};

/// What others may do with a file or folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Open {
    pub(super) writable: bool,
}

/// What others may do with it; `None` when nothing.
#[cfg(unix)]
pub(super) fn open_to_others(path: &Path) -> Option<Open> {
    use std::os::unix::fs::PermissionsExt;
    let mode = fs::metadata(path).ok()?.permissions().mode();
    (mode & 0o077 != 0).then_some(Open { writable: mode & 0o022 != 0 })
}

/// What others may do with it; nothing is known here.
#[cfg(not(unix))]
pub(super) fn open_to_others(_: &Path) -> Option<Open> {
    None
}

/// The vault and all around it, and what is in it if it opens.
pub(super) fn look(vault: &Vault) -> (Vec<Check>, Option<Contents>) {
    let home = vault.home();
    if !home.path().exists() {
        let none = Check::skipped(Section::Vault, "vault", "there is none yet: nobody has signed in here");
        return (vec![none], None);
    }
    let mut checks = vec![guarded("folder", home.path(), "700", Open { writable: true })];
    if home.vault().exists() {
        checks.push(guarded("file", &home.vault(), "600", Open { writable: true }));
    }
    if home.key_file().exists() {
        checks.push(guarded("key file", &home.key_file(), "600", Open { writable: false }));
    }
    let (opens, contents) = opens(vault);
    checks.push(opens);
    checks.extend(custody(vault));
    checks.extend(contents.as_ref().map(accounts));
    checks.extend(set_aside(home.path()));
    checks.extend(locks::look(home));
    (checks, contents)
}

/// A file or folder that is its owner's alone. What others may do at `worst` is a failure; less is a warning.
fn guarded(name: &str, path: &Path, mode: &str, worst: Open) -> Check {
    let shown = path.display();
    if let Some(owner) = stranger(path) {
        return Check::failure(Section::Vault, name, format!("{shown} belongs to another user ({owner})"))
            .remedy(format!("make it yours with chown, or set GATEPASS_HOME to a folder of your own: {shown}"));
    }
    let check = match open_to_others(path) {
        None => return Check::ok(Section::Vault, name, format!("{shown}, yours alone")),
        Some(open) if open.writable => Check::failure(Section::Vault, name, format!("others can change {shown}")),
        Some(open) if open == worst => Check::failure(Section::Vault, name, format!("others can read {shown}")),
        Some(_) => Check::warning(Section::Vault, name, format!("others can look at {shown}")),
    };
    check.remedy(format!("chmod {mode} {shown}"))
}

/// The number of the user whom a file belongs to, if that is somebody else.
#[cfg(target_os = "linux")]
fn stranger(path: &Path) -> Option<u32> {
    use std::os::unix::fs::MetadataExt;
    let (file, we) = (fs::metadata(path).ok()?.uid(), fs::metadata("/proc/self").ok()?.uid());
    (file != we).then_some(file)
}

#[cfg(not(target_os = "linux"))]
fn stranger(_: &Path) -> Option<u32> {
    None
}

fn opens(vault: &Vault) -> (Check, Option<Contents>) {
    let name = "vault";
    match vault.examine() {
        Ok(Examined::None) => {
            (Check::skipped(Section::Vault, name, "there is none yet: nobody has signed in here"), None)
        }
        Ok(Examined::Open(contents)) => (Check::ok(Section::Vault, name, "it opens"), Some(contents)),
        Ok(Examined::Damaged) => {
            let check =
                Check::failure(Section::Vault, name, "it is damaged, and will be set aside when it is next used");
            (check.remedy("gatepass login"), None)
        }
        Err(error) => {
            let remedy = match &error {
                VaultError::KeyAway { .. } => "make the key available as before, or move the vault away to begin anew",
                VaultError::WrongKey(_) => "use the passphrase, command or key file that the vault was made with",
                VaultError::Newer { .. } => "use the newer gatepass that wrote it",
                _ => "check that the folder and the files in it can be read",
            };
            (Check::failure(Section::Vault, name, error.to_string()).remedy(remedy), None)
        }
    }
}

fn custody(vault: &Vault) -> Option<Check> {
    let custody = vault.custody().ok()??;
    let found = match custody {
        Custody::KeyFile => "kept by a key file: whoever reads the whole folder can open the vault".to_owned(),
        other => format!("kept by {other}"),
    };
    Some(Check::ok(Section::Vault, "key", found))
}

/// Accounts by their short names: they say nothing of the person.
fn accounts(contents: &Contents) -> Check {
    let name = "accounts";
    if contents.sign_ins.is_empty() {
        return Check::skipped(Section::Vault, name, "nobody is signed in").remedy("gatepass login");
    }
    let told = contents.sign_ins.iter().take(10).map(|sign_in| {
        let id = sign_in.account.id();
        let default = if contents.default.as_ref() == Some(&id) { ", the default" } else { "" };
        let ended = if sign_in.tokens.is_none() { ", ended by the server" } else { "" };
        format!("{id} at {}{default}{ended}", sign_in.account.issuer)
    });
    let found = told.collect::<Vec<_>>().join("; ");
    match contents.sign_ins.iter().find(|sign_in| sign_in.tokens.is_none()) {
        Some(ended) => Check::warning(Section::Vault, name, found)
            .remedy(format!("gatepass login --server {}", ended.account.issuer)),
        None => Check::ok(Section::Vault, name, found),
    }
}

/// Damaged vaults from before.
fn set_aside(home: &Path) -> Option<Check> {
    let names = fs::read_dir(home).ok()?.take(1000).flatten().map(|entry| entry.file_name());
    let count = names.filter(|name| name.to_string_lossy().starts_with("vault.damaged-")).count();
    (count > 0).then(|| {
        Check::warning(Section::Vault, "set aside", format!("{count} damaged vaults of before lie here"))
            .remedy(format!("once you are signed in again, remove {}", home.join("vault.damaged-*.gpv").display()))
    })
}
