//! No secret in a log, in what the command line says, or in a file.

use crate::support::{DEVICE_GRANT, Person, Place, Program, Server, Terminal, event, files};
use gatepass_testkit::{PASSWORD, Pkce, REDIRECT_URI, RegisteredClient, USER, keys::token::PREFIXES, tokio};
use std::{collections::BTreeMap, fs};

const WRONG_PASSWORD: &str = "certainly not the password";
const NEXT_PASSWORD: &str = "an altogether other password";

/// Every secret of the run, by what it is.
#[derive(Default)]
struct Secrets(BTreeMap<String, String>);

impl Secrets {
    fn keep(&mut self, what: &str, secret: &str) {
        assert!(secret.len() >= 8, "{what} is too short to be looked for");
        self.0.insert(format!("{what} {}", self.0.len()), secret.to_owned());
        // As a form, a header or a careless print would show it.
        let form: String = url::form_urlencoded::byte_serialize(secret.as_bytes()).collect();
        self.0.insert(format!("{what} {} in a form", self.0.len()), form);
    }

    fn keep_tokens(&mut self, answer: &gatepass_testkit::Answer) {
        self.keep("access token", &answer.text("access_token"));
        self.keep("refresh token", &answer.text("refresh_token"));
    }

    fn keep_cookies(&mut self, person: &Person) {
        for pair in person.cookie_header().split("; ") {
            self.keep("cookie", pair.split_once('=').unwrap().1);
        }
    }

    fn keep_user_code(&mut self, code: &str) {
        self.keep("user code", code);
        self.keep("user code without its dash", &code.replace('-', ""));
    }

    /// What of it stands in these bytes.
    fn found_in(&self, bytes: &[u8]) -> Vec<&str> {
        self.0.iter().filter(|(_, secret)| holds(bytes, secret)).map(|(what, _)| what.as_str()).collect()
    }
}

fn holds(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}

/// The owner's account, by the set-up link.
async fn set_up(server: &Server, secrets: &mut Secrets) -> Person {
    let url = server.program.out.find(|line| line.contains("/setup/").then(|| line.to_owned()));
    secrets.keep("set-up token", url.rsplit('/').next().unwrap());
    let owner = Person::at(server);
    let page = owner.open(&url).await;
    owner.submit(&page.form(), &[("email", USER), ("password", "short")]).await;
    owner.submit(&page.form(), &[("email", USER), ("password", PASSWORD)]).await;
    secrets.keep("password", PASSWORD);
    secrets.keep_cookies(&owner);
    assert_eq!(owner.open(&url).await.status, 404);
    owner
}

/// Right and wrong passwords, in the form and in the wrong places.
async fn sign_in(server: &Server, secrets: &mut Secrets) -> Person {
    let person = Person::at(server);
    let form = person.open("/login").await.form();
    person.submit(&form, &[("email", USER), ("password", WRONG_PASSWORD)]).await;
    person.submit(&form, &[("email", WRONG_PASSWORD), ("password", USER)]).await;
    secrets.keep("wrong password", WRONG_PASSWORD);
    person.sign_in(USER).await;
    secrets.keep_cookies(&person);
    person.open(&format!("/{WRONG_PASSWORD}?token={WRONG_PASSWORD}").replace(' ', "%20")).await;
    person
}

/// A code with its verifier, its redemption, refreshes, a reuse and a revocation.
async fn code_flow(server: &Server, person: &Person, client: &RegisteredClient, secrets: &mut Secrets) {
    let pkce = Pkce::new();
    let code = person.allow(client, &pkce, "openid offline_access").await;
    secrets.keep("code", &code);
    secrets.keep("code verifier", &pkce.verifier);
    secrets.keep("client secret", &client.secret);
    let wrong = RegisteredClient { secret: WRONG_PASSWORD.into(), ..client.clone() };
    server.redeem(&wrong, &code, &pkce).await.error();
    server.redeem(client, &code, &Pkce { verifier: WRONG_PASSWORD.into(), ..Pkce::new() }).await.error();
    let code = person.allow(client, &pkce, "openid offline_access").await;
    secrets.keep("code", &code);
    let first = server.redeem(client, &code, &pkce).await;
    secrets.keep_tokens(&first);
    let second = server.refresh(client, &first.text("refresh_token")).await;
    secrets.keep_tokens(&second);
    server.refresh(client, &first.text("refresh_token")).await;
    let third = server.refresh(client, &second.text("refresh_token")).await;
    secrets.keep_tokens(&third);
    server.whoami(&third.text("access_token")).await;
    assert_eq!(server.refresh(client, &first.text("refresh_token")).await.error(), "invalid_grant");
    assert_eq!(server.redeem(client, &code, &pkce).await.error(), "invalid_grant");
    server.post("/revoke", client, &[("token", &third.text("access_token"))]).await;
    // Where no secret belongs.
    let lost = format!("/userinfo?access_token={}", third.text("access_token"));
    Server::http().get(server.path(&lost)).send().await.unwrap();
    Server::http().get(server.path(&format!("/{}", client.secret))).send().await.unwrap();
}

