//! The listener of the numbers. It answers `/metrics` and nothing else, without asking who it is: so it listens where
//! only the operator's monitoring comes.

use super::Metrics;
use axum::{
    Router,
    extract::State,
    http::{StatusCode, header::CONTENT_TYPE},
    response::IntoResponse,
    routing::get,
};
use gatepass_authority::Authority;
use hyper::server::conn::http1;
use hyper_util::{rt::TokioIo, rt::TokioTimer, service::TowerToHyperService};
use std::{future::Future, sync::Arc, time::Duration};
use tokio::{net::TcpListener, sync::Semaphore, time::timeout};

/// The most connections at once.
const CONNECTIONS: usize = 16;
/// How long a connection may last.
const TIME: Duration = Duration::from_secs(30);
/// What the text format calls itself.
const TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

#[derive(Clone)]
struct Source {
    metrics: Metrics,
    authority: Authority,
}

async fn show(State(source): State<Source>) -> impl IntoResponse {
    let mut text = String::with_capacity(16 * 1024);
    match prometheus_client::encoding::text::encode_registry(&mut text, &source.metrics.0.registry) {
        Ok(()) => {
            signing_key(&mut text, &source.authority).await;
            text.push_str("# EOF\n");
            (StatusCode::OK, [(CONTENT_TYPE, TYPE)], text)
        }
        Err(_) => (StatusCode::INTERNAL_SERVER_ERROR, [(CONTENT_TYPE, "text/plain")], String::new()),
    }
}

/// The key's age stands in the database, which may not answer: then the line is missing, and an alert on it fires.
async fn signing_key(text: &mut String, authority: &Authority) {
    if let Ok(Some(age)) = authority.signing_key_age().await {
        let name = "gatepass_signing_key_age_seconds";
        text.push_str(&format!(
            "# HELP {name} The age of the key that signs.\n# TYPE {name} gauge\n{name} {}\n",
            age.as_secs()
        ));
    }
}

/// Answers until `end` comes.
pub(crate) async fn run(listener: TcpListener, metrics: Metrics, authority: Authority, end: impl Future<Output = ()>) {
    let router = Router::new().route("/metrics", get(show)).with_state(Source { metrics, authority });
    let seats = Arc::new(Semaphore::new(CONNECTIONS));
    tokio::pin!(end);
    loop {
        let accept = async {
            let seat = seats.clone().acquire_owned().await.ok();
            (seat, listener.accept().await)
        };
        let (seat, accepted) = tokio::select! {
            accepted = accept => accepted,
            () = &mut end => return,
        };
        let Ok((stream, _)) = accepted else {
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        let service = TowerToHyperService::new(router.clone());
        tokio::spawn(async move {
            let connection = http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(Duration::from_secs(5))
                .serve_connection(TokioIo::new(stream), service);
            // Whoever asks once a quarter of a minute can connect again.
            let _ = timeout(TIME, connection).await;
            drop(seat);
        });
    }
}
