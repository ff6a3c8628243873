//! Services and workloads of every kind after their token's end: nobody is asked, whichever command needs the next one. And
//! what they prove themselves with is nowhere to be read.

use crate::{
    fake::{Answer, Fake},
    support::{Agent, Place, Proxy, Server, Terminal, files, run},
    unattended::{Platform, SHORT, file, key, login, whoami, with_secret},
    wire::Authority,
};
use gatepass_testkit::tokio;
use serde_json::{Value, json};
use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
    thread::sleep,
    time::Duration,
};

/// A little longer than a token of [`SHORT`] lives.
const END: Duration = Duration::from_millis(2100);

/// A server that speaks TLS itself, with short tokens; what its terminals trust, and who vouches for certificates of clients.
fn over_tls(place: &Place) -> (Server, PathBuf, Authority) {
    let (authority, folder) = (Authority::new(), place.folder());
    let own = authority.sign("127.0.0.1", (2020, 2040));
    let write = |name: &str, text: &str| {
        let path = folder.join(name);
        fs::write(&path, text).unwrap();
        path
    };
    let (cert, key) = (write("own.pem", &own.certificate), write("own-key.pem", &own.key));
    let ca = authority.write(folder);
    place.settings(&format!("{SHORT}[tls]\ncert = {cert:?}\nkey = {key:?}\nclient_ca = {ca:?}\n"));
    (place.serve(), ca, authority)
}

/// A terminal that trusts the authority.
fn trusting(ca: &Path) -> Terminal {
    let terminal = Terminal::new();
    file(&terminal, "config.toml", format!("ca_file = {ca:?}\n"));
    terminal
}

/// A service or a workload, signed in.
struct Kind {
    name: &'static str,
    terminal: Terminal,
    /// What must be nowhere in its home, nor in what it says.
    secrets: Vec<String>,
    /// What its platform does before the next token.
    rotate: Box<dyn Fn() -> String>,
}

impl Kind {
    /// Signs in with everything told that `--debug` tells.
    fn signed_in(
        name: &'static str,
        (server, terminal): (&Server, Terminal),
        arguments: &[&str],
        secrets: Vec<String>,
        environment: &[(&str, &str)],
    ) -> Self {
        let mut command = terminal.command(&["login", "--server", &server.url]);
        command.args(arguments).env("GATEPASS_DEBUG", "1").envs(environment.iter().copied());
        let said = run(&mut command);
        assert!(said.err.contains("Signed in as"), "{name}: {said:?}");
        let kind = Self { name, terminal, secrets, rotate: Box::new(String::new) };
        kind.is_silent(&format!("{}{}", said.out, said.err));
        said.done();
        kind
    }

    fn is_silent(&self, said: &str) {
        for secret in &self.secrets {
            assert!(!said.contains(secret), "{}: {secret} in {said}", self.name);
        }
    }

    fn keeps_its_secrets(&self) {
        for (path, bytes) in files(self.terminal.home()) {
            let text = String::from_utf8_lossy(&bytes);
            assert!(self.secrets.iter().all(|secret| !text.contains(secret)), "{}: {}", self.name, path.display());
        }
    }
}

fn body_of(pem: &str) -> String {
    pem.lines().nth(1).unwrap().to_owned()
}

