//! A job: work for the writer, and the place where its answer goes.

use std::panic::{AssertUnwindSafe, catch_unwind};

use rusqlite::Connection;
use tokio::sync::oneshot;

use crate::Error;

/// How one run of a job ended.
pub(super) enum Attempt<T> {
    /// What it changed is to be kept.
    Keep(T),
    /// What it changed must not be kept.
    Undo(Result<T, Error>),
}

impl<T> From<Result<T, Error>> for Attempt<T> {
    fn from(result: Result<T, Error>) -> Self {
        match result {
            Ok(value) => Self::Keep(value),
            Err(error) => Self::Undo(Err(error)),
        }
    }
}

/// Whether to keep what a job changed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    Keep,
    Undo,
}

/// Work for the writer.
pub(super) trait Job: Send {
    /// Does the work, remembering the answer. A group that was undone runs its jobs again.
    fn run(&mut self, connection: &Connection) -> Verdict;

    /// Sends the answer: the remembered one, or why the group as a whole came to nothing.
    fn answer(self: Box<Self>, group: Result<(), Error>);
}

/// A job made of a closure.
pub(super) struct Work<T, F> {
    work: F,
    result: Result<T, Error>,
    reply: oneshot::Sender<Result<T, Error>>,
}

impl<T, F> Work<T, F> {
    /// The job, and the place where its answer will come.
    pub(super) fn new(work: F) -> (Self, oneshot::Receiver<Result<T, Error>>) {
        let (reply, answer) = oneshot::channel();
        (Self { work, result: Err(Error::closed()), reply }, answer)
    }
}

impl<T, F> Job for Work<T, F>
where
    T: Send,
    F: FnMut(&Connection) -> Attempt<T> + Send,
{
    fn run(&mut self, connection: &Connection) -> Verdict {
        // A panic is the job's own misfortune: the writer lives on, and what the job did is undone.
        let attempt = catch_unwind(AssertUnwindSafe(|| (self.work)(connection)))
            .unwrap_or_else(|_| Attempt::Undo(Err(Error::unavailable("a job panicked"))));
        match attempt {
            Attempt::Keep(value) => {
                self.result = Ok(value);
                Verdict::Keep
            }
            Attempt::Undo(result) => {
                self.result = result;
                Verdict::Undo
            }
        }
    }

    fn answer(self: Box<Self>, group: Result<(), Error>) {
        // Who has stopped waiting misses nothing.
        let _ = self.reply.send(group.and(self.result));
    }
}
