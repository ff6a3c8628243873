//! One connection, within bounds: HTTP/1.1, and HTTP/2 where TLS has agreed on it.
//!
//! A client that goes away does not stop its request between a change and the note that it happened. So a request of
//! HTTP/2, whose stream may be reset at any time, runs as a task of its own, and a connection has no more of them than
//! streams: resetting does not make room.

use crate::{
    app::App,
    web::{self, Connection},
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
use std::{io, pin::Pin, sync::Arc, time::Duration};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::Semaphore,
};
use tokio_io_timeout::TimeoutReader;

/// How long a client may take to send a request's header.
const HEADER_TIME: Duration = Duration::from_secs(15);
/// The most bytes of a request's header.
const HEADER_BYTES: u32 = 32 * 1024;
/// The most requests at once on one connection.
const STREAMS: u32 = 64;
/// How long a connection may be silent. A request takes less.
const SILENCE: Duration = Duration::from_secs(90);

/// Serves HTTP/1.1.
pub(crate) fn http1(
    app: App,
    router: Router,
    stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    connection: Connection,
) -> impl GracefulConnection + Send + 'static {
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

/// Serves HTTP/2.
pub(crate) fn http2(
    app: App,
    router: Router,
    stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    connection: Connection,
) -> impl GracefulConnection + Send + 'static {
    let seats = Arc::new(Semaphore::new(STREAMS.try_into().unwrap_or(1)));
    let service = service_fn(move |request| {
        let answering = web::handle(app.clone(), router.clone(), connection.clone(), request);
        let seats = seats.clone();
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
    let mut stream = TimeoutReader::new(stream);
    stream.set_timeout(Some(SILENCE));
    let stream: Pin<Box<_>> = Box::pin(stream);
    http2::Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS)
        .max_header_list_size(HEADER_BYTES)
        .serve_connection(TokioIo::new(stream), service)
}