/// A device by hand, polled too soon, approved, and its code used again.
async fn device_flow(server: &Server, person: &Person, secrets: &mut Secrets) {
    let client = crate::support::command_line();
    let device = server.post("/device_authorization", &client, &[("scope", "openid account offline_access")]).await;
    secrets.keep("device code", &device.text("device_code"));
    secrets.keep_user_code(&device.text("user_code"));
    let poll = [("grant_type", DEVICE_GRANT), ("device_code", &device.text("device_code"))];
    for expected in ["authorization_pending", "slow_down"] {
        assert_eq!(server.post("/token", &client, &poll).await.error(), expected);
    }
    let form = person.open("/device").await.form();
    person.submit(&form, &[("user_code", &device.text("user_code"))]).await;
    person.approve(&device.text("verification_uri_complete")).await;
    secrets.keep_tokens(&server.post("/token", &client, &poll).await);
    assert_eq!(server.post("/token", &client, &poll).await.error(), "invalid_grant");
}

/// What the command line does; what it said on stderr.
async fn command_line(server: &Server, person: &Person, terminal: &Terminal, secrets: &mut Secrets) -> String {
    let device = terminal.login(server, &["--device", "--json"]);
    let code = event(&device, "code");
    secrets.keep_user_code(code["user_code"].as_str().unwrap());
    person.approve(code["verification_uri_complete"].as_str().unwrap()).await;
    let mut said = device.end().err;
    keep_stored(terminal, secrets);

    let loopback: Program = terminal.login(server, &["--loopback", "--no-browser", "--json"]);
    let url = event(&loopback, "url")["url"].as_str().unwrap().to_owned();
    let left_for = person.led_away_from(&url).await;
    let answer = url::Url::parse(&left_for).unwrap();
    let code = answer.query_pairs().find(|(name, _)| name == "code").unwrap().1.into_owned();
    secrets.keep("code of the command line", &code);
    Server::http().get(&left_for).send().await.unwrap();
    said += &loopback.end().err;
    keep_stored(terminal, secrets);
    for arguments in [
        &["token", "--min-ttl", "2h"][..],
        &["whoami"],
        &["status", "--online"],
        &["token", "--server", "http://127.0.0.1:1"],
        &["whoami", "--json"],
    ] {
        let run = terminal.run(arguments);
        said += &run.err;
        if arguments[0] != "token" {
            said += &run.out;
        }
        keep_stored(terminal, secrets);
    }
    let (access, _) = terminal.tokens().unwrap();
    said += &terminal.run(&["logout"]).err;
    said += &terminal.whoami_with(server, &access).failed(3);
    said
}

fn keep_stored(terminal: &Terminal, secrets: &mut Secrets) {
    let (access, refresh) = terminal.tokens().unwrap();
    let key = terminal.stored().unwrap().dpop_key.map(gatepass_client::Secret::from);
    secrets.keep("key of the command line", key.unwrap().expose());
    secrets.keep("access token of the command line", &access);
    secrets.keep("refresh token of the command line", &refresh);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2, crate = "gatepass_testkit::tokio")]
async fn a_whole_story_leaves_none_of_its_secrets_in_logs_screens_or_files() {
    let mut place = Place::sqlite().await;
    place.log = "trace";
    let (server, terminal, mut secrets) = (place.serve(), Terminal::new(), Secrets::default());
    let owner = set_up(&server, &mut secrets).await;
    let person = sign_in(&server, &mut secrets).await;
    let client = place.add_client(&["--confidential", "--name", "Web", "--redirect-uri", REDIRECT_URI]);
    code_flow(&server, &person, &client, &mut secrets).await;
    device_flow(&server, &person, &mut secrets).await;
    let screen = command_line(&server, &person, &terminal, &mut secrets).await;
    place.admin_with(&["user", "set-password", USER, "--password-stdin"], NEXT_PASSWORD).done();
    secrets.keep("next password", NEXT_PASSWORD);
    assert_ne!(owner.open("/").await.heading(), "You are signed in");
    let secret = fs::read_to_string(place.data().join("secret")).unwrap();
    secrets.keep("server secret", &secret);

    // The files while the server runs, so with what waits in the write-ahead log.
    let look = |moment: &str, folder: &std::path::Path| {
        let mut looked_at = 0;
        for (path, bytes) in files(folder).iter().filter(|(path, _)| !path.ends_with("secret")) {
            assert_eq!(secrets.found_in(bytes), Vec::<&str>::new(), "{moment}, in {}", path.display());
            looked_at += usize::from(holds(bytes, &client.id));
        }
        looked_at
    };
    assert!(place.data().join("gatepass.db-wal").exists());
    assert!(look("while it runs", &place.data()) > 0, "the database was looked at: it knows the client");
    look("at home", terminal.home());
    server.program.signal("-TERM");
    let said = server.program.end();
    assert!(look("at the end", &place.data()) > 0);

    assert_eq!(secrets.found_in(said.err.as_bytes()), Vec::<&str>::new(), "in the server's log");
    for mark in PREFIXES.iter().chain(&["Basic ", "Bearer "]) {
        assert!(!said.err.contains(mark), "the server's log holds a {mark} that nobody kept");
    }
    assert!(said.err.lines().count() > 60 && said.err.contains(&client.id), "the log is worth looking at");
    for sentence in ["a sign-in failed", "a code was exchanged", "a refresh token was used again", "a person approved"]
    {
        assert!(said.err.contains(sentence), "{sentence} is not logged");
    }
    assert_eq!(secrets.found_in(screen.as_bytes()), Vec::<&str>::new(), "on the screen");
    assert!(screen.contains(USER));
    assert_eq!(secrets.found_in(format!("x{secret}y").as_bytes()).len(), 2, "what is there is found");
}
