//! `gatepass doctor` with the real binary: a chain that is whole, and each link broken in turn.

use crate::{
    fake::{Answer, Fake, html, metadata, signed_in},
    support::{Place, Program, Said, Terminal, event, run},
    wire::dead_port,
};
use gatepass_client::{Home, lock::FileLock};
use gatepass_testkit::tokio;
use serde_json::{Value, json};
use std::{
    fs,
    io::Write,
    os::unix::fs::PermissionsExt,
    time::{Duration, SystemTime},
};

fn doctor(terminal: &Terminal, arguments: &[&str]) -> Said {
    run(terminal.command(&["doctor"]).args(arguments).env("HOME", terminal.home()).current_dir(terminal.home()))
}

/// The checks of a run with `--json`, and its exit code.
struct Report {
    code: Option<i32>,
    checks: Vec<Value>,
}

fn report(terminal: &Terminal, server: &str) -> Report {
    let said = doctor(terminal, &[server, "--json"]);
    let first = said.out.lines().next().unwrap_or_else(|| panic!("{said:?}"));
    let object: Value = serde_json::from_str(first).unwrap();
    Report { code: said.code, checks: object["checks"].as_array().unwrap().clone() }
}

impl Report {
    #[track_caller]
    fn check(&self, name: &str) -> (&str, &str, &str) {
        let check = self.checks.iter().find(|check| check["name"] == name);
        let check = check.unwrap_or_else(|| panic!("no {name} in {:#?}", self.checks));
        let text = |member: &str| check[member].as_str().unwrap_or_default();
        (text("outcome"), text("found"), text("remedy"))
    }

    #[track_caller]
    fn has(&self, name: &str, outcome: &str, found: &str, remedy: &str) {
        let (is, says, advises) = self.check(name);
        assert_eq!(is, outcome, "{name}: {says}");
        assert!(says.contains(found), "{found} in {says}");
        assert!(advises.contains(remedy), "{remedy} in {advises}");
    }

    fn failures(&self) -> Vec<&str> {
        let failures = self.checks.iter().filter(|check| check["outcome"] == "failure");
        failures.map(|check| check["name"].as_str().unwrap()).collect()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2, crate = "gatepass_testkit::tokio")]
async fn a_whole_chain_is_told_link_by_link() {
    let place = Place::sqlite().await;
    let (server, terminal) = (place.serve_with_user(), Terminal::new());
    fs::set_permissions(terminal.home(), fs::Permissions::from_mode(0o700)).unwrap();
    terminal.sign_in(&server).await;
    let before = fs::read(terminal.home().join("vault.gpv")).unwrap();
    let report = doctor(&terminal, &[]).done();
    // What differs from machine to machine and from run to run.
    let port = server.address.rsplit(':').next().unwrap();
    let id = report.lines().find_map(|line| {
        line.split_whitespace().find(|word| word.len() == 12 && word.bytes().all(|b| b.is_ascii_hexdigit()))
    });
    let text = report.replace(port, "PORT").replace(id.unwrap(), "0123456789ab");
    let machine = text.find("This machine").unwrap();
    insta::assert_snapshot!(text[..machine].trim_end());
    for part in ["loopback", "127.0.0.1", "browser", "terminal", "no terminal, 80 columns", "version", " 0 failures"] {
        assert!(text[machine..].contains(part), "{part} in {text}");
    }
    assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
    assert_eq!(fs::read(terminal.home().join("vault.gpv")).unwrap(), before);
    let (access, refresh) = terminal.tokens().unwrap();
    for secret in [access.as_str(), refresh.as_str(), gatepass_testkit::USER, terminal.home().to_str().unwrap()] {
        assert!(!report.contains(secret), "{secret} in {report}");
    }
}

#[test]
fn nobody_and_nothing_is_fine_and_nothing_is_made() {
    let terminal = Terminal::new();
    let said = doctor(&terminal, &[]);
    assert_eq!(said.code, Some(0), "{said:?}");
    assert!(said.out.contains("none is named, and nobody is signed in"), "{}", said.out);
    assert_eq!(fs::read_dir(terminal.home()).unwrap().count(), 0);
    assert_eq!(doctor(&terminal, &["nonsense"]).code, Some(2));
    assert_eq!(doctor(&terminal, &["http://auth.example"]).code, Some(2));
}

