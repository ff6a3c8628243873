//! Listening, answering, and ending well.
//!
//! Every connection is bounded: the time until its header is there, the size of the header, the time
//! of a request, and how many there are. At the end the listener closes, requests under way are
//! finished, and the database writes what is queued.

use crate::{
    app::App,
    background::{Background, until},
    config::{Config, ConfigError},
    connection,
    metrics::{self, Metrics},
    routes,
    secret_file::{self, SecretError},
    shares::Shares,
    tls::{self, ByConnection, CertificatePolicy, Listener, TlsError},
    web::Connection,
};
use axum::Router;
use gatepass_authority::{Authority, ClientPolicy, Failure, Parts, Settings, Store, StoreError};
use gatepass_fetch::Fetcher;
use gatepass_keys::{Clock, Entropy};
use gatepass_oauth::Issuer;
use hyper_util::server::graceful::GracefulShutdown;
use std::{future::Future, io, net::SocketAddr, pin::Pin, sync::Arc, time::Duration};
use tokio::{
    net::TcpListener,
    sync::{Semaphore, watch},
    time::{sleep, timeout},
};

/// Why the server does not serve.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The settings will not do.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// Somebody listens there already.
    #[error("the address {0} is in use; stop the other program or choose another with --listen")]
    InUse(SocketAddr),
    /// The system does not allow it.
    #[error("cannot listen on {address} ({source}); choose another address with --listen")]
    Listen {
        /// Where.
        address: SocketAddr,
        /// The system's words.
        source: io::Error,
    },
    /// The secret cannot be used.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// The database cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// TLS cannot be spoken.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The authorization server cannot start.
    #[error("the server cannot start: {0}")]
    Authority(#[from] Failure),
}

/// What the server takes from outside besides its settings.
#[derive(Clone, Debug)]
pub struct World {
    /// Its time.
    pub clock: Clock,
    /// Its randomness.
    pub entropy: Entropy,
    /// The secret, if it was given in the environment.
    pub secret: Option<String>,
}

/// How much the server takes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The most connections at once; more wait to be accepted.
    pub connections: usize,
    /// The most of one network, unless it is a trusted proxy's; more are closed.
    pub connections_of_one: usize,
    /// The most bytes of bodies that are being read at once.
    pub bodies: usize,
    /// The most of one network, unless it is a trusted proxy's.
    pub bodies_of_one: usize,
    /// How long a connection of HTTP/2 is kept without a request; until it is noticed, it may be twice as long.
    pub quiet: Duration,
    /// How old a connection becomes; one of HTTP/1.1 ends with the answer to its next request then.
    pub age: Duration,
    /// How long requests under way may take after the server was told to end.
    pub grace: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 8192,
            connections_of_one: 1024,
            bodies: 64 * 1024 * 1024,
            bodies_of_one: 4 * 1024 * 1024,
            quiet: Duration::from_secs(15),
            age: Duration::from_secs(60 * 60),
            grace: Duration::from_secs(20),
        }
    }
}

impl Limits {
    /// Where a network has no share it may have the whole.
    pub(crate) fn of(config: &Config) -> Self {
        let limits = Self::default();
        match config.network_share {
            true => limits,
            false => Self { connections_of_one: limits.connections, bodies_of_one: limits.bodies, ..limits },
        }
    }
}

/// What comes to its end some time.
pub type Serving = Pin<Box<dyn Future<Output = ()> + Send>>;

/// A server that listens and is ready to run.
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
    app: App,
    router: Router,
    limits: Limits,
    tls: Option<Listener>,
    metrics: Option<(TcpListener, SocketAddr, Metrics)>,
    has_webhook: bool,
}

