//! The doors on loopback, and how they are opened and closed.
//!
//! | what | bound |
//! |---|---|
//! | connections of who was let in | 1024; then nobody comes in until one ends, but for those at the door |
//! | connections of who was not let in yet | 256; for one more, the one that came first has to go |
//! | a request's headers | 64 KiB and 100 fields, else 431 |
//! | streams on one HTTP/2 connection | 256 |
//! | a connection on which no request comes | 75 s |
//! | requests under way when it ends | 5 s |

use super::Forward;
use crate::error::{Error, Kind};
use gatepass_client::agent::door::Door;
use hyper::service::service_fn;
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::{conn::auto::Builder, graceful::GracefulShutdown},
};
use std::{
    io,
    net::{Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Semaphore,
};

const SEATS: usize = 1024;
/// Another user of this machine can connect here, and must not keep out who may come in.
const STANDING: usize = 256;
const MAX_HEADERS: u32 = 64 * 1024;
const MAX_STREAMS: u32 = 256;
const NO_REQUEST: Duration = Duration::from_secs(75);
const LAST_ANSWERS: Duration = Duration::from_secs(5);
const STREAM_WINDOW: u32 = 1024 * 1024;
const CONNECTION_WINDOW: u32 = 8 * 1024 * 1024;
/// How often a port that is free on both loopback addresses is looked for.
const TRIES: usize = 16;

/// Listeners on this machine's loopback addresses, all on one port.
pub(crate) struct Doors {
    listeners: Vec<TcpListener>,
    port: u16,
}

impl Doors {
    /// Opens a port on 127.0.0.1 and, where there is IPv6, on ::1. Without a number the system chooses one.
    ///
    /// # Errors
    /// The port is taken, on either of them: whoever has the other one would get requests that are meant for us.
    pub(crate) async fn open(port: Option<u16>) -> Result<Self, Error> {
        for _ in 0..TRIES {
            let first = bind(Ipv4Addr::LOCALHOST.into(), port.unwrap_or(0)).await?;
            let found = first.local_addr().map_err(|error| no_port(port.unwrap_or(0), &error))?.port();
            match bind_raw(Ipv6Addr::LOCALHOST.into(), found).await {
                Ok(second) => return Ok(Self { listeners: vec![first, second], port: found }),
                Err(error) if error.kind() != io::ErrorKind::AddrInUse => {
                    return Ok(Self { listeners: vec![first], port: found });
                }
                Err(error) if port.is_some() => return Err(no_port(found, &error)),
                Err(_) => {}
            }
        }
        Err(Error::new(Kind::Failed, "no port is free on both 127.0.0.1 and ::1").hint("name one with --port"))
    }

    /// The port.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }
}

async fn bind(address: std::net::IpAddr, port: u16) -> Result<TcpListener, Error> {
    bind_raw(address, port).await.map_err(|error| no_port(port, &error))
}

async fn bind_raw(address: std::net::IpAddr, port: u16) -> io::Result<TcpListener> {
    TcpListener::bind(SocketAddr::new(address, port)).await
}

fn no_port(port: u16, error: &io::Error) -> Error {
    Error::new(Kind::Usage, format!("port {port} cannot be opened on this machine: {error}"))
        .hint("choose another one with --port, or leave it out")
}

/// Forwards what comes through the doors until `end`, or until nothing was asked for `idle`.
pub(crate) async fn serve(doors: Doors, forward: Arc<Forward>, idle: Option<Duration>, end: impl Future<Output = ()>) {
    let graceful = GracefulShutdown::new();
    let (seats, door) = (Arc::new(Semaphore::new(SEATS)), Door::new(STANDING));
    let builder = builder();
    let accepting = doors.listeners.into_iter().map(|listener| {
        let (graceful, forward, seats, door, builder) = (&graceful, &forward, &seats, &door, &builder);
        async move {
            loop {
                // So that whoever has come is heard before the next one comes.
                tokio::task::yield_now().await;
                let Ok(_) = seats.acquire().await else { return };
                let stream = accept(&listener).await;
                let (visitor, seats) = (door.enter(), Arc::clone(seats));
                let (forward, activity) = (Arc::clone(forward), forward.activity.part());
                let own = Arc::clone(&activity);
                let service = service_fn(move |request| Arc::clone(&forward).answer(request, own.begin()));
                let connection = builder.serve_connection_with_upgrades(TokioIo::new(stream), service).into_owned();
                let connection = graceful.watch(connection);
                tokio::spawn(async move {
                    let served = async {
                        tokio::select! {
                            ended = connection => {
                                if let Err(error) = ended {
                                    tracing::debug!(error, "a connection broke off");
                                }
                            }
                            () = activity.idle_for(NO_REQUEST) => {}
                        }
                    };
                    let seated = async {
                        if visitor.unless_sent_away(activity.let_in()).await.is_some() {
                            // While all seats are taken nobody else is let in, so those who wait for one are few.
                            let _seat = seats.acquire().await;
                            std::future::pending::<()>().await;
                        }
                    };
                    tokio::select! {
                        () = served => {}
                        () = seated => tracing::debug!("a connection made room for another one"),
                    }
                });
            }
        }
    });
    let mut accepting = accepting.map(Box::pin);
    let (first, second) = (accepting.next(), accepting.next());
    tokio::select! {
        () = maybe(first) => {}
        () = maybe(second) => {}
        () = maybe(idle.map(|idle| forward.activity.idle_for(idle))) => {}
        () = end => {}
    }
    // The doors are closed now; who is inside gets an answer, and streams without an end are cut.
    let _ = tokio::time::timeout(LAST_ANSWERS, graceful.shutdown()).await;
}

async fn maybe(future: Option<impl Future<Output = ()>>) {
    match future {
        Some(future) => future.await,
        None => std::future::pending().await,
    }
}

async fn accept(listener: &TcpListener) -> TcpStream {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                // Small answers must not wait for others.
                let _ = stream.set_nodelay(true);
                return stream;
            }
            // No more files may be open, or the client has left: it passes.
            Err(error) => {
                tracing::debug!(%error, "a connection was not taken");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
}

fn builder() -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(NO_REQUEST)
        .max_buf_size(64 * 1024)
        .auto_date_header(false);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(MAX_STREAMS)
        .max_header_list_size(MAX_HEADERS)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .auto_date_header(false);
    builder
}
