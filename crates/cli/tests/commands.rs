//! What the commands promise to scripts: data on stdout, talk on stderr, and the exit code.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test stops where it fails")]

mod support;

use serde_json::{Value, json};
use support::{
    fake::{Answer, Fake, granted, refused, signed_in, stored},
    gatepass, run,
};

#[test]
fn a_fresh_token_is_printed_without_any_network() {
    let home = tempfile::tempdir().unwrap();
    signed_in(home.path(), "http://127.0.0.1:1", 3000);
    let said = run(gatepass(home.path()).arg("token"));
    assert_eq!((said.code, said.out.as_str(), said.err.as_str()), (Some(0), "access-0\n", ""));
    let said = run(gatepass(home.path()).args(["token", "--header"]));
    assert_eq!(said.out, "Authorization: Bearer access-0\n");
    // A nonce may begin as an option does.
    let proof = ["token", "--dpop-proof", "GET", "https://api.example", "--dpop-nonce", "-R1"];
    assert_eq!(run(gatepass(home.path()).args(proof)).code, Some(0));
    let said = run(gatepass(home.path()).args(["token", "--json"]));
    assert_eq!(serde_json::from_str::<Value>(&said.out).unwrap()["access_token"], "access-0");
}

#[test]
fn a_token_that_is_over_is_refreshed_and_each_failure_has_its_exit_code() {
    let home = tempfile::tempdir().unwrap();
    let good = Fake::start(|_, _| granted("1"));
    signed_in(home.path(), &good.issuer, -5);
    assert_eq!(run(gatepass(home.path()).arg("token")).out, "access-1\n");
    assert_eq!(run(gatepass(home.path()).args(["token", "--min-ttl", "2h"])).out, "access-1\n");
    assert_eq!(good.asked("/token").len(), 2);

    let home = tempfile::tempdir().unwrap();
    signed_in(home.path(), "http://127.0.0.1:1", -5);
    let said = run(gatepass(home.path()).arg("token"));
    assert_eq!((said.code, said.out.as_str()), (Some(4), ""));
    assert!(said.err.contains("the sign-in is kept"), "{}", said.err);

    let no = Fake::start(|_, _| refused("invalid_grant"));
    signed_in(home.path(), &no.issuer, -5);
    let said = run(gatepass(home.path()).args(["token", "--server", &no.issuer]));
    assert_eq!((said.code, said.out.as_str()), (Some(3), ""));
    assert!(
        said.err.ends_with(&format!("hint: sign in with\n  gatepass login --server {}\n", no.issuer)),
        "{}",
        said.err
    );
}

#[test]
fn nobody_signed_in_is_said_with_the_next_step() {
    let home = tempfile::tempdir().unwrap();
    for command in ["token", "whoami"] {
        let said = run(gatepass(home.path()).arg(command));
        assert_eq!((said.code, said.out.as_str()), (Some(3), ""), "{command}");
        assert_eq!(said.err, "error: nobody is signed in\nhint: sign in with\n  gatepass login\n");
    }
    let said = run(gatepass(home.path()).args(["token", "--json"]));
    let object: Value = serde_json::from_str(&said.out).unwrap();
    assert_eq!((object["event"].as_str(), object["exit_code"].as_u64()), (Some("error"), Some(3)));
    assert_eq!(run(gatepass(home.path()).arg("logout")).code, Some(0));
    assert_eq!(run(gatepass(home.path()).arg("status")).code, Some(0));
    let said = run(gatepass(home.path()).arg("login"));
    assert_eq!(said.code, Some(2));
    assert!(said.err.contains("  gatepass login --server http://127.0.0.1:8484\n"), "{}", said.err);
}

#[test]
fn a_token_of_the_environment_is_used_as_it_is() {
    let home = tempfile::tempdir().unwrap();
    let fake = Fake::start_raw(|asked, _, _| match asked.bearer.as_deref() {
        Some("raw-token") => {
            Answer::Json(200, json!({"jsonrpc": "2.0", "id": 1, "result": {"type": "client", "scopes": []}}))
        }
        _ => Answer::Json(401, json!({})),
    });
    assert_eq!(run(gatepass(home.path()).arg("token").env("GATEPASS_TOKEN", "raw-token")).out, "raw-token\n");
    let whoami = |token: &str| {
        run(gatepass(home.path()).args(["whoami", "--server", &fake.issuer]).env("GATEPASS_TOKEN", token))
    };
    assert!(whoami("raw-token").out.contains("client"));
    assert_eq!(whoami("other").code, Some(3));
    assert_eq!(run(gatepass(home.path()).arg("token").env("GATEPASS_TOKEN", "a\nb")).code, Some(2));
    let said = run(gatepass(home.path()).arg("status").env("GATEPASS_TOKEN", "raw-token"));
    assert!(said.out.contains("GATEPASS_TOKEN") && !said.out.contains("raw-token"), "{}", said.out);
}