/// One of each kind; what they read lies in `inputs`, not in their homes.
fn one_of_each(place: &Place, server: &Server, ca: &Path, authority: &Authority, inputs: &Terminal) -> Vec<Kind> {
    let of = |arguments: &[&str]| place.add_client(&[&["--confidential", "--scope", "account"], arguments].concat());
    let text = |path: &Path| path.to_str().unwrap().to_owned();
    let proven = |id: &str| ["--client-credentials".to_owned(), "--client-id".into(), id.to_owned()];
    let sign_in = |name, arguments: &[String], secrets, environment: &[(&str, &str)]| {
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        Kind::signed_in(name, (server, trusting(ca)), &arguments, secrets, environment)
    };

    let client = of(&["--name", "Secret"]);
    let path = file(inputs, "secret", format!("{}\r\n", client.secret));
    let arguments = [&proven(&client.id)[..], &["--client-secret-file".into(), text(&path)]].concat();
    let mut all = vec![sign_in("secret", &arguments, vec![client.secret.clone()], &[])];
    fs::remove_file(path).unwrap();

    let (path, public) = key(inputs, &rcgen::PKCS_ECDSA_P256_SHA256, "key.pem");
    let set = text(&file(inputs, "jwks.json", json!({"keys": [public]}).to_string()));
    let client = of(&["--name", "Key", "--auth-method", "private_key_jwt", "--jwks-file", &set]);
    let arguments = [&proven(&client.id)[..], &["--client-key-file".into(), text(&path)]].concat();
    let secret = body_of(&fs::read_to_string(&path).unwrap());
    all.push(sign_in("key", &arguments, vec![secret], &[]));
    fs::remove_file(path).unwrap();

    let shown = authority.sign("build.example", (2020, 2040));
    let client = of(&["--name", "Cert", "--auth-method", "tls_client_auth", "--tls-san-dns", "build.example"]);
    let (cert, own) = (file(inputs, "cert.pem", &shown.certificate), file(inputs, "cert-key.pem", &shown.key));
    let files = ["--client-cert-file".into(), text(&cert), "--client-key-file".into(), text(&own)];
    let arguments = [&proven(&client.id)[..], &files].concat();
    all.push(sign_in("certificate", &arguments, vec![body_of(&shown.key)], &[]));
    fs::remove_file(cert).unwrap();
    fs::remove_file(own).unwrap();

    let platform = Arc::new(Platform::trusted(place));
    let url = server.url.clone();
    for name in ["file", "kubernetes"] {
        let assertion = platform.assertion(&url);
        let path = file(inputs, name, format!("{assertion}\n"));
        let (arguments, environment) = match name {
            "file" => (["--assertion-file".to_owned(), text(&path)], vec![]),
            _ => (
                ["--assertion".into(), "kubernetes".into()],
                vec![("GATEPASS_KUBERNETES_TOKEN_FILE", path.to_str().unwrap())],
            ),
        };
        let kind = sign_in(name, &arguments, vec![assertion], &environment);
        let (platform, url) = (Arc::clone(&platform), url.clone());
        let rotate = move || {
            let next = platform.assertion(&url);
            fs::write(&path, &next).unwrap();
            next
        };
        all.push(Kind { rotate: Box::new(rotate), ..kind });
    }

    // What GitHub documents: GET, the job's token as bearer, the audience added to the URL's own parameters.
    let signer = Arc::clone(&platform);
    let runner = Fake::start_raw(move |asked, _, _| {
        let authorized = asked.method == "GET" && asked.bearer.as_deref() == Some("job-token-of-github");
        match (authorized, asked.query.get("api-version"), asked.query.get("audience")) {
            (true, Some(version), Some(audience)) if version == "2.0" => {
                Answer::Json(200, json!({"count": 1, "value": signer.assertion(audience)}))
            }
            _ => Answer::Json(401, json!({"message": "Unauthorized"})),
        }
    });
    let url = format!("{}/token?api-version=2.0", runner.issuer);
    let environment =
        [("ACTIONS_ID_TOKEN_REQUEST_URL", url.as_str()), ("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "job-token-of-github")];
    let arguments = ["--assertion".to_owned(), "github-actions".into()];
    all.push(sign_in("github-actions", &arguments, vec!["job-token-of-github".into()], &environment));
    all
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2, crate = "gatepass_testkit::tokio")]
async fn every_kind_is_renewed_after_its_end_without_a_person_and_shows_nothing() {
    let place = Place::sqlite().await;
    let (server, ca, authority) = over_tls(&place);
    assert!(server.url.starts_with("https://127.0.0.1:"), "{}", server.url);
    let inputs = Terminal::new();
    let mut all = one_of_each(&place, &server, &ca, &authority, &inputs);
    assert_eq!(all.len(), 6);
    let first: Vec<String> = all.iter().map(|kind| stored_token(&kind.terminal)).collect();
    sleep(END);
    for (kind, first) in all.iter_mut().zip(first) {
        let next = (kind.rotate)();
        kind.secrets.extend(Some(next).filter(|text| !text.is_empty()));
        let mut command = kind.terminal.command(&["token"]);
        let said = run(command.env("GATEPASS_DEBUG", "1"));
        kind.is_silent(&format!("{}{}", said.out, said.err));
        assert_ne!(said.done().trim(), first, "{}", kind.name);
        let who = whoami(&kind.terminal);
        assert!(who["type"] == "client" || who["type"] == "service", "{}: {who}", kind.name);
        kind.keeps_its_secrets();
    }
}

fn stored_token(terminal: &Terminal) -> String {
    terminal.stored().unwrap().tokens.unwrap().access_token.expose().to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2, crate = "gatepass_testkit::tokio")]