#[test]
fn a_page_is_no_authorization_server() {
    let terminal = Terminal::new();
    let hotel = Fake::start_raw(|_, _, _| html(200, "<html><title>Welcome</title>"));
    let found = report(&terminal, &hotel.issuer);
    assert_eq!(found.code, Some(1));
    found.has("RFC 8414", "failure", "200, but no metadata (text/html)", "whether this network wants a sign-in");
    let nothing = Fake::start_raw(|_, _, _| html(404, "not here"));
    let found = report(&terminal, &nothing.issuer);
    assert_eq!((found.code, found.failures()), (Some(1), vec!["metadata"]));
    found.has("RFC 8414", "skipped", "404, nothing there", "");
    found.has("metadata", "failure", "is no authorization server", "it may need a path");
}

#[test]
fn an_endpoint_that_answers_with_a_page_or_knows_no_grant_is_told() {
    let terminal = Terminal::new();
    let server = Fake::start_raw(|asked, issuer, _| match asked.path.as_str() {
        "/.well-known/openid-configuration" => {
            let mut document = metadata(issuer);
            document["grant_types_supported"] = json!(["authorization_code", "refresh_token", "urn:x:strange"]);
            document["code_challenge_methods_supported"] = json!(["plain"]);
            Answer::Json(200, document)
        }
        "/token" => match asked.form["grant_type"].as_str() {
            "authorization_code" => Answer::Json(401, json!({"error": "invalid_client"})),
            "refresh_token" => html(200, "<html>"),
            _ => Answer::Json(400, json!({"error": "unsupported_grant_type"})),
        },
        "/authorize" => html(400, "<html>"),
        _ => html(404, "not here"),
    });
    let found = report(&terminal, &server.issuer);
    assert_eq!((found.code, found.failures()), (Some(1), vec!["PKCE", "refresh_token", "device endpoint"]));
    found.has("RFC 8414", "skipped", "404", "");
    found.has("OpenID", "ok", &server.issuer, "");
    found.has("client", "warning", "gatepass-cli is not known here", "--client-id");
    found.has("strange", "warning", "not known at the endpoint", "operator");
    found.has("sign-in page", "ok", "answers with 400", "");
    for asked in server.asked("/token") {
        let names: Vec<_> =
            asked.form.keys().filter(|name| !["grant_type", "client_id"].contains(&name.as_str())).collect();
        assert!(names.is_empty() && asked.bearer.is_none(), "nothing is sent along: {names:?}");
    }
}

#[test]
fn when_an_issuer_differs_both_are_shown() {
    let terminal = Terminal::new();
    let server = Fake::start_raw(|_, _, _| Answer::Json(200, metadata("https://other.example")));
    let found = report(&terminal, &server.issuer);
    assert_eq!(found.code, Some(1));
    let both = format!("names https://other.example, asked was {}", server.issuer);
    found.has("RFC 8414", "failure", &both, "gatepass login --server https://other.example");
    let script = Fake::start_raw(|asked, issuer, _| match asked.path.as_str() {
        "/.well-known/oauth-authorization-server" => {
            let mut document = metadata(issuer);
            document["token_endpoint"] = json!("javascript:alert(1)");
            Answer::Json(200, document)
        }
        _ => html(404, ""),
    });
    let found = report(&terminal, &script.issuer);
    found.has("endpoints", "failure", "has no usable token_endpoint", "https URL");
    assert!(script.asked("/token").is_empty());
}

#[test]
fn a_dead_port_and_an_unknown_name_are_failures_of_the_network() {
    let terminal = Terminal::new();
    let found = report(&terminal, &format!("http://127.0.0.1:{}", dead_port()));
    assert_eq!((found.code, found.failures()), (Some(4), vec!["connection"]));
    found.has("connection", "failure", "refused", "that the server runs");
    let found = report(&terminal, "https://nowhere.invalid");
    assert_eq!((found.code, found.failures()), (Some(4), vec!["name"]));
    found.has("name", "failure", "nowhere.invalid: ", "spelling");
    let busy = Fake::start_raw(|_, _, _| html(503, "<html>"));
    assert_eq!(report(&terminal, &busy.issuer).code, Some(4));
}

