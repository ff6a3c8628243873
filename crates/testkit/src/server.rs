//! The real server, in this process, on a port of its own.

use crate::{Engine, TestDatabase};
use gatepass_authority::{
    Authority, ClientPolicy, KeySettings, Lifetimes, UserAccount,
    add_user::{EmailState, NewUser},
};
use gatepass_keys::{Clock, Entropy};
use gatepass_oauth::UtcMillis;
use gatepass_server::{
    Config, Overrides, Server, open_authority,
    serve::{Limits, World},
};
use std::time::Duration;
use tokio::{sync::oneshot, task::JoinHandle};

/// The person that a test signs in.
pub const USER: &str = "ada@example.com";
/// Their password.
pub const PASSWORD: &str = "correct horse battery";

/// What a test may choose.
#[derive(Clone, Debug, Default)]
pub struct Options {
    pub lifetimes: Lifetimes,
    pub trusted_proxies: Vec<String>,
    pub public_url: Option<String>,
    pub clients: ClientPolicy,
    pub tls: gatepass_server::config::Tls,
    pub require_pushed_authorization_requests: bool,
    pub keys: KeySettings,
    /// The text of a settings file.
    pub settings: Option<String>,
    /// The webhook's secret, as the environment would give it.
    pub webhook_secret: Option<String>,
    /// `true` leaves the server without any account.
    pub empty: bool,
    pub limits: Limits,
}

/// A running server.
pub struct TestServer {
    pub url: String,
    pub clock: Clock,
    pub database: TestDatabase,
    /// Where the numbers are, if they are anywhere.
    pub metrics_url: Option<String>,
    authority: Authority,
    end: Option<oneshot::Sender<()>>,
    running: Option<JoinHandle<()>>,
}

impl TestServer {
    pub async fn start(engine: Engine) -> Self {
        Self::with(engine, Options::default()).await
    }

    pub async fn with(engine: Engine, options: Options) -> Self {
        Self::on(TestDatabase::new(engine).await, Clock::settable(UtcMillis(1_790_000_000_000)), options).await
    }

    /// A server on a database that is there already.
    pub async fn on(database: TestDatabase, clock: Clock, options: Options) -> Self {
        let file = options.settings.as_ref().map(|text| {
            let path = database.folder.path().join("gatepass.toml");
            std::fs::write(&path, text).unwrap();
            path
        });
        let mut config = Config::resolve(Overrides {
            data_dir: Some(database.folder.path().to_owned()),
            listen: Some("127.0.0.1:0".into()),
            public_url: options.public_url.clone(),
            database_url: Some(database.url.clone()),
            trusted_proxies: options.trusted_proxies.clone(),
            config: file,
            webhook_secret: options.webhook_secret.clone(),
            ..Overrides::default()
        })
        .unwrap();
        config.lifetimes = options.lifetimes;
        config.clients = options.clients.clone();
        config.tls = options.tls.clone();
        config.keys = options.keys;
        config.require_pushed_authorization_requests = options.require_pushed_authorization_requests;
        let world = World { clock: clock.clone(), entropy: Entropy::system(), secret: None };
        let server = Server::bind(&config, &world).await.unwrap().within(options.limits);
        let authority = server.authority().clone();
        let scheme = if options.tls.files.is_some() { "https" } else { "http" };
        let url = format!("{scheme}://{}", server.address());
        let metrics_url = server.metrics_address().map(|address| format!("http://{address}/metrics"));
        let (end, ended) = oneshot::channel::<()>();
        let running = tokio::spawn(server.run(async move {
            let _ = ended.await;
        }));
        let started = Self { url, clock, database, metrics_url, authority, end: Some(end), running: Some(running) };
        if !options.empty {
            started.add_user(USER).await;
        }
        started
    }

    pub fn authority(&self) -> &Authority {
        &self.authority
    }

    pub fn path(&self, path: &str) -> String {
        format!("{}{path}", self.url)
    }

    /// Moves the server's clock.
    pub fn advance(&self, span: Duration) {
        self.clock.advance(span);
    }

    /// Adds a person, once.
    pub async fn add_user(&self, email: &str) -> UserAccount {
        let new = NewUser {
            email: email.into(),
            name: "Ada".into(),
            password: PASSWORD.into(),
            email_state: EmailState::Verified,
        };
        self.authority.add_user(new).await.unwrap()
    }

    /// Another node on the same database, which listens to nobody and does nothing by itself.
    pub async fn node(&self) -> Authority {
        let config = Config::resolve(Overrides {
            data_dir: Some(self.database.folder.path().to_owned()),
            database_url: Some(self.database.url.clone()),
            ..Overrides::default()
        })
        .unwrap();
        let world = World { clock: self.clock.clone(), entropy: Entropy::system(), secret: None };
        open_authority(&config, self.authority.issuer().clone(), &world).await.unwrap()
    }

    /// Ends the server and gives its database back.
    pub async fn stop(mut self) -> (TestDatabase, Clock) {
        self.end.take().unwrap().send(()).unwrap();
        self.running.take().unwrap().await.unwrap();
        (self.database, self.clock)
    }
}
