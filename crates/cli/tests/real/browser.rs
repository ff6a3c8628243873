//! The browser that is opened: `$BROWSER`, with one address, and without a shell.

use crate::{
    fake::{Answer, Fake, metadata},
    support::{Program, Terminal, event},
};
use serde_json::json;
use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::Path,
    time::{Duration, Instant},
};

/// A program that writes each of its arguments on a line of a file.
fn browser(folder: &Path) -> String {
    let program = folder.join("browser");
    let script = "#!/bin/sh\nprintf '%s\\n' \"$@\" > \"$0.opening\" && mv \"$0.opening\" \"$0.opened\"\n";
    fs::write(&program, script).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    program.to_str().unwrap().to_owned()
}

fn with_page(page: &'static str) -> Fake {
    Fake::start_raw(move |_, issuer, _| {
        let mut document = metadata(issuer);
        document["authorization_endpoint"] = json!(page.replace("ISSUER", issuer));
        Answer::Json(200, document)
    })
}

fn login(terminal: &Terminal, server: &Fake, browser: &str) -> Program {
    let arguments = ["login", "--loopback", "--json", "--server", &server.issuer];
    Program::start(terminal.command(&arguments).env("BROWSER", browser).current_dir(terminal.home()))
}

#[test]
fn an_address_with_quotes_and_commands_in_it_is_one_argument_and_nothing_runs() {
    let (terminal, folder) = (Terminal::new(), tempfile::tempdir().unwrap());
    let browser = browser(folder.path());
    let server = with_page("ISSUER/a'u\"t h?x=$(touch$IFS@pwned)`touch pwned`;touch pwned|&y='");
    let login = login(&terminal, &server, &browser);
    let url = event(&login, "url")["url"].as_str().unwrap().to_owned();
    let (opened, until) = (format!("{browser}.opened"), Instant::now() + Duration::from_secs(20));
    while !Path::new(&opened).exists() {
        assert!(Instant::now() < until, "no browser was opened");
        std::thread::sleep(Duration::from_millis(5));
    }
    assert_eq!(fs::read_to_string(opened).unwrap(), format!("{url}\n"));
    assert!(url.contains("$(touch") && !url.contains(['"', ' ']), "{url}");
    login.signal("-INT");
    assert_eq!(login.end().code, Some(130));
    assert!(!terminal.home().join("pwned").exists() && !folder.path().join("pwned").exists());
}

#[test]
fn a_script_or_a_file_is_not_opened() {
    for page in ["javascript:alert(1)", "file:///etc/passwd", "vscode://x", "http://evil.example/"] {
        let (terminal, folder) = (Terminal::new(), tempfile::tempdir().unwrap());
        let browser = browser(folder.path());
        let server = Fake::start_raw(move |_, issuer, _| {
            let mut document = metadata(issuer);
            document["authorization_endpoint"] = json!(page);
            Answer::Json(200, document)
        });
        let said = login(&terminal, &server, &browser).end();
        assert_eq!(said.code, Some(1), "{page}: {said:?}");
        assert!(said.out.contains("no usable authorization_endpoint"), "{page}: {said:?}");
        assert!(!Path::new(&format!("{browser}.opened")).exists(), "{page}");
    }
}
