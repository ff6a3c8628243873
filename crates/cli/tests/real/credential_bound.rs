//! What tools are told of a token that is bound to a key, and of surroundings that mean another account.

use crate::support::{Place, Server, Terminal, run, run_from};
use gatepass_testkit::tokio;

const CLUSTER: &str = "https://k8s.example.com:6443";
const ROLE: &str = "arn:aws:iam::123456789012:role/deploy";

async fn bound() -> (Place, Server, Terminal) {
    let place = Place::sqlite().await;
    place.binds_access_tokens();
    let server = place.serve_with_user();
    let terminal = Terminal::signed_in(&server).await;
    (place, server, terminal)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2, crate = "gatepass_testkit::tokio")]
async fn a_bound_token_is_handed_to_no_tool_and_the_proxy_is_named() {
    let (_place, _server, terminal) = bound().await;
    let at_home = |arguments: &[&str], input: &str| run_from(&mut terminal.at_home(arguments), input);
    let bin = terminal.user_home().join("bin");
    at_home(&["credential", "git", "install", "git.example.com"], "").done();
    let docker = ["credential", "docker", "install", "registry.example.com", "--folder", bin.to_str().unwrap()];
    at_home(&docker, "").done();

    let said = at_home(&["credential", "git", "get"], "protocol=https\nhost=git.example.com\n\n");
    assert_eq!(said.out, "");
    assert!(said.failed(1).ends_with("\n  gatepass proxy https://git.example.com\n"));
    let said = at_home(&["credential", "docker", "get"], "registry.example.com");
    assert!(said.out.contains("bound to a key") && said.out.contains("gatepass proxy https://registry.example.com"));
    said.failed(1);
    let info = format!(
        r#"{{"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential","spec":{{"cluster":{{"server":"{CLUSTER}"}}}}}}"#
    );
    let kubectl = |flags: &[&str]| {
        let words = [&["credential", "kubectl", "--cluster", CLUSTER], flags].concat();
        run(terminal.at_home(&words).env("KUBERNETES_EXEC_INFO", &info))
    };
    let said = kubectl(&[]);
    assert_eq!(said.out, "");
    assert!(said.failed(1).ends_with(&format!("\n  gatepass proxy {CLUSTER}\n")));
    assert!(kubectl(&["--id-token"]).done().contains("\"token\""), "the ID token is bound to nothing");
    let said = at_home(&["credential", "aws", "--role-arn", ROLE, "--access-token"], "");
    assert_eq!(said.out, "");
    assert!(said.failed(1).contains("leave out --access-token"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2, crate = "gatepass_testkit::tokio")]
async fn a_command_in_a_configuration_means_its_account_wherever_it_runs() {
    let place = Place::sqlite().await;
    let server = place.serve_with_user();
    let terminal = Terminal::signed_in(&server).await;
    let id = terminal.stored().unwrap().account.id().to_string();
    let surrounded = |arguments: &[&str]| {
        let mut command = terminal.at_home(arguments);
        run(command.env("GATEPASS_SERVER", "https://other.example").env("GATEPASS_SPACE", "team"))
    };
    let kubectl = ["credential", "kubectl", "--account", &id];
    let token = surrounded(&kubectl).json()["status"]["token"].as_str().unwrap().to_owned();
    assert!(server.accepts(&token));
    surrounded(&[&kubectl[..], &["--id-token"]].concat()).done();
    // It gets as far as STS, where nobody is.
    let nobody = crate::wire::dead_port();
    let sts = format!("http://127.0.0.1:{nobody}");
    surrounded(&["credential", "aws", "--account", &id, "--role-arn", ROLE, "--sts-endpoint", &sts]).failed(4);
    // What a person types is still chosen by what they have set.
    surrounded(&["credential", "kubectl", "--account", gatepass_testkit::USER]).failed(3);

    let install = ["credential", "aws", "install", "--role-arn", ROLE];
    run(&mut terminal.at_home(&install)).done();
    terminal.run(&["logout"]).done();
    let said = surrounded(&kubectl).failed(3);
    assert!(said.contains(&format!("{id} is not signed in here")), "{said}");
    assert!(said.ends_with(&format!("gatepass login --server {}\n", server.url)), "{said}");
}
