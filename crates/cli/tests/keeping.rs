//! When nothing can be kept: a full disk, a folder that is read-only, a folder of somebody else. The token that is there
//! goes on being used, no refresh is begun, and nothing is lost.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test stops where it fails")]
#![cfg(unix)]

mod support;

use std::{
    fs,
    os::unix::{
        fs::{PermissionsExt, chown},
        process::CommandExt,
    },
    path::{Path, PathBuf},
    process::{Command, Stdio},
};
use support::{
    Said,
    fake::{Fake, granted, signed_in, stored},
    gatepass, run,
};

/// Somebody who is not root and owns nothing.
const NOBODY: u32 = 65_534;

fn is_root() -> bool {
    let own = tempfile::tempdir().unwrap();
    std::os::unix::fs::MetadataExt::uid(&fs::metadata(own.path()).unwrap()) == 0
}

fn mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

/// The binary where everybody can run it.
struct Public {
    folder: tempfile::TempDir,
}

impl Public {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        mode(folder.path(), 0o755);
        let (from, to) = (Path::new(env!("CARGO_BIN_EXE_gatepass")), folder.path().join("gatepass"));
        fs::hard_link(from, &to).or_else(|_| fs::copy(from, &to).map(drop)).unwrap();
        Self { folder }
    }

    /// A home below, and the binary run as its owner, whom permissions hold: ourselves, or nobody if we are root.
    fn home(&self) -> PathBuf {
        let home = self.folder.path().join("home");
        fs::create_dir(&home).unwrap();
        home
    }

    fn gatepass(&self, home: &Path) -> Command {
        let mut command = Command::new(self.folder.path().join("gatepass"));
        command.env_clear().env("GATEPASS_HOME", home).env("GATEPASS_KEYRING", "off").stdin(Stdio::null());
        command.current_dir(self.folder.path());
        if is_root() {
            command.uid(NOBODY).gid(NOBODY);
        }
        command
    }
}

fn give_away(path: &Path) {
    if path.is_dir() {
        for entry in fs::read_dir(path).unwrap() {
            give_away(&entry.unwrap().path());
        }
    }
    chown(path, Some(NOBODY), Some(NOBODY)).unwrap();
}

#[track_caller]
fn warned_once(said: &Said) {
    assert_eq!((said.code, said.out.as_str()), (Some(0), "access-0\n"), "{}", said.err);
    assert_eq!(said.err.matches("warning: ").count(), 1, "{}", said.err);
    assert!(said.err.contains("ada@example.com at http") && said.err.contains("could not be kept"), "{}", said.err);
}

#[test]
fn in_a_read_only_folder_the_token_that_is_there_is_used_as_long_as_it_lives() {
    let (public, fake) = (Public::new(), Fake::start(|_, _| granted("1")));
    let home = public.home();
    let lock_down = |life| {
        mode(&home, 0o755);
        let account = signed_in(&home, &fake.issuer, life);
        if is_root() {
            give_away(&home);
        }
        mode(&home.join("locks"), 0o555);
        mode(&home, 0o555);
        account
    };
    let open_up = || {
        if is_root() {
            chown(&home, Some(0), None).unwrap();
            for entry in fs::read_dir(&home).unwrap() {
                chown(entry.unwrap().path(), Some(0), None).unwrap();
            }
        }
        mode(&home, 0o755);
        mode(&home.join("locks"), 0o755);
        for entry in fs::read_dir(home.join("locks")).unwrap() {
            mode(&entry.unwrap().path(), 0o600);
        }
    };
    // Due, and so to be renewed.
    lock_down(30);
    for entry in fs::read_dir(home.join("locks")).unwrap() {
        mode(&entry.unwrap().path(), 0o444);
    }
    warned_once(&run(public.gatepass(&home).arg("token")));
    let quiet = run(public.gatepass(&home).args(["token", "--quiet"]));
    assert_eq!((quiet.out.as_str(), quiet.err.as_str()), ("access-0\n", ""));
    let exec = run(public.gatepass(&home).args(["exec", "--", "/bin/sh", "-c", "echo $GATEPASS_TOKEN"]));
    warned_once(&exec);

    open_up();
    fs::remove_file(home.join("vault.gpv")).unwrap();
    let account = lock_down(-5);
    let said = run(public.gatepass(&home).arg("token"));
    assert_eq!((said.code, said.out.as_str()), (Some(1), ""), "{}", said.err);
    assert!(said.err.contains("the sign-in is kept") && said.err.contains("ada@example.com"), "{}", said.err);
    assert_eq!(fake.asked("/token").len(), 0, "no refresh is begun whose answer could not be kept");
    open_up();
    assert_eq!(stored(&home, &account), Some(("access-0".into(), "refresh-0".into())));
    assert_eq!(run(gatepass(&home).arg("token")).out, "access-1\n", "and once it can be kept, it is renewed");
}

