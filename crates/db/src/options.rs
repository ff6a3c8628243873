//! The bounds. Every queue, pool and wait of this crate has one, and they are all here.

use std::time::Duration;

/// How much of everything. The defaults suit a server; a command that runs for a moment may use less.
#[derive(Clone, Debug)]
pub struct Options {
    /// SQLite: writing jobs that may wait; one more is answered [`Busy`](crate::Error::Busy).
    pub queue: usize,
    /// SQLite: jobs that may share one transaction.
    pub group: usize,
    /// Connections for point look-ups, on PostgreSQL beside the pool. They are used for microseconds, so one per core is
    /// plenty.
    pub readers: usize,
    /// SQLite: connections for longer reads, each running in a thread of its own.
    pub scanners: usize,
    /// SQLite: page cache of each connection, in KiB.
    pub cache_kib: u32,
    /// SQLite: pages in the write-ahead log that start a checkpoint.
    pub checkpoint_pages: u32,
    /// PostgreSQL: connections.
    pub pool: usize,
    /// How long to wait for a free connection, a scanner or another process's write lock.
    pub wait: Duration,
    /// How long one statement may run.
    pub statement: Duration,
    /// How long a migration may wait for another node's migration to end.
    pub migration_wait: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            queue: 4096,
            group: 256,
            readers: std::thread::available_parallelism().map_or(1, |cores| cores.get().min(4)),
            scanners: 2,
            cache_kib: 2048,
            checkpoint_pages: 4000,
            pool: 24,
            wait: Duration::from_secs(5),
            statement: Duration::from_secs(10),
            migration_wait: Duration::from_secs(60),
        }
    }
}
