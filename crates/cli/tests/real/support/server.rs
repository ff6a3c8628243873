//! A server's process, and what is asked of it over HTTP.

use super::{Place, Program};
use gatepass_testkit::{Answer, RegisteredClient};
use serde_json::{Value, json};
use std::process::Command;

/// A running `gatepass serve`. Dropped, it is killed.
pub(crate) struct Server {
    pub(crate) program: Program,
    pub(crate) url: String,
    /// Where it listens.
    pub(crate) address: String,
}

impl Server {
    /// Waits until it listens.
    #[track_caller]
    pub(crate) fn start(command: &mut Command) -> Self {
        let program = Program::start(command);
        let line: Value = serde_json::from_str(&program.err.wait_for("the server listens")).unwrap();
        let text = |name: &str| line[name].as_str().unwrap_or_else(|| panic!("no {name} in {line}")).to_owned();
        Self { url: text("url"), address: text("address"), program }
    }

    /// `kill -9`, and a new process on the same data and address.
    pub(crate) fn kill_and_restart(&mut self, place: &Place) {
        self.program.kill();
        *self = place.serve_at(&self.address);
    }

    /// Ends it kindly and starts it with the settings as they are now.
    pub(crate) fn restart(self, place: &Place) -> Self {
        let address = self.address.clone();
        self.program.signal("-TERM");
        self.program.end().done();
        place.serve_at(&address)
    }

    /// How often it logged this sentence.
    pub(crate) fn logged(&self, sentence: &str) -> usize {
        self.program.err.count(&format!("\"message\":\"{sentence}"))
    }

    pub(crate) fn path(&self, path: &str) -> String {
        format!("{}{path}", self.url)
    }

    pub(crate) fn http() -> reqwest::Client {
        let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).no_proxy();
        client.timeout(std::time::Duration::from_secs(20)).build().unwrap()
    }

    /// Posts a form, as a confidential client or, without a secret, as a public one.
    pub(crate) async fn post(&self, path: &str, client: &RegisteredClient, form: &[(&str, &str)]) -> Answer {
        let request = Self::http().post(self.path(path));
        if client.secret.is_empty() {
            let named: Vec<_> = form.iter().copied().chain([("client_id", client.id.as_str())]).collect();
            Answer::of(request.form(&named)).await
        } else {
            Answer::of(request.form(form).basic_auth(&client.id, Some(&client.secret))).await
        }
    }

    pub(crate) async fn refresh(&self, client: &RegisteredClient, token: &str) -> Answer {
        self.post("/token", client, &[("grant_type", "refresh_token"), ("refresh_token", token)]).await
    }

    /// Calls `whoami` with a bearer token.
    pub(crate) async fn whoami(&self, token: &str) -> Answer {
        let body = json!({ "jsonrpc": "2.0", "id": 1, "method": "whoami" });
        Answer::of(Self::http().post(self.path("/api/v1/user/rpc")).bearer_auth(token).json(&body)).await
    }
}

/// gatepass's own command line, as a client that speaks for itself.
pub(crate) fn command_line() -> RegisteredClient {
    RegisteredClient { id: "gatepass-cli".into(), secret: String::new() }
}
