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

use crate::app::App;
use axum::{
    Router,
    body::Body,
    http::{Request, Response},
};
use caller::Peer;
use hyper::body::Incoming;
use std::{convert::Infallible, net::SocketAddr, time::Duration};
use tokio::time::timeout;
use tower::ServiceExt;

/// How long a request may take, its body included.
const REQUEST_TIME: Duration = Duration::from_secs(30);

/// Answers one request: notes who sent it, routes it, and puts on what every answer carries.
pub(crate) async fn handle(
    app: App,
    router: Router,
    peer: SocketAddr,
    request: Request<Incoming>,
) -> Result<Response<Body>, Infallible> {
    let mut request = request.map(Body::new);
    request.extensions_mut().insert(Peer(peer.ip()));
    // The path may hold a code that a person typed, so it is not logged; the route would say as much
    // as anybody needs, and the use cases log what happened.
    let method = tracing::enabled!(tracing::Level::DEBUG).then(|| request.method().clone());
    let mut response = match timeout(REQUEST_TIME, router.oneshot(request)).await {
        Ok(answered) => answered?,
        Err(_) => failure::too_slow(),
    };
    headers::put_on(&mut response, &app);
    if let Some(method) = method {
        tracing::debug!(%method, status = response.status().as_u16(), "a request was answered");
    }
    Ok(response)
}