async fn a_certificate_that_nobody_vouches_for_signs_nobody_in() {
    let place = Place::sqlite().await;
    let (server, ca, authority) = over_tls(&place);
    let terminal = trusting(&ca);
    let by_name = ["--auth-method", "tls_client_auth", "--tls-san-dns", "a.example"];
    let client = place.add_client(&[&["--name", "x", "--confidential", "--scope", "account"][..], &by_name].concat());
    let attempt = |shown: &crate::wire::Shown, key: &str| {
        let (cert, key) = (file(&terminal, "cert.pem", &shown.certificate), file(&terminal, "key.pem", key));
        let files = ["--client-cert-file", cert.to_str().unwrap(), "--client-key-file", key.to_str().unwrap()];
        login(&terminal, &server, &[&["--client-credentials", "--client-id", &client.id][..], &files].concat())
    };
    let (other_name, good) = (authority.sign("b.example", (2020, 2040)), authority.sign("a.example", (2020, 2040)));
    let said = attempt(&other_name, &other_name.key).failed(5);
    assert!(said.contains("does not take the client"), "{said}");
    let stranger = Authority::new().sign("a.example", (2020, 2040));
    let said = attempt(&stranger, &stranger.key);
    assert_eq!((said.code, said.err.matches("error: ").count()), (Some(5), 1), "{said:?}");
    let said = attempt(&good, &other_name.key).failed(2);
    assert!(said.contains("cannot be used") && !said.contains("PRIVATE"), "{said}");
    assert!(terminal.stored().is_none());
    attempt(&good, &good.key).done();
    // Its tokens are bound to the certificate (RFC 8705 §3): who has them alone has nothing.
    assert_eq!(whoami(&terminal)["id"], json!(client.id));
    terminal.whoami_with(&server, &stored_token(&terminal)).failed(3);
    let proxy = Proxy::of(&terminal, &server.url, &[]);
    let body = json!({ "jsonrpc": "2.0", "id": 1, "method": "whoami" });
    let answer = Server::http().post(proxy.path("/api/v1/user/rpc")).json(&body).send().await.unwrap();
    assert_eq!(answer.status(), 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2, crate = "gatepass_testkit::tokio")]
async fn each_command_that_needs_a_token_renews_a_service_by_itself() {
    let place = Place::sqlite().await;
    place.settings(SHORT);
    let server = place.serve();
    let [proxied, boxed, run_by, helped] = [(); 4].map(|()| with_secret(&place, &server).0);
    let proxy = Proxy::of(&proxied, &server.url, &[]);
    let agent = Agent::start(&boxed, &[]);
    sleep(END);
    let body = json!({ "jsonrpc": "2.0", "id": 1, "method": "whoami" });
    let answer = Server::http().post(proxy.path("/api/v1/user/rpc")).json(&body).send().await.unwrap();
    let who: Value = serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap();
    assert_eq!(who["result"]["type"], "client", "{who}");
    let works = async |token: &str| assert_eq!(server.whoami(token.trim()).await.status, 200, "{token}");
    works(&agent.run(&["token"]).done()).await;
    works(&run_by.run(&["exec", "--", "sh", "-c", "printf %s \"$GATEPASS_TOKEN\""]).done()).await;
    let document = run(&mut helped.at_home(&["credential", "kubectl"])).json();
    works(document["status"]["token"].as_str().unwrap()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2, crate = "gatepass_testkit::tokio")]
async fn a_service_that_is_bound_to_a_key_stays_bound() {
    let place = Place::sqlite().await;
    let server = place.serve();
    let terminal = Terminal::new();
    let client = place.add_client(&["--name", "Bound", "--confidential", "--scope", "account"]);
    let path = file(&terminal, "secret", &client.secret);
    let arguments = ["--dpop", "--client-credentials", "--client-id", &client.id, "--client-secret-file"];
    login(&terminal, &server, &[&arguments[..], &[path.to_str().unwrap()]].concat()).done();
    for _ in 0..2 {
        assert_eq!(whoami(&terminal)["id"], json!(client.id));
        let before = stored_token(&terminal);
        let token = terminal.run(&["token", "--min-ttl", "2h"]).done();
        assert_ne!(token.trim(), before);
        assert_eq!(server.whoami(token.trim()).await.status, 401, "alone it is of no use");
    }
    let proxy = Proxy::of(&terminal, &server.url, &[]);
    let body = json!({ "jsonrpc": "2.0", "id": 1, "method": "whoami" });
    let answer = Server::http().post(proxy.path("/api/v1/user/rpc")).json(&body).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    terminal.run(&["logout"]).done();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2, crate = "gatepass_testkit::tokio")]
