//! `gatepass agent`, and those who get their tokens from it.

use crate::support::{Agent, Place, Program, Proxy, Server, Terminal, gatepass, run};
use gatepass_testkit::{USER, tokio};
use serde_json::Value;
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    thread::sleep,
    time::{Duration, Instant},
};

/// A folder of one's own for a socket, which is not made yet.
fn socket(terminal: &Terminal) -> PathBuf {
    terminal.home().join("boxes/api.sock")
}

fn wait_until(what: &str, holds: impl Fn() -> bool) {
    let until = Instant::now() + Duration::from_secs(20);
    while !holds() {
        assert!(Instant::now() < until, "{what} did not come");
        sleep(Duration::from_millis(10));
    }
}

async fn signed_in() -> (Place, Server, Terminal) {
    let place = Place::sqlite().await;
    let server = place.serve_with_user();
    let terminal = Terminal::signed_in(&server).await;
    (place, server, terminal)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2, crate = "gatepass_testkit::tokio")]
async fn a_container_gets_tokens_under_the_ceiling_until_the_person_signs_out() {
    let (_place, server, terminal) = signed_in().await;
    let path = socket(&terminal);
    let agent = Agent::start(&terminal, &["--socket", path.to_str().unwrap(), "--scope", "account", "--ttl", "5m"]);
    let token = agent.run(&["token"]).done();
    let (whole, refresh) = terminal.tokens().unwrap();
    assert!(token.starts_with("gpa_") && token.trim() != whole && token.trim() != refresh);
    assert_eq!(agent.run(&["token"]).done(), token, "kept for its life");
    let whoami = agent.run(&["whoami", "--json"]).json();
    assert_eq!((whoami["email"].as_str(), &whoami["scopes"]), (Some(USER), &serde_json::json!(["account"])));
    let told = agent.run(&["token", "--json"]).json();
    let expires_at = told["expires_at"].as_str().unwrap().to_owned();
    assert!(terminal.run(&["token", "--json"]).json()["expires_at"].as_str().unwrap() > expires_at.as_str());
    assert_eq!(agent.run(&["exec", "--", "sh", "-c", "echo $GATEPASS_TOKEN"]).done(), token);
    let said = agent.run(&["token", "--scope", "email"]).failed(5);
    assert!(said.contains("the scope here is at most 'account'"), "{said}");
    assert_ne!(agent.run(&["token", "--ttl", "1m"]).done(), token);

    assert_eq!(server.whoami(token.trim()).await.status, 200);
    terminal.run(&["logout"]).done();
    assert_eq!(server.whoami(token.trim()).await.status, 401, "what was handed out ends too");
    let said = agent.run(&["token"]).failed(3);
    let hint = format!("hint: sign in, where the agent runs, with\n  gatepass login --server {}\n", server.url);
    assert!(said.ends_with(&hint), "{said}");
    terminal.sign_in(&server).await;
    assert_ne!(agent.run(&["token"]).done(), token, "it goes on after the next sign-in");
    agent.program.signal("-TERM");
    agent.program.end().done();
    assert!(!path.exists());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2, crate = "gatepass_testkit::tokio")]
async fn a_token_is_narrowed_at_the_server_without_an_agent_too() {
    let (_place, server, terminal) = signed_in().await;
    let narrow = terminal.run(&["token", "--scope", "account", "--ttl", "60s"]).done();
    let whoami = server.whoami(narrow.trim()).await.json;
    assert_eq!(whoami["result"]["scopes"], serde_json::json!(["account"]), "{whoami}");
    let whole = terminal.run(&["token"]).done();
    assert_eq!(whole.trim(), terminal.tokens().unwrap().0, "nothing of it was stored");
    let said = terminal.run(&["token", "--scope", "account admin"]).failed(5);
    assert!(said.contains("invalid_scope") && said.contains(USER), "{said}");
    terminal.run(&["token", "--resource", "https://elsewhere.example"]).failed(5);
    terminal.run(&["token", "--ttl", "0s"]).failed(2);
    run(terminal.command(&["token", "--scope", "account"]).env("GATEPASS_TOKEN", "raw")).failed(2);
    terminal.run(&["whoami"]).done();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2, crate = "gatepass_testkit::tokio")]
