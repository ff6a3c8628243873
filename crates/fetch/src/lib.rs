//! Requests that a server sends on somebody else's word.
//!
//! A client's metadata document, a key set, a logout notice: the address is a stranger's. So such a request goes only
//!
//! - over `https`, with a certificate that the system trusts,
//! - to [public addresses](address): every address that the name resolves to is looked at *in* the connection, so a name
//!   that resolves differently a moment later gains nothing,
//! - without redirects, proxies or cookies,
//! - and within [`Bounds`] of bytes and time.
//!
//! What the operator has written into the configuration is trusted to lie inside the network: [`Trust::Operator`].

pub mod address;
mod resolver;

use bytes::Bytes;
use http::{Request, Response};
use resolver::PublicOnly;
use std::{
    collections::BTreeSet,
    net::IpAddr,
    sync::{Arc, OnceLock},
    time::Duration,
};
use tokio::time::timeout;
use url::{Host, Url};

/// Whose word the address is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trust {
    /// Anybody's: public addresses only.
    Stranger,
    /// The operator's: any address, and plain `http` on loopback.
    Operator,
}

/// How much of an answer, and how long.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// The most bytes of the body.
    pub bytes: usize,
    /// The time until all of it is there.
    pub time: Duration,
}

/// Why nothing was fetched.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FetchError {
    /// The address will not do.
    #[error("the address {0} is not an https URL")]
    NotHttps(String),
    /// It leads into the network of the server.
    #[error("the address of {0} is not public")]
    NotPublic(String),
    /// Nobody answered in time.
    #[error("{0} took too long to answer")]
    TooSlow(String),
    /// The answer is larger than expected.
    #[error("{host} answered with more than {bytes} bytes")]
    TooLarge {
        /// Who answered.
        host: String,
        /// The bound.
        bytes: usize,
    },
    /// There was no answer.
    #[error("{host} could not be reached: {why}")]
    Unreachable {
        /// Who was asked.
        host: String,
        /// The transport's words.
        why: String,
    },
}

/// Sends requests. Clones share it. Nothing is loaded before the first request.
#[derive(Clone, Debug, Default)]
pub struct Fetcher(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    strangers: OnceLock<reqwest::Client>,
    operators: OnceLock<reqwest::Client>,
    private_hosts: Arc<BTreeSet<String>>,
}

impl Fetcher {
    /// A fetcher. `private_hosts` names hosts that are fetched from although they are not public, also by plain `http`:
    /// for tests.
    #[must_use]
    pub fn new(private_hosts: impl IntoIterator<Item = String>) -> Self {
        Self(Arc::new(Inner { private_hosts: Arc::new(private_hosts.into_iter().collect()), ..Inner::default() }))
    }

    /// Sends a request and reads its whole answer, whatever its status.
    ///
    /// # Errors
    /// [`FetchError`].
    pub async fn send(
        &self,
        request: Request<Bytes>,
        trust: Trust,
        bounds: Bounds,
    ) -> Result<Response<Bytes>, FetchError> {
        let uri = request.uri().to_string();
        let url = Url::parse(&uri).map_err(|_| FetchError::NotHttps(uri))?;
        let host = url.host_str().unwrap_or_default().to_owned();
        let client = self.client_for(&url, trust)?;
        let mut asked = reqwest::Request::new(request.method().clone(), url);
        *asked.headers_mut() = request.headers().clone();
        *asked.body_mut() = Some(request.into_body().into());
        timeout(bounds.time, exchange(client, asked, &host, bounds.bytes))
            .await
            .unwrap_or(Err(FetchError::TooSlow(host)))
    }

    fn client_for(&self, url: &Url, trust: Trust) -> Result<&reqwest::Client, FetchError> {
        let host = url.host().ok_or_else(|| FetchError::NotHttps(url.to_string()))?;
        let is_named = self.0.private_hosts.contains(&host.to_string());
        let may_be_plain = is_named || (trust == Trust::Operator && is_loopback(&host));
        if url.scheme() != "https" && !(url.scheme() == "http" && may_be_plain) {
            return Err(FetchError::NotHttps(url.to_string()));
        }
        match (trust, literal(&host)) {
            (Trust::Operator, _) => made(&self.0.operators, common()),
            // A literal address is connected to without asking the resolver.
            (Trust::Stranger, Some(address)) if !is_named && !address::is_public(address) => {
                Err(FetchError::NotPublic(host.to_string()))
            }
            // No connection is kept: each is made to an address that was just looked at.
            (Trust::Stranger, _) => {
                let resolver = Arc::new(PublicOnly { private_hosts: self.0.private_hosts.clone() });
                made(&self.0.strangers, common().no_proxy().pool_max_idle_per_host(0).dns_resolver(resolver))
            }
        }
    }
}

fn common() -> reqwest::ClientBuilder {
    reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .user_agent(concat!("gatepass/", env!("CARGO_PKG_VERSION")))
}

/// The client in its place, made when it is first needed.
fn made(place: &OnceLock<reqwest::Client>, builder: reqwest::ClientBuilder) -> Result<&reqwest::Client, FetchError> {
    if let Some(client) = place.get() {
        return Ok(client);
    }
    let unusable = |error: reqwest::Error| FetchError::Unreachable { host: "anybody".into(), why: root(&error) };
    let client = builder.build().map_err(unusable)?;
    Ok(place.get_or_init(|| client))
}

fn literal(host: &Host<&str>) -> Option<IpAddr> {
    match host {
        Host::Ipv4(address) => Some((*address).into()),
        Host::Ipv6(address) => Some((*address).into()),
        Host::Domain(_) => None,
    }
}

fn is_loopback(host: &Host<&str>) -> bool {
    matches!(host, Host::Domain("localhost")) || literal(host).is_some_and(|address| address.is_loopback())
}

async fn exchange(
    client: &reqwest::Client,
    request: reqwest::Request,
    host: &str,
    most: usize,
) -> Result<Response<Bytes>, FetchError> {
    let failed = |error: reqwest::Error| match resolver::refusal(&error) {
        Some(name) => FetchError::NotPublic(name),
        None => FetchError::Unreachable { host: host.to_owned(), why: root(&error) },
    };
    let mut answer = client.execute(request).await.map_err(failed)?;
    let mut body = Vec::new();
    while let Some(chunk) = answer.chunk().await.map_err(failed)? {
        if body.len() + chunk.len() > most {
            return Err(FetchError::TooLarge { host: host.to_owned(), bytes: most });
        }
        body.extend_from_slice(&chunk);
    }
    let mut response = Response::new(body.into());
    *response.status_mut() = answer.status();
    *response.headers_mut() = answer.headers().clone();
    Ok(response)
}

/// The innermost cause, which says most.
fn root(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}
