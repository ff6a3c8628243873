//! A command with a token in its environment, completions and the manual.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test stops where it fails")]

mod support;

use support::{
    fake::{Fake, granted, signed_in},
    gatepass, run,
};

#[cfg(unix)]
#[test]
fn the_command_finds_the_token_in_its_environment_and_never_in_its_arguments() {
    let home = tempfile::tempdir().unwrap();
    let fake = Fake::start(|_, _| granted("1"));
    signed_in(home.path(), &fake.issuer, -5);
    let script = "echo $GATEPASS_TOKEN $GITHUB_TOKEN; tr '\\0' ' ' < /proc/$$/cmdline; exit 7";
    let said = run(gatepass(home.path()).args(["exec", "--env", "GITHUB_TOKEN", "--", "sh", "-c", script]));
    assert_eq!(said.code, Some(7), "the exit code is the command's");
    let (first, command_line) = said.out.split_once('\n').unwrap();
    assert_eq!(first, "access-1 access-1");
    assert!(command_line.starts_with("sh -c") && !command_line.contains("access-1"), "{command_line}");
}

#[test]
fn a_command_that_is_not_there_and_a_name_that_is_none_are_told() {
    let home = tempfile::tempdir().unwrap();
    signed_in(home.path(), "http://127.0.0.1:1", 3000);
    let said = run(gatepass(home.path()).args(["exec", "--", "no-such-program-anywhere"]));
    assert_eq!(said.code, Some(1));
    assert!(said.err.contains("no-such-program-anywhere") && said.err.contains("PATH"), "{}", said.err);
    assert_eq!(run(gatepass(home.path()).args(["exec", "--env", "A=B", "--", "true"])).code, Some(2));
    assert_eq!(run(gatepass(home.path()).args(["exec"])).code, Some(2));
    let nobody = tempfile::tempdir().unwrap();
    assert_eq!(run(gatepass(nobody.path()).args(["exec", "--", "true"])).code, Some(3));
}

#[test]
fn every_shell_gets_completions_and_every_command_a_manual_page() {
    let home = tempfile::tempdir().unwrap();
    for shell in ["bash", "zsh", "fish", "powershell"] {
        let said = run(gatepass(home.path()).args(["completions", shell]));
        assert!(said.code == Some(0) && said.out.contains("whoami"), "{shell}: {}", said.err);
    }
    let pages = home.path().join("man");
    let said = run(gatepass(home.path()).arg("man").arg(&pages));
    assert_eq!(said.code, Some(0), "{}", said.err);
    for page in ["gatepass.1", "gatepass-login.1", "gatepass-accounts-bind.1"] {
        assert!(pages.join(page).is_file(), "{page}");
    }
}

#[test]
fn a_mistyped_command_gets_a_suggestion() {
    let home = tempfile::tempdir().unwrap();
    let said = run(gatepass(home.path()).arg("lgoin"));
    assert_eq!(said.code, Some(2));
    assert!(said.err.contains("\n  gatepass login\n"), "{}", said.err);
}
