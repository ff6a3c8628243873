//! The agent's life: it listens, answers each caller in bounds, and ends when nobody asks.

#[cfg(unix)]
use super::socket::SocketListener;
use super::{
    Address,
    desk::Desk,
    door::{Door, Visitor},
    message::{Answer, MAX_REQUEST, Op, Request, Trouble, TroubleKind},
    port::PortListener,
};
use crate::{Account, Home, Narrowing, SignIns};
use gatepass_keys::{Entropy, HashedToken, entropy::NoEntropy};
use std::{
    io,
    net::SocketAddr,
    path::{Path, PathBuf},
    pin::{Pin, pin},
    sync::Arc,
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    sync::{Notify, Semaphore, watch},
    task::JoinSet,
    time::{Instant, sleep, sleep_until, timeout},
};
use zeroize::Zeroizing;

/// The most callers at once who have said what they want, and the most who have not.
const CALLERS: usize = 64;
/// How long a caller may take to say its line, or to take ours.
const LINE: Duration = Duration::from_secs(5);
/// What a wrong token costs.
const WRONG: Duration = Duration::from_millis(250);
/// How long the system is given when it has no more connections to give.
const NO_MORE: Duration = Duration::from_millis(100);
/// How long an agent that ends waits for what is under way: longer than a refresh takes.
const LAST: Duration = Duration::from_secs(80);

/// An agent.
#[derive(Clone, Debug)]
pub struct Agent {
    /// Whose tokens it hands out.
    pub sign_ins: SignIns,
    /// Of these, only this one's.
    pub only: Option<Account>,
    /// The most that its tokens may do.
    pub ceiling: Narrowing,
    /// After how long without a request it ends.
    pub idle: Duration,
    /// How often it looks at the accounts that were asked for, to renew ahead of time.
    pub round: Duration,
    /// The command with which a person signs in, such as `gatepass login`.
    pub login_command: String,
}

/// Why an agent ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// Nobody asked for long.
    Idle,
    /// Somebody wanted it so.
    Asked,
}

/// Why an agent cannot listen.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// Another agent does so already.
    #[error("an agent runs at {path} already", path = .0.display())]
    Running(PathBuf),
    /// Something else listens there.
    #[error("another program listens at {path}", path = .0.display())]
    InUse(PathBuf),
    /// Something else is there.
    #[error("{path} is there and is no socket", path = .0.display())]
    NotASocket(PathBuf),
    /// A socket of somebody else is there.
    #[error("{path} is a socket of another user", path = .0.display())]
    Foreign(PathBuf),
    /// The path depends on where one stands.
    #[error("{path} is no absolute path of a socket", path = .0.display())]
    NotAbsolute(PathBuf),
    /// No socket can have such a path.
    #[error("{path} is too long for a socket's path, of which systems take about 100 bytes", path = .0.display())]
    TooLong(PathBuf),
    /// The folder is not one's own.
    #[error("the socket's folder {path} {why}", path = .path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// What is wrong with it.
        why: &'static str,
    },
    /// The port could be reached from elsewhere.
    #[error("{0} is no loopback address, and an agent listens on no other")]
    NotLoopback(SocketAddr),
    /// The port cannot be had.
    #[error("{address} cannot be listened on: {source}")]
    Port {
        /// Which.
        address: SocketAddr,
        /// What the operating system says.
        source: io::Error,
    },
    /// The file system said no.
    #[error("cannot {what} {path}: {source}", path = .path.display())]
    Io {
        /// What was tried, as a verb.
        what: &'static str,
        /// With what.
        path: PathBuf,
        /// What the operating system says.
        source: io::Error,
    },
    /// No randomness.
    #[error(transparent)]
    NoEntropy(#[from] NoEntropy),
}

/// Where an agent listens.
#[derive(Debug)]
pub enum Listener {
    /// At a socket.
    #[cfg(unix)]
    Socket(SocketListener),
    /// On a port.
    Port(PortListener),
}

/// What is known of a caller before it says a word.
enum Known {
    /// The kernel says that it is our own user.
    #[cfg(unix)]
    Ours,
    /// The kernel says that it is not.
    #[cfg(unix)]
    Stranger,
    /// Nothing: it must show a token.
    ByToken(HashedToken),
}

impl Known {
    fn admits(&self, request: &Request) -> bool {
        match self {
            #[cfg(unix)]
            Self::Ours => true,
            #[cfg(unix)]
            Self::Stranger => false,
            Self::ByToken(expected) => request.auth().is_some_and(|token| HashedToken::of(token.expose()) == *expected),
        }
    }
}

trait Stream: AsyncRead + AsyncWrite + Send {}
impl<T: AsyncRead + AsyncWrite + Send> Stream for T {}
type Connection = Pin<Box<dyn Stream>>;

