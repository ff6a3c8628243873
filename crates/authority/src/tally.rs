//! What has happened since the start, in numbers: for the operator's dashboard. Each is one atomic addition.

use crate::{Authority, EventKind};
use gatepass_store::{Stats, sweep::SWEEPS};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// The tables whose rows go when nobody has used them for long, not at a time that they name.
pub(crate) const REAPED: [&str; 2] = ["client", "client_document"];

/// The counts of this node.
#[derive(Debug)]
pub struct Tally {
    events: [AtomicU64; EventKind::ALL.len()],
    swept: [AtomicU64; SWEEPS.len()],
    reaped: [AtomicU64; REAPED.len()],
    /// Access tokens that were made.
    pub tokens: Count,
    /// Rows of the audit trail that could not be written.
    pub audit_lost: Count,
    /// Notices that the webhook took.
    pub webhook_delivered: Count,
    /// Tries that it did not take.
    pub webhook_failed: Count,
    /// Notices that were given up.
    pub webhook_given_up: Count,
}

/// One count.
#[derive(Debug, Default)]
pub struct Count(AtomicU64);

impl Count {
    pub(crate) fn add_one(&self) {
        self.add(1);
    }

    pub(crate) fn add(&self, more: u64) {
        self.0.fetch_add(more, Relaxed);
    }

    /// How many.
    #[must_use]
    pub fn get(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

impl Default for Tally {
    fn default() -> Self {
        Self {
            events: [const { AtomicU64::new(0) }; EventKind::ALL.len()],
            swept: [const { AtomicU64::new(0) }; SWEEPS.len()],
            reaped: [const { AtomicU64::new(0) }; REAPED.len()],
            tokens: Count::default(),
            audit_lost: Count::default(),
            webhook_delivered: Count::default(),
            webhook_failed: Count::default(),
            webhook_given_up: Count::default(),
        }
    }
}

impl Tally {
    pub(crate) fn count(&self, kind: EventKind) {
        if let Some(count) = self.events.get(kind.place()) {
            count.fetch_add(1, Relaxed);
        }
    }

    pub(crate) fn count_swept(&self, table: &str, rows: u64) {
        let swept = SWEEPS.iter().map(|sweep| sweep.table).zip(&self.swept);
        let mut places = swept.chain(REAPED.iter().copied().zip(&self.reaped));
        if let Some((_, count)) = places.find(|(known, _)| *known == table) {
            count.fetch_add(rows, Relaxed);
        }
    }

    /// How often each kind of event happened.
    pub fn events(&self) -> impl Iterator<Item = (EventKind, u64)> + '_ {
        EventKind::ALL.iter().copied().zip(self.events.iter().map(|count| count.load(Relaxed)))
    }

    /// How many rows of each table were swept away.
    pub fn swept(&self) -> impl Iterator<Item = (&'static str, u64)> + '_ {
        let swept = SWEEPS.iter().map(|sweep| sweep.table).zip(&self.swept);
        let all = swept.chain(REAPED.iter().copied().zip(&self.reaped));
        all.map(|(table, count)| (table, count.load(Relaxed)))
    }
}

impl Authority {
    /// What has happened since the start.
    #[must_use]
    pub fn tally(&self) -> &Tally {
        &self.0.tally
    }

    /// How many events wait to be written.
    #[must_use]
    pub fn audit_waiting(&self) -> usize {
        self.0.trail.waiting()
    }

    /// What the database has done since the start.
    #[must_use]
    pub fn database_stats(&self) -> Stats {
        self.0.store.stats()
    }
}
