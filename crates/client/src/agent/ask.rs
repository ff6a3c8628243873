//! The caller's side: one connection, two lines, no runtime.

use super::{
    Address,
    message::{Answer, Granted, MAX_ANSWER, Request, Status, Trouble, TroubleKind},
};
use crate::text::tidy;
use gatepass_oauth::Secret;
use std::{
    fs::File,
    io::{self, Read, Write},
    net::TcpStream,
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};
use zeroize::Zeroizing;

/// How long a connection may take; an agent that is well takes it at once.
const CONNECT: Duration = Duration::from_secs(2);
/// How long a request may take to be taken.
const WRITE: Duration = Duration::from_secs(5);
/// How long an answer may take: the agent may wait for another process's refresh, and then for the server.
const ANSWER: Duration = Duration::from_secs(180);
/// How long an agent that has too many callers is asked again.
const BUSY: Duration = Duration::from_secs(10);
/// Room for most answers; what does not fit into it gets all that an answer may have.
const USUAL_ANSWER: usize = 4 * 1024;
/// How long between two tries.
const PAUSE: Duration = Duration::from_millis(40);
/// The longest file that is read for a token.
const MAX_TOKEN_FILE: u64 = 4096;

/// Why an agent gave nothing.
#[derive(Debug, thiserror::Error)]
pub enum AgentError {
    /// Nobody listens there.
    #[error("no agent answers at {0}")]
    NotThere(Address),
    /// There is something else.
    #[error("{path} is not an agent's socket", path = .0.display())]
    NotASocket(PathBuf),
    /// Whoever listens there is not us.
    #[error("{path} belongs to another user", path = .path.display())]
    Foreign {
        /// The socket.
        path: PathBuf,
        /// The number of its user, where that can be seen.
        owner: Option<u32>,
    },
    /// No socket can have such a path.
    #[error("{path} is too long for a socket's path", path = .0.display())]
    TooLong(PathBuf),
    /// A port is asked with a token.
    #[error("an agent on a port is asked with the token that lies in a file, and no file is named")]
    NoTokenFile,
    /// The token cannot be read.
    #[error("the agent's token cannot be read from {path}: {why}", path = .path.display())]
    TokenFile {
        /// The file.
        path: PathBuf,
        /// Why not.
        why: String,
    },
    /// The connection failed.
    #[error("the agent at {address} cannot be asked: {source}")]
    Io {
        /// Where.
        address: Address,
        /// What the operating system says.
        source: io::Error,
    },
    /// No whole answer came in time.
    #[error("the agent at {0} does not answer")]
    Silent(Address),
    /// What came is no answer.
    #[error("what answers at {0} is no agent of this version")]
    Nonsense(Address),
    /// What is asked does not fit into a request.
    #[error("an agent's request holds at most 16 KiB")]
    TooMuch,
    /// The agent said why not.
    #[error("{}", .0.message)]
    Trouble(Trouble),
}

/// Somebody who asks an agent.
#[derive(Clone, Debug)]
pub struct Caller {
    address: Address,
    auth: Option<Secret>,
}

trait Stream: Read + Write {
    fn read_within(&self, time: Duration) -> io::Result<()>;
}

impl Stream for TcpStream {
    fn read_within(&self, time: Duration) -> io::Result<()> {
        self.set_read_timeout(Some(time))
    }
}

#[cfg(unix)]
impl Stream for std::os::unix::net::UnixStream {
    fn read_within(&self, time: Duration) -> io::Result<()> {
        self.set_read_timeout(Some(time))
    }
}

impl Caller {
    /// A caller of the agent at `address`; a port's token is read from `token_file`.
    ///
    /// # Errors
    /// [`AgentError::NoTokenFile`], [`AgentError::TokenFile`].
    pub fn new(address: Address, token_file: Option<&Path>) -> Result<Self, AgentError> {
        let auth = match (&address, token_file) {
            (Address::Port(_), Some(path)) => Some(read_token(path)?),
            (Address::Port(_), None) => return Err(AgentError::NoTokenFile),
            #[cfg(unix)]
            (Address::Socket(_), _) => None,
        };
        Ok(Self { address, auth })
    }

