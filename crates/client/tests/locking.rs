//! A home on a file system that has no locks: lock files keep processes out, and the dead leave nothing behind.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test stops where it fails")]

mod support;

use gatepass_client::{AccountId, Home, Locking, lock::FileLock};
use std::{
    path::Path,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};
use support::{Answer, Fake, granted, sign_ins_in, signed_in, stored};

const CHILD: &str = "GATEPASS_TEST_LOCKING_CHILD";

fn home(folder: &Path) -> Home {
    Home::at(folder).with_locking(Locking::Files)
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

/// What the child processes of the tests below do: print a good access token, or hold the account's lock.
#[test]
fn child_process() {
    let Ok(task) = std::env::var(CHILD) else { return };
    let (what, folder) = task.split_once(' ').unwrap();
    let sign_ins = sign_ins_in(home(Path::new(folder)));
    let account = sign_ins.vault().read().unwrap().default.unwrap();
    if what == "hold" {
        let _lock = hold(Path::new(folder), &account);
        std::fs::write(Path::new(folder).join("held"), "").unwrap();
        thread::sleep(Duration::from_secs(60));
        return;
    }
    let token = block_on(sign_ins.bearer(&account, None)).unwrap().token().expose().to_owned();
    assert_eq!(token, "access-1");
}

fn hold(folder: &Path, account: &AccountId) -> FileLock {
    let home = home(folder);
    home.create().unwrap();
    home.wanted(home.account_lock(account)).take(Duration::from_secs(20)).unwrap()
}

fn child(task: &str, folder: &Path) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "child_process"])
        .env(CHILD, format!("{task} {}", folder.display()))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

#[test]
fn fifty_processes_with_an_expired_token_refresh_it_once() {
    let fake =
        Fake::start(|_, count| Answer::Late(Duration::from_millis(200), Box::new(granted(&format!("{}", count + 1)))));
    let folder = tempfile::tempdir().unwrap();
    let account = signed_in(folder.path(), &fake.issuer, -5);
    let children: Vec<Child> = (0..50).map(|_| child("token", folder.path())).collect();
    for mut child in children {
        assert!(child.wait().unwrap().success());
    }
    assert_eq!(fake.asked("/token").len(), 1);
    assert_eq!(stored(folder.path(), &account), Some(("access-1".into(), "refresh-1".into())));
}

#[test]
fn a_holder_that_was_killed_has_one_heir_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let fake = Fake::start(|_, _| granted("1"));
    let account = signed_in(folder.path(), &fake.issuer, -5);
    for _ in 0..3 {
        let mut holder = child("hold", folder.path());
        let started = Instant::now();
        while !folder.path().join("held").exists() {
            assert!(started.elapsed() < Duration::from_secs(20), "the child does not take the lock");
            thread::sleep(Duration::from_millis(5));
        }
        let lock = home(folder.path()).account_lock(&account);
        assert!(home(folder.path()).wanted(lock).try_take().is_err(), "it is held");
        holder.kill().unwrap();
        holder.wait().unwrap();
        std::fs::remove_file(folder.path().join("held")).unwrap();
    }
    let token = block_on(sign_ins_in(home(folder.path())).bearer(&account, None)).unwrap();
    assert_eq!(token.token().expose(), "access-1");
}

/// One that was stopped in the middle of a refresh, while its lock was taken over and others went on: its late answer takes
/// nobody's place.
#[test]
fn a_late_answer_does_not_take_the_place_of_a_newer_one() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_owned();
    let fake = Fake::start(move |_, _| {
        // Meanwhile another process went on, twice.
        let sign_ins = sign_ins_in(home(&path));
        sign_ins
            .vault()
            .update(|contents| {
                let sign_in = contents.sign_ins.first_mut().unwrap();
                sign_in.generation += 2;
                let tokens = sign_in.tokens.as_mut().unwrap();
                tokens.access_token = "access-3".into();
                tokens.refresh_token = Some("refresh-3".into());
                tokens.expires_at = None;
            })
            .unwrap();
        granted("1")
    });
    let account = signed_in(folder.path(), &fake.issuer, -5);
    let token = block_on(sign_ins_in(home(folder.path())).bearer(&account, None)).unwrap();
    assert_eq!(token.token().expose(), "access-3");
    assert_eq!(stored(folder.path(), &account), Some(("access-3".into(), "refresh-3".into())));
}
