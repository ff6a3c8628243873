//! The house stands as it is drawn: an arrow between crates only ever points down the list.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

use serde_json::Value;
use std::{fs, path::Path, process::Command};

/// Ground floor first; what each may use.
const CRATES: &[(&str, &[&str])] = &[
    ("gatepass-oauth", &[]),
    ("gatepass-keys", &["gatepass-oauth"]),
    ("gatepass-db", &[]),
    ("gatepass-store", &["gatepass-db", "gatepass-keys", "gatepass-oauth"]),
    ("gatepass-fetch", &[]),
    ("gatepass-authority", &["gatepass-store", "gatepass-fetch", "gatepass-keys", "gatepass-oauth"]),
    ("gatepass-resource", &["gatepass-fetch", "gatepass-keys", "gatepass-oauth"]),
    (
        "gatepass-server",
        &["gatepass-authority", "gatepass-resource", "gatepass-fetch", "gatepass-keys", "gatepass-oauth"],
    ),
    ("gatepass-client", &["gatepass-keys", "gatepass-oauth"]),
    ("gatepass-commands", &["gatepass-server", "gatepass-client", "gatepass-keys", "gatepass-oauth"]),
    ("gatepass-cli", &["gatepass-commands"]),
];

fn packages() -> Vec<Value> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--no-deps", "--offline", "--format-version", "1"])
        .current_dir(root)
        .output()
        .unwrap();
    let metadata: Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&output.stderr)));
    metadata["packages"].as_array().unwrap().clone()
}

#[test]
fn an_arrow_only_points_down() {
    let packages = packages();
    for (name, may_use) in CRATES {
        let package = packages.iter().find(|package| package["name"] == *name).unwrap_or_else(|| panic!("no {name}"));
        for dependency in package["dependencies"].as_array().unwrap() {
            let used = dependency["name"].as_str().unwrap();
            // Tests may stand on the test kit, which stands on everything.
            if used.starts_with("gatepass-") && dependency["kind"] != "dev" {
                assert!(may_use.contains(&used), "{name} uses {used}, and may use {may_use:?}");
            }
        }
    }
}

#[test]
fn every_crate_is_drawn_and_says_what_it_is() {
    for package in packages() {
        let name = package["name"].as_str().unwrap();
        assert!(CRATES.iter().any(|(drawn, _)| *drawn == name) || name == "gatepass-testkit", "{name} is not drawn");
        assert!(package["description"].is_string(), "{name} has no description");
        assert_eq!(package["license"], "MIT OR Apache-2.0");
    }
}

/// TLS is rustls everywhere.
#[test]
fn openssl_is_not_in_the_house() {
    let lock = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../Cargo.lock")).unwrap();
    for banned in ["openssl", "openssl-sys", "native-tls"] {
        assert!(!lock.contains(&format!("name = \"{banned}\"")), "{banned} came in");
    }
}

/// Every direct dependency has its reason.
#[test]
fn every_dependency_has_its_reason() {
    let page = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/dependencies.md")).unwrap();
    for package in packages() {
        for dependency in package["dependencies"].as_array().unwrap() {
            let name = dependency["name"].as_str().unwrap();
            let told = name.starts_with("gatepass-") || page.contains(&format!("`{name}`"));
            assert!(told, "{} uses {name}: say why in docs/dependencies.md", package["name"]);
        }
    }
}

/// A file is one idea and can be read at once.
#[test]
fn no_file_is_longer_than_600_lines() {
    fn walk(folder: &Path, found: &mut Vec<String>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, found);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let lines = fs::read_to_string(&path).unwrap().lines().count();
                if lines > 600 {
                    found.push(format!("{} has {lines}", path.display()));
                }
            }
        }
    }
    let mut found = Vec::new();
    walk(&Path::new(env!("CARGO_MANIFEST_DIR")).join(".."), &mut found);
    assert!(found.is_empty(), "{found:?}");
}

/// The level of the program's own package would be that of the link, and so of everything (`docs/decisions/0009`).
#[test]
fn the_program_is_linked_for_speed() {
    let manifest = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../Cargo.toml")).unwrap();
    assert!(manifest.contains("[profile.release.package.gatepass-commands]"), "the commands are small");
    assert!(!manifest.contains("[profile.release.package.gatepass-cli]"), "and the server is quick");
}