    /// Where it asks.
    #[must_use]
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// Whether somebody listens there.
    #[must_use]
    pub fn is_there(&self) -> bool {
        self.connect().is_ok()
    }

    /// An access token.
    ///
    /// # Errors
    /// [`AgentError`].
    pub fn token(&self, request: Request) -> Result<Granted, AgentError> {
        match self.ask(request)? {
            // Of what kind a token is decides how it is used, so an unknown one is of no use.
            Answer::Token(granted) if granted.is_bearer() || granted.is_bound() => Ok(granted),
            _ => Err(self.nonsense()),
        }
    }

    /// A proof for a token that the same agent handed out.
    ///
    /// # Errors
    /// [`AgentError`].
    pub fn proof(&self, request: Request) -> Result<Secret, AgentError> {
        match self.ask(request)? {
            Answer::Proof(proof) => Ok(proof),
            _ => Err(self.nonsense()),
        }
    }

    /// How the agent is.
    ///
    /// # Errors
    /// [`AgentError`].
    pub fn status(&self) -> Result<Status, AgentError> {
        match self.ask(Request::status())? {
            Answer::Status(status) => Ok(status),
            _ => Err(self.nonsense()),
        }
    }

    /// Lets the agent end.
    ///
    /// # Errors
    /// [`AgentError`].
    pub fn stop(&self) -> Result<(), AgentError> {
        match self.ask(Request::stop())? {
            Answer::Stopping => Ok(()),
            _ => Err(self.nonsense()),
        }
    }

    fn nonsense(&self) -> AgentError {
        AgentError::Nonsense(self.address.clone())
    }

    fn ask(&self, request: Request) -> Result<Answer, AgentError> {
        let request = self.auth.iter().fold(request, |request, token| request.with_auth(token.clone()));
        let line = request.line().ok_or(AgentError::TooMuch)?;
        let started = Instant::now();
        loop {
            let outcome = self.ask_once(&line);
            let again = match &outcome {
                Err(AgentError::Trouble(trouble)) => trouble.kind == TroubleKind::Busy,
                // It closed on us before it said a word, as one that ends or is overrun does.
                Err(AgentError::Io { source, .. }) => matches!(
                    source.kind(),
                    io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe
                ),
                _ => false,
            };
            if !again || started.elapsed() >= BUSY {
                return outcome;
            }
            thread::sleep(PAUSE);
        }
    }

    fn ask_once(&self, line: &[u8]) -> Result<Answer, AgentError> {
        let mut stream = self.connect()?;
        // An agent that has too many callers answers without listening.
        let written = stream.write_all(line);
        let answer = self.read_line(&mut *stream);
        if let (Err(source), Err(AgentError::Io { .. })) = (written, &answer) {
            return Err(AgentError::Io { address: self.address.clone(), source });
        }
        match Answer::parse(&answer?) {
            Some(Answer::Trouble(trouble)) => Err(AgentError::Trouble(trouble)),
            Some(answer) => Ok(answer),
            None => Err(self.nonsense()),
        }
    }

