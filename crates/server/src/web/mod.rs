//! What holds for every request, whatever its endpoint.

pub(crate) mod caller;
pub(crate) mod cookie;
pub(crate) mod failure;
pub(crate) mod form;
mod headers;
pub(crate) mod not_found;
pub(crate) mod origin;
pub(crate) mod own_form;
pub(crate) mod segment;
pub(crate) mod session;

use crate::{
    app::App,
    shares::{Counted, Share},
    tls::ByConnection,
};
use axum::{
    Router,
    body::Body,
    http::{
        HeaderName, HeaderValue, Request, Response,
        header::{CONNECTION, DATE},
    },
};
use caller::Peer;
use gatepass_oauth::{UtcMillis, dpop};
use hyper::body::Incoming;
use std::{
    convert::Infallible,
    net::SocketAddr,
    sync::Arc,
    time::{Duration, UNIX_EPOCH},
};
use tokio::time::{Instant, timeout_at};
use tower::ServiceExt;

/// How long a request may take, its body included.
pub(crate) const REQUEST_TIME: Duration = Duration::from_secs(30);

/// The header of a proof, looked for in every request.
pub(crate) static DPOP: HeaderName = HeaderName::from_static(dpop::HEADER);

/// The connection that a request came on.
#[derive(Clone)]
pub(crate) struct Connection {
    /// The other end.
    pub(crate) peer: SocketAddr,
    /// The certificate that the other end showed.
    pub(crate) certificate: Option<Arc<ByConnection>>,
    /// What its network may have.
    pub(crate) share: Arc<Share>,
    /// From when on its next request is its last one; `None` where that is told otherwise.
    pub(crate) old_from: Option<Instant>,
}

/// Answers one request: notes who sent it, routes it, and puts on what every answer carries.
pub(crate) async fn handle(
    app: App,
    router: Router,
    connection: Connection,
    request: Request<Incoming>,
) -> Result<Response<Body>, Infallible> {
    let Connection { peer, certificate, share, old_from } = connection;
    let mut request = request.map(|body| Body::new(Counted::new(body, share)));
    let peer = peer.ip();
    request.extensions_mut().insert(Peer(peer));
    let proxies = &app.trusted_proxies;
    if let Some(shown) = app.certificates.shown(certificate, request.headers(), peer, proxies) {
        request.extensions_mut().insert(shown.certificate().clone());
        request.extensions_mut().insert(shown);
    }
    let proven = request.headers().contains_key(&DPOP);
    // The path may hold a code that a person typed, so it is not logged; the route would say as much
    // as anybody needs, and the use cases log what happened.
    let method = tracing::enabled!(tracing::Level::DEBUG).then(|| request.method().clone());
    let began = Instant::now();
    let mut response = match timeout_at(began + REQUEST_TIME, router.oneshot(request)).await {
        Ok(answered) => answered?,
        Err(_) => failure::too_slow(),
    };
    headers::put_on(&mut response, &app);
    if old_from.is_some_and(|at| at <= began) {
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    if proven && let Ok(nonce) = HeaderValue::from_str(&app.authority.dpop_nonce()) {
        // So that the client's next proof has one that is fresh (RFC 9449 §8.2).
        response.headers_mut().insert(dpop::NONCE_HEADER, nonce);
        // The time by which its proof was judged: a client whose clock is wrong makes the next one by it (§11.1).
        if let Some(date) = http_date(app.authority.now()) {
            response.headers_mut().insert(DATE, date);
        }
    }
    if let Some(method) = method {
        tracing::debug!(%method, status = response.status().as_u16(), "a request was answered");
    }
    Ok(response)
}

fn http_date(now: UtcMillis) -> Option<HeaderValue> {
    let since = Duration::from_millis(u64::try_from(now.0).ok()?);
    HeaderValue::from_str(&httpdate::fmt_http_date(UNIX_EPOCH.checked_add(since)?)).ok()
}
