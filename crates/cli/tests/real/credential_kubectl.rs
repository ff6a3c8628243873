//! `gatepass credential kubectl`, with the real kubectl against an API server over TLS that wants a token.

use crate::support::{Place, Said, Server, Site, Terminal, Told, run};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use gatepass_testkit::tokio;
use serde_json::{Value, json};
use std::{fs, process::Command};

const CLUSTER: &str = "https://k8s.example.com:6443";

async fn signed_in(place: &Place) -> (Server, Terminal) {
    let server = place.serve_with_user();
    let terminal = Terminal::signed_in(&server).await;
    (server, terminal)
}

/// The plugin as kubectl runs it.
fn plugin(terminal: &Terminal, version: &str, cluster: Option<&str>, flags: &[&str]) -> Said {
    let mut spec = json!({"interactive": false});
    if let Some(server) = cluster {
        spec["cluster"] = json!({"server": server, "config": null});
    }
    let info = json!({"kind": "ExecCredential", "apiVersion": version, "spec": spec}).to_string();
    run(terminal.at_home(&[&["credential", "kubectl"], flags].concat()).env("KUBERNETES_EXEC_INFO", info))
}

/// Holds an answer against the documented members of `ExecCredential`: none more, each of its type.
#[track_caller]
fn token_of(document: &Value, version: &str) -> String {
    assert_eq!((&document["apiVersion"], &document["kind"]), (&json!(version), &json!("ExecCredential")));
    let members = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    assert_eq!(members(document), ["apiVersion", "kind", "status"]);
    assert_eq!(members(&document["status"]), ["expirationTimestamp", "token"]);
    let end = document["status"]["expirationTimestamp"].as_str().unwrap();
    assert!(end.len() == 20 && end.ends_with('Z') && end.as_bytes()[10] == b'T', "{end}");
    document["status"]["token"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2, crate = "gatepass_testkit::tokio")]