async fn a_service_asks_again_for_a_token_that_may_do_less() {
    let place = Place::sqlite().await;
    let server = place.serve();
    let terminal = Terminal::new();
    let resource = ["--resource", "https://api.example"];
    let client = place.add_client(&[&["--name", "x", "--confidential", "--scope", "account"][..], &resource].concat());
    let path = file(&terminal, "secret", &client.secret);
    let arguments = ["--client-credentials", "--client-id", &client.id, "--client-secret-file"];
    login(&terminal, &server, &[&arguments[..], &[path.to_str().unwrap()]].concat()).done();
    let whole = terminal.run(&["token"]).done();
    assert_eq!(terminal.run(&["token", "--scope", "account"]).done(), whole, "it is that already");
    let other = terminal.run(&[&["token"][..], &resource].concat()).done();
    assert_ne!(other, whole);
    assert_eq!(terminal.run(&["token"]).done(), whole, "nothing of it was stored");
    terminal.run(&["token", "--scope", "admin"]).failed(5);
    terminal.run(&["token", "--resource", "https://elsewhere.example"]).failed(5);
    assert!(terminal.stored().unwrap().tokens.is_some());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2, crate = "gatepass_testkit::tokio")]
async fn a_workload_that_is_trusted_no_more_is_kept_until_it_is_again() {
    let place = Place::sqlite().await;
    place.settings(SHORT);
    let platform = Platform::trusted(&place);
    let server = place.serve();
    let terminal = Terminal::new();
    let path = file(&terminal, "assertion", platform.assertion(&server.url));
    login(&terminal, &server, &["--assertion-file", path.to_str().unwrap()]).done();
    place.admin(&["trust", "remove", &platform.policy]).done();
    sleep(END);
    fs::write(&path, platform.assertion(&server.url)).unwrap();
    let said = terminal.run(&["token"]).failed(1);
    assert!(said.contains("the sign-in is kept") && said.lines().count() <= 2, "{said}");
    fs::remove_file(&path).unwrap();
    let said = terminal.run(&["token"]).failed(1);
    assert!(said.contains("the assertion in") && said.contains("still writes the file"), "{said}");
    assert!(terminal.stored().unwrap().tokens.is_some());
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2, crate = "gatepass_testkit::tokio")]
async fn a_key_that_everybody_can_read_is_told() {
    use std::os::unix::fs::PermissionsExt;
    let place = Place::sqlite().await;
    let server = place.serve();
    let client = place.add_client(&["--name", "x", "--confidential", "--scope", "account"]);
    for (mode, told) in [(0o644, true), (0o640, false), (0o600, false)] {
        let terminal = Terminal::new();
        let path = file(&terminal, "secret", &client.secret);
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        let arguments = ["--client-credentials", "--client-id", &client.id, "--client-secret-file"];
        let said = login(&terminal, &server, &[&arguments[..], &[path.to_str().unwrap()]].concat());
        assert_eq!(said.err.contains("every user of this machine can read the client's secret"), told, "{said:?}");
        said.done();
    }
}

/// Kubernetes gives the same token until four fifths of its life are over.
#[tokio::test(flavor = "multi_thread", worker_threads = 2, crate = "gatepass_testkit::tokio")]
async fn a_pod_whose_token_is_not_replaced_yet_is_renewed_where_the_policy_lets_it_come_again() {
    let place = Place::sqlite().await;
    place.settings(SHORT);
    let platform = Platform::trusted_with(&place, &["--reusable"]);
    let server = place.serve();
    let terminal = Terminal::new();
    let path = file(&terminal, "token", platform.assertion(&server.url));
    let mut command = terminal.command(&["login", "--server", &server.url, "--assertion", "kubernetes"]);
    run(command.env("GATEPASS_KUBERNETES_TOKEN_FILE", &path)).done();
    let first = stored_token(&terminal);
    sleep(END);
    assert_ne!(terminal.run(&["token"]).done().trim(), first);
    assert_eq!(whoami(&terminal)["name"], "deploy");
}
