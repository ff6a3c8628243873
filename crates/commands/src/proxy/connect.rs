//! Connections to the upstream, which are kept and used again.
//!
//! - Over TLS the upstream chooses HTTP/2 or HTTP/1.1 (ALPN); requests for an upgrade have connections of their own, since
//!   only HTTP/1.1 knows them. Without TLS it is HTTP/1.1, or HTTP/2 if the person says so.
//! - Whom to believe, and which proxy to pass, is settled as for every other request of gatepass (`--ca-file`, `HTTPS_PROXY`,
//!   the settings); an upstream on this machine passes no proxy.

use super::{BoxError, Upstream, replay::Outgoing};
use crate::error::{Error, Kind};
use gatepass_client::{Network, TlsIdentity};
use hyper::Uri;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder, MaybeHttpsStream};
use hyper_util::{
    client::legacy::{
        Client,
        connect::{HttpConnector, proxy::Tunnel},
    },
    rt::{TokioExecutor, TokioIo, TokioTimer},
};
use rustls::{ClientConfig, RootCertStore, crypto::aws_lc_rs::default_provider};
use std::{
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};
use tokio::net::TcpStream;
use tower_service::Service;

/// The longest that a connection may take to be there, TLS included.
const CONNECT: Duration = Duration::from_secs(10);
/// How long a connection is kept for the next request.
const KEPT: Duration = Duration::from_secs(60);
/// How often it is checked whether a silent upstream is still there.
const PROBE: Duration = Duration::from_secs(30);
/// What may be under way on one stream, and on one connection, of HTTP/2.
const STREAM_WINDOW: u32 = 2 * 1024 * 1024;
const CONNECTION_WINDOW: u32 = 8 * 1024 * 1024;
/// The most bytes of headers in an answer over HTTP/2. HTTP/1.1's are bounded by the library.
const MAX_HEADERS: u32 = 128 * 1024;

type BoxFuture<T> = Pin<Box<dyn Future<Output = Result<T, BoxError>> + Send>>;
type Http = Client<Connector, Outgoing>;

/// The connections to one upstream.
pub(crate) struct Connections {
    /// For requests.
    pub(super) usual: Http,
    /// For requests that ask for another protocol.
    pub(super) upgrades: Http,
}

/// Makes ready to connect. `prior_knowledge` speaks HTTP/2 to an http upstream (RFC 9113 §3.3); the certificate is shown to an
/// upstream that asks for one.
pub(crate) fn connections(
    upstream: &Upstream,
    prior_knowledge: bool,
    network: &Network,
    certificate: Option<&TlsIdentity>,
) -> Result<Connections, Error> {
    let url = upstream.url();
    let is_https = url.url().scheme() == "https";
    let config = tls(is_https, network, certificate)?;
    let dial = Dial::to(upstream, network)?;
    let begin = || HttpsConnectorBuilder::new().with_tls_config(config.clone()).https_or_http();
    let both = Connector(begin().enable_all_versions().wrap_connector(dial.clone()));
    let old = Connector(begin().enable_http1().wrap_connector(dial));
    Ok(Connections { usual: client(both, prior_knowledge && !is_https), upgrades: client(old, false) })
}

fn client(connector: Connector, http2_only: bool) -> Http {
    Client::builder(TokioExecutor::new())
        .pool_idle_timeout(KEPT)
        .pool_timer(TokioTimer::new())
        .timer(TokioTimer::new())
        .http2_only(http2_only)
        .http2_initial_stream_window_size(STREAM_WINDOW)
        .http2_initial_connection_window_size(CONNECTION_WINDOW)
        .http2_max_header_list_size(MAX_HEADERS)
        .http2_keep_alive_interval(PROBE)
        .build(connector)
}

/// Whom to believe. Without TLS nobody needs to be.
fn tls(is_https: bool, network: &Network, certificate: Option<&TlsIdentity>) -> Result<ClientConfig, Error> {
    if is_https {
        return network.tls(certificate).map_err(|why| Error::new(Kind::Usage, why));
    }
    let failed = |error: rustls::Error| Error::new(Kind::Failed, format!("TLS cannot be set up: {error}"));
    let builder = ClientConfig::builder_with_provider(Arc::new(default_provider()));
    let builder = builder.with_safe_default_protocol_versions().map_err(failed)?;
    Ok(builder.with_root_certificates(RootCertStore::empty()).with_no_client_auth())
}