/// A server whose clock is off by so many seconds.
fn with_clock(off: i64) -> Fake {
    Fake::start_raw(move |_, issuer, _| {
        let off = (Duration::from_secs(off.unsigned_abs()), off < 0);
        let now = SystemTime::UNIX_EPOCH + Duration::from_millis(gatepass_client::Clock::System.now().0.unsigned_abs());
        let date = httpdate::fmt_http_date(if off.1 { now - off.0 } else { now + off.0 });
        let body = metadata(issuer).to_string();
        Answer::Raw(
            format!(
                "HTTP/1.1 200 OK\r\nDate: {date}\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n{body}"
            )
            .into_bytes(),
        )
    })
}

#[test]
fn clocks_that_differ_are_told() {
    let terminal = Terminal::new();
    for (off, outcome, part) in [
        (0, "ok", "within 30 s"),
        (90, "warning", "s behind the server's"),
        (3600, "failure", "s behind the server's"),
        (-3600, "failure", "s ahead of the server's"),
    ] {
        let found = report(&terminal, &with_clock(off).issuer);
        found.has("clock", outcome, part, if off == 0 { "" } else { "set this machine's clock" });
        if off.abs() == 3600 {
            let (_, says, _) = found.check("clock");
            assert!(["3599", "3600", "3601"].iter().any(|seconds| says.contains(seconds)), "{says}");
            assert_eq!(found.code, Some(1));
        }
    }
}

#[test]
fn files_that_others_may_touch_are_told_with_the_command_that_mends_it() {
    let terminal = Terminal::new();
    signed_in(terminal.home(), "http://127.0.0.1:1", 3000);
    let set = |name: &str, mode: u32| {
        fs::set_permissions(terminal.home().join(name), fs::Permissions::from_mode(mode)).unwrap();
    };
    fs::write(terminal.home().join("config.toml"), "proxy = 'http://u:hunter2@p.example:1'\n").unwrap();
    for (name, mode, check, outcome, remedy) in [
        ("vault.gpv", 0o644, "file", "warning", "chmod 600 ~/vault.gpv"),
        ("vault.gpv", 0o666, "file", "failure", "chmod 600 ~/vault.gpv"),
        ("vault.key", 0o640, "key file", "failure", "chmod 600 ~/vault.key"),
        ("", 0o755, "folder", "warning", "chmod 700 ~"),
        ("", 0o777, "folder", "failure", "chmod 700 ~"),
        ("config.toml", 0o644, "config.toml", "warning", "chmod 600 ~/config.toml"),
        ("config.toml", 0o662, "config.toml", "failure", "chmod 600 ~/config.toml"),
    ] {
        for (name, mode) in [("", 0o700), ("vault.gpv", 0o600), ("vault.key", 0o600), ("config.toml", 0o600)] {
            set(name, mode);
        }
        set(name, mode);
        let found = report(&terminal, "http://127.0.0.1:1");
        found.has(check, outcome, "others can ", remedy);
        assert!(!format!("{:?}", found.checks).contains("hunter2"));
        assert_eq!(found.code, Some(if outcome == "failure" { 1 } else { 4 }), "{name}");
    }
}

#[test]
fn a_damaged_vault_is_told_and_left_where_it_is() {
    let terminal = Terminal::new();
    signed_in(terminal.home(), "http://127.0.0.1:1", 3000);
    let vault = terminal.home().join("vault.gpv");
    let mut bytes = fs::read(&vault).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(&vault, &bytes).unwrap();
    let found = report(&terminal, "http://127.0.0.1:1");
    found.has("vault", "failure", "it is damaged", "gatepass login");
    assert_eq!((found.code, fs::read(&vault).unwrap()), (Some(1), bytes));
    fs::remove_file(terminal.home().join("vault.key")).unwrap();
    report(&terminal, "http://127.0.0.1:1").has("vault", "failure", "kept by a key file, cannot be had", "as before");
}

