//! Sign-ins without a person: a service by its secret, key or certificate, a workload by what its platform says of it.

use crate::{
    fake::{Answer, Fake},
    support::{Place, Program, Said, Server, Terminal},
};
use gatepass_client::{Clock, Entropy, oauth::UtcMillis};
use gatepass_keys::{Jwk, PrivateKey, SealingKey, SigningKey, jws::base64url};
use gatepass_testkit::tokio;
use serde_json::{Value, json};
use std::{
    fs,
    path::{Path, PathBuf},
    thread::sleep,
    time::{Duration, Instant},
};

pub(crate) const SHORT: &str = "[lifetimes]\naccess_token = \"2s\"\n";
const ISSUER: &str = "https://ci.example";

/// A file in the terminal's home, where it is out of the way of others.
pub(crate) fn file(terminal: &Terminal, name: &str, text: impl AsRef<[u8]>) -> PathBuf {
    let path = terminal.home().join(name);
    fs::write(&path, text).unwrap();
    path
}

pub(crate) fn login(terminal: &Terminal, server: &Server, arguments: &[&str]) -> Said {
    terminal.login(server, arguments).end()
}

/// A service with a secret, signed in.
pub(crate) fn with_secret(place: &Place, server: &Server) -> (Terminal, String) {
    let client = place.add_client(&["--name", "Nightly", "--confidential", "--scope", "account"]);
    let terminal = Terminal::new();
    let secret = file(&terminal, "client-secret", &client.secret);
    let arguments =
        ["--client-credentials", "--client-id", &client.id, "--client-secret-file", secret.to_str().unwrap()];
    let said = login(&terminal, server, &arguments);
    assert!(said.err.contains("It is renewed without a person"), "{said:?}");
    said.done();
    fs::remove_file(secret).unwrap();
    (terminal, client.id)
}

pub(crate) fn whoami(terminal: &Terminal) -> Value {
    terminal.run(&["whoami", "--json"]).json()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2, crate = "gatepass_testkit::tokio")]
async fn a_service_with_a_secret_is_renewed_once_for_twenty_processes() {
    let place = Place::sqlite().await;
    place.settings(SHORT);
    let server = place.serve();
    let (terminal, id) = with_secret(&place, &server);
    let who = whoami(&terminal);
    assert_eq!((&who["type"], &who["id"]), (&json!("client"), &json!(id)));
    assert!(terminal.run(&["status"]).done().contains(&id));
    let first = terminal.stored().unwrap();
    assert!(first.tokens.as_ref().unwrap().refresh_token.is_none());
    place.settings("");
    let server = server.restart(&place);
    sleep(Duration::from_millis(2100));
    let status: Value = terminal.run(&["status", "--json"]).json();
    assert_eq!(status["accounts"][0]["signed_in"], true, "{status}");
    let programs: Vec<Program> = (0..20).map(|_| Program::start(&mut terminal.command(&["token"]))).collect();
    let tokens: Vec<String> = programs.into_iter().map(|program| program.end().done()).collect();
    assert!(tokens.iter().all(|token| *token == tokens[0] && token.starts_with("gpa_")), "{tokens:?}");
    assert_eq!(terminal.stored().unwrap().generation, first.generation + 1, "one request");
    terminal.whoami_with(&server, &tokens[0]).done();
    terminal.run(&["logout"]).done();
    terminal.whoami_with(&server, &tokens[0]).failed(3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2, crate = "gatepass_testkit::tokio")]
async fn a_network_that_is_away_keeps_the_sign_in_and_a_client_that_is_gone_ends_it() {
    let place = Place::sqlite().await;
    place.settings(SHORT);
    let mut server = place.serve();
    let (terminal, id) = with_secret(&place, &server);
    sleep(Duration::from_millis(2100));
    server.program.kill();
    let said = terminal.run(&["token"]).failed(4);
    assert!(said.contains("the sign-in is kept"), "{said}");
    let _server = place.serve_at(&server.address);
    terminal.run(&["token"]).done();
    place.admin(&["client", "remove", &id]).done();
    // The server may remember the client for a moment.
    let until = Instant::now() + Duration::from_secs(20);
    let said = loop {
        let said = terminal.run(&["token", "--min-ttl", "1h"]);
        if said.code != Some(0) || Instant::now() > until {
            break said.failed(3);
        }
    };
    assert!(said.contains("--client-credentials --client-id"), "{said}");
    assert!(said.contains(&format!("does not accept the client {id} any more, or not its proof")), "{said}");
    assert!(terminal.stored().unwrap().tokens.is_none());
    terminal.run(&["token"]).failed(3);
}

