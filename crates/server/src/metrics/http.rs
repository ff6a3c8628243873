//! What is counted of each request: how many, how answered, how long.

use super::Metrics;
use axum::{
    body::Body,
    extract::MatchedPath,
    http::{Method, Request, Response, StatusCode},
};
use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, histogram::Histogram},
};
use std::{
    collections::HashMap,
    convert::Infallible,
    future::Future,
    pin::Pin,
    sync::{Arc, PoisonError, RwLock},
    task::{Context, Poll},
    time::Instant,
};
use tower::{Layer, Service};

/// The label of a request that met no route.
const NO_ROUTE: &str = "none";
/// The label of a method that has none of its own.
const OTHER: &str = "other";
/// The methods that have one; the last place is for all others.
const METHODS: [&str; 6] = ["GET", "POST", "PUT", "DELETE", "HEAD", OTHER];
/// The classes of a status, as labels.
const CLASSES: [&str; 5] = ["1xx", "2xx", "3xx", "4xx", "5xx"];

/// Which requests are counted together.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct RequestLabels {
    route: String,
    method: &'static str,
    status: &'static str,
}

/// Which durations are counted together.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct RouteLabels {
    route: String,
}

type Requests = Family<RequestLabels, Counter>;
type Durations = Family<RouteLabels, Histogram, fn() -> Histogram>;

/// The metrics of every route that was met. There are as many as there are templates and methods: a stranger's path or
/// method makes none.
pub(super) struct Routes {
    requests: Requests,
    durations: Durations,
    /// By the place of the method, by template.
    met: [RwLock<HashMap<Box<str>, Arc<Route>>>; METHODS.len()],
}

struct Route {
    answered: [Counter; 5],
    duration: Histogram,
}

impl Routes {
    pub(super) fn new(requests: Requests, durations: Durations) -> Self {
        Self { requests, durations, met: Default::default() }
    }

    fn of(&self, matched: Option<&MatchedPath>, method: &Method) -> Arc<Route> {
        // A path that leads nowhere is one route, whatever it is; so is a method that nobody uses.
        let path = matched.map_or(NO_ROUTE, MatchedPath::as_str);
        let known = matched.and_then(|_| METHODS.iter().zip(&self.met).find(|(name, _)| **name == method.as_str()));
        let [.., last] = &self.met;
        let (label, met) = known.map_or((OTHER, last), |(name, met)| (*name, met));
        if let Some(route) = met.read().unwrap_or_else(PoisonError::into_inner).get(path) {
            return route.clone();
        }
        let route = Arc::new(self.make(path, label));
        met.write().unwrap_or_else(PoisonError::into_inner).entry(path.into()).or_insert(route).clone()
    }

    fn make(&self, route: &str, method: &'static str) -> Route {
        let route = route.to_owned();
        let answered = CLASSES.map(|status| {
            let labels = RequestLabels { route: route.clone(), method, status };
            self.requests.get_or_create(&labels).clone()
        });
        let duration = self.durations.get_or_create(&RouteLabels { route }).clone();
        Route { answered, duration }
    }
}

impl Route {
    fn answered(&self, status: StatusCode, since: Instant) {
        let place = usize::from(status.as_u16() / 100).saturating_sub(1);
        if let Some(count) = self.answered.get(place) {
            count.inc();
        }
        self.duration.observe(since.elapsed().as_secs_f64());
    }
}

/// Counts what passes through; put around every route.
#[derive(Clone)]
pub(crate) struct Counted(pub(crate) Metrics);

impl<S> Layer<S> for Counted {
    type Service = CountedService<S>;

    fn layer(&self, inner: S) -> CountedService<S> {
        CountedService { inner, metrics: self.0.clone() }
    }
}

/// A route, counted.
#[derive(Clone)]
pub(crate) struct CountedService<S> {
    inner: S,
    metrics: Metrics,
}

impl<S> Service<Request<Body>> for CountedService<S>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible>,
    S::Future: Send + 'static,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let route = self.metrics.0.routes.of(request.extensions().get::<MatchedPath>(), request.method());
        let pending = Pending { metrics: Some(self.metrics.clone()) };
        let (since, answer) = (Instant::now(), self.inner.call(request));
        Box::pin(async move {
            let answer = answer.await?;
            pending.done();
            route.answered(answer.status(), since);
            Ok(answer)
        })
    }
}

/// A request that nobody has answered yet. When it is dropped so, it was cut off.
struct Pending {
    metrics: Option<Metrics>,
}

impl Pending {
    fn done(mut self) {
        self.metrics = None;
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        if let Some(metrics) = &self.metrics {
            metrics.0.requests_cut.inc();
        }
    }
}
