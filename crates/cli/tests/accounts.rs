//! Which account is meant where, and how that is changed.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test stops where it fails")]

mod support;

use serde_json::Value;
use std::{fs, path::Path};
use support::{
    Said,
    fake::{Fake, granted, signed_in},
    gatepass, run,
};

const ONE: &str = "http://127.0.0.1:1";
const TWO: &str = "http://127.0.0.1:2";

/// A home with an account at each of two servers; the first is the default.
fn home() -> tempfile::TempDir {
    let home = tempfile::tempdir().unwrap();
    signed_in(home.path(), ONE, 3000);
    signed_in(home.path(), TWO, 3000);
    home
}

fn run_in(folder: &Path, home: &Path, arguments: &[&str]) -> Said {
    run(gatepass(home).current_dir(folder).args(arguments))
}

/// The server of the account that is meant in a folder.
fn meant(folder: &Path, home: &Path) -> String {
    let out = run_in(folder, home, &["accounts", "--json"]).out;
    let accounts = out.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let meant: Vec<Value> = accounts.filter(|account| account["meant_here"] == true).collect();
    assert_eq!(meant.len(), 1, "{out}");
    meant[0]["server"].as_str().unwrap().to_owned()
}

fn id_at(home: &Path, server: &str) -> String {
    let out = run(gatepass(home).args(["accounts", "list", "--json"])).out;
    let account = out.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    account.into_iter().find(|account| account["server"] == server).unwrap()["id"].as_str().unwrap().to_owned()
}

#[test]
fn another_sign_in_does_not_change_the_default_and_use_does() {
    let (home, folder) = (home(), tempfile::tempdir().unwrap());
    assert_eq!(meant(folder.path(), home.path()), ONE);
    let two = id_at(home.path(), TWO);
    let said = run_in(folder.path(), home.path(), &["accounts", "use", &two]);
    assert_eq!(said.code, Some(0), "{}", said.err);
    assert_eq!(meant(folder.path(), home.path()), TWO);
    let said = run_in(folder.path(), home.path(), &["accounts", "use", "eve"]);
    assert_eq!(said.code, Some(2));
    assert!(said.err.contains("no account here is called eve"), "{}", said.err);
}

#[test]
fn what_is_typed_beats_the_folder_file_which_beats_a_binding_which_beats_the_default() {
    let (home, root) = (home(), tempfile::tempdir().unwrap());
    let deep = root.path().join("project/src");
    fs::create_dir_all(&deep).unwrap();
    let two = id_at(home.path(), TWO);
    let project = root.path().join("project");
    let said = run_in(&project, home.path(), &["accounts", "bind", &two]);
    assert_eq!(said.code, Some(0), "{}", said.err);
    assert_eq!((meant(&deep, home.path()).as_str(), meant(root.path(), home.path()).as_str()), (TWO, ONE));

    fs::write(project.join(".gatepass.toml"), format!("server = '{ONE}'\n")).unwrap();
    assert_eq!(meant(&deep, home.path()), ONE);
    let said = run(gatepass(home.path()).current_dir(&deep).args(["accounts", "--json", "--server", TWO]));
    assert!(said.out.lines().any(|line| line.contains("\"meant_here\":true") && line.contains(TWO)), "{}", said.out);
    let said = run(gatepass(home.path()).current_dir(&deep).arg("token").env("GATEPASS_ACCOUNT", &two));
    assert_eq!(said.out, "access-0\n");

    fs::remove_file(project.join(".gatepass.toml")).unwrap();
    assert_eq!(run_in(&project, home.path(), &["accounts", "bind", "--remove"]).code, Some(0));
    assert_eq!(meant(&deep, home.path()), ONE);
}

#[test]
fn a_folder_file_that_asks_for_an_unknown_account_is_named() {
    let (home, folder) = (home(), tempfile::tempdir().unwrap());
    let file = folder.path().join(".gatepass.toml");
    fs::write(&file, "account = 'eve@a.example'\n").unwrap();
    let said = run_in(folder.path(), home.path(), &["token"]);
    assert_eq!((said.code, said.out.as_str()), (Some(2), ""));
    assert!(said.err.contains("eve@a.example") && said.err.contains(".gatepass.toml"), "{}", said.err);
    fs::write(&file, "acount = 'x'\n").unwrap();
    let said = run_in(folder.path(), home.path(), &["token"]);
    assert_eq!(said.code, Some(2));
    assert!(said.err.contains(".gatepass.toml") && said.err.contains("acount"), "{}", said.err);
}

#[test]
fn a_removed_account_is_signed_out_and_its_bindings_end() {
    let fake = Fake::start(|_, _| granted("1"));
    let (home, folder) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    signed_in(home.path(), &fake.issuer, 3000);
    let id = id_at(home.path(), &fake.issuer);
    assert_eq!(run_in(folder.path(), home.path(), &["accounts", "bind", &id]).code, Some(0));
    let said = run_in(folder.path(), home.path(), &["accounts", "remove", &id, "--force"]);
    assert_eq!(said.code, Some(0), "{}", said.err);
    assert_eq!(run_in(folder.path(), home.path(), &["accounts", "list"]).out, "");
    assert!(!fs::read_to_string(home.path().join("bindings.toml")).unwrap().contains(&id));
}