/// The way to the upstream's host: straight, or through the network's own proxy, which may want TLS itself.
#[derive(Clone)]
enum Dial {
    Straight(HttpConnector),
    Tunnel(Box<Tunnel<HttpsConnector<HttpConnector>>>),
}

impl Dial {
    fn to(upstream: &Upstream, network: &Network) -> Result<Self, Error> {
        let mut straight = HttpConnector::new();
        straight.enforce_http(false);
        straight.set_nodelay(true);
        straight.set_connect_timeout(Some(CONNECT));
        straight.set_keepalive(Some(PROBE));
        let url = upstream.url();
        let found = if url.is_loopback() { None } else { url.as_str().parse::<Uri>().ok() };
        Ok(match found.and_then(|uri| network.rules()?.intercept(&uri)) {
            Some(proxy) if !matches!(proxy.uri().scheme_str(), Some("http" | "https")) => {
                return Err(Error::new(Kind::Usage, "gatepass proxy passes http proxies, and no SOCKS proxy")
                    .hint("name an http proxy in HTTPS_PROXY, or the host in NO_PROXY"));
            }
            Some(proxy) => {
                let config = tls(proxy.uri().scheme_str() == Some("https"), network, None)?;
                let toward = HttpsConnectorBuilder::new().with_tls_config(config).https_or_http().enable_http1();
                let tunnel = Tunnel::new(proxy.uri().clone(), toward.wrap_connector(straight));
                Self::Tunnel(Box::new(match proxy.basic_auth() {
                    Some(auth) => tunnel.with_auth(auth.clone()),
                    None => tunnel,
                }))
            }
            None => Self::Straight(straight),
        })
    }
}

impl Service<Uri> for Dial {
    type Response = MaybeHttpsStream<TokioIo<TcpStream>>;
    type Error = BoxError;
    type Future = BoxFuture<Self::Response>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        match self {
            Self::Straight(connector) => connector.poll_ready(cx).map_err(Into::into),
            Self::Tunnel(tunnel) => tunnel.poll_ready(cx).map_err(Into::into),
        }
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        match self {
            Self::Straight(connector) => {
                let connecting = connector.call(uri);
                Box::pin(async move { Ok(connecting.await?.into()) })
            }
            Self::Tunnel(tunnel) => {
                let connecting = tunnel.call(uri);
                Box::pin(async move { Ok(connecting.await?) })
            }
        }
    }
}

/// A connection with TLS where it is due, in bounded time.
#[derive(Clone)]
pub(super) struct Connector(HttpsConnector<Dial>);

impl Service<Uri> for Connector {
    type Response = MaybeHttpsStream<MaybeHttpsStream<TokioIo<TcpStream>>>;
    type Error = BoxError;
    type Future = BoxFuture<Self::Response>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let connecting = self.0.call(uri);
        Box::pin(async move {
            let late = |_| io::Error::new(io::ErrorKind::TimedOut, "no connection within 10 s");
            tokio::time::timeout(CONNECT, connecting).await.map_err(late)?
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gatepass_client::WebUrl;
    use tokio::{io::AsyncReadExt, net::TcpListener};

    #[tokio::test]
    async fn a_proxy_that_speaks_tls_hears_nothing_in_the_clear() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let proxy = format!("https://ada:hunter2@{}", listener.local_addr().unwrap());
        let network = Network { proxy: Some(proxy.parse().unwrap()), ..Network::default() };
        let upstream = Upstream::try_from("https://a.example".parse::<WebUrl>().unwrap()).unwrap();
        let asked = Dial::to(&upstream, &network).unwrap().call("https://a.example/".parse().unwrap());
        let heard = async { listener.accept().await.unwrap().0.read_u8().await.unwrap() };
        let first = tokio::select! {
            first = heard => first,
            _ = asked => panic!("it was answered"),
        };
        assert_eq!(first, 22, "a handshake (RFC 8446 §5.1)");
    }
}