/// Opens the authorization server of these settings, without listening: for administration.
///
/// # Errors
/// [`ServeError`].
pub async fn open_authority(config: &Config, issuer: Issuer, world: &World) -> Result<Authority, ServeError> {
    let secret = secret_file::load_or_create(world.secret.as_deref(), &config.data_dir, &world.entropy)?;
    let store = Store::open(&config.database_url).await?;
    let fetcher = Fetcher::new(config.clients.private_hosts.clone());
    let settings = Settings {
        issuer,
        lifetimes: config.lifetimes,
        clients: ClientPolicy { auth_methods: config.tls.auth_methods(), ..config.clients.clone() },
        keys: config.keys,
        require_pushed_authorization_requests: config.require_pushed_authorization_requests,
        limits: config.limits.clone(),
        trail: config.trail,
        webhook: config.webhook.clone(),
    };
    let parts = Parts { store, clock: world.clock.clone(), entropy: world.entropy.clone(), secret, settings, fetcher };
    Ok(Authority::open(parts).await?)
}

async fn listen(address: SocketAddr) -> Result<(TcpListener, SocketAddr), ServeError> {
    let listener = TcpListener::bind(address).await.map_err(|source| match source.kind() {
        io::ErrorKind::AddrInUse => ServeError::InUse(address),
        _ => ServeError::Listen { address, source },
    })?;
    let bound = listener.local_addr().map_err(|source| ServeError::Listen { address, source })?;
    Ok((listener, bound))
}

/// People's https ends before this server, which speaks plain HTTP. When what ends it is not trusted,
/// its address is taken for everybody's, on the device page and wherever attempts are counted.
fn warn_of_untrusted_proxy(issuer: &Issuer, config: &Config) {
    if !issuer.is_plain_http() && config.trusted_proxies.is_empty() && config.tls.files.is_none() {
        tracing::warn!(
            "the public URL is https, so a proxy stands in front, but none is trusted and everybody behind it counts as one address; name it with --trusted-proxy"
        );
    }
}

impl Server {
    /// Binds the address and opens everything; connections wait from here on.
    ///
    /// # Errors
    /// [`ServeError`].
    pub async fn bind(config: &Config, world: &World) -> Result<Self, ServeError> {
        let (listener, address) = listen(config.listen).await?;
        let metrics = match config.metrics_listen {
            Some(address) => Some(listen(address).await?),
            None => None,
        };
        let issuer = config.issuer(address)?;
        warn_of_untrusted_proxy(&issuer, config);
        let authority = open_authority(config, issuer, world).await?;
        let tls = config.tls.files.as_ref().map(Listener::open).transpose()?;
        let app = App::new(authority, config.trusted_proxies.clone(), CertificatePolicy::open(&config.tls)?);
        let metrics = metrics.map(|(listener, address)| (listener, address, Metrics::new(app.authority.clone())));
        let router = routes::counted(&app, metrics.as_ref().map(|(_, _, metrics)| metrics));
        let has_webhook = config.webhook.is_some();
        Ok(Self { listener, address, app, router, limits: Limits::of(config), tls, metrics, has_webhook })
    }

