//! Connections that look-ups by key share.
//!
//! PostgreSQL answers what comes on one connection in its order, and the driver sends without waiting for answers. So
//! look-ups that take microseconds travel together, which costs both sides less than a connection for each. Nothing that
//! changes rows goes here: a commit would keep all behind it waiting for the disk.
//!
//! Who finds no way here takes a connection of the pool: while another one makes the lane's, when too many wait on it,
//! and when it has been silent for too long, which ends the lane for the others too.

use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError,
    atomic::{AtomicUsize, Ordering::Relaxed},
};

use deadpool_postgres::{Client, ClientWrapper};

/// As many look-ups wait on one connection. More mean that something holds it up.
const MOST: usize = 64;

/// The shared connections; each is made when it is first needed.
pub(super) struct Lanes {
    lanes: Box<[Lane]>,
    turn: AtomicUsize,
}

/// One of them.
#[derive(Default)]
pub(super) struct Lane(Mutex<State>);

#[derive(Default)]
enum State {
    #[default]
    Empty,
    /// Somebody makes the connection.
    Making,
    Made(Arc<ClientWrapper>),
    Closed,
}

/// Whether a look-up may travel on a lane.
pub(super) enum Passage<'l> {
    /// On this connection.
    Open(Arc<ClientWrapper>),
    /// On the connection that is put there now.
    Unmade(Making<'l>),
    /// Not here.
    None,
}

/// The right to put a connection on a lane; without one, somebody else gets it.
pub(super) struct Making<'l>(&'l Lane);

impl Lanes {
    pub(super) fn new(count: usize) -> Self {
        Self { lanes: (0..count).map(|_| Lane::default()).collect(), turn: AtomicUsize::new(0) }
    }

    /// Whose turn it is.
    pub(super) fn next(&self) -> Option<&Lane> {
        let turn = self.turn.fetch_add(1, Relaxed);
        self.lanes.get(turn.checked_rem(self.lanes.len())?)
    }

    /// Closes them for good; who uses a connection keeps it until he is done.
    pub(super) fn close(&self) {
        for lane in &self.lanes {
            *lane.lock() = State::Closed;
        }
    }
}

impl Lane {
    pub(super) fn passage(&self) -> Passage<'_> {
        let mut state = self.lock();
        match &*state {
            // Whoever travels on it holds it too.
            State::Made(client) if !client.is_closed() && Arc::strong_count(client) > MOST => Passage::None,
            State::Made(client) if !client.is_closed() => Passage::Open(Arc::clone(client)),
            State::Made(_) | State::Empty => {
                *state = State::Making;
                Passage::Unmade(Making(self))
            }
            State::Making | State::Closed => Passage::None,
        }
    }

    /// Gives a silent connection up, unless it was replaced already.
    pub(super) fn give_up(&self, silent: &Arc<ClientWrapper>) {
        let mut state = self.lock();
        if matches!(&*state, State::Made(client) if Arc::ptr_eq(client, silent)) {
            *state = State::Empty;
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Making<'_> {
    /// Takes the connection out of its pool and puts it on the lane.
    pub(super) fn put(self, client: Client) -> Arc<ClientWrapper> {
        let client = Arc::new(Client::take(client));
        let mut state = self.0.lock();
        if let State::Making = *state {
            *state = State::Made(Arc::clone(&client));
        }
        client
    }
}

impl Drop for Making<'_> {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        if let State::Making = *state {
            *state = State::Empty;
        }
    }
}
