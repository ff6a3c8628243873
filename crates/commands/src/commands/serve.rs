//! `gatepass serve`: the server.

use crate::{
    context::Context,
    env,
    error::{Error, Kind},
};
use clap::Args;
use gatepass_keys::{Clock, Entropy};
use gatepass_server::{
    Config, ConfigError, Overrides, ServeError, Server, secret_file::SecretError, serve::World, telemetry,
};
use std::{num::NonZero, path::PathBuf, thread::available_parallelism};
use tokio::runtime::{Builder, Runtime};

/// Run the server
///
/// Keeps its data in a folder, or in the database that is named. A flag beats the environment, the
/// environment beats the settings file. The first start prints a link that makes the owner's account.
#[derive(Debug, Args)]
pub(crate) struct Serve {
    #[command(flatten)]
    storage: Storage,
    /// Where to listen
    #[arg(long, value_name = "ADDRESS:PORT", env = env::LISTEN, hide_env_values = true)]
    listen: Option<String>,
    /// The URL under which people and programs reach the server; https, unless it is loopback
    #[arg(long, value_name = "URL", env = env::PUBLIC_URL, hide_env_values = true)]
    public_url: Option<String>,
    /// A proxy in front whose forwarded headers are believed: an address or a network; repeatable
    #[arg(long, value_name = "CIDR", env = env::TRUSTED_PROXY, hide_env_values = true, value_delimiter = ',')]
    trusted_proxy: Vec<String>,
    /// Speak TLS with this certificate: a PEM file, read again when it changes
    #[arg(long, value_name = "FILE", env = env::TLS_CERT, hide_env_values = true)]
    tls_cert: Option<PathBuf>,
    /// The certificate's private key: a PEM file
    #[arg(long, value_name = "FILE", env = env::TLS_KEY, hide_env_values = true)]
    tls_key: Option<PathBuf>,
    /// Who vouches for the certificates of clients that use tls_client_auth: a PEM file
    #[arg(long, value_name = "FILE", env = env::TLS_CLIENT_CA, hide_env_values = true)]
    tls_client_ca: Option<PathBuf>,
    /// Where /metrics is answered for the operator's monitoring; nowhere unless it is said
    #[arg(long, value_name = "ADDRESS:PORT", env = env::METRICS_LISTEN, hide_env_values = true)]
    metrics_listen: Option<String>,
}

/// Where the server's data is; what `serve` and `admin` share.
#[derive(Debug, Default, Args)]
pub(crate) struct Storage {
    /// The folder of the database and the server's secret [default: gatepass-data]
    #[arg(long, global = true, value_name = "FOLDER", env = env::DATA_DIR, hide_env_values = true)]
    data_dir: Option<PathBuf>,
    /// The database: sqlite://FILE or postgres://USER@HOST/NAME
    #[arg(long, global = true, value_name = "URL", env = env::DATABASE_URL, hide_env_values = true)]
    database_url: Option<String>,
    /// A settings file in TOML
    #[arg(long, global = true, value_name = "FILE", env = env::CONFIG, hide_env_values = true)]
    config: Option<PathBuf>,
}

impl Storage {
    pub(crate) fn overrides(self) -> Overrides {
        Overrides {
            data_dir: self.data_dir,
            database_url: self.database_url,
            config: self.config,
            webhook_secret: env::read(env::WEBHOOK_SECRET),
            ..Overrides::default()
        }
    }
}

impl Serve {
    pub(crate) fn run(self, context: &Context<'_>) -> Result<(), Error> {
        telemetry::start(env::read(env::LOG).as_deref()).map_err(|error| Error::new(Kind::Usage, error))?;
        let overrides = Overrides {
            listen: self.listen,
            public_url: self.public_url,
            trusted_proxies: self.trusted_proxy,
            tls_cert: self.tls_cert,
            tls_key: self.tls_key,
            tls_client_ca: self.tls_client_ca,
            metrics_listen: self.metrics_listen,
            ..self.storage.overrides()
        };
        let config = Config::resolve(overrides)?;
        crate::open_files::allow_many();
        runtime()?.block_on(serve(context, &config))
    }
}

async fn serve(context: &Context<'_>, config: &Config) -> Result<(), Error> {
    let end = ended()?;
    let server = Server::bind(config, &world()).await?;
    if let Some(url) = server.set_up_url().await? {
        // On stdout and not in the log: who has the link owns the server.
        context.ui.data("This server has no account yet. Make the owner's with this link, which works once:");
        context.ui.data(&url);
    }
    tracing::info!(address = %server.address(), url = %server.authority().issuer(), "the server listens");
    server.run(end).await;
    Ok(())
}

/// The machine's clock and randomness, and the secret of the environment.
pub(crate) fn world() -> World {
    World { clock: Clock::System, entropy: Entropy::system(), secret: env::read(env::SECRET) }
}

/// As many threads as there are cores; on one core none, which is quicker.
pub(crate) fn runtime() -> Result<Runtime, Error> {
    let cores = available_parallelism().map_or(1, NonZero::get);
    let mut builder = if cores == 1 { Builder::new_current_thread() } else { Builder::new_multi_thread() };
    let runtime = builder.worker_threads(cores).enable_all().build();
    runtime.map_err(|error| Error::new(Kind::Failed, format!("the runtime cannot be started: {error}")))
}

/// Comes to its end when the process is told to.
#[cfg(unix)]
pub(crate) fn ended() -> Result<impl Future<Output = ()>, Error> {
    use tokio::signal::unix::{SignalKind, signal};
    let deaf = |error| Error::new(Kind::Failed, format!("signals cannot be heard: {error}"));
    let (mut terminate, mut interrupt) =
        (signal(SignalKind::terminate()).map_err(deaf)?, signal(SignalKind::interrupt()).map_err(deaf)?);
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}

/// Comes to its end when the process is told to.
#[cfg(not(unix))]
#[expect(clippy::unnecessary_wraps, reason = "the other systems can fail")]
pub(crate) fn ended() -> Result<impl Future<Output = ()>, Error> {
    Ok(async {
        let _ = tokio::signal::ctrl_c().await;
    })
}

impl From<ConfigError> for Error {
    fn from(error: ConfigError) -> Self {
        Self::new(Kind::Usage, error)
    }
}

impl From<ServeError> for Error {
    fn from(error: ServeError) -> Self {
        let kind = match &error {
            ServeError::Config(_)
            | ServeError::InUse(_)
            | ServeError::Listen { .. }
            | ServeError::Tls(_)
            | ServeError::Secret(SecretError::Malformed { .. }) => Kind::Usage,
            ServeError::Secret(_) | ServeError::Store(_) | ServeError::Authority(_) => Kind::Failed,
        };
        Self::new(kind, error)
    }
}