/// A private key in PEM (PKCS#8), and its public half.
pub(crate) fn key(terminal: &Terminal, kind: &'static rcgen::SignatureAlgorithm, name: &str) -> (PathBuf, Jwk) {
    let pair = rcgen::KeyPair::generate_for(kind).unwrap();
    let read = PrivateKey::from_der(&pair.serialize_der(), gatepass_keys::private_key::Encoding::Pkcs8).unwrap();
    (file(terminal, name, pair.serialize_pem()), Jwk { alg: None, kid: None, ..read.public().clone() })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2, crate = "gatepass_testkit::tokio")]
async fn a_service_proves_itself_by_a_key_of_each_kind() {
    let place = Place::sqlite().await;
    let server = place.serve();
    for (kind, alg) in
        [(&rcgen::PKCS_ECDSA_P256_SHA256, "ES256"), (&rcgen::PKCS_ED25519, "EdDSA"), (&rcgen::PKCS_RSA_SHA256, "RS256")]
    {
        let terminal = Terminal::new();
        let (path, public) = key(&terminal, kind, "key.pem");
        // A key that is for one algorithm verifies by no other.
        let set = json!({"keys": [Jwk { alg: Some(alg.to_owned()), ..public }]});
        let set = file(&terminal, "jwks.json", set.to_string());
        let client = place.add_client(&[
            "--name",
            alg,
            "--confidential",
            "--scope",
            "account",
            "--auth-method",
            "private_key_jwt",
            "--jwks-file",
            set.to_str().unwrap(),
        ]);
        let arguments =
            ["--client-credentials", "--client-id", &client.id, "--client-key-file", path.to_str().unwrap()];
        login(&terminal, &server, &arguments).done();
        assert_eq!(whoami(&terminal)["id"], json!(client.id), "{alg}");
        // The key is kept by value, and not in the clear.
        let pem = fs::read_to_string(&path).unwrap();
        fs::remove_file(&path).unwrap();
        let first = terminal.run(&["token"]).done();
        assert_ne!(terminal.run(&["token", "--min-ttl", "2h"]).done(), first, "{alg}");
        let line = pem.lines().nth(1).unwrap();
        for (path, bytes) in crate::support::files(terminal.home()) {
            assert!(!String::from_utf8_lossy(&bytes).contains(line), "{}", path.display());
        }
        terminal.run(&["logout"]).done();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2, crate = "gatepass_testkit::tokio")]
async fn a_key_that_is_not_the_clients_is_refused_and_nothing_is_kept() {
    let place = Place::sqlite().await;
    let server = place.serve();
    let terminal = Terminal::new();
    let (path, _) = key(&terminal, &rcgen::PKCS_ED25519, "key.pem");
    let (_, other) = key(&terminal, &rcgen::PKCS_ED25519, "other.pem");
    let set = file(&terminal, "jwks.json", json!({"keys": [other]}).to_string());
    let by_key = ["--auth-method", "private_key_jwt", "--jwks-file", set.to_str().unwrap()];
    let client = place.add_client(&[&["--name", "x", "--confidential"][..], &by_key].concat());
    let arguments = ["--client-credentials", "--client-id", &client.id, "--client-key-file", path.to_str().unwrap()];
    let said = login(&terminal, &server, &arguments).failed(5);
    assert!(said.contains("does not take the client"), "{said}");
    assert!(terminal.stored().is_none());
    for (text, what) in [("hunter2", "no private key"), ("{}", "no private key that can sign")] {
        fs::write(&path, text).unwrap();
        let said = login(&terminal, &server, &arguments).failed(2);
        assert!(said.contains(what) && !said.contains("hunter2"), "{said}");
    }
    let said = login(&terminal, &server, &["--client-credentials", "--client-id", &client.id]).failed(2);
    assert!(said.contains("nothing to prove itself with"), "{said}");
    login(&terminal, &server, &["--client-credentials", "--device"]).failed(2);
}

