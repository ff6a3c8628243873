//! Every error that is about an account names it, and an account may be of a space.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test stops where it fails")]

mod support;

use serde_json::{Value, json};
use std::fs;
use support::{
    Said,
    fake::{Answer, Fake, granted, html, refused, sign_ins, signed_in},
    gatepass, run,
};

/// What a server does, and how old the token is when it is asked.
type Case = (&'static str, fn(&str) -> Answer, i64);

#[test]
fn every_error_names_the_account() {
    let cases: [Case; 7] = [
        ("away", |_| Answer::Drop, -5),
        ("no", |_| refused("invalid_grant"), -5),
        ("another no", |_| refused("invalid_scope"), -5),
        ("busy", |_| Answer::Json(503, json!({})), -5),
        ("hotel", |_| html(200, "<h1>Welcome</h1>"), -5),
        (
            "401",
            |path| match path {
                "/token" => granted("1"),
                "/revoke" => Answer::Json(503, json!({})),
                _ => Answer::Json(401, json!({})),
            },
            3000,
        ),
        (
            "403",
            |path| match path {
                "/token" => granted("1"),
                "/revoke" => html(200, "<h1>Welcome</h1>"),
                _ => Answer::Json(403, json!({})),
            },
            3000,
        ),
    ];
    let commands: [&[&str]; 6] =
        [&["token"], &["token", "--json"], &["exec", "--", "true"], &["whoami"], &["status", "--online"], &["logout"]];
    for (name, answer, life) in cases {
        for command in commands {
            let fake = Fake::start(move |asked, _| answer(&asked.path));
            let home = tempfile::tempdir().unwrap();
            signed_in(home.path(), &fake.issuer, life);
            let said = run(gatepass(home.path()).args(command));
            if said.code == Some(0) {
                continue;
            }
            let message = match serde_json::from_str::<Value>(&said.out) {
                Ok(object) => object["message"].as_str().unwrap().to_owned(),
                Err(_) => said.err.lines().find(|line| line.starts_with("error: ")).unwrap().to_owned(),
            };
            let account = format!("ada@example.com at {}", fake.issuer);
            assert_eq!(message.matches(&account).count(), 1, "{name} {command:?}: {message}");
        }
    }
}

fn run_in(home: &std::path::Path, arguments: &[&str]) -> Said {
    run(gatepass(home).current_dir(home).args(arguments))
}

#[test]
fn a_space_is_part_of_an_account_and_chosen_like_one() {
    let (home, issuer) = (tempfile::tempdir().unwrap(), "http://127.0.0.1:1");
    signed_in(home.path(), issuer, 3000);
    sign_ins(home.path())
        .vault()
        .update(|contents| {
            let mut other = contents.sign_ins[0].clone();
            other.account.space = Some("team".into());
            other.tokens.as_mut().unwrap().access_token = "access-team".into();
            contents.put(other)
        })
        .unwrap();
    let home = home.path();
    assert_eq!(run_in(home, &["token"]).out, "access-0\n", "the default");
    assert_eq!(run_in(home, &["token", "--space", "team"]).out, "access-team\n");
    assert_eq!(run(gatepass(home).arg("token").env("GATEPASS_SPACE", "team")).out, "access-team\n");
    fs::write(home.join(".gatepass.toml"), "space = 'team'\n").unwrap();
    assert_eq!(run_in(home, &["token"]).out, "access-team\n");
    assert_eq!(run_in(home, &["token", "--server", issuer]).out, "access-0\n", "what is typed decides alone");
    let said = run_in(home, &["token", "--space", "other"]);
    assert_eq!(said.code, Some(3));
    assert_eq!(
        said.err,
        "error: nobody is signed in to the space other\nhint: sign in to it with\n  gatepass login --space other\n"
    );
    assert_eq!(run_in(home, &["logout", "--space", "other"]).code, Some(0));
    assert_eq!(run_in(home, &["token", "--space", "a b"]).code, Some(2));
    let listed: Vec<Value> =
        run_in(home, &["accounts", "--json"]).out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((&listed[0]["space"], &listed[1]["space"]), (&Value::Null, &json!("team")));
    assert_ne!(listed[0]["id"], listed[1]["id"]);
    let status: Value = serde_json::from_str(&run_in(home, &["status", "--json"]).out).unwrap();
    assert_eq!(status["accounts"][1]["space"], "team");
    assert!(run_in(home, &["status"]).out.contains("http://127.0.0.1:1, space team"));
}
