//! Tools in a container that has the agent and no vault: the same helpers, with what stands in the tools' configuration.

use crate::support::{Agent, Place, Terminal, run, run_from};
use gatepass_client::{Clock, Contents};
use gatepass_testkit::tokio;
use std::{fs, time::Duration};

/// Makes all tokens a minute older than they are.
fn age(contents: &mut Contents) {
    for tokens in contents.sign_ins.iter_mut().filter_map(|sign_in| sign_in.tokens.as_mut()) {
        tokens.obtained_at = tokens.obtained_at.minus(Duration::from_secs(60));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2, crate = "gatepass_testkit::tokio")]
async fn git_docker_and_kubectl_get_the_tokens_of_the_agent() {
    let place = Place::sqlite().await;
    let server = place.serve_with_user();
    let terminal = Terminal::signed_in(&server).await;
    let at_home = |arguments: &[&str]| run(&mut terminal.at_home(arguments)).done();
    at_home(&["credential", "git", "install", "git.example.com"]);
    let bin = terminal.user_home().join("bin");
    at_home(&["credential", "docker", "install", "registry.example.com", "--folder", bin.to_str().unwrap()]);
    let agent = Agent::start(&terminal, &["--scope", "account"]);
    // The container has the names of the places, and nothing else.
    let container = Terminal::new();
    fs::copy(terminal.home().join("helpers.toml"), container.home().join("helpers.toml")).unwrap();
    let asked = |arguments: &[&str], input: &str| {
        let mut command = container.at_home(&[&["credential"], arguments].concat());
        agent.is_named_to(&mut command);
        run_from(&mut command, input)
    };
    let said = asked(&["git", "get"], "protocol=https\nhost=git.example.com\n\n").done();
    let token = said.lines().find_map(|line| line.strip_prefix("password=")).unwrap().to_owned();
    assert!(server.accepts(&token) && token != terminal.tokens().unwrap().0, "under the agent's ceiling");
    assert_eq!(asked(&["git", "get"], "protocol=https\nhost=other.example.com\n\n").done(), "");
    let erase = format!("protocol=https\nhost=git.example.com\npassword={token}\n\n");
    asked(&["git", "erase"], &erase).done();
    let document = asked(&["docker", "get"], "registry.example.com").json();
    assert!(server.accepts(document["Secret"].as_str().unwrap()));
    asked(&["docker", "erase"], "registry.example.com").done();
    let id = terminal.stored().unwrap().account.id().to_string();
    let document = asked(&["kubectl", "--account", &id], "").json();
    assert!(server.accepts(document["status"]["token"].as_str().unwrap()));
    assert!(!container.home().join("vault.gpv").exists(), "there is no vault, and none was made");

    terminal.run(&["logout"]).done();
    for arguments in [&["kubectl", "--account", &id][..], &["git", "get"]] {
        let said = asked(arguments, "protocol=https\nhost=git.example.com\n\n").failed(3);
        assert!(said.contains("where the agent runs"), "{said}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2, crate = "gatepass_testkit::tokio")]
async fn what_docker_erases_is_replaced_by_the_agent() {
    let place = Place::sqlite().await;
    let server = place.serve_with_user();
    let terminal = Terminal::signed_in(&server).await;
    let bin = terminal.user_home().join("bin");
    let install = ["credential", "docker", "install", "registry.example.com", "--folder", bin.to_str().unwrap()];
    run(&mut terminal.at_home(&install)).done();
    // A token that came just now is left alone, so it came a minute ago.
    terminal.sign_ins(Clock::System).vault().update(age).unwrap();
    let agent = Agent::start(&terminal, &[]);
    let docker = |action: &str| {
        let mut command = terminal.at_home(&["credential", "docker", action]);
        agent.is_named_to(&mut command);
        run_from(&mut command, "registry.example.com")
    };
    let token = || docker("get").json()["Secret"].as_str().unwrap().to_owned();
    let old = token();
    docker("erase").done();
    let new = token();
    assert!(new != old && server.accepts(&new), "what was erased is fetched anew");
    terminal.run(&["logout"]).done();
    docker("erase").done();
}
