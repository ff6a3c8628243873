//! The writer: one thread that owns the only connection which changes rows.
//!
//! It takes whatever waits in the queue, up to a limit, as one group. There is no waiting for a group to fill: while
//! one group is being flushed to the disk the next one gathers by itself, so groups grow exactly with the load.

use std::{
    sync::{
        Arc,
        mpsc::{Receiver, SyncSender, TrySendError, sync_channel},
    },
    thread,
};

use rusqlite::Connection;
use tokio::sync::oneshot;

use super::{
    group,
    job::{Attempt, Job, Work},
};
use crate::{Error, Options, Stats, stats::Counters};

enum Message {
    Job(Box<dyn Job>),
    Close(oneshot::Sender<()>),
}

/// The way to the writer's thread. The thread ends when this is dropped or closed.
pub(super) struct Writer {
    queue: SyncSender<Message>,
    limit: u64,
    counters: Arc<Counters>,
}

impl Writer {
    /// Starts the thread.
    pub(super) fn start(connection: Connection, options: &Options) -> Result<Self, Error> {
        // One more place than there are jobs, so that closing always finds room.
        let (queue, inbox) = sync_channel(options.queue + 1);
        let counters = Arc::new(Counters::default());
        let limit = u64::try_from(options.queue).unwrap_or(u64::MAX);
        let desk = Desk { connection, inbox, group: options.group.max(1), counters: Arc::clone(&counters) };
        thread::Builder::new()
            .name("sqlite-writer".to_owned())
            .spawn(move || desk.work())
            .map_err(|error| Error::unavailable(format!("no thread for the writer: {error}")))?;
        Ok(Self { queue, limit, counters })
    }

    /// Queues a job and waits until its transaction has ended.
    pub(super) async fn submit<T: Send + 'static>(
        &self,
        work: impl FnMut(&Connection) -> Attempt<T> + Send + 'static,
    ) -> Result<T, Error> {
        if !self.counters.enter(self.limit) {
            return Err(Error::Busy { why: "too many writes are waiting" });
        }
        let (job, answer) = Work::new(work);
        if let Err(refused) = self.queue.try_send(Message::Job(Box::new(job))) {
            self.counters.leave(1);
            return Err(match refused {
                TrySendError::Full(_) => Error::Busy { why: "too many writes are waiting" },
                TrySendError::Disconnected(_) => Error::closed(),
            });
        }
        answer.await.map_err(|_| Error::closed())?
    }

    /// Lets the writer finish what is queued, empty its log into the file and end.
    pub(super) async fn close(&self) {
        let (done, closed) = oneshot::channel();
        if self.queue.try_send(Message::Close(done)).is_ok() {
            // An error means that the thread has ended, which is what was asked.
            let _ = closed.await;
        }
    }

    pub(super) fn stats(&self) -> Stats {
        self.counters.read()
    }
}

/// What the writer's thread owns.
struct Desk {
    connection: Connection,
    inbox: Receiver<Message>,
    group: usize,
    counters: Arc<Counters>,
}

impl Desk {
    fn work(self) {
        let mut jobs = Vec::new();
        let mut limit = self.group;
        while let Ok(first) = self.inbox.recv() {
            let closing = self.gather(first, &mut jobs, limit);
            // After another process has kept its lock for too long, nobody is to wait for more than one more turn.
            limit = if let Err(Error::Busy { .. }) = self.settle(&mut jobs) { usize::MAX } else { self.group };
            if let Some(done) = closing {
                // Jobs behind the closing message are dropped with the inbox, which answers them.
                let _ = self.connection.pragma(None, "wal_checkpoint", "truncate", |_| Ok(()));
                drop(self);
                let _ = done.send(());
                return;
            }
        }
    }

    /// Takes what waits, up to `limit` jobs or to the message that asks to close.
    fn gather(&self, first: Message, jobs: &mut Vec<Box<dyn Job>>, limit: usize) -> Option<oneshot::Sender<()>> {
        let mut next = Some(first);
        while let Some(message) = next {
            match message {
                Message::Job(job) => jobs.push(job),
                Message::Close(done) => return Some(done),
            }
            next = if jobs.len() < limit { self.inbox.try_recv().ok() } else { None };
        }
        None
    }

    /// Runs the group and answers each of its jobs.
    fn settle(&self, jobs: &mut Vec<Box<dyn Job>>) -> Result<(), Error> {
        if jobs.is_empty() {
            return Ok(());
        }
        let ended = group::run(&self.connection, jobs);
        if let Err(error) = &ended {
            tracing::warn!(jobs = jobs.len(), %error, "a group of writes came to nothing");
        }
        let count = u64::try_from(jobs.len()).unwrap_or(u64::MAX);
        self.counters.group(count);
        self.counters.leave(count);
        for job in jobs.drain(..) {
            job.answer(ended.clone());
        }
        ended
    }
}