/// A platform that signs what it says of a workload.
pub(crate) struct Platform {
    key: SigningKey,
    clock: Clock,
    /// The policy by which the server trusts it.
    pub(crate) policy: String,
}

impl Platform {
    /// With a trust policy for its workload `repo:acme/app` at the server of `place`.
    pub(crate) fn trusted(place: &Place) -> Self {
        Self::trusted_with(place, &[])
    }

    /// The same with more in the policy.
    pub(crate) fn trusted_with(place: &Place, more: &[&str]) -> Self {
        let entropy = Entropy::system();
        let (key, _) = SigningKey::generate(&SealingKey::generate(&entropy).unwrap(), &entropy).unwrap();
        let set = place.folder().join("platform.json");
        fs::write(&set, json!({"keys": [key.public()]}).to_string()).unwrap();
        place.admin(&["service", "add", "deploy"]).done();
        let trust = ["trust", "add", "--issuer", ISSUER, "--jwks-file", set.to_str().unwrap()];
        let whom = ["--subject", "repo:acme/*", "--service-account", "deploy", "--scope", "account"];
        let added = place.admin(&[&trust[..], &whom, more, &["--json"]].concat()).json();
        Self { key, clock: Clock::System, policy: added["id"].as_str().unwrap_or_default().to_owned() }
    }

    /// Another one each time.
    pub(crate) fn assertion(&self, audience: &str) -> String {
        let UtcMillis(now) = self.clock.now();
        let jti = base64url(&Entropy::system().bytes::<16>().unwrap());
        let claims = json!({"iss": ISSUER, "sub": "repo:acme/app", "aud": audience, "jti": jti,
                            "iat": now / 1000, "exp": now / 1000 + 300});
        self.key.sign("JWT", &claims).unwrap()
    }
}

fn is_deploy(terminal: &Terminal) {
    let who = whoami(terminal);
    assert_eq!((&who["type"], &who["name"]), (&json!("service"), &json!("deploy")), "{who}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2, crate = "gatepass_testkit::tokio")]
async fn a_workload_shows_what_its_file_holds_at_that_moment() {
    let place = Place::sqlite().await;
    let platform = Platform::trusted(&place);
    let server = place.serve();
    let terminal = Terminal::new();
    let path = file(&terminal, "assertion", platform.assertion(&server.url));
    let said = login(&terminal, &server, &["--assertion-file", path.to_str().unwrap()]);
    assert!(said.err.contains("Signed in as deploy"), "{said:?}");
    said.done();
    is_deploy(&terminal);
    let first = terminal.run(&["token"]).done();
    // Not rotated yet: the same assertion is good once. That is no end.
    let said = terminal.run(&["token", "--min-ttl", "1h"]);
    assert_eq!(said.code, Some(0), "the old one is still good: {said:?}");
    assert_eq!(said.out, first);
    assert!(terminal.stored().unwrap().tokens.is_some());
    fs::write(&path, platform.assertion(&server.url)).unwrap();
    let second = terminal.run(&["token", "--min-ttl", "1h"]).done();
    assert_ne!(second, first);
    // A file that is gone for a moment is no end either.
    fs::remove_file(&path).unwrap();
    assert_eq!(terminal.run(&["token", "--min-ttl", "1h"]).done(), second);
    fs::write(&path, platform.assertion(&server.url)).unwrap();
    assert_ne!(terminal.run(&["token", "--min-ttl", "1h"]).done(), second);
    let other = Terminal::new();
    for (text, code) in [("no jwt".to_owned(), 2), (platform.assertion("https://else.example"), 5)] {
        fs::write(&path, text).unwrap();
        login(&other, &server, &["--assertion-file", path.to_str().unwrap()]).failed(code);
        assert!(other.stored().is_none());
    }
    login(&other, &server, &["--assertion-file", "/nonexistent/token"]).failed(2);
    let said = terminal.run(&["logout"]);
    assert!(said.err.contains("lives until it expires"), "{said:?}");
    said.done();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2, crate = "gatepass_testkit::tokio")]
async fn a_pod_signs_in_by_its_service_accounts_token() {
    let place = Place::sqlite().await;
    let platform = Platform::trusted(&place);
    let server = place.serve();
    let terminal = Terminal::new();
    // As the kubelet does it: a link to a folder that is replaced.
    let (one, two, token) = (
        file(&terminal, "one", platform.assertion(&server.url)),
        terminal.home().join("two"),
        terminal.home().join("token"),
    );
    fs::write(&two, platform.assertion(&server.url)).unwrap();
    std::os::unix::fs::symlink(&one, &token).unwrap();
    let mut command = terminal.command(&["login", "--server", &server.url, "--assertion", "kubernetes"]);
    crate::support::run(command.env("GATEPASS_KUBERNETES_TOKEN_FILE", &token)).done();
    is_deploy(&terminal);
    let first = terminal.run(&["token"]).done();
    swap(&two, &token);
    assert_ne!(terminal.run(&["token", "--min-ttl", "1h"]).done(), first);
    let said = login(&Terminal::new(), &server, &["--assertion", "kubernetes"]).failed(2);
    assert!(said.contains("/var/run/secrets/kubernetes.io/serviceaccount/token"), "{said}");
}

fn swap(target: &Path, link: &Path) {
    let next = link.with_extension("next");
    std::os::unix::fs::symlink(target, &next).unwrap();
    fs::rename(next, link).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2, crate = "gatepass_testkit::tokio")]
