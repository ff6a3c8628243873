//! The real server behind TLS, asked through a real proxy: whom the command line trusts, and which way it goes.

use crate::{
    support::{Place, Program, Said, Server, Terminal, event},
    wire::{Authority, Proxy, Wants},
};
use gatepass_testkit::tokio;
use std::{fs, path::PathBuf};

const PASSWORD: &str = "hunter2";

/// `https://auth.test`, a name that only a proxy knows.
struct Far {
    _place: Place,
    server: Server,
    ca: PathBuf,
}

async fn far() -> Far {
    let (place, authority) = (Place::sqlite().await, Authority::new());
    let shown = authority.sign("auth.test", (2020, 2100));
    let (cert, key) = (place.folder().join("cert.pem"), place.folder().join("key.pem"));
    fs::write(&cert, shown.certificate).unwrap();
    fs::write(&key, shown.key).unwrap();
    place.settings(&format!("public_url = \"https://auth.test\"\n[tls]\ncert = {cert:?}\nkey = {key:?}\n"));
    let ca = authority.write(place.folder());
    Far { server: place.serve_at("127.0.0.1:0"), ca, _place: place }
}

impl Far {
    fn proxy(&self, wants: Wants) -> Proxy {
        Proxy::open(wants, self.server.address.rsplit(':').next().unwrap().parse().unwrap())
    }

    fn login(&self, terminal: &Terminal, variables: &[(&str, &str)], arguments: &[&str]) -> Program {
        let mut command = terminal.command(&["login", "--device", "--server", "https://auth.test", "--debug"]);
        Program::start(command.args(arguments).envs(variables.iter().copied()))
    }
}

#[track_caller]
fn without_password(said: &Said) {
    assert!(!said.out.contains(PASSWORD) && !said.err.contains(PASSWORD), "{said:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2, crate = "gatepass_testkit::tokio")]
async fn a_sign_in_begins_through_a_proxy_with_a_password_and_an_authority_of_our_own() {
    let far = far().await;
    let (proxy, terminal) = (far.proxy(Wants::Password("ada", PASSWORD)), Terminal::new());
    let url = proxy.url(&format!("ada:{PASSWORD}@"));
    let ca = far.ca.to_str().unwrap();
    let begins = |variables: &[(&str, &str)], arguments: &[&str]| {
        let login = far.login(&terminal, variables, &[&["--json"], arguments].concat());
        let code = event(&login, "code");
        assert!(code["verification_uri"].as_str().unwrap().starts_with("https://auth.test/"), "{code}");
        login.signal("-INT");
        without_password(&login.end());
    };
    begins(&[("HTTPS_PROXY", &url)], &["--ca-file", ca]);
    begins(&[("https_proxy", &url), ("GATEPASS_CA_FILE", ca)], &[]);
    begins(&[("all_proxy", &url), ("GATEPASS_CA_FILE", "/nowhere")], &["--ca-file", ca]);
    // The settings, of which the environment beats one and the flag another.
    let settings = |proxy: &str, ca: &str| {
        fs::write(terminal.home().join("config.toml"), format!("proxy = {proxy:?}\nca_file = {ca:?}\n")).unwrap();
    };
    settings(&url, ca);
    begins(&[], &[]);
    settings("http://127.0.0.1:1", "/nowhere");
    begins(&[("HTTPS_PROXY", &url), ("GATEPASS_CA_FILE", ca)], &[]);
    assert!(proxy.asked().iter().all(|asked| asked == "CONNECT auth.test:443"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2, crate = "gatepass_testkit::tokio")]
async fn what_stands_in_the_way_is_one_sentence_with_its_remedy() {
    let far = far().await;
    let (open, guarded) = (far.proxy(Wants::Nothing), far.proxy(Wants::Password("ada", PASSWORD)));
    let (free, with_password) = (open.url(""), guarded.url("ada:wrong-one@"));
    let (no_password, ca) = (guarded.url(""), far.ca.to_str().unwrap());
    let mistyped = format!("ftp://ada:{PASSWORD}@p.example");
    let table = [
        (vec![("HTTPS_PROXY", free.as_str())], vec![], 4, "comes from an unknown authority", "--ca-file FILE"),
        (
            vec![("HTTPS_PROXY", &no_password)],
            vec!["--ca-file", ca],
            4,
            "asks for a user and a password",
            "USER:PASSWORD",
        ),
        (vec![("HTTPS_PROXY", &with_password)], vec!["--ca-file", ca], 4, "does not accept the user", "USER:PASSWORD"),
        (vec![("HTTPS_PROXY", "127.0.0.1:1")], vec![], 4, "the proxy http://127.0.0.1:1 cannot be reached", "NO_PROXY"),
        (vec![("HTTPS_PROXY", &mistyped)], vec![], 2, "HTTPS_PROXY: a proxy is named as in", ""),
        (vec![("HTTPS_PROXY", &free)], vec!["--ca-file", "/nowhere.pem"], 2, "the CA file /nowhere.pem", "--ca-file"),
        (
            vec![("HTTPS_PROXY", &free), ("NO_PROXY", "auth.test")],
            vec!["--ca-file", ca],
            4,
            "cannot be reached",
            "network",
        ),
    ];
    for (variables, arguments, code, sentence, hint) in table {
        let said = far.login(&Terminal::new(), &variables, &arguments).end();
        without_password(&said);
        assert!(!said.err.contains("wrong-one"), "{said:?}");
        assert_eq!(said.code, Some(code), "{sentence}: {said:?}");
        let error = said.err.lines().find(|line| line.starts_with("error: ")).unwrap();
        assert!(error.contains(sentence), "{sentence} in {error}");
        assert!(said.err.contains(hint), "{hint} in {}", said.err);
    }
    let said = far.login(&Terminal::new(), &[("HTTPS_PROXY", &free)], &[]).end();
    assert!(said.err.contains("its certificate (CN=auth.test, issued by CN=Test Authority)"), "{}", said.err);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2, crate = "gatepass_testkit::tokio")]
async fn doctor_tells_proxy_and_certificate() {
    let far = far().await;
    let (proxy, terminal) = (far.proxy(Wants::Password("ada", PASSWORD)), Terminal::new());
    let url = proxy.url(&format!("ada:{PASSWORD}@"));
    let doctor = |arguments: &[&str]| {
        let mut command = terminal.command(&["doctor", "https://auth.test"]);
        let said = crate::support::run(command.args(arguments).env("HTTPS_PROXY", &url));
        without_password(&said);
        said
    };
    let good = doctor(&["--ca-file", far.ca.to_str().unwrap()]);
    // Whatever the lines are broken at.
    let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let report = words(&good.done());
    for part in
        [", with a password that is not", "CN=auth.test, issued by CN=Test", "days left", "names https://auth.test"]
    {
        assert!(report.contains(part), "{part} in {report}");
    }
    let bad = doctor(&[]);
    assert_eq!(bad.code, Some(4), "only the network fails: {bad:?}");
    assert!(
        words(&bad.out)
            .contains("unknown authority hint: if you know that authority, name its certificate with --ca-file FILE"),
        "{}",
        bad.out
    );
    assert_eq!(bad.out.matches("failure  ").count(), 1, "said once: {}", bad.out);
}
