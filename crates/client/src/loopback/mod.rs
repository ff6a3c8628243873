//! The loopback port to which a browser on this machine brings the answer (RFC 8252 §7.3).
//!
//! 1. Bind a free port of 127.0.0.1; its number goes into the redirect URI.
//! 2. Read each request with bounds on time, size and number; a stranger's poke gets a short refusal.
//! 3. Hand the redirect to whoever waits, keep the browser waiting, and show it how the matter ended.

pub mod page;
pub mod request;
pub mod uri;

use gatepass_oauth::Secret;
use page::Page;
use request::{Asked, MAX_HEAD, Place};
use std::{io, sync::Arc, time::Duration};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::{Semaphore, mpsc, oneshot},
    task::JoinHandle,
    time::timeout,
};
use uri::LoopbackUri;

/// The path of the redirect URI.
pub const PATH: &str = "/callback";
/// How many visitors are heard at once.
const MAX_VISITORS: usize = 32;
/// How long a visitor may take to say what they want.
const READ_TIME: Duration = Duration::from_secs(5);
/// How long a browser waits for the end of the matter.
const ANSWER_TIME: Duration = Duration::from_secs(60);

/// A bound port. Dropped, it is free again and every open connection is closed.
#[derive(Debug)]
pub struct Loopback {
    redirect_uri: String,
    callbacks: mpsc::Receiver<Callback>,
    door: JoinHandle<()>,
}

/// A redirect that came, with the browser still waiting.
#[derive(Debug)]
pub struct Callback {
    /// The query, still encoded; it holds the code.
    pub query: Secret,
    page: oneshot::Sender<Page>,
    written: oneshot::Receiver<()>,
}

impl Callback {
    /// Shows the browser how it ended, and waits until the page is on its way.
    pub async fn finish(self, page: Page) {
        if self.page.send(page).is_ok() {
            // The program may end right after; then the page must be out. A visitor who left is no fault.
            let _ = timeout(Duration::from_secs(2), self.written).await;
        }
    }
}

impl Loopback {
    /// Binds a port that the operating system picks.
    ///
    /// # Errors
    /// What the operating system says.
    pub async fn bind() -> io::Result<Self> {
        Self::bind_for(&LoopbackUri::default()).await
    }

    /// Binds the port of a redirect URI; where it names none, the operating system picks one.
    ///
    /// # Errors
    /// What the operating system says.
    pub async fn bind_for(uri: &LoopbackUri) -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", uri.port().unwrap_or(0))).await?;
        let port = listener.local_addr()?.port();
        let (sender, callbacks) = mpsc::channel(4);
        let door = tokio::spawn(keep_door(
            listener,
            Arc::new(Place { host: uri.host(port), path: uri.path().to_owned() }),
            sender,
        ));
        Ok(Self { redirect_uri: uri.with_port(port), callbacks, door })
    }

    /// The redirect URI of this port.
    #[must_use]
    pub fn redirect_uri(&self) -> String {
        self.redirect_uri.clone()
    }

    /// The next redirect. Never ends without one; `None` would mean that the port was lost.
    pub async fn next(&mut self) -> Option<Callback> {
        self.callbacks.recv().await
    }
}

impl Drop for Loopback {
    fn drop(&mut self) {
        self.door.abort();
    }
}

async fn keep_door(listener: TcpListener, place: Arc<Place>, callbacks: mpsc::Sender<Callback>) {
    let seats = Arc::new(Semaphore::new(MAX_VISITORS));
    let mut visits = tokio::task::JoinSet::new();
    loop {
        let Ok(seat) = Arc::clone(&seats).acquire_owned().await else { return };
        match listener.accept().await {
            Ok((stream, _)) => {
                let (callbacks, place) = (callbacks.clone(), Arc::clone(&place));
                visits.spawn(async move {
                    let _seat = seat;
                    // A visitor who goes away in the middle is their own affair.
                    let _ = hear(stream, &place, callbacks).await;
                });
            }
            // Out of file descriptors, or a connection that was reset: breathe, and go on.
            Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
        }
        while visits.try_join_next().is_some() {}
    }
}

async fn hear(mut stream: TcpStream, place: &Place, callbacks: mpsc::Sender<Callback>) -> io::Result<()> {
    let head = timeout(READ_TIME, read_head(&mut stream)).await.map_err(io::Error::other)??;
    let page = match request::read(&head, place) {
        Asked::Callback(query) => {
            let (page, decided) = oneshot::channel();
            let (done, written) = oneshot::channel();
            // When nobody waits any more, the sign-in is over, whichever way it ended.
            let page = match callbacks.try_send(Callback { query: query.into(), page, written }) {
                Ok(()) => timeout(ANSWER_TIME, decided).await.ok().and_then(Result::ok).unwrap_or(Page::NotOurs),
                Err(_) => Page::NotOurs,
            };
            write(&mut stream, page).await?;
            let _ = done.send(());
            return Ok(());
        }
        Asked::Elsewhere => Page::NotFound,
        Asked::WrongMethod => Page::WrongMethod,
        Asked::WrongHost | Asked::Junk => Page::Junk,
    };
    write(&mut stream, page).await
}

async fn read_head(stream: &mut TcpStream) -> io::Result<Vec<u8>> {
    let mut head = Vec::with_capacity(1024);
    while !request::is_whole(&head) && head.len() < MAX_HEAD {
        if stream.read_buf(&mut head).await? == 0 {
            break;
        }
    }
    Ok(head)
}

async fn write(stream: &mut TcpStream, page: Page) -> io::Result<()> {
    timeout(READ_TIME, async {
        stream.write_all(page.answer().as_bytes()).await?;
        stream.shutdown().await
    })
    .await
    .map_err(io::Error::other)?
}
