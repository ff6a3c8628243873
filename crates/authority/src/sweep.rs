//! Sweeping: what is over is deleted, a little at a time.
//!
//! 1. One node at a time sweeps, by a lease; two at once would do no harm.
//! 2. A run goes through the tables of `gatepass_store::sweep::SWEEPS`, a step of 500 rows after the other, with pauses
//!    between them and within a bound of time, so that requests never wait for it long.
//! 3. A walk through a table whose rows may be prolonged goes on where it stopped the last time, so that rows which live
//!    long are not looked at again and again.

use crate::{Authority, Failure};
use gatepass_keys::TokenId;
use gatepass_oauth::UtcMillis;
use gatepass_store::{
    Change,
    sweep::{Keeps, SWEEPS, Walk},
};
use std::{collections::BTreeMap, future::Future, time::Duration};
use tokio::time::{Instant, sleep};

/// How often a node looks whether it is its turn.
const EVERY: Duration = Duration::from_secs(60);
/// How many registrations, and documents, that nobody uses are removed in one run.
const REAPED: u32 = 500;
/// How long it is nobody else's.
const LEASE: Duration = Duration::from_secs(90);
/// How long one run takes at most.
const RUN: Duration = Duration::from_secs(20);
/// The pause after each step.
const PAUSE: Duration = Duration::from_millis(20);
/// How many steps one table gets in a run.
const STEPS: usize = 400;
/// Every so many runs a walk at the front goes through to the end.
const THOROUGH: u64 = 60;
/// Where every walk begins.
const BEGINNING: TokenId = TokenId([0; 16]);

/// What is left on the way through the tables between two runs.
#[derive(Debug, Default)]
pub struct Sweeper {
    holder: [u8; 16],
    runs: u64,
    cursors: BTreeMap<&'static str, TokenId>,
}

/// What a run has done.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Swept {
    /// How many rows went, by table.
    pub rows: BTreeMap<&'static str, u64>,
    /// How many steps it took.
    pub steps: u64,
}

impl Authority {
    /// A node's place in the order of sweepers.
    #[must_use]
    pub fn sweeper(&self) -> Sweeper {
        Sweeper { holder: self.0.entropy.bytes().unwrap_or_default(), ..Sweeper::default() }
    }

    /// The background task: sweeps until `end` comes.
    pub async fn keep_sweeping(&self, end: impl Future<Output = ()>) {
        let mut sweeper = self.sweeper();
        tokio::pin!(end);
        loop {
            // Nodes that started together do not come together.
            let jitter = Duration::from_millis(self.0.entropy.below(10_000).unwrap_or(0));
            tokio::select! {
                () = sleep(EVERY + jitter) => {}
                () = &mut end => return,
            }
            let swept = tokio::select! {
                swept = self.sweep_in_turn(&mut sweeper) => swept,
                () = &mut end => return,
            };
            match swept {
                Ok(Some(swept)) => {
                    tracing::debug!(rows = ?swept.rows, steps = swept.steps, "what was over is swept away")
                }
                Ok(None) => {}
                Err(error) => tracing::warn!(%error, "what is over could not be swept away"),
            }
        }
    }

    /// Sweeps if no other node does; `None` when one does.
    ///
    /// # Errors
    /// [`Failure::Internal`].
    pub async fn sweep_in_turn(&self, sweeper: &mut Sweeper) -> Result<Option<Swept>, Failure> {
        let now = self.0.clock.now();
        match self.0.store.take_lease("sweep", sweeper.holder, now.plus(LEASE), now).await? {
            Change::Made => self.sweep(sweeper).await.map(Some),
            Change::TooLate => Ok(None),
        }
    }

    /// One run through all tables.
    ///
    /// # Errors
    /// [`Failure::Internal`].
    pub async fn sweep(&self, sweeper: &mut Sweeper) -> Result<Swept, Failure> {
        let (begun, mut swept) = (Instant::now(), Swept::default());
        sweeper.runs += 1;
        for sweep in SWEEPS {
            let ended = self.ended(sweep.keeps);
            let thorough = sweep.walk != Walk::Front || sweeper.runs.is_multiple_of(THOROUGH);
            let mut after = sweeper.cursors.remove(sweep.table).unwrap_or(BEGINNING);
            for _ in 0..STEPS {
                let step = self.0.store.sweep(sweep, after, ended).await?;
                swept.steps += 1;
                if step.deleted > 0 {
                    self.0.tally.count_swept(sweep.table, step.deleted);
                    *swept.rows.entry(sweep.table).or_default() += step.deleted;
                }
                match step.next {
                    Some(next) if thorough || step.deleted > 0 => after = next,
                    // Nothing was over at the front, or this is the end: the next run begins anew.
                    _ => {
                        after = BEGINNING;
                        break;
                    }
                }
                if begun.elapsed() > RUN {
                    break;
                }
                sleep(PAUSE).await;
            }
            if after != BEGINNING {
                sweeper.cursors.insert(sweep.table, after);
            }
        }
        let reaped = self.reap_registrations(REAPED).await?;
        swept.rows.extend(reaped.into_iter().filter(|(_, rows)| *rows > 0));
        Ok(swept)
    }

    /// What ended by then is deleted now.
    fn ended(&self, keeps: Keeps) -> UtcMillis {
        let now = self.0.clock.now();
        let (minute, hour) = (Duration::from_secs(60), Duration::from_secs(60 * 60));
        now.minus(match keeps {
            Keeps::Briefly => minute,
            Keeps::ForLatecomers => hour,
            Keeps::PastAccessTokens => self.lifetimes().access_token + hour,
            Keeps::Retention => self.0.settings.trail.keep,
        })
    }
}
