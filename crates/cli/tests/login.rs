//! `gatepass login` as a script, a pipe and an impatient person meet it.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test stops where it fails")]

mod support;

use serde_json::{Value, json};
use std::{
    io::{BufRead, BufReader, Write},
    process::{Child, Command, Stdio},
    time::Duration,
};
use support::{
    fake::{Answer, Asked, Fake, granted, refused, signed_in, stored},
    gatepass, run, said,
};

fn device(asked: &Asked, answer: impl Fn() -> Answer) -> Answer {
    match asked.path.as_str() {
        "/device" => Answer::Json(
            200,
            json!({"device_code": "dev", "user_code": "WDJB-MJHT", "verification_uri": "https://a.example/device",
                   "expires_in": 60, "interval": 1, "number_match": "42"}),
        ),
        _ => answer(),
    }
}

fn piped(command: &mut Command) -> Child {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

#[test]
fn without_a_terminal_a_code_is_shown_and_the_reason_said() {
    let (home, fake) = (tempfile::tempdir().unwrap(), Fake::start(|asked, _| device(asked, || granted("1"))));
    let login = run(gatepass(home.path()).args(["login", "--server", &fake.issuer]));
    assert_eq!(login.code, Some(0), "{}", login.err);
    assert_eq!(login.out, "");
    for line in ["https://a.example/device", "WDJB-MJHT", "If the page asks for a number, it is 42."] {
        assert!(login.err.lines().any(|said| said == line), "{line} alone on a line in {}", login.err);
    }
    // Which of several reasons is named depends on where the test runs.
    let reasons =
        ["there is no terminal here", "this is a container", "this is WSL, whose browser is on the Windows side"];
    let first = login.err.lines().next().unwrap().strip_prefix("Signing in with a code, since ").unwrap();
    assert!(reasons.contains(&first.trim_end_matches('.')), "{first}");
    assert!(login.err.contains("the key is kept by a key file"), "custody is chosen openly: {}", login.err);
    let form = &fake.asked("/device")[0].form;
    assert_eq!(form["client_id"], "gatepass-cli");
    assert_eq!(form["scope"], "account email offline_access openid profile");
    assert_eq!(run(gatepass(home.path()).arg("token")).out, "access-1\n");
    let second = run(gatepass(home.path()).args(["login", "--quiet"]));
    assert_eq!(
        (second.code, second.out.as_str(), second.err.as_str()),
        (Some(0), "", ""),
        "the default account's server"
    );
}

#[test]
fn json_is_one_event_a_line() {
    let fake = Fake::start(|asked, count| {
        device(asked, || if count == 0 { refused("authorization_pending") } else { granted("1") })
    });
    let home = tempfile::tempdir().unwrap();
    let login = run(gatepass(home.path()).args(["login", "--json", "--device", "--server", &fake.issuer]));
    let events: Vec<Value> = login.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let names: Vec<&str> = events.iter().filter_map(|event| event["event"].as_str()).collect();
    assert_eq!(names, ["code", "pending", "done"], "{} {}", login.out, login.err);
    assert_eq!(events[0]["number_match"], "42");

    let fake = Fake::start(|asked, _| device(asked, || refused("access_denied")));
    let login = run(gatepass(home.path()).args(["login", "--json", "--device", "--server", &fake.issuer]));
    let last: Value = serde_json::from_str(login.out.lines().last().unwrap()).unwrap();
    assert_eq!((login.code, last["kind"].as_str()), (Some(5), Some("refused")));
}

#[test]
fn an_address_is_taken_from_stdin() {
    let (home, fake) = (tempfile::tempdir().unwrap(), Fake::start(|_, _| granted("1")));
    let mut login = piped(gatepass(home.path()).args(["login", "--paste", "--json", "--server", &fake.issuer]));
    let mut lines = BufReader::new(login.stdout.take().unwrap()).lines();
    let event: Value = serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap();
    let page = url::Url::parse(event["url"].as_str().unwrap()).unwrap();
    let value = |name: &str| page.query_pairs().find(|(known, _)| known == name).unwrap().1.into_owned();
    let (uri, state, iss) = (value("redirect_uri"), value("state"), fake.issuer.replace("://", "%3A%2F%2F"));
    writeln!(login.stdin.take().unwrap(), "{uri}?code=right-code&state={state}&iss={iss}").unwrap();
    let event: Value = serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap();
    assert_eq!(event["event"], "done");
    assert!(login.wait().unwrap().success());
    assert_eq!(
        run(gatepass(home.path()).args(["login", "--paste", "--server", &fake.issuer])).code,
        Some(2),
        "empty input"
    );
}

#[cfg(unix)]
#[test]
fn ctrl_c_leaves_nothing_behind() {
    let fake = Fake::start(|asked, _| device(asked, || refused("authorization_pending")));
    let home = tempfile::tempdir().unwrap();
    let login = piped(gatepass(home.path()).args(["login", "--device", "--server", &fake.issuer]));
    while fake.asked("/token").is_empty() {
        std::thread::sleep(Duration::from_millis(10));
    }
    assert!(Command::new("kill").args(["-INT", &login.id().to_string()]).status().unwrap().success());
    let login = said(login.wait_with_output().unwrap());
    assert_eq!(login.code, Some(130), "{}", login.err);
    assert!(login.err.ends_with("error: interrupted\n"), "{}", login.err);
    let left: Vec<_> = std::fs::read_dir(home.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["locks"], "no vault, no key");
    for lock in std::fs::read_dir(home.path().join("locks")).unwrap() {
        let lock = std::fs::File::open(lock.unwrap().path()).unwrap();
        assert_eq!(lock.metadata().unwrap().len(), 0);
        lock.try_lock().unwrap();
    }
    let fake = Fake::start(|asked, _| device(asked, || granted("1")));
    let next = run(gatepass(home.path()).args(["login", "--device", "--server", &fake.issuer]));
    assert_eq!(next.code, Some(0), "nothing is in the way of the next one: {}", next.err);
}

#[cfg(unix)]
#[test]
fn ctrl_c_leaves_an_older_sign_in_as_it_was() {
    let fake = Fake::start(|asked, _| device(asked, || refused("authorization_pending")));
    let home = tempfile::tempdir().unwrap();
    let account = signed_in(home.path(), &fake.issuer, 3000);
    let files = || {
        let names = std::fs::read_dir(home.path()).unwrap().map(|entry| entry.unwrap().file_name());
        names.collect::<std::collections::BTreeSet<_>>()
    };
    let (before, vault) = (files(), std::fs::read(home.path().join("vault.gpv")).unwrap());
    let mut login =
        piped(gatepass(home.path()).args(["login", "--loopback", "--no-browser", "--server", &fake.issuer]));
    let mut err = BufReader::new(login.stderr.take().unwrap()).lines().map(Result::unwrap);
    err.find(|line| line.starts_with("http")).unwrap();
    assert!(Command::new("kill").args(["-INT", &login.id().to_string()]).status().unwrap().success());
    assert!(err.any(|line| line == "error: interrupted"));
    assert_eq!(login.wait().unwrap().code(), Some(130));
    assert_eq!((files(), std::fs::read(home.path().join("vault.gpv")).unwrap()), (before, vault));
    assert!(stored(home.path(), &account).is_some());
}

#[test]
fn an_older_sign_in_that_cannot_be_revoked_is_told_and_fails_nothing() {
    let fake = Fake::start(|asked, count| match asked.path.as_str() {
        "/revoke" => refused("server_error"),
        _ => device(asked, || granted(&count.to_string())),
    });
    let home = tempfile::tempdir().unwrap();
    for (arguments, warned) in [(&["--quiet"][..], false), (&["--quiet"], true), (&["--json"], true)] {
        let login = run(gatepass(home.path()).args(["login", "--device", "--server", &fake.issuer]).args(arguments));
        assert_eq!((login.code, login.err.contains("was not revoked")), (Some(0), warned), "{}", login.err);
        assert!(login.out.lines().all(|line| serde_json::from_str::<Value>(line).is_ok()), "{}", login.out);
    }
    assert_eq!(fake.asked("/revoke")[1].form["token"], "refresh-1");
}

/// `ulimit -f 0` makes every write fail as a full disk does.
#[cfg(unix)]
#[test]
fn a_full_disk_is_found_out_before_anybody_is_bothered() {
    let fake = Fake::start(|asked, _| device(asked, || granted("1")));
    let home = tempfile::tempdir().unwrap();
    let plain = gatepass(home.path());
    let mut full = Command::new("sh");
    full.args(["-c", "trap '' XFSZ; ulimit -f 0; exec \"$0\" login --device --server \"$1\""])
        .arg(plain.get_program())
        .arg(&fake.issuer)
        .env_clear()
        .envs(plain.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let login = run(&mut full);
    assert_eq!(login.code, Some(1), "{}", login.err);
    assert!(login.err.contains("nothing was lost"), "{}", login.err);
    assert!(fake.asked("/device").is_empty());
}
