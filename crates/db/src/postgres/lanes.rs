//! Connections that look-ups by key share.
//!
//! PostgreSQL answers what comes on one connection in its order, and the driver sends without waiting for answers. So
//! look-ups that take microseconds travel together, which costs both sides less than a connection for each. Nothing that
//! changes rows goes here: a commit would keep all behind it waiting for the disk.

use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError,
    atomic::{AtomicUsize, Ordering::Relaxed},
};

use deadpool_postgres::{Client, ClientWrapper};

/// As many look-ups wait on one connection. More mean that something holds it up: they go elsewhere.
const MOST: usize = 64;

/// The shared connections; each is made when it is first needed.
pub(super) struct Lanes {
    lanes: Box<[Lane]>,
    turn: AtomicUsize,
}

/// Whether a look-up may travel on a lane.
pub(super) enum Passage {
    /// On this connection.
    Open(Arc<ClientWrapper>),
    /// Once somebody has put a connection there.
    Unmade,
    /// There are too many already.
    Full,
}

/// One of them.
#[derive(Default)]
pub(super) struct Lane(Mutex<Option<Arc<ClientWrapper>>>);

impl Lanes {
    pub(super) fn new(count: usize) -> Self {
        Self { lanes: (0..count).map(|_| Lane::default()).collect(), turn: AtomicUsize::new(0) }
    }

    /// Whose turn it is.
    pub(super) fn next(&self) -> Option<&Lane> {
        let turn = self.turn.fetch_add(1, Relaxed);
        self.lanes.get(turn.checked_rem(self.lanes.len())?)
    }

    /// Forgets all connections; who uses one keeps it until he is done.
    pub(super) fn clear(&self) {
        for lane in &self.lanes {
            drop(lane.lock().take());
        }
    }
}

impl Lane {
    /// The connection, unless it is dead or was not made yet.
    pub(super) fn passage(&self) -> Passage {
        match self.lock().as_ref() {
            // Whoever travels on it holds it too.
            Some(client) if !client.is_closed() && Arc::strong_count(client) > MOST => Passage::Full,
            Some(client) if !client.is_closed() => Passage::Open(Arc::clone(client)),
            _ => Passage::Unmade,
        }
    }

    /// Takes a connection out of its pool.
    pub(super) fn put(&self, client: Client) -> Arc<ClientWrapper> {
        let client = Arc::new(Client::take(client));
        *self.lock() = Some(Arc::clone(&client));
        client
    }

    fn lock(&self) -> MutexGuard<'_, Option<Arc<ClientWrapper>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
