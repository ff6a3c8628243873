//! What is tried again.
//!
//! | what happened | read | write |
//! |---|---|---|
//! | the connection was found dead before anything was sent | once | once |
//! | the answer was lost | once | never: `Uncertain` |
//! | a deadlock or serialization failure: the server has undone it | 4 times | 4 times |

use std::{future::Future, time::Duration};

use deadpool_postgres::Pool;

use super::failure::COLLIDED;
use crate::Error;

/// What kind of call it is, which says whether it may be repeated.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Verb {
    Read,
    Write,
}

/// How far an attempt had come when it failed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Reached {
    /// Nothing that could change a row had been sent.
    Nothing,
    /// The statement had been sent.
    Statement,
}

/// An attempt that failed.
pub(super) struct Failed {
    error: Error,
    reached: Reached,
}

impl Failed {
    pub(super) fn unsent(error: Error) -> Self {
        Self { error, reached: Reached::Nothing }
    }

    pub(super) fn sent(error: Error) -> Self {
        Self { error, reached: Reached::Statement }
    }

    /// Is it unknown whether the change was stored?
    fn is_uncertain(&self, verb: Verb) -> bool {
        let lost = matches!(self.error, Error::Unavailable { .. });
        lost && verb == Verb::Write && self.reached == Reached::Statement
    }

    fn is_collision(&self) -> bool {
        matches!(self.error, Error::Busy { why } if why == COLLIDED)
    }
}

/// Pauses after the first, second … collision.
const PAUSES: [Duration; 4] =
    [Duration::from_millis(2), Duration::from_millis(8), Duration::from_millis(32), Duration::from_millis(128)];

/// Makes attempts until one succeeds or another would be wrong.
pub(super) async fn run<T, F>(pool: &Pool, verb: Verb, mut attempt: impl FnMut() -> F) -> Result<T, Error>
where
    F: Future<Output = Result<T, Failed>>,
{
    let mut pauses = PAUSES.iter();
    let mut reconnected = false;
    loop {
        let failed = match attempt().await {
            Ok(value) => return Ok(value),
            Err(failed) => failed,
        };
        if let Error::Unavailable { .. } = failed.error {
            // A server that restarted has left none of its connections alive. The next attempt makes a new one.
            pool.retain(|_, _| false);
        }
        if failed.is_uncertain(verb) {
            return Err(Error::Uncertain { why: failed.error.to_string() });
        }
        match &failed.error {
            Error::Unavailable { .. } if !reconnected => reconnected = true,
            _ if failed.is_collision() => match pauses.next() {
                Some(pause) => tokio::time::sleep(*pause).await,
                None => return Err(failed.error),
            },
            _ => return Err(failed.error),
        }
    }
}
