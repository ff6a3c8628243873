//! The examples are programs that work, and the one that the documentation begins with is short.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test stops where it fails")]

mod support;

use serde_json::json;
use std::{
    io::{BufRead, BufReader},
    path::PathBuf,
    process::{Command, Stdio},
};
use support::{Answer, Fake, granted, refused};

const SMALL_CLI: &str = include_str!("../examples/small_cli.rs");

/// An example as cargo has built it beside this test.
fn example(name: &str) -> PathBuf {
    let own = std::env::current_exe().unwrap();
    let path = own.parent().unwrap().parent().unwrap().join("examples").join(name);
    assert!(
        path.is_file(),
        "{} is not built: run the tests without naming a target, or build --examples",
        path.display()
    );
    path
}

#[test]
fn the_readme_shows_the_small_program_as_it_is() {
    let readme = include_str!("../README.md");
    assert!(readme.contains(&format!("```rust,no_run\n{SMALL_CLI}```\n")), "README.md shows another program");
    let is_code = |line: &&str| !line.trim().is_empty() && !line.starts_with("//!") && !line.starts_with("#![");
    let lines = SMALL_CLI.lines().filter(is_code).count();
    assert!(lines < 25, "{lines} lines of code");
}

#[cfg(target_os = "linux")]
#[test]
fn the_small_program_signs_in_asks_and_signs_out() {
    let fake = Fake::start(|asked, _| match (asked.path.as_str(), asked.bearer.as_deref()) {
        ("/device", _) => Answer::Json(
            200,
            json!({"device_code": "d", "user_code": "ABCD-EFGH", "verification_uri": "http://127.0.0.1/device",
                   "expires_in": 600, "interval": 1}),
        ),
        ("/token", _) => granted("1"),
        ("/notes", Some("access-1")) => Answer::Json(200, json!(["a note"])),
        ("/notes", _) => refused("invalid_token"),
        _ => Answer::Json(200, json!({})),
    });
    let home = tempfile::tempdir().unwrap();
    let run = |arguments: &[&str]| {
        let mut command = Command::new(example("small_cli"));
        command.env_clear().env("XDG_CONFIG_HOME", home.path()).env("NOTES_SERVER", &fake.issuer).env("CI", "true");
        // Nobody's own keyring is asked.
        command.env("DBUS_SESSION_BUS_ADDRESS", "unix:path=/nonexistent");
        let output = command.args(arguments).output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        (output.status.success(), text(output.stdout), text(output.stderr))
    };
    let (done, _, error) = run(&[]);
    assert!(!done, "nobody is signed in: {error}");
    let (done, _, said) = run(&["login"]);
    assert!(done && said.contains("ABCD-EFGH") && said.contains("Signed in as"), "{said}");
    let (done, notes, error) = run(&[]);
    assert!(done && notes.trim() == r#"["a note"]"#, "{notes}{error}");
    let (done, _, error) = run(&["logout"]);
    assert!(done, "{error}");
    assert_eq!(fake.asked("/revoke").len(), 1);
    assert!(!run(&[]).0);
}

#[cfg(target_os = "linux")]
#[test]
fn the_service_signs_itself_in_and_does_its_work() {
    let fake = Fake::start(|asked, _| match (asked.path.as_str(), asked.bearer.as_deref()) {
        // "notes-service:hunter2", and no refresh token.
        ("/token", _) if asked.authorization.as_deref() == Some("Basic bm90ZXMtc2VydmljZTpodW50ZXIy") => {
            Answer::Json(200, json!({"access_token": "access-1", "token_type": "Bearer", "expires_in": 3600}))
        }
        ("/notes", Some("access-1")) => Answer::Json(200, json!(["a note"])),
        _ => refused("invalid_client"),
    });
    let home = tempfile::tempdir().unwrap();
    let secret = home.path().join("secret");
    std::fs::write(&secret, "hunter2\n").unwrap();
    let mut command = Command::new(example("headless_service"));
    command.env_clear().env("XDG_CONFIG_HOME", home.path()).env("NOTES_SERVER", &fake.issuer);
    command.env("NOTES_SECRET_FILE", &secret).env("DBUS_SESSION_BUS_ADDRESS", "unix:path=/nonexistent");
    let mut service = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(service.stdout.take().unwrap()).read_line(&mut line).unwrap();
    service.kill().unwrap();
    service.wait().unwrap();
    assert_eq!(line, "10 bytes, status 200\n");
    assert_eq!(fake.asked("/token")[0].form["grant_type"], "client_credentials");
}