async fn a_github_actions_job_asks_its_runner_anew_for_each_token() {
    let place = Place::sqlite().await;
    let platform = Platform::trusted(&place);
    let server = place.serve();
    let runner = Fake::start_raw(move |asked, _, _| match (asked.bearer.as_deref(), asked.query.get("audience")) {
        (Some("job-token"), Some(audience)) => {
            Answer::Json(200, json!({"count": 1, "value": platform.assertion(audience)}))
        }
        _ => Answer::Json(401, json!({"message": "Unauthorized"})),
    });
    let terminal = Terminal::new();
    let arguments = ["login", "--server", &server.url, "--assertion", "github-actions"];
    let url = format!("{}/idtoken/run/job?api-version=2.0", runner.issuer);
    let job = |token: &str| {
        let mut command = terminal.command(&arguments);
        command.env("ACTIONS_ID_TOKEN_REQUEST_URL", &url).env("ACTIONS_ID_TOKEN_REQUEST_TOKEN", token);
        crate::support::run(&mut command)
    };
    let said = terminal.run(&arguments).failed(2);
    assert!(said.contains("id-token: write"), "{said}");
    assert!(!job("a\r\nX-Evil: b").failed(2).contains("X-Evil"));
    let said = job("stranger").failed(1);
    assert!(said.contains("GitHub Actions gave no ID token"), "{said}");
    job("job-token").done();
    is_deploy(&terminal);
    let first = terminal.run(&["token"]).done();
    // Another step of the job, without the variables.
    assert_ne!(terminal.run(&["token", "--min-ttl", "1h"]).done(), first);
    let asked = runner.asked("/idtoken/run/job");
    assert!(asked.len() >= 3 && asked.iter().all(|asked| asked.query["api-version"] == "2.0"));
    assert_eq!(asked.last().unwrap().query["audience"], server.url);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2, crate = "gatepass_testkit::tokio")]
async fn a_clock_that_is_wrong_does_not_end_a_service_that_signs() {
    let place = Place::sqlite().await;
    let server = place.serve();
    let terminal = Terminal::new();
    let (path, public) = key(&terminal, &rcgen::PKCS_ED25519, "key.pem");
    let set = file(&terminal, "jwks.json", json!({"keys": [public]}).to_string());
    let by_key = ["--auth-method", "private_key_jwt", "--jwks-file", set.to_str().unwrap()];
    let client = place.add_client(&[&["--name", "x", "--confidential"][..], &by_key].concat());
    let arguments = ["--client-credentials", "--client-id", &client.id, "--client-key-file", path.to_str().unwrap()];
    login(&terminal, &server, &arguments).done();
    let account = terminal.stored().unwrap().account.id();
    for hours in [-3, 3] {
        let clock = Clock::settable(UtcMillis(Clock::System.now().0 + hours * 3_600_000));
        let bearer = terminal.sign_ins(clock).bearer(&account, Some(Duration::from_secs(7200))).await.unwrap();
        assert!(bearer.token().expose().starts_with("gpa_"), "{hours}");
        assert!(terminal.stored().unwrap().tokens.is_some());
    }
}
