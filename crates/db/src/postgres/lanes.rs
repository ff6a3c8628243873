//! Lanes: how many transactions write at the same time.
//!
//! 1. A write that finds a lane free takes it, runs at once where it was called, and commits by itself.
//! 2. The others queue. When a lane is free, all that wait take it together, as one [`group`]. There is no waiting for a
//!    group to fill: while one commits the next one gathers by itself, so groups grow exactly with the load.
//! 3. A group that fails sets aside what has failed, and at last runs its calls by themselves, side by side.
//! 4. Whoever is held up for longer than a moment, by a row that somebody else keeps locked or by a statement with much
//!    to do, gives the lane back and ends outside of it.
//!
//! So a lane is never blocked for long, and within one lane there are no deadlocks.

use std::{future::Future, pin::pin, sync::Arc, time::Duration};

use futures_util::{StreamExt, stream};
use tokio::{
    sync::{
        Semaphore,
        mpsc::{self, error::TrySendError},
        oneshot,
    },
    task::JoinSet,
    time::timeout,
};

use super::{
    call::{Answer, Call},
    group::{self, Ended},
    link::Link,
    retry::Verb,
};
use crate::{Error, Stats, stats::Counters};

/// How long work may keep its lane.
const PATIENCE: Duration = Duration::from_millis(100);

/// How often a group may share a transaction before its calls are run by themselves.
const TRIES: usize = 2;

/// Calls of one group that are run by themselves at the same time.
const ABREAST: usize = 8;

enum Message {
    Job(Job),
    Close(oneshot::Sender<()>),
}

/// A call, and where its answer goes.
struct Job {
    call: Call,
    reply: oneshot::Sender<Result<Answer, Error>>,
    place: Place,
}

/// A place in the queue, given back however the job ends.
struct Place(Arc<Counters>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.leave(1);
    }
}

impl Job {
    fn answer(self, answer: Result<Answer, Error>) {
        drop(self.place);
        // Who has stopped waiting misses nothing.
        let _ = self.reply.send(answer);
    }
}

/// The way to the lanes. They end when this is dropped or closed.
pub(super) struct Lanes {
    queue: mpsc::Sender<Message>,
    desk: Desk,
}

/// What all lanes share.
#[derive(Clone)]
struct Desk {
    link: Arc<Link>,
    free: Arc<Semaphore>,
    counters: Arc<Counters>,
}

impl Lanes {
    pub(super) fn open(link: &Arc<Link>) -> Self {
        // One more place than there are jobs, so that closing always finds room.
        let (queue, inbox) = mpsc::channel(link.options.queue + 1);
        let free = Arc::new(Semaphore::new(link.options.lanes.max(1)));
        let desk = Desk { link: Arc::clone(link), free, counters: Arc::default() };
        tokio::spawn(desk.clone().work(inbox));
        Self { queue, desk }
    }

    /// Runs a call at once or queues it, and waits until its transaction has ended.
    pub(super) async fn submit(&self, call: Call) -> Result<Answer, Error> {
        let Desk { link, free, counters } = &self.desk;
        if let Ok(lane) = free.try_acquire() {
            let answer = patiently(lane, link.run(Verb::Write, &call)).await;
            counters.group(1);
            return answer;
        }
        if !counters.enter(u64::try_from(link.options.queue).unwrap_or(u64::MAX)) {
            return Err(Error::Busy { why: "too many writes are waiting" });
        }
        let (reply, answer) = oneshot::channel();
        let job = Job { call, reply, place: Place(Arc::clone(counters)) };
        self.queue.try_send(Message::Job(job)).map_err(|refused| match refused {
            TrySendError::Full(_) => Error::Busy { why: "too many writes are waiting" },
            TrySendError::Closed(_) => Error::closed(),
        })?;
        answer.await.unwrap_or_else(|_| Err(Error::Uncertain { why: "the writer ended early".to_owned() }))
    }

    /// Lets the lanes finish what is queued and end.
    pub(super) async fn close(&self) {
        let (done, closed) = oneshot::channel();
        if self.queue.try_send(Message::Close(done)).is_ok() {
            // An error means that they have ended, which is what was asked.
            let _ = closed.await;
        }
    }

    pub(super) fn stats(&self) -> Stats {
        self.desk.counters.read()
    }
}

impl Desk {
    /// Hands what waits to the lanes, until the queue is closed and empty.
    async fn work(self, mut inbox: mpsc::Receiver<Message>) {
        let mut groups = JoinSet::new();
        let mut closing = None;
        while let Some(first) = inbox.recv().await {
            // The lane comes first: what arrives until it is free goes along.
            let Ok(lane) = Arc::clone(&self.free).acquire_owned().await else { break };
            let mut jobs = Vec::new();
            let mut next = Some(first);
            while let Some(message) = next {
                match message {
                    Message::Job(job) => jobs.push(job),
                    Message::Close(done) => {
                        inbox.close();
                        closing = Some(done);
                    }
                }
                next = if jobs.len() < self.link.options.group.max(1) { inbox.try_recv().ok() } else { None };
            }
            let desk = self.clone();
            groups.spawn(async move { patiently(lane, desk.settle(jobs)).await });
            while groups.try_join_next().is_some() {}
        }
        groups.join_all().await;
        // Who runs at once has a lane.
        let lanes = u32::try_from(self.link.options.lanes.max(1)).unwrap_or(u32::MAX);
        let _ = self.free.acquire_many(lanes).await;
        self.free.close();
        if let Some(done) = closing {
            let _ = done.send(());
        }
    }

    /// Runs the jobs and answers each of them.
    async fn settle(&self, mut jobs: Vec<Job>) {
        jobs.sort_by(|one, other| one.call.key().cmp(&other.call.key()));
        let mut alone = Vec::new();
        for _ in 0..TRIES {
            if jobs.len() < 2 {
                break;
            }
            let calls: Vec<&Call> = jobs.iter().map(|job| &job.call).collect();
            let ended = group::run(&self.link, &calls).await;
            match ended {
                Ok(Ended::Kept(answers)) => {
                    self.counters.group(count(answers.iter().flatten().count()));
                    for (job, answer) in jobs.drain(..).zip(answers) {
                        match answer {
                            Some(answer) => job.answer(Ok(answer)),
                            None => alone.push(job),
                        }
                    }
                }
                Ok(Ended::Undone(Some(place))) if place < jobs.len() => alone.push(jobs.remove(place)),
                Ok(Ended::Undone(_)) => break,
                Err(error) => {
                    tracing::warn!(jobs = jobs.len(), %error, "a group of writes came to nothing");
                    self.counters.group(count(jobs.len()));
                    jobs.drain(..).for_each(|job| job.answer(Err(error.clone())));
                }
            }
        }
        alone.append(&mut jobs);
        stream::iter(alone).for_each_concurrent(ABREAST, |job| self.by_itself(job)).await;
    }

    async fn by_itself(&self, job: Job) {
        let answer = self.link.run(Verb::Write, &job.call).await;
        self.counters.group(1);
        job.answer(answer);
    }
}

/// Waits for work that has a lane, and gives the lane back when the work ends or takes too long.
async fn patiently<T>(lane: impl Send, work: impl Future<Output = T>) -> T {
    let mut work = pin!(work);
    match timeout(PATIENCE, &mut work).await {
        Ok(result) => result,
        Err(_) => {
            drop(lane);
            work.await
        }
    }
}

fn count(jobs: usize) -> u64 {
    u64::try_from(jobs).unwrap_or(u64::MAX)
}
