//! What is told to who types something else than gatepass knows.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test stops where it fails")]

mod support;

use serde_json::Value;
use support::{Said, gatepass, run};

fn typed(arguments: &[&str]) -> Said {
    run(gatepass(tempfile::tempdir().unwrap().path()).args(arguments))
}

#[test]
fn another_tools_word_is_answered_with_the_right_command() {
    for (words, command) in [
        (&["signin"][..], "gatepass login"),
        (&["auth", "login"], "gatepass login"),
        (&["auth", "login", "--server", "https://a.example"], "gatepass login"),
        (&["--server", "https://a.example", "sign-in"], "gatepass login"),
        (&["auth", "print-access-token"], "gatepass token"),
        (&["auth"], "gatepass login"),
        (&["Signout"], "gatepass logout"),
        (&["run", "--", "ls"], "gatepass exec -- COMMAND"),
        (&["help"], "gatepass --help"),
        (&["help", "login"], "gatepass login --help"),
        (&["version"], "gatepass --version"),
    ] {
        let said = typed(words);
        assert_eq!((said.code, said.out.as_str()), (Some(2), ""), "{words:?}");
        let named = words.iter().find(|word| !word.starts_with('-') && !word.starts_with("http")).unwrap();
        assert_eq!(said.err, format!("error: there is no command '{named}'\nhint: run\n  {command}\n"), "{words:?}");
    }
}

#[test]
fn a_slip_is_answered_with_what_was_nearly_typed() {
    for (words, command) in
        [(&["logn"][..], "gatepass login"), (&["tokn"], "gatepass token"), (&["acounts"], "gatepass accounts")]
    {
        let said = typed(words);
        assert_eq!(said.code, Some(2), "{words:?}");
        assert!(said.err.ends_with(&format!("hint: run\n  {command}\n")), "{}", said.err);
    }
    for (words, option) in [
        (&["login", "--sever", "x"][..], "--server"),
        (&["login", "--devce"], "--device"),
        (&["token", "--headers"], "--header"),
        (&["accounts", "lst"], "list"),
        (&["completions", "bsh"], "bash"),
    ] {
        let said = typed(words);
        assert_eq!(said.code, Some(2), "{words:?}");
        assert!(said.err.contains(&format!("'{option}'")), "{}", said.err);
    }
    let said = typed(&["xyzzy"]);
    assert!(said.code == Some(2) && said.err.contains("xyzzy") && said.err.contains("--help"), "{}", said.err);
    assert!(!typed(&["\u{1b}[2Jlogin"]).err.contains('\u{1b}'));
}

#[test]
fn with_json_a_slip_is_an_event_too() {
    for (words, part) in [
        (&["signin", "--json"][..], "signin"),
        (&["--json", "login", "--sever", "x"], "--sever"),
        (&["login", "--json", "--device", "--paste"], "--paste"),
        (&["--json"], "subcommand"),
    ] {
        let said = typed(words);
        let event: Value = serde_json::from_str(&said.out).unwrap_or_else(|_| panic!("{words:?}: {}", said.out));
        assert_eq!((said.code, said.err.as_str()), (Some(2), ""), "{words:?}");
        assert_eq!((event["event"].as_str(), event["kind"].as_str()), (Some("error"), Some("usage")));
        assert!(event["message"].as_str().unwrap().contains(part), "{event}");
    }
    // What comes after -- is another program's.
    let said = typed(&["exec", "--bad", "--", "ls", "--json"]);
    assert!(said.out.is_empty() && said.err.contains("--bad"), "{} {}", said.out, said.err);
}

#[test]
fn help_and_version_are_data() {
    for words in [&["--help"][..], &["login", "-h"], &["admin", "user", "add", "--help"], &["--version"]] {
        let said = typed(words);
        assert_eq!((said.code, said.err.as_str()), (Some(0), ""), "{words:?}");
        assert!(!said.out.contains('\u{1b}'), "{}", said.out);
    }
    assert!(typed(&["--help"]).out.contains("gatepass sends no telemetry."));
    let said = typed(&[]);
    assert_eq!((said.code, said.out.as_str()), (Some(2), ""));
    assert!(said.err.contains("Usage: gatepass"), "{}", said.err);
}