    fn read_line(&self, stream: &mut dyn Stream) -> Result<Zeroizing<Vec<u8>>, AgentError> {
        let until = Instant::now() + ANSWER;
        let failed = |source| AgentError::Io { address: self.address.clone(), source };
        let mut line = Zeroizing::new(vec![0; USUAL_ANSWER]);
        let mut length = 0;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(AgentError::Silent(self.address.clone()));
            }
            stream.read_within(left).map_err(failed)?;
            if length == line.len() && length < MAX_ANSWER {
                let mut longer = Zeroizing::new(vec![0; MAX_ANSWER]);
                longer.iter_mut().zip(line.iter()).for_each(|(to, from)| *to = *from);
                line = longer;
            }
            let room = line.get_mut(length..).filter(|room| !room.is_empty()).ok_or_else(|| self.nonsense())?;
            match stream.read(room) {
                Ok(0) if length == 0 => return Err(failed(io::ErrorKind::UnexpectedEof.into())),
                Ok(0) => return Err(self.nonsense()),
                Ok(count) => {
                    let end = room.iter().take(count).position(|byte| *byte == b'\n');
                    if let Some(end) = end {
                        line.truncate(length + end);
                        return Ok(line);
                    }
                    length += count;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {
                    return Err(AgentError::Silent(self.address.clone()));
                }
                Err(error) => return Err(failed(error)),
            }
        }
    }

    fn connect(&self) -> Result<Box<dyn Stream>, AgentError> {
        let failed = |error: io::Error| match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => AgentError::NotThere(self.address.clone()),
            io::ErrorKind::TimedOut => AgentError::Silent(self.address.clone()),
            _ => AgentError::Io { address: self.address.clone(), source: error },
        };
        match &self.address {
            #[cfg(unix)]
            Address::Socket(path) => {
                check_socket(path).map_err(|error| error.unwrap_or_else(|| failed(io::ErrorKind::NotFound.into())))?;
                let (at, denied) = (path.clone(), io::ErrorKind::PermissionDenied);
                let stream = within(CONNECT, move || std::os::unix::net::UnixStream::connect(at));
                let stream = stream.map_err(|error| match error.kind() == denied {
                    true => AgentError::Foreign { path: path.clone(), owner: None },
                    false => failed(error),
                })?;
                stream.set_write_timeout(Some(WRITE)).map_err(failed)?;
                Ok(Box::new(stream))
            }
            Address::Port(address) => {
                let stream = TcpStream::connect_timeout(address, CONNECT).map_err(failed)?;
                stream.set_nodelay(true).and_then(|()| stream.set_write_timeout(Some(WRITE))).map_err(failed)?;
                Ok(Box::new(stream))
            }
        }
    }
}

/// A connection to a Unix socket has no bound of its own: it waits while the listener's queue is full.
#[cfg(unix)]
fn within<T: Send + 'static>(time: Duration, work: impl FnOnce() -> io::Result<T> + Send + 'static) -> io::Result<T> {
    let (done, outcome) = std::sync::mpsc::channel();
    thread::Builder::new().spawn(move || drop(done.send(work())))?;
    outcome.recv_timeout(time).unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}

/// What stands at a path is a socket of our own; an error without a reason means that nothing is there.
#[cfg(unix)]
fn check_socket(path: &Path) -> Result<(), Option<AgentError>> {
    use std::os::unix::{
        fs::{FileTypeExt, MetadataExt},
        net::SocketAddr,
    };
    SocketAddr::from_pathname(path).map_err(|_| AgentError::TooLong(path.to_owned()))?;
    let data = match std::fs::metadata(path) {
        Ok(data) => data,
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            return Err(Some(AgentError::Foreign { path: path.to_owned(), owner: None }));
        }
        Err(_) => return Err(None),
    };
    if !data.file_type().is_socket() {
        return Err(Some(AgentError::NotASocket(path.to_owned())));
    }
    if data.uid() != rustix::process::geteuid().as_raw() {
        return Err(Some(AgentError::Foreign { path: path.to_owned(), owner: Some(data.uid()) }));
    }
    Ok(())
}

fn read_token(path: &Path) -> Result<Secret, AgentError> {
    let failed = |why: String| AgentError::TokenFile { path: path.to_owned(), why };
    let mut text = Zeroizing::new(String::with_capacity(4096));
    let file = File::open(path).map_err(|error| failed(error.to_string()))?;
    // Anything but a file could make us wait for ever.
    if !file.metadata().is_ok_and(|data| data.is_file()) {
        return Err(failed("it is no file".into()));
    }
    file.take(MAX_TOKEN_FILE).read_to_string(&mut text).map_err(|error| failed(tidy(&error.to_string(), 200)))?;
    match text.trim() {
        "" => Err(failed("it is empty".into())),
        token => Ok(token.into()),
    }
}
