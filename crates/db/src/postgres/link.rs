//! The way to the server: a connection of the pool, one call on it, and the last bound on waiting.

use std::{future::Future, time::Duration};

use deadpool_postgres::{Client, Pool, PoolError, TimeoutType};
use tokio::time::timeout;

use super::{
    call::{Answer, Call},
    failure::explain,
    retry::{self, Failed, Verb},
};
use crate::{Error, Options};

/// How much longer than the server this side waits for a statement.
const GRACE: Duration = Duration::from_secs(2);

/// The pool and its bounds.
pub(super) struct Link {
    pub(super) pool: Pool,
    pub(super) options: Options,
}

impl Link {
    pub(super) async fn client(&self) -> Result<Client, Error> {
        self.pool.get().await.map_err(|error| match error {
            PoolError::Timeout(TimeoutType::Wait) => Error::Busy { why: "no connection to PostgreSQL became free" },
            PoolError::Timeout(_) => Error::unavailable("PostgreSQL does not answer"),
            PoolError::Backend(error) => explain(&error, "connect"),
            PoolError::Closed => Error::closed(),
            other => Error::unavailable(other.to_string()),
        })
    }

    /// Runs one call by itself: it commits by itself, in one round trip.
    pub(super) async fn run(&self, verb: Verb, call: &Call) -> Result<Answer, Error> {
        self.attempts(verb, || self.attempt(call)).await
    }

    async fn attempt(&self, call: &Call) -> Result<Answer, Failed> {
        let client = self.client().await.map_err(Failed::unsent)?;
        let statement = call.prepare(&client).await.map_err(Failed::unsent)?;
        match call.run(&client, &statement).await {
            Err(error) if Call::is_stale(&error) => Ok(Answer::stale()),
            answer => answer.map_err(|error| Failed::sent(explain(&error, call.sql()))),
        }
    }

    /// Makes attempts as [`retry`] allows, each within the bound for a server that has fallen silent.
    pub(super) async fn attempts<T, F>(&self, verb: Verb, mut attempt: impl FnMut() -> F) -> Result<T, Error>
    where
        F: Future<Output = Result<T, Failed>>,
    {
        let bound = self.options.wait + self.options.statement + GRACE;
        let bounded = || {
            let attempt = timeout(bound, attempt());
            async move {
                attempt.await.unwrap_or_else(|_| Err(Failed::sent(Error::unavailable("PostgreSQL does not answer"))))
            }
        };
        retry::run(&self.pool, verb, bounded).await
    }
}