impl Listener {
    /// Begins to listen. An address with port 0 takes any that is free; its token comes into a file of the home.
    ///
    /// # Errors
    /// [`ListenError`].
    pub async fn open(address: &Address, home: &Home, entropy: &Entropy) -> Result<Self, ListenError> {
        match address {
            #[cfg(unix)]
            Address::Socket(path) => SocketListener::open(path).map(Self::Socket),
            Address::Port(address) => PortListener::open(*address, home, entropy).await.map(Self::Port),
        }
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> Address {
        match self {
            #[cfg(unix)]
            Self::Socket(listener) => Address::Socket(listener.path().to_owned()),
            Self::Port(listener) => Address::Port(listener.address()),
        }
    }

    /// Where a port's token lies.
    #[must_use]
    pub fn token_file(&self) -> Option<&Path> {
        match self {
            #[cfg(unix)]
            Self::Socket(_) => None,
            Self::Port(listener) => Some(listener.token_file()),
        }
    }

    async fn accept(&self) -> io::Result<(Connection, Known)> {
        match self {
            #[cfg(unix)]
            Self::Socket(socket) => {
                let (stream, _) = socket.listener.accept().await?;
                let known = if socket.knows(stream.peer_cred()) { Known::Ours } else { Known::Stranger };
                Ok((Box::pin(stream), known))
            }
            Self::Port(port) => {
                let (stream, _) = port.listener.accept().await?;
                // It only makes things quicker.
                let _ = stream.set_nodelay(true);
                Ok((Box::pin(stream), Known::ByToken(port.token)))
            }
        }
    }
}

impl Agent {
    /// Answers until nobody asks any more, somebody asks for the end, or `stop` comes. A refresh that is under way then
    /// comes to its end first.
    pub async fn serve(self, listener: Listener, stop: impl Future<Output = ()>) -> End {
        let desk = Arc::new(Desk::new(self));
        let (door, places) = (Door::new(CALLERS), Arc::new(Semaphore::new(CALLERS)));
        let asked_to_end = Arc::new(Notify::new());
        let (over, ending) = watch::channel(false);
        let mut tasks = JoinSet::new();
        let fresh = Arc::clone(&desk);
        tasks.spawn(async move { fresh.keep_fresh(ending).await });
        let mut stop = pin!(stop);
        let end = loop {
            tokio::select! {
                accepted = listener.accept() => match accepted {
                    Ok((connection, known)) => {
                        let (visitor, places) = (door.enter(), Arc::clone(&places));
                        let (desk, asked_to_end) = (Arc::clone(&desk), Arc::clone(&asked_to_end));
                        tasks.spawn(async move {
                            if talk(&desk, &places, visitor, connection, known).await {
                                asked_to_end.notify_one();
                            }
                        });
                    }
                    Err(_) => sleep(NO_MORE).await,
                },
                Some(_) = tasks.join_next() => {}
                // Only who was let in keeps the agent going.
                () = sleep_until(desk.idle_at()) => match places.available_permits() {
                    CALLERS if desk.idle_at() <= Instant::now() => break End::Idle,
                    CALLERS => {}
                    _ => desk.touch(),
                },
                () = asked_to_end.notified() => break End::Asked,
                () = &mut stop => break End::Asked,
            }
        };
        drop(listener);
        let _ = over.send(true);
        let _ = timeout(LAST, async { while tasks.join_next().await.is_some() {} }).await;
        end
    }
}

/// One line each way; whether the caller asked for the end and may.
async fn talk(desk: &Desk, places: &Semaphore, visitor: Visitor, mut connection: Connection, known: Known) -> bool {
    let busy = || Trouble::new(TroubleKind::Busy, "the agent has too many callers at once");
    let heard = visitor.unless_sent_away(hear(&mut connection, &known)).await;
    let (answer, end) = match (heard.unwrap_or_else(|| Err(busy())), places.try_acquire()) {
        (Ok(request), Ok(_place)) => {
            desk.touch();
            let answer = desk.answer(&request).await;
            desk.touch();
            (answer, request.op() == Op::Stop)
        }
        (Ok(_), Err(_)) => (Answer::Trouble(busy()), false),
        (Err(trouble), _) => (Answer::Trouble(trouble), false),
    };
    say(&mut connection, &answer).await;
    end
}

async fn hear(connection: &mut Connection, known: &Known) -> Result<Request, Trouble> {
    let denied = |message: &str| Trouble::new(TroubleKind::Denied, message);
    #[cfg(unix)]
    if matches!(known, Known::Stranger) {
        return Err(denied(
            "this agent belongs to another user, and answers nobody else; a container runs so with --user",
        ));
    }
    let late = || Trouble::usage("no whole line came within 5 seconds");
    let line = timeout(LINE, read_line(connection)).await.unwrap_or_else(|_| Err(late()))?;
    let request = Request::parse(&line)?;
    if !known.admits(&request) {
        sleep(WRONG).await;
        return Err(denied("the agent's token is missing or wrong"));
    }
    Ok(request)
}

async fn read_line(connection: &mut Connection) -> Result<Zeroizing<Vec<u8>>, Trouble> {
    let mut line = Zeroizing::new(vec![0; MAX_REQUEST]);
    let mut length = 0;
    loop {
        let room = line.get_mut(length..).filter(|room| !room.is_empty());
        let room = room.ok_or_else(|| Trouble::usage("a request holds at most 16 KiB"))?;
        let count = connection.read(room).await.unwrap_or(0);
        if count == 0 {
            return Err(Trouble::usage("the request broke off before its line was whole"));
        }
        if let Some(end) = room.iter().take(count).position(|byte| *byte == b'\n') {
            line.truncate(length + end);
            return Ok(line);
        }
        length += count;
    }
}

async fn say(connection: &mut Connection, answer: &Answer) {
    let Some(line) = answer.line() else { return };
    let _ = timeout(LINE, async {
        connection.write_all(&line).await?;
        connection.shutdown().await
    })
    .await;
}
