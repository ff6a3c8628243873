//! Counters for the operator's dashboard.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// What the database has done since it was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Writing jobs that were answered.
    pub jobs: u64,
    /// Transactions that they shared. On PostgreSQL each job has its own.
    pub groups: u64,
    /// The most jobs in one transaction.
    pub largest_group: u64,
    /// Jobs waiting now: for the writer, or for a connection of the pool.
    pub queue_depth: u64,
}

/// The live counters behind [`Stats`].
#[derive(Debug, Default)]
pub(crate) struct Counters {
    jobs: AtomicU64,
    groups: AtomicU64,
    largest_group: AtomicU64,
    queued: AtomicU64,
}

impl Counters {
    /// Takes a place in a queue of at most `limit`, or says that it is full.
    pub(crate) fn enter(&self, limit: u64) -> bool {
        self.queued.fetch_update(Relaxed, Relaxed, |queued| (queued < limit).then_some(queued + 1)).is_ok()
    }

    /// Gives back `jobs` places.
    pub(crate) fn leave(&self, jobs: u64) {
        self.queued.fetch_sub(jobs, Relaxed);
    }

    /// One transaction with `jobs` jobs has ended.
    pub(crate) fn group(&self, jobs: u64) {
        self.jobs.fetch_add(jobs, Relaxed);
        self.groups.fetch_add(1, Relaxed);
        self.largest_group.fetch_max(jobs, Relaxed);
    }

    pub(crate) fn read(&self) -> Stats {
        Stats {
            jobs: self.jobs.load(Relaxed),
            groups: self.groups.load(Relaxed),
            largest_group: self.largest_group.load(Relaxed),
            queue_depth: self.queued.load(Relaxed),
        }
    }
}
