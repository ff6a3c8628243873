//! A network that fails: a proxy before the server that loses answers, makes up its own, is slow, and goes away.

use super::Dice;
use std::{
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

/// How long it stays and how long it is away.
const HERE: Duration = Duration::from_secs(6);
const AWAY: Duration = Duration::from_millis(800);

/// What it did.
#[derive(Debug, Default)]
pub(crate) struct Did {
    pub(crate) passed: AtomicU32,
    /// The server acted, and nobody heard of it.
    pub(crate) dropped: AtomicU32,
    /// 503, or a page of the hotel.
    pub(crate) made_up: AtomicU32,
    /// Taken and never answered.
    pub(crate) swallowed: AtomicU32,
    pub(crate) went_away: AtomicU32,
}

/// The proxy. It ends with the test's process.
pub(crate) struct Faults {
    fails: Arc<AtomicBool>,
    pub(crate) did: Arc<Did>,
}

impl Faults {
    /// A proxy at `port` for what listens at `server`, which does no harm yet.
    pub(crate) fn before(server: &str, port: u16) -> Self {
        let (fails, did) = (Arc::new(AtomicBool::new(false)), Arc::new(Did::default()));
        let proxy = Proxy { server: server.to_owned(), fails: Arc::clone(&fails), did: Arc::clone(&did) };
        // Once it is made, connections wait until they are taken.
        let listener = TcpListener::bind(("127.0.0.1", port)).unwrap();
        thread::spawn(move || proxy.run(listener, port));
        Self { fails, did }
    }

    /// Lets it fail from now on, or no more.
    pub(crate) fn fail(&self, fails: bool) {
        self.fails.store(fails, Ordering::SeqCst);
    }
}

#[derive(Clone)]
struct Proxy {
    server: String,
    fails: Arc<AtomicBool>,
    did: Arc<Did>,
}

/// What becomes of a request.
enum Fate {
    Passed { late: Duration },
    Dropped,
    MadeUp(&'static str),
    Swallowed,
}

impl Proxy {
    fn run(self, mut listener: TcpListener, port: u16) {
        let mut seed = 0;
        loop {
            let came = Instant::now();
            listener.set_nonblocking(true).unwrap();
            while came.elapsed() < HERE || !self.fails.load(Ordering::SeqCst) {
                match listener.accept() {
                    Ok((stream, _)) => {
                        seed += 1;
                        let (proxy, dice) = (self.clone(), Dice::new(seed));
                        thread::spawn(move || proxy.serve(stream, dice));
                    }
                    Err(_) => thread::sleep(Duration::from_millis(2)),
                }
            }
            drop(listener);
            self.did.went_away.fetch_add(1, Ordering::Relaxed);
            thread::sleep(AWAY);
            listener = TcpListener::bind(("127.0.0.1", port)).unwrap();
        }
    }

    fn serve(self, mut stream: TcpStream, mut dice: Dice) {
        stream.set_nonblocking(false).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let Some(request) = read_request(&mut stream) else { return };
        match self.fate(&request, &mut dice) {
            Fate::Passed { late } => {
                let answer = self.ask(&request);
                thread::sleep(late);
                let _ = stream.write_all(&answer.unwrap_or_default());
                self.did.passed.fetch_add(1, Ordering::Relaxed);
            }
            Fate::Dropped => {
                let _ = self.ask(&request);
                self.did.dropped.fetch_add(1, Ordering::Relaxed);
            }
            Fate::MadeUp(answer) => {
                let _ = stream.write_all(answer.as_bytes());
                self.did.made_up.fetch_add(1, Ordering::Relaxed);
            }
            Fate::Swallowed => {
                self.did.swallowed.fetch_add(1, Ordering::Relaxed);
                thread::sleep(Duration::from_millis(u64::from(500 + dice.below(1500))));
            }
        }
    }

    /// Of the token answers one in ten is dropped after the server has acted.
    fn fate(&self, request: &[u8], dice: &mut Dice) -> Fate {
        if !self.fails.load(Ordering::SeqCst) {
            return Fate::Passed { late: Duration::ZERO };
        }
        let is_token = request.starts_with(b"POST /token ");
        match dice.below(100) {
            0..10 if is_token => Fate::Dropped,
            10..14 => {
                Fate::MadeUp("HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            }
            14..16 if is_token => Fate::MadeUp(
                "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 16\r\nConnection: close\r\n\r\n<h1>Welcome</h1>",
            ),
            16..18 => Fate::Swallowed,
            _ => Fate::Passed { late: Duration::from_millis(u64::from(dice.below(120))) },
        }
    }

    /// The server's whole answer.
    fn ask(&self, request: &[u8]) -> std::io::Result<Vec<u8>> {
        let mut server = TcpStream::connect(&self.server)?;
        server.set_read_timeout(Some(Duration::from_secs(20)))?;
        server.write_all(request)?;
        let mut answer = Vec::new();
        server.read_to_end(&mut answer)?;
        Ok(answer)
    }
}

/// A whole request, which asks for the end of its connection.
fn read_request(stream: &mut TcpStream) -> Option<Vec<u8>> {
    let (mut bytes, mut chunk) = (Vec::new(), [0; 4096]);
    let end = loop {
        if let Some(at) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            break at;
        }
        let count = stream.read(&mut chunk).ok().filter(|count| *count > 0)?;
        bytes.extend_from_slice(&chunk[..count]);
    };
    let head = String::from_utf8(bytes[..end].to_vec()).ok()?;
    let field = |name: &str| {
        head.lines().filter_map(|line| line.split_once(':')).find(|(known, _)| known.eq_ignore_ascii_case(name))
    };
    let length: usize = field("content-length").and_then(|(_, value)| value.trim().parse().ok()).unwrap_or(0);
    while bytes.len() < end + 4 + length {
        let count = stream.read(&mut chunk).ok().filter(|count| *count > 0)?;
        bytes.extend_from_slice(&chunk[..count]);
    }
    let lines = head.lines().filter(|line| !line.to_ascii_lowercase().starts_with("connection:"));
    let mut request: Vec<u8> = lines.flat_map(|line| format!("{line}\r\n").into_bytes()).collect();
    request.extend_from_slice(b"Connection: close\r\n\r\n");
    request.extend_from_slice(&bytes[end + 4..]);
    Some(request)
}
