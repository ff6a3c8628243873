//! Credentials of the environment: used as they are, at the server that was named, and nowhere else.

use crate::{
    fake::{Answer, Fake},
    support::{Proxy, Said, Terminal, gatepass, run},
};
use serde_json::json;
use std::{fs, path::Path};

const KEY: &str = "gpk_abcdefgh_hunter2hunter2";

/// A gatepass server that takes the key, and whose metadata would have whoever believes it go elsewhere.
fn server(elsewhere: &str) -> Fake {
    let userinfo = format!("{elsewhere}/userinfo");
    Fake::start_raw(move |asked, issuer, _| match (asked.path.as_str(), asked.bearer.as_deref()) {
        ("/.well-known/oauth-authorization-server", _) => Answer::Json(
            200,
            json!({"issuer": issuer, "authorization_endpoint": format!("{issuer}/authorize"),
                   "token_endpoint": format!("{issuer}/token"), "response_types_supported": ["code"],
                   "userinfo_endpoint": userinfo}),
        ),
        ("/api/v1/user/rpc", Some(KEY)) => {
            Answer::Json(200, json!({"jsonrpc": "2.0", "id": 1, "result": {"type": "service", "name": "deploy"}}))
        }
        _ => Answer::Json(401, json!({})),
    })
}

/// A server that must not hear of the key.
fn stranger() -> Fake {
    Fake::start_raw(|_, _, _| Answer::Json(200, json!({"sub": "you"})))
}

fn with_key(terminal: &Terminal, arguments: &[&str]) -> Said {
    run(terminal.command(arguments).env("GATEPASS_API_KEY", KEY))
}

#[test]
fn it_goes_to_the_named_server_and_to_no_other() {
    let (other, terminal) = (stranger(), Terminal::new());
    let own = server(&other.issuer);
    let said = with_key(&terminal, &["whoami", "--server", &own.issuer, "--json"]).json();
    assert_eq!((&said["type"], &said["name"]), (&json!("service"), &json!("deploy")));
    assert!(own.asked("/.well-known/oauth-authorization-server").is_empty(), "metadata is not needed");
    fs::write(terminal.home().join("config.toml"), format!("server = {:?}\n", own.issuer)).unwrap();
    assert!(with_key(&terminal, &["whoami"]).done().contains("deploy"));

    for command in [&["whoami", "--server", "http://gatepass.example"][..], &["proxy", "http://api.example"]] {
        let said = with_key(&terminal, command).failed(2);
        assert!(!said.contains(KEY), "{said}");
    }
    let said = with_key(&terminal, &["proxy", &other.issuer]).failed(2);
    assert!(said.contains(&format!("GATEPASS_API_KEY is for {}", own.issuer)) && !said.contains(KEY), "{said}");
    assert!(other.asked("/userinfo").is_empty() && other.asked("/").is_empty());
    // What 'exec' runs has it under both names, and may no more with it.
    let within = ["exec", "--", env!("CARGO_BIN_EXE_gatepass"), "proxy", &other.issuer];
    assert!(with_key(&terminal, &within).failed(2).contains("GATEPASS_API_KEY is for"));
    let proxy = Proxy::start(terminal.command(&["proxy", &own.issuer]).env("GATEPASS_API_KEY", KEY));
    let answer = asked(&proxy.path("/api/v1/user/rpc"));
    assert!(answer.contains("deploy"), "{answer}");
}

/// A request in a runtime of its own.
fn asked(url: &str) -> String {
    let runtime = gatepass_testkit::tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let body = json!({"jsonrpc": "2.0", "id": 1, "method": "whoami"});
        crate::support::Server::http().post(url).json(&body).send().await.unwrap().text().await.unwrap()
    })
}

/// A repository of somebody else's may hold a `.gatepass.toml`.
#[test]
fn the_file_of_a_folder_does_not_say_where_it_goes() {
    let (evil, folder) = (stranger(), tempfile::tempdir().unwrap());
    fs::write(folder.path().join(".gatepass.toml"), format!("server = {:?}\n", evil.issuer)).unwrap();
    for variable in ["GATEPASS_API_KEY", "GATEPASS_TOKEN"] {
        let said = here(folder.path(), variable).failed(2);
        assert!(said.contains(&format!("{variable} is set, but no server")) && !said.contains(KEY), "{said}");
    }
    for path in ["/userinfo", "/api/v1/user/rpc", "/.well-known/oauth-authorization-server"] {
        assert!(evil.asked(path).is_empty(), "{path}");
    }
}

fn here(folder: &Path, variable: &str) -> Said {
    let mut command = gatepass();
    run(command.current_dir(folder).env("GATEPASS_HOME", folder.join("home")).env(variable, KEY).arg("whoami"))
}

#[test]
fn it_is_used_as_it_is_after_a_token_and_is_kept_and_shown_nowhere() {
    let terminal = Terminal::new();
    assert_eq!(with_key(&terminal, &["token"]).done().trim(), KEY);
    assert_eq!(with_key(&terminal, &["exec", "--", "sh", "-c", "printf %s \"$GATEPASS_TOKEN\""]).done().trim(), KEY);
    let both = run(terminal.command(&["token"]).env("GATEPASS_API_KEY", KEY).env("GATEPASS_TOKEN", "short"));
    assert_eq!(both.done(), "short\n");
    let said = with_key(&terminal, &["token", "--scope", "account"]).failed(2);
    assert!(said.contains("GATEPASS_API_KEY is used as it is"), "{said}");
    run(terminal.command(&["token"]).env("GATEPASS_API_KEY", "a\r\nX-Evil: 1")).failed(2);
    let own = server("https://elsewhere.example");
    run(terminal.command(&["whoami", "--server", &own.issuer]).env("GATEPASS_API_KEY", "wrong")).failed(3);
    for command in [&["status"][..], &["status", "--json"], &["doctor", &own.issuer]] {
        let said = run(terminal.command(command).env("GATEPASS_API_KEY", KEY).env("GATEPASS_DEBUG", "1"));
        assert!(
            said.out.contains("GATEPASS_API_KEY") && !said.out.contains(KEY) && !said.err.contains(KEY),
            "{said:?}"
        );
    }
    for (path, bytes) in crate::support::files(terminal.home()) {
        assert!(!String::from_utf8_lossy(&bytes).contains(KEY), "{}", path.display());
    }
}
