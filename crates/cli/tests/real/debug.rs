//! `--debug`: it tells what is asked and decided, on stderr, and none of the secrets.

use crate::{
    fake::{Answer, Asked, Fake, refused, stored},
    support::{Person, Place, Program, Server, Terminal, event, run},
};
use gatepass_testkit::tokio;
use serde_json::json;

/// A server whose every secret is known to the test, and which repeats what it is given in its errors.
fn talkative() -> Fake {
    Fake::start(|asked: &Asked, count| match (asked.path.as_str(), count) {
        ("/device", _) => Answer::Json(
            200,
            json!({"device_code": "device-code-secret", "user_code": "WDJB-MJHT", "interval": 1, "expires_in": 60,
                   "verification_uri": "https://a.example/device", "number_match": "NUMBER-42"}),
        ),
        ("/token", 0) => refused("authorization_pending"),
        ("/token", 2) => Answer::Json(400, json!({"error": asked.form["refresh_token"]})),
        ("/token", _) => Answer::Json(
            200,
            json!({"access_token": format!("access-secret-{count}"), "refresh_token": format!("refresh-secret-{count}"),
                   "token_type": "Bearer", "expires_in": 3600}),
        ),
        ("/api/v1/user/rpc", _) => Answer::Json(401, json!({"error": asked.bearer})),
        _ => Answer::Json(200, json!({})),
    })
}

/// The lines of `--debug`.
fn debugged(err: &str) -> String {
    err.lines().filter(|line| line.starts_with("debug ")).collect::<Vec<_>>().join("\n")
}

#[test]
fn every_command_of_a_sign_in_tells_what_it_does_and_no_secret() {
    let (server, terminal) = (talkative(), Terminal::new());
    let host = server.issuer.strip_prefix("http://").unwrap();
    let mut told = String::new();
    for (arguments, parts) in [
        (
            &["login", "--device", "--server", &server.issuer][..],
            &[
                "POST HOST/device answered 200 in",
                "POST HOST/token answered 400 in",
                ": authorization_pending",
                "signing in as client gatepass-cli by Device",
                "is kept",
            ][..],
        ),
        (&["token"], &["the stored token of account"]),
        (
            &["token", "--min-ttl", "2h"],
            &["since the old one lasts for less than 7200 s", "POST HOST/token answered 400", ": an error of its own"],
        ),
        (&["token", "--min-ttl", "2h"], &["refreshed and kept"]),
        (&["whoami"], &["POST HOST/api/v1/user/rpc answered 401", "since a resource answered 401 to the old one"]),
        (&["status", "--online"], &[]),
        (&["doctor"], &["GET HOST/.well-known/oauth-authorization-server answered 200"]),
        (&["logout"], &["POST HOST/revoke answered 200"]),
    ] {
        let said = run(terminal.command(arguments).arg("--debug"));
        let debug = debugged(&said.err);
        for part in parts {
            assert!(debug.contains(&part.replace("HOST", host)), "{arguments:?}: {part} in {}", said.err);
        }
        assert!(!said.out.contains("debug "), "it belongs to stderr: {}", said.out);
        told += &debug;
    }
    let mut secrets =
        vec!["device-code-secret".to_owned(), "WDJB".into(), "MJHT".into(), "NUMBER-42".into(), "-secret-".into()];
    for path in ["/device", "/token", "/revoke"] {
        for asked in server.asked(path) {
            let given = ["code_verifier", "code_challenge", "device_code", "refresh_token", "token"];
            secrets.extend(given.iter().filter_map(|name| asked.form.get(*name).cloned()));
        }
    }
    assert!(secrets.len() > 10, "{secrets:?}");
    for secret in secrets {
        assert!(!told.contains(&secret), "{secret} in {told}");
    }
    assert!(!told.contains('?'), "no query: {told}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2, crate = "gatepass_testkit::tokio")]
async fn a_sign_in_by_browser_tells_neither_code_nor_state() {
    let place = Place::sqlite().await;
    let (server, terminal) = (place.serve_with_user(), Terminal::new());
    let arguments = ["login", "--loopback", "--no-browser", "--json", "--server", &server.url];
    let login = Program::start(terminal.command(&arguments).env("GATEPASS_DEBUG", "1"));
    let url = event(&login, "url")["url"].as_str().unwrap().to_owned();
    let left_for = Person::signed_in(&server).await.led_away_from(&url).await;
    Server::http().get(&left_for).send().await.unwrap();
    let said = login.end();
    let debug = debugged(&said.err);
    assert!(debug.contains("/token answered 200") && debug.contains("is believed"), "{said:?}");
    let (access, refresh) = terminal.tokens().unwrap();
    let mut secrets = vec![access, refresh];
    for address in [&url, &left_for] {
        let names = ["code", "state", "nonce", "code_challenge", "request_uri"];
        let parsed = url::Url::parse(address).unwrap();
        secrets.extend(
            parsed.query_pairs().filter(|(name, _)| names.contains(&&**name)).map(|(_, value)| value.into_owned()),
        );
    }
    // The rest of the request was pushed, and stands in no address.
    assert!(secrets.len() >= 4, "{secrets:?}");
    for secret in secrets {
        assert!(!debug.contains(&secret), "{secret} in {debug}");
    }
}

#[test]
fn nothing_is_told_unless_it_is_asked_for() {
    let (server, terminal) = (talkative(), Terminal::new());
    let account = crate::fake::signed_in(terminal.home(), &server.issuer, 3000);
    for (variable, tells) in [("", false), ("0", false), ("false", false), ("off", false), ("1", true), ("yes", true)] {
        let said = run(terminal.command(&["token"]).env("GATEPASS_DEBUG", variable));
        assert_eq!((said.code, !said.err.is_empty()), (Some(0), tells), "{variable}: {said:?}");
        assert_eq!(said.out, "access-0\n");
    }
    assert!(stored(terminal.home(), &account).is_some());
}