#[test]
fn whoami_refreshes_once_on_401() {
    let home = tempfile::tempdir().unwrap();
    let fake = Fake::start(|asked, _| match (asked.path.as_str(), asked.bearer.as_deref()) {
        ("/api/v1/user/rpc", Some("access-1")) => Answer::Json(
            200,
            json!({"jsonrpc": "2.0", "id": 1, "result": {
                "type": "user", "id": "u1", "email": "ada@example.com", "email_verified": true, "name": "Ada\u{1b}[2J",
                "client_id": "gatepass-cli", "scopes": ["account", "openid"], "credential": "access_token"}}),
        ),
        ("/api/v1/user/rpc", _) => Answer::Json(401, json!({})),
        _ => granted("1"),
    });
    signed_in(home.path(), &fake.issuer, 3000);
    let said = run(gatepass(home.path()).arg("whoami"));
    assert_eq!(said.code, Some(0), "{}", said.err);
    assert_eq!(
        said.out,
        format!(
            "type        user\nemail       ada@example.com\nname        Ada[2J\nid          u1\nclient      gatepass-cli\n\
             scopes      account openid\ncredential  access_token\nserver      {}\n",
            fake.issuer
        )
    );
    assert_eq!(fake.asked("/token").len(), 1);
}

#[test]
fn status_is_offline_and_tells_where_everything_is() {
    let home = tempfile::tempdir().unwrap();
    signed_in(home.path(), "http://127.0.0.1:1", 3000);
    let said = run(gatepass(home.path()).arg("status"));
    assert_eq!(said.code, Some(0), "{}", said.err);
    for part in ["vault.gpv", "a key file", "ada@example.com (default)", "http://127.0.0.1:1", "49 min left"] {
        assert!(said.out.contains(part), "{part} in {}", said.out);
    }
    assert!(!said.out.contains("access-0"));
    assert_eq!(run(gatepass(home.path()).args(["status", "--online"])).code, Some(4));
    let said = run(gatepass(home.path()).args(["status", "--json"]));
    let object: Value = serde_json::from_str(&said.out).unwrap();
    assert_eq!(object["accounts"][0]["signed_in"], true);
}

#[test]
fn logout_keeps_what_it_cannot_revoke_unless_forced() {
    let home = tempfile::tempdir().unwrap();
    let account = signed_in(home.path(), "http://127.0.0.1:1", 3000);
    let said = run(gatepass(home.path()).arg("logout"));
    assert_eq!(said.code, Some(4));
    assert!(said.err.contains("still signed in") && said.err.contains("\n  gatepass logout --force\n"), "{}", said.err);
    assert!(stored(home.path(), &account).is_some());
    assert_eq!(run(gatepass(home.path()).args(["logout", "--force"])).code, Some(0));
    assert!(stored(home.path(), &account).is_none());

    let fake = Fake::start(|_, _| Answer::Json(200, json!({})));
    signed_in(home.path(), &fake.issuer, 3000);
    let said = run(gatepass(home.path()).args(["logout", "--all", "--json"]));
    assert_eq!(serde_json::from_str::<Value>(&said.out).unwrap()["revoked"], true);
    assert_eq!(fake.asked("/revoke")[0].form["token"], "refresh-0");
}

#[test]
fn a_damaged_vault_is_set_aside_and_said() {
    let home = tempfile::tempdir().unwrap();
    signed_in(home.path(), "http://127.0.0.1:1", 3000);
    std::fs::write(home.path().join("vault.gpv"), "not a vault").unwrap();
    let said = run(gatepass(home.path()).arg("token"));
    assert_eq!(said.code, Some(1));
    assert!(said.err.contains("vault.damaged-") && said.err.contains("gatepass login"), "{}", said.err);
    assert_eq!(run(gatepass(home.path()).arg("token")).code, Some(3));
}

#[test]
fn mistakes_in_the_surroundings_are_named() {
    let home = tempfile::tempdir().unwrap();
    assert_eq!(run(gatepass(home.path()).arg("status").env("GATEPASS_KEYRING", "maybe")).code, Some(2));
    assert_eq!(run(gatepass(home.path()).args(["login", "--server", "http://auth.example"])).code, Some(2));
    assert_eq!(run(gatepass(home.path()).args(["login", "--device", "--paste"])).code, Some(2));
    std::fs::write(home.path().join("config.toml"), "sever = 1").unwrap();
    let said = run(gatepass(home.path()).arg("status"));
    assert_eq!(said.code, Some(2));
    assert!(said.err.contains("sever"), "{}", said.err);
}