#[test]
fn a_held_lock_and_an_agent_that_is_away_are_told() {
    let terminal = Terminal::new();
    signed_in(terminal.home(), "http://127.0.0.1:1", 3000);
    let held = FileLock::try_take(&Home::at(terminal.home()).vault_lock()).unwrap();
    let found = report(&terminal, "http://127.0.0.1:1");
    found.has("locks", "warning", "vault.lock is held by ", "run this again");
    drop(held);
    report(&terminal, "http://127.0.0.1:1").has("locks", "ok", "free", "");
    let socket = terminal.home().join("agent.sock");
    let mut command = terminal.command(&["doctor", "--json"]);
    let said = run(command.env("GATEPASS_AGENT_SOCK", &socket));
    assert!(said.out.contains("start the agent, or unset"), "{}", said.out);
    let said = run(command.env("GATEPASS_AGENT_SOCK", "tcp://127.0.0.1:1"));
    assert!(said.out.contains("no file is named") && said.out.contains("what 'gatepass agent' prints"), "{}", said.out);
    // That somebody listens says little.
    let listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    let other = std::thread::spawn(move || listener.accept().unwrap().0.write_all(b"SSH-2.0\r\n").unwrap());
    let said = run(command.env("GATEPASS_AGENT_SOCK", &socket).env("HOME", terminal.home()));
    assert!(said.out.contains("what answers at ~/agent.sock is no agent"), "{}", said.out);
    other.join().unwrap();
}

#[test]
fn an_agent_is_asked_how_it_is_at_a_socket_and_on_a_port() {
    let terminal = Terminal::new();
    signed_in(terminal.home(), "http://127.0.0.1:1", 3000);
    for arguments in [&["agent", "--json"][..], &["agent", "--json", "--tcp", "127.0.0.1:0"]] {
        let agent = Program::start(&mut terminal.command(arguments));
        let listening = event(&agent, "listening");
        let mut command = terminal.command(&["doctor", "--json"]);
        command.env("GATEPASS_AGENT_SOCK", listening["address"].as_str().unwrap());
        if let Some(file) = listening["token_file"].as_str() {
            command.env("GATEPASS_AGENT_TOKEN_FILE", file);
        }
        let said = run(&mut command);
        assert!(said.out.contains(" answers, version "), "{}", said.out);
        // The home's own is looked at unasked.
        let is_own = arguments.len() == 2;
        assert_eq!(terminal.run(&["doctor", "--json"]).out.contains(" answers, version "), is_own);
    }
}

#[test]
fn what_is_set_is_shown_without_what_nobody_should_see() {
    let terminal = Terminal::new();
    let mut command = terminal.command(&["doctor", "--json"]);
    for (name, value) in [
        ("GATEPASS_TOKEN", "secret-token"),
        ("GATEPASS_ACCOUNT", "ada@example.com"),
        ("GATEPASS_VAULT_PASSPHRASE", "secret-passphrase"),
        ("GATEPASS_VAULT_KEY_COMMAND", "echo secret-key"),
        ("HTTPS_PROXY", "http://u:secret-password@127.0.0.1:1"),
        ("http_proxy", "http://u:secret-password@127.0.0.1:1"),
        ("GATEPASS_SERVER", "https://nowhere.invalid"),
        ("BROWSER", "/home/grace/bin/browser"),
    ] {
        command.env(name, value);
    }
    let out = run(&mut command).out;
    for shown in ["GATEPASS_TOKEN is set", "GATEPASS_ACCOUNT is set", "https://nowhere.invalid", "127.0.0.1:1"] {
        assert!(out.contains(shown), "{shown} in {out}");
    }
    for hidden in ["secret", "ada@", "grace"] {
        assert!(!out.contains(hidden), "{hidden} in {out}");
    }
}

#[test]
fn mistakes_in_files_are_links_of_the_chain_too() {
    let terminal = Terminal::new();
    fs::write(terminal.home().join("config.toml"), "sever = 'https://a.example'\n").unwrap();
    let found = report(&terminal, "http://127.0.0.1:1");
    found.has("config.toml", "failure", "sever", "correct the file");
    fs::write(terminal.home().join("config.toml"), "ca_file = 'none.pem'\n").unwrap();
    report(&terminal, "http://127.0.0.1:1").has("CA file", "failure", "~/none.pem: it cannot be read", "PEM");
    fs::remove_file(terminal.home().join("config.toml")).unwrap();
    fs::write(terminal.home().join(".gatepass.toml"), "servr = 1\n").unwrap();
    report(&terminal, "http://127.0.0.1:1").has(".gatepass.toml", "failure", "servr", "correct the file");
}