    /// The same server within other limits.
    #[must_use]
    pub fn within(self, limits: Limits) -> Self {
        Self { limits, ..self }
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where its numbers are, if they are anywhere.
    #[must_use]
    pub fn metrics_address(&self) -> Option<SocketAddr> {
        self.metrics.as_ref().map(|(_, address, _)| *address)
    }

    /// What it answers with.
    #[must_use]
    pub fn authority(&self) -> &Authority {
        &self.app.authority
    }

    /// The page that makes the first account; `None` when there is one.
    ///
    /// # Errors
    /// [`ServeError::Authority`].
    pub async fn set_up_url(&self) -> Result<Option<String>, ServeError> {
        let token = self.authority().set_up_link().await?;
        Ok(token.map(|token| self.authority().issuer().endpoint(&format!("/setup/{}", token.expose()))))
    }

    /// Serves until `end` comes, then finishes what is under way.
    pub fn run(self, end: impl Future<Output = ()> + Send + 'static) -> Serving {
        self.run_until(Box::pin(end))
    }

    /// Neither generic nor inlined: what is generic is compiled with the crate that calls it, and that one may be compiled
    /// for size (`docs/decisions/0009`).
    #[inline(never)]
    fn run_until(self, end: Serving) -> Serving {
        Box::pin(self.serve(end))
    }

    async fn serve(mut self, mut end: Serving) {
        let mut background = Background::start(self.authority(), self.has_webhook);
        let metrics = self.metrics.take().map(|(listener, address, metrics)| {
            if !address.ip().is_loopback() {
                tracing::warn!(%address, "the metrics are told to whoever can reach this address");
            }
            let run = metrics::listener::run(listener, metrics.clone(), self.authority().clone(), background.ended());
            background.spawn(run);
            metrics
        });
        let connections = Arc::new(Semaphore::new(self.limits.connections));
        let shares = Shares::new(self.limits);
        let mut is_told = false;
        let graceful = GracefulShutdown::new();
        let (ending, ended) = watch::channel(false);
        let renewal = self.tls.as_ref().map(Listener::keep_current);
        loop {
            let accept = async {
                let seat = connections.clone().acquire_owned().await.map_err(io::Error::other)?;
                self.listener.accept().await.map(|(stream, peer)| (seat, stream, peer))
            };
            let accepted = tokio::select! {
                accepted = accept => accepted,
                () = &mut end => break,
            };
            match accepted {
                Ok((seat, stream, peer)) => {
                    let Some(share) = shares.connect(peer.ip(), &self.app.trusted_proxies) else {
                        if std::mem::replace(&mut is_told, true) {
                            tracing::debug!(%peer, "a network has too many connections; one was closed");
                        } else {
                            tracing::warn!(
                                %peer,
                                "a network has too many connections, and more are closed; if a balancer hides everybody's \
                                 address there, set network_share = false"
                            );
                        }
                        if let Some(metrics) = &metrics {
                            metrics.refused_connection();
                        }
                        continue;
                    };
                    // Without this, the last small piece of an answer waits for the client's acknowledgement.
                    let _ = stream.set_nodelay(true);
                    let open = metrics.as_ref().map(Metrics::connection);
                    match &self.tls {
                        None => {
                            let plain = Connection { peer, certificate: None, share, old_from: None };
                            let (app, router) = (self.app.clone(), self.router.clone());
                            let connection = graceful.watch(connection::http1(app, router, stream, plain, self.limits));
                            tokio::spawn(async move {
                                // A client that goes away in the middle is no news.
                                let _ = connection.await;
                                drop((seat, open));
                            });
                        }
                        Some(tls) => {
                            let (tls, watcher, end) = (tls.clone(), graceful.watcher(), until(&ended));
                            let limits = self.limits;
                            let (app, router) = (self.app.clone(), self.router.clone());
                            tokio::spawn(async move {
                                if let Some(stream) = tls.accept(stream).await {
                                    let session = stream.get_ref().1;
                                    let is_http2 = session.alpn_protocol() == Some(tls::HTTP2);
                                    let certificate = session.peer_certificates().and_then(ByConnection::of);
                                    let person = Connection { peer, certificate, share, old_from: None };
                                    if is_http2 {
                                        connection::http2(app, router, stream, person, limits, end).await;
                                        // What waits for the end of all has waited for this one until here.
                                        drop(watcher);
                                    } else {
                                        // A client that goes away in the middle is no news.
                                        let _ =
                                            watcher.watch(connection::http1(app, router, stream, person, limits)).await;
                                    }
                                }
                                drop((seat, open));
                            });
                        }
                    }
                }
                Err(error) => {
                    // Out of file descriptors, most likely: wait for some to be given back.
                    tracing::warn!(%error, "a connection could not be accepted");
                    sleep(Duration::from_millis(50)).await;
                }
            }
        }
        drop(self.listener);
        if let Some(renewal) = renewal {
            renewal.abort();
        }
        tracing::info!("the server ends; requests under way are finished");
        let _ = ending.send(true);
        if timeout(self.limits.grace, graceful.shutdown()).await.is_err() {
            tracing::warn!("some requests took too long and were cut off");
        }
        background.end().await;
        self.app.authority.close().await;
    }
}
