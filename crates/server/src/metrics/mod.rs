//! Numbers for the operator's monitoring, in the text format that Prometheus reads, on a listener of their own.
//!
//! What a request costs for it is a look-up of its route and three atomic additions: the metrics of a route are made when
//! it is first met, and never again. A route is named by its template, never by the path that was asked for, which may
//! hold a code. Everything else is counted where it happens (`gatepass_authority::tally`) and read when it is asked for.
//!
//! | file | holds |
//! |---|---|
//! | [`http`] | what is counted of each request |
//! | [`collect`] | what is read when it is asked for |
//! | [`listener`] | the listener |

mod collect;
pub(crate) mod http;
pub(crate) mod listener;

use http::Routes;
use prometheus_client::{
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::Registry,
};
use std::sync::Arc;

/// The numbers of this server. Clones share them.
#[derive(Clone)]
pub(crate) struct Metrics(Arc<Inner>);

struct Inner {
    registry: Registry,
    routes: Routes,
    connections: Gauge,
    connections_accepted: Counter,
    connections_refused: Counter,
    requests_cut: Counter,
}

/// Bounds of the durations, in seconds.
const SECONDS: [f64; 12] = [0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 1.0, 5.0, 30.0];

impl Metrics {
    pub(crate) fn new(authority: gatepass_authority::Authority) -> Self {
        let mut registry = Registry::with_prefix("gatepass");
        let requests = Family::default();
        let durations = Family::<_, Histogram, fn() -> Histogram>::new_with_constructor(|| Histogram::new(SECONDS));
        let (connections, connections_accepted) = (Gauge::default(), Counter::default());
        let (connections_refused, requests_cut) = (Counter::default(), Counter::default());
        registry.register("http_requests", "Requests that were answered", requests.clone());
        registry.register("http_request_duration_seconds", "Time until the answer", durations.clone());
        registry.register("http_requests_cut", "Requests that took too long or went away", requests_cut.clone());
        registry.register("connections_open", "Connections that are open", connections.clone());
        registry.register("connections", "Connections that were accepted", connections_accepted.clone());
        let refused = "Connections that were closed because their network had too many";
        registry.register("connections_refused", refused, connections_refused.clone());
        registry.register_collector(Box::new(collect::Collected(authority)));
        let routes = Routes::new(requests, durations);
        Self(Arc::new(Inner { registry, routes, connections, connections_accepted, connections_refused, requests_cut }))
    }

    /// A connection was closed as it came.
    pub(crate) fn refused_connection(&self) {
        self.0.connections_refused.inc();
    }

    /// A connection has begun; it ends when the guard is dropped.
    pub(crate) fn connection(&self) -> OpenConnection {
        self.0.connections_accepted.inc();
        self.0.connections.inc();
        OpenConnection(self.clone())
    }
}

/// A connection that is open.
pub(crate) struct OpenConnection(Metrics);

impl Drop for OpenConnection {
    fn drop(&mut self) {
        self.0.0.connections.dec();
    }
}