async fn the_document_is_the_one_that_was_asked_for() {
    let place = Place::sqlite().await;
    let (server, terminal) = signed_in(&place).await;
    for version in ["client.authentication.k8s.io/v1", "client.authentication.k8s.io/v1beta1"] {
        let document = plugin(&terminal, version, Some(CLUSTER), &["--cluster", CLUSTER]).json();
        assert!(server.accepts(&token_of(&document, version)));
    }
    let version = "client.authentication.k8s.io/v1";
    let document = plugin(&terminal, version, Some(CLUSTER), &["--cluster", CLUSTER, "--id-token"]).json();
    let token = token_of(&document, version);
    let claims = URL_SAFE_NO_PAD.decode(token.split('.').nth(1).unwrap()).unwrap();
    let claims: Value = serde_json::from_slice(&claims).unwrap();
    assert_eq!((&claims["iss"], &claims["aud"]), (&json!(server.url), &json!("gatepass-cli")));
    token_of(&run(&mut terminal.at_home(&["credential", "kubectl"])).json(), version);

    let refused = |cluster: Option<&str>, flags: &[&str], code| {
        let said = plugin(&terminal, version, cluster, flags);
        assert_eq!(said.out, "");
        said.failed(code)
    };
    refused(Some("https://evil.example"), &["--cluster", CLUSTER], 5);
    refused(Some("https://k8s.example.com:6443@evil.example"), &["--cluster", CLUSTER], 2);
    refused(Some(CLUSTER), &[], 5);
    let said = refused(None, &["--cluster", CLUSTER], 2);
    assert!(said.contains("provideClusterInfo: true"), "{said}");
    plugin(&terminal, "client.authentication.k8s.io/v2", Some(CLUSTER), &["--cluster", CLUSTER]).failed(2);
    terminal.run(&["logout"]).done();
    let said = refused(Some(CLUSTER), &["--cluster", CLUSTER], 3);
    assert!(said.contains("gatepass login"), "{said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2, crate = "gatepass_testkit::tokio")]
async fn without_kubectl_the_lines_to_add_are_printed() {
    let place = Place::sqlite().await;
    let (_server, terminal) = signed_in(&place).await;
    let said =
        run(terminal.at_home(&["credential", "kubectl", "install", "--cluster", CLUSTER]).env("PATH", "/nowhere"));
    assert!(said.err.contains("kubectl is not installed here"), "{}", said.err);
    let out = said.done();
    assert!(
        out.starts_with("users:\n- name: gatepass\n") && out.ends_with("      provideClusterInfo: true\n"),
        "{out}"
    );
    assert!(out.contains(&format!("      - \"--cluster\"\n      - \"{CLUSTER}\"\n")), "{out}");
    assert_eq!(run(&mut terminal.at_home(&["credential", "list"])).done(), "");
    run(&mut terminal.at_home(&["credential", "kubectl", "install"])).failed(2);
}

/// The kubectl that GATEPASS_TEST_KUBECTL names, else the one of this machine: one that can write a kubeconfig.
#[track_caller]
fn put_kubectl_into_the_path(terminal: &Terminal) {
    if let Some(program) = std::env::var_os("GATEPASS_TEST_KUBECTL") {
        let folder = terminal.user_home().join("bin");
        fs::create_dir_all(&folder).unwrap();
        std::os::unix::fs::symlink(program, folder.join("kubectl")).unwrap();
    }
    let help = kubectl(terminal, &["config", "set-credentials", "--help"]).output();
    assert!(
        help.is_ok_and(|help| String::from_utf8_lossy(&help.stdout).contains("--exec-provide-cluster-info")),
        "no kubectl of 1.30 or later is installed\nhint: run ./test, which installs it, or name it in GATEPASS_TEST_KUBECTL"
    );
}

fn kubectl(terminal: &Terminal, arguments: &[&str]) -> Command {
    let mut command = terminal.tool("kubectl");
    command.args(arguments);
    command
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2, crate = "gatepass_testkit::tokio")]
async fn the_real_kubectl_shows_the_token_to_its_cluster_alone() {
    let place = Place::sqlite().await;
    let (server, terminal) = signed_in(&place).await;
    put_kubectl_into_the_path(&terminal);
    let address = server.address.clone();
    let (api, certificate) = Site::start_tls(move |asked| {
        let token = asked.header("authorization").and_then(|value| value.strip_prefix("Bearer "));
        match token {
            Some(token) if crate::support::accepts(&address, token) => {
                Told::new(200, "application/json", "{\"hello\":1}")
            }
            _ => Told::new(
                401,
                "application/json",
                "{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"status\":\"Failure\",\"code\":401}",
            ),
        }
    });
    let (other, other_certificate) = Site::start_tls(|_| Told::new(401, "application/json", "{}"));
    let authority = terminal.user_home().join("ca.pem");
    fs::write(&authority, certificate + &other_certificate).unwrap();
    let config = |arguments: &[&str]| run(&mut kubectl(&terminal, &[&["config"], arguments].concat())).done();
    for (name, site) in [("ours", &api), ("other", &other)] {
        let authority = format!("--certificate-authority={}", authority.display());
        config(&["set-cluster", name, &format!("--server={}", site.url), &authority]);
        config(&["set-context", name, &format!("--cluster={name}"), "--user=gatepass"]);
    }
    config(&["set-credentials", "theirs", "--token=x"]);
    let kubeconfig = terminal.user_home().join(".kube/config");
    let before = fs::read_to_string(&kubeconfig).unwrap();
    let call = |arguments: &[&str]| run(&mut terminal.at_home(&[&["credential", "kubectl"], arguments].concat()));

    let dry = call(&["install", "--cluster", &api.url, "--dry-run"]).done();
    assert!(dry.contains("+ - name: gatepass"), "{dry}");
    assert_eq!(fs::read_to_string(&kubeconfig).unwrap(), before);
    call(&["install", "--cluster", &api.url]).done();
    let after = fs::read_to_string(&kubeconfig).unwrap();
    assert_eq!(call(&["install", "--cluster", &api.url]).done(), "");
    assert_eq!(fs::read_to_string(&kubeconfig).unwrap(), after, "once is enough");
    assert!(call(&["install", "--user", "theirs", "--cluster", &api.url]).failed(2).contains("theirs already"));

    assert_eq!(run(&mut kubectl(&terminal, &["--context=ours", "get", "--raw=/hello"])).done(), "{\"hello\":1}\n");
    let said = run(&mut kubectl(&terminal, &["--context=other", "get", "--raw=/hello"]));
    assert!(said.code != Some(0) && said.err.contains("was not named as a cluster"), "{said:?}");
    assert!(api.was_shown_a_credential() && !other.was_shown_a_credential());

    call(&["uninstall"]).done();
    assert_eq!(fs::read_to_string(&kubeconfig).unwrap(), before);
    assert_eq!(call(&["uninstall"]).done(), "");
}
