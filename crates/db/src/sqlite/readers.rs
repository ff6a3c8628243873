//! The reading connections.
//!
//! A look-up holds its connection for microseconds and never across an await, so a plain lock around each connection
//! is enough, and the look-up runs where it is called. A scan may take long: it runs in a blocking thread, at most as
//! many at a time as there are scanners, and is interrupted when it takes too long.

use std::{
    path::Path,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, TryLockError,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use rusqlite::{Connection, InterruptHandle};
use tokio::{sync::Semaphore, time::timeout};

use super::{
    connection::{self, Kind},
    in_thread,
};
use crate::{Error, Options};

/// All reading connections of one database.
pub(super) struct Readers {
    points: Box<[Mutex<Connection>]>,
    turn: AtomicUsize,
    scanners: Arc<Mutex<Vec<Scanner>>>,
    free: Arc<Semaphore>,
    wait: Duration,
    limit: Duration,
}

struct Scanner {
    connection: Connection,
    interrupt: Arc<InterruptHandle>,
}

impl Readers {
    pub(super) fn open(path: &Path, options: &Options) -> Result<Self, Error> {
        let open = || connection::open(path, Kind::Reader, options);
        let points = (0..options.readers.max(1)).map(|_| open().map(Mutex::new)).collect::<Result<_, _>>()?;
        let scanners =
            (0..options.scanners.max(1)).map(|_| open().map(Scanner::new)).collect::<Result<Vec<_>, Error>>()?;
        Ok(Self {
            points,
            turn: AtomicUsize::new(0),
            free: Arc::new(Semaphore::new(scanners.len())),
            scanners: Arc::new(Mutex::new(scanners)),
            wait: options.wait,
            limit: options.statement,
        })
    }

    /// Runs a short read here and now.
    pub(super) fn look_up<T>(&self, read: impl FnOnce(&Connection) -> Result<T, Error>) -> Result<T, Error> {
        let first = self.turn.fetch_add(1, Relaxed) % self.points.len().max(1);
        let (before, after) = self.points.split_at_checked(first).unwrap_or((&[], &self.points));
        let free = after.iter().chain(before).find_map(|point| match point.try_lock() {
            Ok(connection) => Some(connection),
            // A panic of a reader's own code leaves its connection whole.
            Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        });
        let connection = free.or_else(|| after.first().map(lock)).ok_or_else(Error::closed)?;
        read(&connection)
    }

    /// Runs a read that may take long, in a thread that may block.
    pub(super) async fn scan<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Connection) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let waited = timeout(self.wait, Arc::clone(&self.free).acquire_owned()).await;
        let place = waited.map_err(|_| Error::Busy { why: "too many long reads are running" })?;
        let scanner = lock(&self.scanners).pop().ok_or_else(Error::closed)?;
        let interrupt = Arc::clone(&scanner.interrupt);
        let borrowed = Borrowed { scanner: Some(scanner), scanners: Arc::clone(&self.scanners), _place: place };
        let mut scan = std::pin::pin!(in_thread(move || borrowed.read(read)));
        if let Ok(result) = timeout(self.limit, &mut scan).await {
            return result;
        }
        interrupt.interrupt();
        scan.await
    }
}

impl Scanner {
    fn new(connection: Connection) -> Self {
        let interrupt = Arc::new(connection.get_interrupt_handle());
        Self { connection, interrupt }
    }
}

/// A scanner on loan. It goes back even when the read panics or nobody waits for it any more.
struct Borrowed<P> {
    scanner: Option<Scanner>,
    scanners: Arc<Mutex<Vec<Scanner>>>,
    _place: P,
}

impl<P> Borrowed<P> {
    fn read<T>(&self, read: impl FnOnce(&Connection) -> Result<T, Error>) -> Result<T, Error> {
        self.scanner.as_ref().ok_or_else(Error::closed).and_then(|scanner| read(&scanner.connection))
    }
}

impl<P> Drop for Borrowed<P> {
    fn drop(&mut self) {
        lock(&self.scanners).extend(self.scanner.take());
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
