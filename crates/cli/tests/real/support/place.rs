//! Where a server keeps its data: it outlives the server's process.

use super::{Said, Server, gatepass, run, run_with};
use gatepass_testkit::{Engine, PASSWORD, RegisteredClient, TestDatabase, USER, authority::DatabaseUrl};
use serde_json::Value;
use std::{
    fs,
    net::TcpListener,
    path::{Path, PathBuf},
    process::{self, Command},
    sync::atomic::{AtomicU32, Ordering},
};

/// A folder with a settings file, and a database in it or beside it.
pub(crate) struct Place {
    database: TestDatabase,
    engine: Engine,
    /// What the server logs.
    pub(crate) log: &'static str,
}

impl Place {
    pub(crate) async fn new(engine: Engine) -> Self {
        let place = Self { database: TestDatabase::new(engine).await, engine, log: "debug" };
        place.settings("");
        place
    }

    pub(crate) async fn sqlite() -> Self {
        Self::new(Engine::Sqlite).await
    }

    /// Writes the settings file; it counts from the next start on.
    pub(crate) fn settings(&self, toml: &str) {
        fs::write(self.settings_file(), toml).unwrap();
    }

    fn settings_file(&self) -> PathBuf {
        self.database.folder.path().join("gatepass.toml")
    }

    /// The folder of the server's secret, and of a SQLite database.
    pub(crate) fn data(&self) -> PathBuf {
        self.database.folder.path().join("data")
    }

    /// A folder for whatever else.
    pub(crate) fn folder(&self) -> &Path {
        self.database.folder.path()
    }

    /// Where the server's rows are.
    pub(crate) fn database_url(&self) -> DatabaseUrl {
        match self.engine {
            Engine::Sqlite => format!("sqlite://{}", self.data().join("gatepass.db").display()).parse().unwrap(),
            Engine::Postgres => self.database.database_url(),
        }
    }

    fn on_our_data(&self, command: &mut Command) {
        command.arg("--config").arg(self.settings_file()).arg("--data-dir").arg(self.data());
        if self.engine == Engine::Postgres {
            command.args(["--database-url", &self.database.url]);
        }
    }

    /// Starts a server on a port that will be free for its next start too.
    pub(crate) fn serve(&self) -> Server {
        self.serve_at(&format!("127.0.0.1:{}", lasting_port()))
    }

    pub(crate) fn serve_at(&self, address: &str) -> Server {
        let mut command = gatepass();
        command.args(["serve", "--listen", address]).env("GATEPASS_LOG", self.log);
        self.on_our_data(&mut command);
        Server::start(&mut command)
    }

    /// A server with the test's person.
    pub(crate) fn serve_with_user(&self) -> Server {
        self.add_user(USER);
        self.serve()
    }

    /// `gatepass admin …`, to be started.
    pub(crate) fn admin_command(&self, arguments: &[&str]) -> Command {
        let mut command = gatepass();
        command.arg("admin").args(arguments);
        self.on_our_data(&mut command);
        command
    }

    /// `gatepass admin …`.
    pub(crate) fn admin(&self, arguments: &[&str]) -> Said {
        run(&mut self.admin_command(arguments))
    }

    /// `gatepass admin …` with this on stdin.
    pub(crate) fn admin_with(&self, arguments: &[&str], input: &str) -> Said {
        run_with(&mut self.admin_command(arguments), input)
    }

    /// Lets the server bind the access tokens of gatepass's own command line too.
    pub(crate) fn binds_access_tokens(&self) {
        self.settings("[clients]\ncli_access_tokens = \"dpop\"\n");
    }

    #[track_caller]
    pub(crate) fn add_user(&self, email: &str) -> Value {
        self.admin_with(&["user", "add", email, "--password-stdin", "--json"], &format!("{PASSWORD}\n")).json()
    }

    /// Registers a client; without a secret the secret is empty.
    #[track_caller]
    pub(crate) fn add_client(&self, arguments: &[&str]) -> RegisteredClient {
        let all = [&["client", "add", "--json"], arguments].concat();
        let object = self.admin(&all).json();
        let text = |name: &str| object[name].as_str().unwrap_or_default().to_owned();
        RegisteredClient { id: text("client_id"), secret: text("client_secret") }
    }
}

/// A free port outside the range from which the system gives ports away, so that a server that is
/// killed finds it free again. Tests of one process begin to look at different places.
pub(crate) fn lasting_port() -> u16 {
    static TAKEN: AtomicU32 = AtomicU32::new(0);
    let first = process::id() % 10_000 + TAKEN.fetch_add(1, Ordering::Relaxed) * 601;
    (0..10_000)
        .map(|step| u16::try_from(10_000 + (first + step * 7) % 10_000).unwrap())
        .find(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok())
        .unwrap()
}