/// A command under a limit on the size of files: writing fails as on a full disk, after `blocks` of 512 bytes.
fn on_a_full_disk(home: &Path, blocks: u32, arguments: &[&str]) -> Said {
    let mut command = Command::new("sh");
    command
        .args(["-c", &format!("trap '' XFSZ; ulimit -f {blocks}; exec \"$0\" \"$@\""), env!("CARGO_BIN_EXE_gatepass")])
        .args(arguments)
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("GATEPASS_HOME", home)
        .env("GATEPASS_KEYRING", "off")
        .stdin(Stdio::null());
    run(&mut command)
}

#[test]
fn on_a_full_disk_the_token_that_is_there_is_used_as_long_as_it_lives() {
    let (home, fake) = (tempfile::tempdir().unwrap(), Fake::start(|_, _| granted("1")));
    let account = signed_in(home.path(), &fake.issuer, 30);
    warned_once(&on_a_full_disk(home.path(), 0, &["token"]));
    let said = on_a_full_disk(home.path(), 0, &["token", "--quiet"]);
    assert_eq!((said.out.as_str(), said.err.as_str()), ("access-0\n", ""));
    signed_in(home.path(), &fake.issuer, -5);
    let said = on_a_full_disk(home.path(), 0, &["token"]);
    assert_eq!((said.code, said.out.as_str()), (Some(1), ""));
    assert!(said.err.contains("ada@example.com at ") && said.err.contains("the sign-in is kept"), "{}", said.err);
    assert!(said.err.contains("hint: ") && said.err.contains("free space"), "{}", said.err);
    assert_eq!(fake.asked("/token").len(), 0);
    assert_eq!(stored(home.path(), &account), Some(("access-0".into(), "refresh-0".into())));
    assert_eq!(run(gatepass(home.path()).arg("token")).out, "access-1\n");
}

#[test]
fn a_write_that_fails_midway_leaves_the_old_vault() {
    let home = tempfile::tempdir().unwrap();
    for port in 1..8 {
        signed_in(home.path(), &format!("http://127.0.0.1:{port}"), 3000);
    }
    let before = fs::read(home.path().join("vault.gpv")).unwrap();
    assert!(before.len() > 2048, "one block is less than the vault");
    let said =
        on_a_full_disk(home.path(), 1, &["accounts", "use", "ada@example.com", "--server", "http://127.0.0.1:2"]);
    assert_eq!(said.code, Some(1), "{}", said.err);
    assert!(said.err.contains("vault.gpv") && said.err.contains("nothing was lost"), "{}", said.err);
    assert_eq!(fs::read(home.path().join("vault.gpv")).unwrap(), before);
    assert!(!home.path().join("vault.new").exists());
    assert_eq!(run(gatepass(home.path()).args(["token", "--server", "http://127.0.0.1:1"])).out, "access-0\n");
}

/// Root could write into anybody's folder, and what it wrote would be root's.
#[test]
fn a_folder_of_another_user_is_left_alone_and_named() {
    let public = Public::new();
    let home = public.home();
    let (said, owner) = if is_root() {
        let fake = Fake::start(|_, _| granted("1"));
        signed_in(&home, &fake.issuer, 30);
        give_away(&home);
        let said = run(gatepass(&home).arg("token"));
        assert_eq!((said.out.as_str(), fake.asked("/token").len()), ("access-0\n", 0));
        assert!(said.err.contains("it belongs to another user (uid 65534)"), "{}", said.err);
        let owned = std::os::unix::fs::MetadataExt::uid(&fs::metadata(home.join("vault.gpv")).unwrap());
        assert_eq!(owned, NOBODY);
        // And the other way round: a folder of root's, met by nobody.
        let roots = public.folder.path().join("roots");
        fs::create_dir(&roots).unwrap();
        signed_in(&roots, &fake.issuer, 3000);
        mode(&roots, 0o700);
        (run(public.gatepass(&roots).arg("token")), 0)
    } else {
        (run(gatepass(Path::new("/root")).arg("token")), 0)
    };
    assert_eq!((said.code, said.out.as_str()), (Some(1), ""));
    let lines: Vec<&str> = said.err.lines().collect();
    assert_eq!(lines.len(), 2, "{}", said.err);
    assert!(lines[0].ends_with(&format!("it belongs to another user (uid {owner})")), "{}", said.err);
    assert_eq!(lines[1], "hint: run gatepass as that user, or set GATEPASS_HOME to a folder of your own");
}

#[test]
fn without_a_home_it_says_what_to_set() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gatepass"));
    let said = run(command.env_clear().arg("token").stdin(Stdio::null()));
    assert_eq!((said.code, said.out.as_str()), (Some(2), ""));
    assert_eq!(
        said.err,
        "error: no folder for settings is known, since HOME is not set\nhint: set GATEPASS_HOME to a folder\n"
    );
}
