//! A token goes to nobody whom its owner did not name.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test stops where it fails")]

mod support;

use serde_json::{Value, json};
use std::{
    fs,
    io::{BufRead, BufReader},
    process::Stdio,
};
use support::{
    fake::{Answer, Fake, sign_ins, signed_in},
    gatepass, run,
};

const TOKEN: &str = "token-of-the-environment";

fn server() -> Fake {
    Fake::start(|_, _| Answer::Json(200, json!({"jsonrpc": "2.0", "id": 1, "result": {"email": "ada@example.com"}})))
}

/// A folder may have come from a stranger, with the file in it.
#[test]
fn the_file_of_a_folder_does_not_say_where_the_token_of_the_environment_goes() {
    let (evil, own) = (server(), server());
    let (home, folder) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    fs::write(folder.path().join(".gatepass.toml"), format!("server = '{}'\n", evil.issuer)).unwrap();
    let whoami = || {
        let mut command = gatepass(home.path());
        command.arg("whoami").current_dir(folder.path()).env("GATEPASS_TOKEN", TOKEN);
        command
    };
    let said = run(&mut whoami());
    assert_eq!(said.code, Some(2));
    assert_eq!(
        said.err,
        "error: GATEPASS_TOKEN is set, but no server that it is for\n\
         hint: name it with --server or GATEPASS_SERVER; a .gatepass.toml does not count\n"
    );
    fs::write(home.path().join("config.toml"), format!("server = '{}'\n", own.issuer)).unwrap();
    assert_eq!(run(&mut whoami()).code, Some(0));
    assert_eq!(run(whoami().env("GATEPASS_SERVER", &own.issuer)).code, Some(0));
    let shown = own.asked("/api/v1/user/rpc");
    assert!(shown.len() == 2 && shown.iter().all(|asked| asked.bearer.as_deref() == Some(TOKEN)), "{shown:?}");
    for path in ["/.well-known/oauth-authorization-server", "/userinfo", "/api/v1/user/rpc"] {
        assert!(evil.asked(path).is_empty(), "{path}");
    }
}

/// Nobody looks at the server before a secret or an assertion is sent.
#[test]
fn the_file_of_a_folder_does_not_say_where_a_service_proves_itself() {
    let (evil, own) = (server(), server());
    let (home, folder) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    fs::write(folder.path().join(".gatepass.toml"), format!("server = '{}'\n", evil.issuer)).unwrap();
    let file = home.path().join("proof");
    fs::write(&file, "e30.e30.c2ln").unwrap();
    let file = file.to_str().unwrap();
    let ways = [
        &["login", "--client-credentials", "--client-id", "x", "--client-secret-file", file][..],
        &["login", "--client-id", "x", "--client-secret-file", file, "--device"],
        &["login", "--assertion-file", file],
    ];
    let login = |arguments: &[&str]| run(gatepass(home.path()).args(arguments).current_dir(folder.path()));
    for way in ways {
        let said = login(way);
        assert_eq!(said.code, Some(2), "{}", said.err);
        assert!(said.err.contains("a .gatepass.toml does not count"), "{}", said.err);
    }
    fs::write(home.path().join("config.toml"), format!("server = '{}'\n", own.issuer)).unwrap();
    for way in ways {
        assert_ne!(login(way).code, Some(0), "the fake is no authorization server");
    }
    assert!(!own.all().is_empty() && evil.all().is_empty());
}

#[cfg(unix)]
#[test]
fn an_agent_of_a_space_is_for_the_account_of_that_space() {
    let (home, issuer) = (tempfile::tempdir().unwrap(), "http://127.0.0.1:1");
    signed_in(home.path(), issuer, 3000);
    let put = sign_ins(home.path()).vault().update(|contents| {
        let mut other = contents.sign_ins[0].clone();
        other.account.space = Some("team".into());
        other.tokens.as_mut().unwrap().access_token = "access-team".into();
        contents.put(other)
    });
    put.unwrap();
    for by_variable in [false, true] {
        let mut command = gatepass(home.path());
        command.args(["agent", "--json"]).stdout(Stdio::piped()).stderr(Stdio::null());
        match by_variable {
            true => command.env("GATEPASS_SPACE", "team"),
            false => command.args(["--space", "team"]),
        };
        let mut agent = command.spawn().unwrap();
        let mut line = String::new();
        BufReader::new(agent.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let listening: Value = serde_json::from_str(&line).unwrap();
        assert!(listening["account"].is_string(), "{line}");
        let ask = |arguments: &[&str]| {
            run(gatepass(&home.path().join("none"))
                .args(arguments)
                .current_dir(home.path())
                .env("GATEPASS_AGENT_SOCK", listening["address"].as_str().unwrap()))
        };
        assert_eq!(ask(&["token"]).out, "access-team\n");
        assert_ne!(ask(&["token", "--server", "http://127.0.0.1:2"]).code, Some(0));
        assert_eq!(ask(&["agent", "stop"]).code, Some(0));
        assert!(agent.wait().unwrap().success());
    }
}
