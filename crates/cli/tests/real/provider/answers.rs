//! Answers that are not quite as the standards say, and what is made of each.

use super::*;

/// A device sign-in whose token answer is this; what it said, and what is kept.
fn answered(answer: Value) -> (Said, Terminal) {
    let fake = foreign(json!({"userinfo_endpoint": null}), move |asked, _| {
        (asked.path == "/token").then(|| Answer::Json(200, answer.clone()))
    });
    let terminal = Terminal::new();
    (device_login(&terminal, &fake, &["--client-id", "cli"]), terminal)
}

#[test]
fn what_vendors_do_differently_is_read_and_what_is_unsafe_is_not() {
    for good in [
        json!({"access_token": "a", "token_type": "bearer"}),
        json!({"access_token": "a", "token_type": "BEARER", "expires_in": "3600", "ext": {"a": [1]}}),
        json!({"access_token": "a", "token_type": "Bearer", "expires_in": 3600, "scope": null, "refresh_token": "r"}),
    ] {
        let (said, terminal) = answered(good);
        said.done();
        assert_eq!(terminal.run(&["token"]).done(), "a\n");
        let who = terminal.run(&["whoami"]).done();
        assert!(who.contains("client  cli"), "{who}");
    }
    for (bad, part) in [
        (json!({"access_token": "a"}), "without its type"),
        (json!({"access_token": "a", "token_type": "mac"}), "not asked for"),
        (json!({"access_token": "a\r\nX: y", "token_type": "Bearer"}), "characters that no token has"),
        (json!({"token_type": "Bearer"}), "not the JSON document"),
    ] {
        // A captive portal may stand between, so a device goes on asking; a browser's code has one try.
        let answer = bad.clone();
        let fake =
            foreign(json!({}), move |asked, _| (asked.path == "/token").then(|| Answer::Json(200, answer.clone())));
        let terminal = Terminal::new();
        let (said, _) = browser_login(&terminal, &fake, &["--client-id", "cli"]);
        assert_eq!(said.code, Some(1), "{bad} {said:?}");
        assert!(said.out.contains(part), "{bad}: {}", said.out);
        assert!(terminal.tokens().is_none() && terminal.run(&["token"]).code == Some(3));
    }
}

#[test]
fn a_sign_in_without_a_refresh_token_says_how_long_it_lasts() {
    let (said, terminal) = answered(json!({"access_token": "a", "token_type": "Bearer", "expires_in": "3600"}));
    assert!(said.err.contains("no refresh token, so this lasts until"), "{}", said.err);
    assert_eq!(renew(&terminal).done(), "a\n", "there is nothing better than what works");
}

#[test]
fn a_resource_is_sent_byte_for_byte_at_every_step() {
    for resource in ["https://API.example/a/", "https://api.example:443/%7Ea?x=%2f", "https://api.example"] {
        let (terminal, fake) = (Terminal::new(), foreign(json!({}), |_, _| None));
        let options = ["--client-id", "cli", "--resource", resource];
        let (said, page) = browser_login(&terminal, &fake, &options);
        said.done();
        assert_eq!(page["resource"], resource);
        renew(&terminal);
        device_login(&terminal, &fake, &options).done();
        assert_eq!(fake.asked("/device")[0].form["resource"], resource);
        let grants: Vec<String> = fake.asked("/token").iter().map(|asked| asked.form["grant_type"].clone()).collect();
        assert_eq!(grants, ["authorization_code", "refresh_token", "urn:ietf:params:oauth:grant-type:device_code"]);
        for asked in fake.asked("/token") {
            assert_eq!(asked.form["resource"], resource);
        }
    }
}

#[test]
fn whoami_and_status_and_logout_speak_with_a_foreign_server() {
    let (terminal, fake) = (Terminal::new(), foreign(json!({}), |_, _| None));
    let (said, _) = browser_login(&terminal, &fake, &["--client-id", "cli", "--scope", "openid"]);
    said.done();
    // The mock's token answer says scope read; without openid in it userinfo is asked only by whoami.
    let who = terminal.run(&["whoami", "--json"]).json();
    assert_eq!((who["id"].as_str(), who["email_verified"].as_bool()), (Some("u-7"), Some(true)));
    assert!(fake.asked("/api/v1/user/rpc").is_empty());
    assert!(terminal.run(&["status", "--online"]).err.contains("The server confirms"));
    let token = terminal.run(&["token"]).done();
    let raw = run(terminal.command(&["whoami", "--server", &fake.issuer]).env("GATEPASS_TOKEN", token.trim()));
    assert!(raw.done().contains("ada@a.example"));
    terminal.run(&["logout"]).done();
    assert_eq!(fake.asked("/revoke")[0].form["token"], "refresh-1");
    terminal.run(&["whoami"]).failed(3);
}

#[test]
fn userinfo_that_speaks_of_somebody_else_is_not_believed() {
    let fake = foreign(json!({}), |asked, count| match asked.path.as_str() {
        "/userinfo" if count == 2 => Some(Answer::Json(200, json!({"email": "ada@a.example"}))),
        "/userinfo" => Some(Answer::Json(200, json!({"sub": format!("u-{count}")}))),
        "/token" => Some(Answer::Json(
            200,
            json!({"access_token": "a", "token_type": "Bearer", "expires_in": 3600, "scope": "openid"}),
        )),
        _ => None,
    });
    let terminal = Terminal::new();
    device_login(&terminal, &fake, &["--client-id", "cli"]).done();
    assert!(terminal.run(&["whoami"]).failed(1).contains("somebody else"));
    assert!(terminal.run(&["whoami"]).failed(1).contains("somebody else"), "who does not say of whom is not believed");
}