async fn it_starts_on_demand_and_never_otherwise_and_one_serves_all() {
    let (_place, _server, terminal) = signed_in().await;
    let usual = terminal.home().join("agent/agent.sock");
    let whole = terminal.run(&["token"]).done();
    assert!(!usual.exists(), "nobody asked for an agent");
    let programs: Vec<Program> =
        (0..12).map(|_| Program::start(terminal.command(&["token"]).env("GATEPASS_AGENT", "on"))).collect();
    for program in programs {
        assert_eq!(program.end().done(), whole);
    }
    let status = terminal.run(&["agent", "status", "--json"]).json();
    assert!(status["tokens"].as_u64().unwrap() >= 1, "{status}");
    #[cfg(target_os = "linux")]
    {
        let process = fs::read_to_string(format!("/proc/{}/status", status["pid"])).unwrap();
        assert!(!process.contains("THP_enabled:\t1"), "an idle agent does without huge pages: {process}");
    }
    fs::write(terminal.home().join("config.toml"), "agent = \"on-demand\"\n").unwrap();
    terminal.run(&["token"]).done();
    run(terminal.command(&["token"]).env("GATEPASS_AGENT", "off")).done();
    let later = terminal.run(&["agent", "status", "--json"]).json();
    assert_eq!(later["pid"], status["pid"], "the same agent");
    assert_eq!(later["tokens"].as_u64(), status["tokens"].as_u64().map(|count| count + 1));

    // One that was killed leaves a socket, which is no obstacle.
    assert!(Command::new("kill").args(["-9", &status["pid"].to_string()]).status().unwrap().success());
    assert_eq!(terminal.run(&["token"]).done(), whole);
    let next = terminal.run(&["agent", "status", "--json"]).json();
    assert_ne!(next["pid"], status["pid"]);
    terminal.run(&["agent", "stop"]).done();
    wait_until("the end of the agent", || !usual.exists());
    terminal.run(&["agent", "status"]).failed(4);

    // Where none can run, the vault is read as ever.
    fs::remove_dir_all(terminal.home().join("agent")).unwrap();
    fs::write(terminal.home().join("agent"), "in the way").unwrap();
    assert_eq!(terminal.run(&["token"]).done(), whole);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2, crate = "gatepass_testkit::tokio")]
async fn a_virtual_machine_asks_on_a_port_with_the_token_of_a_file() {
    let (_place, _server, terminal) = signed_in().await;
    let agent = Agent::start(&terminal, &["--tcp", "127.0.0.1:0"]);
    assert!(agent.address.starts_with("tcp://127.0.0.1:"), "{}", agent.address);
    agent.run(&["whoami"]).done();
    run(agent.container(&["token"]).env_remove("GATEPASS_AGENT_TOKEN_FILE")).failed(2);
    run(agent.container(&["token"]).env("GATEPASS_AGENT_TOKEN_FILE", "/dev/zero")).failed(2);
    let wrong = terminal.home().join("wrong");
    fs::write(&wrong, "nonsense").unwrap();
    let said = run(agent.container(&["token"]).env("GATEPASS_AGENT_TOKEN_FILE", &wrong)).failed(5);
    assert!(said.contains("missing or wrong"), "{said}");
    let token_file = agent.token_file.clone().unwrap();
    agent.run(&["agent", "stop"]).done();
    agent.program.end().done();
    assert!(!Path::new(&token_file).exists());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2, crate = "gatepass_testkit::tokio")]
