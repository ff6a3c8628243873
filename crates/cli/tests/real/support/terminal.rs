//! Somebody's terminal: the command line with a home of its own.

use super::{Person, Program, Said, Server, gatepass, run};
use gatepass_client::{Clock, Entropy, Home, KeySources, Vault};
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
        let sources = KeySources { no_keyring: true, ..KeySources::default() };
        let vault = Vault::new(Home::at(self.home.path()), sources, Clock::System, Entropy::system());
        let contents = vault.read().unwrap();
        let tokens = contents.get(contents.default.as_ref()?)?.tokens.clone()?;
        Some((tokens.access_token.expose().to_owned(), tokens.refresh_token?.expose().to_owned()))
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
