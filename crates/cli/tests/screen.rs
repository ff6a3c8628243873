//! The sign-in screen without a terminal, and before a server that lies. On real terminals: `real`.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test stops where it fails")]

mod support;

use serde_json::{Value, json};
use support::{
    Said,
    fake::{Answer, Fake, granted},
    gatepass, run,
};

/// A server that gives this code and this address.
fn server(user_code: &'static str, verification_uri: &'static str) -> Fake {
    Fake::start(move |asked, _| match asked.path.as_str() {
        "/device" => Answer::Json(
            200,
            json!({"device_code": "dev", "user_code": user_code, "verification_uri": verification_uri,
                   "expires_in": 600, "interval": 1, "number_match": "42"}),
        ),
        _ => granted("1"),
    })
}

fn login(fake: &Fake, variables: &[(&str, &str)], arguments: &[&str]) -> Said {
    let home = tempfile::tempdir().unwrap();
    let mut command = gatepass(home.path());
    command.args(["login", "--device", "--server", &fake.issuer]).args(arguments).envs(variables.iter().copied());
    run(&mut command)
}

#[test]
fn plain_spells_the_code_and_says_how_long_there_is() {
    let fake = server("WDJB-MJH7", "https://a.example/device");
    for (variables, arguments) in
        [(&[][..], &["--plain"][..]), (&[("GATEPASS_PLAIN", "1")], &[]), (&[("GATEPASS_PLAIN", "yes")], &[])]
    {
        let said = login(&fake, variables, arguments);
        assert_eq!((said.code, said.out.as_str()), (Some(0), ""), "{}", said.err);
        let lines: Vec<&str> = said.err.lines().take(6).collect();
        assert_eq!(
            lines,
            [
                "Open this address on any device:",
                "https://a.example/device",
                "Enter this code there: WDJB-MJH7",
                "The code in words: W as in whiskey, D as in delta, J as in juliett, B as in bravo, dash, M as in mike, \
                 J as in juliett, H as in hotel, seven.",
                "If the page asks for a number, it is 42: four, two.",
                "You have 10 minutes.",
            ]
        );
    }
    let said = login(&fake, &[("GATEPASS_PLAIN", "0")], &[]);
    assert!(!said.err.contains("in words"), "{}", said.err);
}

#[test]
fn without_a_terminal_there_is_nothing_for_a_terminal() {
    let fake = server("WDJB-MJHT", "https://a.example/device");
    for arguments in [&[][..], &["--copy"], &["--json", "--copy"], &["--quiet", "--copy"]] {
        let said = login(&fake, &[("FORCE_HYPERLINK", "1"), ("VTE_VERSION", "7006")], arguments);
        assert_eq!(said.code, Some(0), "{}", said.err);
        for c in ['\u{1b}', '\u{7}', '\r'] {
            assert!(!said.err.contains(c) && !said.out.contains(c), "{arguments:?}: {:?}", said.err);
        }
    }
    let home = tempfile::tempdir().unwrap();
    // The sentence is told by a thread, so there must be time for it.
    let slow = Fake::start(|asked, count| match (asked.path.as_str(), count) {
        ("/device", _) => Answer::Json(
            200,
            json!({"device_code": "dev", "user_code": "WDJB-MJHT", "verification_uri": "https://a.example/device",
                   "expires_in": 60, "interval": 1}),
        ),
        (_, 0) => support::fake::refused("authorization_pending"),
        _ => granted("1"),
    });
    let said = run(gatepass(home.path()).args(["login", "--device", "--copy", "--server", &slow.issuer]));
    assert!(said.err.contains("The address was not copied: there is no terminal here"), "{}", said.err);
}

#[test]
fn what_a_server_wrote_cannot_speak_to_the_terminal() {
    let fake = server(
        "\u{1b}]52;c;aGVsbG8=\u{7}WDJB\u{202e}\u{9b}2J",
        "https://a.example/\u{1b}]8;;https://evil.example\u{1b}\\device",
    );
    for arguments in [&[][..], &["--plain"], &["--json"]] {
        let said = login(&fake, &[("FORCE_HYPERLINK", "1"), ("LANG", "C.UTF-8")], arguments);
        assert_eq!(said.code, Some(0), "{}", said.err);
        let all = said.err + &said.out;
        assert!(!all.chars().any(|c| (c.is_control() && c != '\n') || c == '\u{202e}'), "{all:?}");
        if arguments == ["--json"] {
            let code: Value = serde_json::from_str(all.lines().next().unwrap()).unwrap();
            assert_eq!(code["user_code"], "]52;c;aGVsbG8=WDJB2J");
        }
    }
    let fake = server("WDJB-MJHT", "javascript:alert(1)");
    let said = login(&fake, &[], &[]);
    assert_eq!(said.code, Some(1), "{}", said.err);
    assert!(!said.err.contains("javascript"), "{}", said.err);
}
