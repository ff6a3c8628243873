//! One connection, within bounds: HTTP/1.1, and HTTP/2 where TLS has agreed on it.
//!
//! A client that goes away does not stop its request between a change and the note that it happened. So a request of
//! HTTP/2, whose stream may be reset at any time, runs as a task of its own, and a connection has no more of them than
//! streams: resetting does not make room.
//!
//! A connection of HTTP/1.1 that has no request is ended by the wait for the next header, and an old one with the answer
//! to its next request. One of HTTP/2 could be kept for ever by pings: it is told to go when it has had no request for a
//! while, and when it is old.

use crate::{
    app::App,
    serve::Limits,
    web::{self, Connection, REQUEST_TIME},
};
use axum::{Router, body::Body};
use hyper::{
    Response,
    server::conn::{http1, http2},
    service::service_fn,
};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::graceful::GracefulConnection,
};
use std::{
    future::Future,
    io,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    pin,
    sync::Semaphore,
    time::{Instant, sleep, timeout},
};

/// How long a client may take to send a request's header.
const HEADER_TIME: Duration = Duration::from_secs(15);
/// The most bytes of a request's header.
const HEADER_BYTES: u32 = 32 * 1024;
/// The most requests at once on one connection.
const STREAMS: u16 = 64;
/// How many bytes of bodies a connection may have sent that nobody has read yet: as many as one body has.
const UNREAD: u32 = 64 * 1024;
/// How long a client without a request may take to hear that it shall go.
const LAST_WORDS: Duration = Duration::from_secs(5);

/// Serves HTTP/1.1. The request that comes when the connection is old is its last one.
pub(crate) fn http1(
    app: App,
    router: Router,
    stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    connection: Connection,
    limits: Limits,
) -> impl GracefulConnection + Send + 'static {
    let connection = Connection { old_from: Instant::now().checked_add(limits.age), ..connection };
    let service = service_fn(move |request| web::handle(app.clone(), router.clone(), connection.clone(), request));
    http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIME)
        // Answers are small: one buffer and one plain write is quicker than a list of buffers.
        .writev(false)
        .max_buf_size(HEADER_BYTES.try_into().unwrap_or(usize::MAX))
        // A client that goes away does not stop its request between a change and the note that it happened.
        .half_close(true)
        .serve_connection(TokioIo::new(stream), service)
}

/// The requests of a connection of HTTP/2.
struct Requests {
    /// One is taken by each that is under way.
    seats: Arc<Semaphore>,
    /// How many there were.
    begun: AtomicUsize,
}

impl Requests {
    /// Comes when there has been no request for so long, or twice as long at most.
    async fn cease(&self, quiet: Duration) {
        loop {
            let before = self.begun.load(Relaxed);
            sleep(quiet).await;
            if self.begun.load(Relaxed) == before && self.seats.available_permits() == usize::from(STREAMS) {
                return;
            }
        }
    }
}

/// Serves HTTP/2 until the client goes, or until it has to: at the `end` of the server, without a request, or when it is
/// old.
pub(crate) async fn http2(
    app: App,
    router: Router,
    stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    connection: Connection,
    limits: Limits,
    end: impl Future<Output = ()>,
) {
    let seats = Arc::new(Semaphore::new(STREAMS.into()));
    let requests = Arc::new(Requests { seats, begun: AtomicUsize::new(0) });
    let service = service_fn(|request| {
        let answering = web::handle(app.clone(), router.clone(), connection.clone(), request);
        requests.begun.fetch_add(1, Relaxed);
        let seats = requests.seats.clone();
        async move {
            let seat = seats.acquire_owned().await.map_err(io::Error::other)?;
            let answered = tokio::spawn(async move {
                let answered = answering.await;
                drop(seat);
                answered
            });
            match answered.await.map_err(io::Error::other)? {
                Ok(response) => Ok::<Response<Body>, io::Error>(response),
                Err(never) => match never {},
            }
        }
    });
    let serving = http2::Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        .max_concurrent_streams(u32::from(STREAMS))
        .max_header_list_size(HEADER_BYTES)
        .initial_stream_window_size(UNREAD)
        .initial_connection_window_size(UNREAD)
        .serve_connection(TokioIo::new(stream), service);
    pin!(serving);
    tokio::select! {
        biased;
        // A client that goes away in the middle is no news.
        _ = &mut serving => return,
        () = requests.cease(limits.quiet) => {}
        () = sleep(limits.age) => {}
        () = end => {}
    }
    serving.as_mut().graceful_shutdown();
    // A request may have come in this moment.
    let _ = timeout(REQUEST_TIME + LAST_WORDS, serving).await;
}
