//! One transaction for a group of calls.
//!
//! 1. `begin`, the calls and `commit` are sent one behind the other without waiting for an answer: one round trip, one
//!    commit. No call is answered before the commit is confirmed.
//! 2. A call that fails takes the transaction with it, and the server answers the `commit` with a rollback. Then the
//!    call that failed is set aside and the others share a transaction once more; a failure in the second one leaves
//!    all to be run by themselves. So each gets the very answer that it would have got alone, and one that is stale
//!    costs the others little.
//! 3. When the connection is lost, nobody knows whether the commit was made: all are
//!    [`Uncertain`](crate::Error::Uncertain), and nothing is run again.
//!
//! The calls stand in the order of their keys, which is the same on every node: two groups that want the same rows take
//! their locks in the same order, so that one waits for the other instead of both. It does not wait long. Whoever keeps
//! a row locked shall hold up those who want that row, and not a whole group.

use std::{
    future::{Future, poll_fn},
    pin::Pin,
    task::Poll,
};

use tokio_postgres::{Error as Refused, error::SqlState};

use super::{
    call::{Answer, Call},
    failure::explain,
    link::Link,
    retry::{Failed, Verb},
};
use crate::Error;

/// A group waits no longer than this for a lock. It is shorter than PostgreSQL's own wait before it looks for deadlocks.
const BEGIN: &str = "begin; set local lock_timeout = 50";

/// How a transaction ended.
pub(super) enum Ended {
    /// What each call got; `None` when it changed nothing and is to be run by itself.
    Kept(Vec<Option<Answer>>),
    /// The server has undone all, because of the call at this place if it was a call.
    Undone(Option<usize>),
}

/// Runs the calls in one transaction.
///
/// # Errors
/// For all of them: [`Error::Uncertain`] when the end of the transaction is not known.
pub(super) async fn run(link: &Link, calls: &[&Call]) -> Result<Ended, Error> {
    link.attempts(Verb::Write, || attempt(link, calls)).await
}

async fn attempt(link: &Link, calls: &[&Call]) -> Result<Ended, Failed> {
    let client = link.client().await.map_err(Failed::unsent)?;
    let mut prepared = Vec::with_capacity(calls.len());
    for (place, call) in calls.iter().enumerate() {
        match call.prepare(&client).await {
            Ok(statement) => prepared.push((*call, statement)),
            Err(error @ Error::Unavailable { .. }) => return Err(Failed::unsent(error)),
            Err(_) => return Ok(Ended::Undone(Some(place))),
        }
    }
    let begin = sent(client.batch_execute(BEGIN)).await;
    let mut answers = Vec::with_capacity(calls.len());
    for (call, statement) in &prepared {
        answers.push(sent(call.run(&client, statement)).await);
    }
    let commit = sent(client.batch_execute("commit")).await;

    let begun = arrived(begin).await;
    let mut results = Vec::with_capacity(calls.len());
    for answer in answers {
        results.push(arrived(answer).await);
    }
    judge(begun, results, arrived(commit).await)
}

/// What the answers say of the transaction. They are in the order of sending.
fn judge(
    begun: Result<(), Refused>,
    results: Vec<Result<Answer, Refused>>,
    commit: Result<(), Refused>,
) -> Result<Ended, Failed> {
    let by_server = |result: &Result<Answer, Refused>| result.as_ref().err().is_some_and(|e| e.as_db_error().is_some());
    let first = results.iter().position(by_server);
    let failure = first.and_then(|place| results.get(place)?.as_ref().err());
    if begun.is_ok() && failure.is_some_and(|error| lost(error).is_none()) {
        // Inside a transaction that has a failed statement, `commit` undoes.
        return Ok(Ended::Undone(first));
    }
    let refused = begun.as_ref().err().into_iter().chain(results.iter().filter_map(|result| result.as_ref().err()));
    if let Some(error) = refused.chain(commit.as_ref().err()).find_map(lost) {
        return Err(Failed::sent(error));
    }
    if begun.is_ok() && commit.is_err() {
        return Ok(Ended::Undone(None));
    }
    // A call that failed on this side was never sent. And should the server have refused to begin, then each call was
    // run by itself.
    Ok(Ended::Kept(results.into_iter().map(Result::ok).collect()))
}

/// The reason, when it leaves open what the server has done.
fn lost(error: &Refused) -> Option<Error> {
    let aborted = error.code() == Some(&SqlState::IN_FAILED_SQL_TRANSACTION);
    Some(explain(error, "commit")).filter(|reason| !aborted && matches!(reason, Error::Unavailable { .. }))
}

/// A request on its way, or its answer.
enum Sent<F: Future> {
    Waiting(Pin<Box<F>>),
    Answered(F::Output),
}

/// Polls once, which sends it: requests reach the server in the order of their first polls. It never waits.
async fn sent<F: Future>(request: F) -> Sent<F> {
    let mut request = Box::pin(request);
    match poll_fn(|context| Poll::Ready(request.as_mut().poll(context))).await {
        Poll::Ready(answer) => Sent::Answered(answer),
        Poll::Pending => Sent::Waiting(request),
    }
}

async fn arrived<F: Future>(request: Sent<F>) -> F::Output {
    match request {
        Sent::Waiting(request) => request.await,
        Sent::Answered(answer) => answer,
    }
}
