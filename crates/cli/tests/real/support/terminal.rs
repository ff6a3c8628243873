//! Somebody's terminal: the command line with a home of its own.

use super::{Person, Program, Said, Server, gatepass, run};
use gatepass_client::{Clock, Entropy, Home, KeySources, SignIn, SignIns, Transport, Vault};
use serde_json::Value;
use std::{path::Path, process::Command};
use tempfile::TempDir;

pub(crate) struct Terminal {
    home: TempDir,
}

impl Terminal {
    pub(crate) fn new() -> Self {
        Self { home: tempfile::tempdir().unwrap() }
    }

    /// A terminal that is signed in, through the browser.
    pub(crate) async fn signed_in(server: &Server) -> Self {
        let terminal = Self::new();
        terminal.sign_in(server).await;
        terminal
    }

    /// A terminal that is signed in without a key, so that its refresh token works for whoever has it.
    pub(crate) async fn signed_in_without_key(server: &Server) -> Self {
        let terminal = Self::new();
        terminal.sign_in_with(server, &["--no-dpop"]).await;
        terminal
    }

    /// `login --loopback`, to the end.
    pub(crate) async fn sign_in(&self, server: &Server) {
        self.sign_in_with(server, &[]).await;
    }

    /// The same with more arguments.
    pub(crate) async fn sign_in_with(&self, server: &Server, arguments: &[&str]) {
        let login = self.login(server, &[&["--loopback", "--no-browser", "--json"], arguments].concat());
        let url = event(&login, "url")["url"].as_str().unwrap().to_owned();
        let left_for = Person::signed_in(server).await.led_away_from(&url).await;
        assert_eq!(Server::http().get(&left_for).send().await.unwrap().status(), 200);
        login.end().done();
    }

    pub(crate) fn home(&self) -> &Path {
        self.home.path()
    }

    /// `gatepass …` in this terminal.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = gatepass();
        command.env("GATEPASS_HOME", self.home.path()).args(arguments);
        command
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Said {
        run(&mut self.command(arguments))
    }

    /// `gatepass login …`, under way.
    pub(crate) fn login(&self, server: &Server, arguments: &[&str]) -> Program {
        Program::start(self.command(&["login", "--server", &server.url]).args(arguments))
    }

    /// `gatepass whoami` with a token that somebody has, whoever is signed in here.
    pub(crate) fn whoami_with(&self, server: &Server, token: &str) -> Said {
        run(self.command(&["whoami", "--server", &server.url]).env("GATEPASS_TOKEN", token.trim()))
    }

    /// The access and the refresh token in the vault; `None` when nobody is signed in.
    pub(crate) fn tokens(&self) -> Option<(String, String)> {
        let tokens = self.stored()?.tokens?;
        Some((tokens.access_token.expose().to_owned(), tokens.refresh_token?.expose().to_owned()))
    }

    /// The default account's sign-in, as the vault keeps it.
    pub(crate) fn stored(&self) -> Option<SignIn> {
        let contents = self.sign_ins(Clock::System).vault().read().unwrap();
        contents.get(contents.default.as_ref()?).cloned()
    }

    /// The library on this terminal's home, by another clock.
    pub(crate) fn sign_ins(&self, clock: Clock) -> SignIns {
        let sources = KeySources { no_keyring: true, ..KeySources::default() };
        let vault = Vault::new(Home::at(self.home.path()), sources, clock.clone(), Entropy::system());
        SignIns::new(vault, Transport::new(), clock, Entropy::system())
    }
}

/// Waits for an event of a login with `--json`.
#[track_caller]
pub(crate) fn event(login: &Program, name: &str) -> Value {
    login.out.find(|line| {
        let event: Value = serde_json::from_str(line).unwrap_or_else(|_| panic!("no JSON: {line}"));
        assert!(name == "error" || event["event"] != "error", "{line}");
        (event["event"] == name).then_some(event)
    })
}