async fn mistakes_are_one_sentence_and_the_next_step() {
    let terminal = Terminal::new();
    terminal.run(&["agent", "--scope", "read"]).failed(3);
    let said = terminal.run(&["agent", "--tcp", "0.0.0.0:0"]).failed(3);
    assert!(said.contains("nobody is signed in"), "{said}");
    let (_place, _server, terminal) = signed_in().await;
    terminal.run(&["agent", "--tcp", "0.0.0.0:0"]).failed(2);
    terminal.run(&["agent", "--tcp", "127.0.0.1:0", "--socket", "/x"]).failed(2);
    let file = terminal.home().join("file");
    fs::write(&file, "").unwrap();
    let said = terminal.run(&["agent", "--socket", file.to_str().unwrap()]).failed(2);
    assert!(said.contains("is there and is no socket") && said.contains("--socket"), "{said}");
    terminal.run(&["agent", "--socket", &format!("/tmp/{}", "x".repeat(150))]).failed(2);
    let said = terminal.run(&["agent", "--socket", "/tmp/gatepass-in-the-open.sock"]).failed(2);
    assert!(said.contains("/tmp"), "{said}");

    let agent = Agent::start(&terminal, &[]);
    let said = terminal.run(&["agent"]).failed(1);
    assert!(said.contains("already") && said.contains("gatepass agent stop"), "{said}");
    let elsewhere = |value: &str| run(gatepass().arg("token").env("GATEPASS_AGENT_SOCK", value));
    for (value, code) in [("agent.sock", 2), ("tcp://10.0.0.1:1", 2), ("/nowhere/agent.sock", 4), ("/etc/passwd", 2)] {
        let said = elsewhere(value).failed(code);
        assert!(said.starts_with("error: "), "{value}: {said}");
    }
    run(terminal.command(&["token"]).env("GATEPASS_AGENT", "perhaps")).failed(2);
    fs::write(terminal.home().join("config.toml"), "agent = \"always\"\n").unwrap();
    terminal.run(&["token"]).failed(2);
    drop(agent);
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2, crate = "gatepass_testkit::tokio")]
async fn an_idle_agent_is_small_and_ends_by_itself() {
    let (_place, _server, terminal) = signed_in().await;
    let agent = Agent::start(&terminal, &["--idle", "8s"]);
    agent.run(&["token"]).done();
    agent.run(&["token", "--scope", "account"]).done();
    let read = |name: &str| fs::read_to_string(format!("/proc/{}/{name}", agent.pid)).unwrap();
    let number = |line: &str| -> u64 { line.split_whitespace().nth(1).unwrap().parse().unwrap() };
    // Idle is when the threads that did the work are gone.
    let threads = || number(read("status").lines().find(|line| line.starts_with("Threads:")).unwrap());
    wait_until("the end of its threads", || threads() == 1);
    // What it has allocated. The program itself is larger in a build for debugging: its tables of addresses alone are
    // more than a MiB of private pages.
    let (maps, mut kib, mut of_program) = (read("smaps"), 0, false);
    for line in maps.lines() {
        match line.split_whitespace().next().unwrap() {
            "Anonymous:" if !of_program => kib += number(line),
            word if !word.ends_with(':') => of_program = line.ends_with("/gatepass"),
            _ => {}
        }
    }
    assert!((1..=12 * 1024).contains(&kib), "the agent keeps {kib} KiB of memory");
    agent.program.end().done();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2, crate = "gatepass_testkit::tokio")]
async fn status_tells_the_ceiling_and_no_secret() {
    let (_place, _server, terminal) = signed_in().await;
    let path = socket(&terminal);
    let path = path.to_str().unwrap();
    let agent = Agent::start(&terminal, &["--socket", path, "--scope", "account", "--ttl", "5m"]);
    let status: Value = agent.run(&["agent", "status", "--json"]).json();
    assert_eq!((status["scope"].as_str(), status["ttl"].as_u64()), (Some("account"), Some(300)));
    assert!(status["account"].as_str().unwrap().contains(USER));
    let shown = terminal.run(&["agent", "status", "--socket", path]).done();
    for part in ["at most account", "at most 5m", "0 handed out"] {
        assert!(shown.contains(part), "{part} in {shown}");
    }
    assert!(!shown.contains("gpa_") && !shown.contains("gpr_"));
}

/// No command changes what another running process uses.
#[tokio::test(flavor = "multi_thread", worker_threads = 2, crate = "gatepass_testkit::tokio")]
async fn another_default_changes_nothing_for_an_agent_of_one_account_nor_for_who_asked_one_before() {
    let ((_place, server, terminal), other_place) = (signed_in().await, Place::sqlite().await);
    let other = other_place.serve_with_user();
    let first = terminal.stored().unwrap().account.id().to_string();
    let path = socket(&terminal);
    let of_one = Agent::start(&terminal, &["--socket", path.to_str().unwrap(), "--ttl", "5m"]);
    let of_all = Agent::start(&terminal, &[]);
    let proxy = Proxy::start(&mut of_all.container(&["proxy", &server.url]));
    terminal.sign_in_with(&other, &["--default"]).await;
    for account in [&first, &terminal.stored().unwrap().account.id().to_string()] {
        terminal.run(&["accounts", "use", account]).done();
    }
    assert!(other.accepts(of_all.run(&["token"]).done().trim()), "who asks for the default gets it");
    assert!(server.accepts(of_one.run(&["token"]).done().trim()));
    let body = serde_json::json!({ "jsonrpc": "2.0", "id": 1, "method": "whoami" });
    // The agent is asked again after a second.
    tokio::time::sleep(Duration::from_millis(1100)).await;
    let answer = Server::http().post(proxy.path("/api/v1/user/rpc")).json(&body).send().await.unwrap();
    assert_eq!(answer.status(), 200, "{answer:?}");

    terminal.run(&["logout", "--account", &first]).done();
    let until = Instant::now() + Duration::from_secs(20);
    loop {
        let answer = proxy.get("/api/v1/user/rpc").await.text().await.unwrap();
        let command = format!("gatepass login --server {}", server.url);
        if serde_json::from_str::<Value>(&answer).is_ok_and(|problem| problem["command"] == command) {
            break;
        }
        assert!(Instant::now() < until, "the proxy does not say that its account was signed out: {answer}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
