//! The audit trail: events as rows that are never changed.
//!
//! 1. A *routine* event goes into a bounded queue, and one background task writes what has gathered as pages: at most
//!    [`LATE`] after it happened, or as soon as a whole page is there. When the queue is full, the request
//!    waits. So a kill of the process may lose the last moment of routine events, and costs the rest of them a few
//!    microseconds each (`docs/decisions/0006`).
//! 2. What is *notable* or *alarming* is written before the request is answered.
//! 3. When the database refuses, the row is tried again a few times, then lost, counted and told to the log, where the
//!    event stands anyway. No request fails over it.
//!
//! Without the task, as in an administrator's command, every row is written at once.

use crate::{Authority, Event, audit::Rank};
use gatepass_keys::{Entropy, TokenId, entropy::NoEntropy};
use gatepass_oauth::UtcMillis;
use gatepass_store::{
    Error,
    audit::{AuditRow, PAGE},
    webhook_delivery::NewDelivery,
};
use std::{
    future::Future,
    sync::{
        Mutex, OnceLock, PoisonError,
        atomic::{AtomicUsize, Ordering::AcqRel, Ordering::Acquire},
    },
    time::Duration,
};
use tokio::{
    sync::{Notify, mpsc},
    time::{sleep, timeout},
};

/// How long a routine event waits for others at most.
const LATE: Duration = Duration::from_millis(200);
/// How many routine events wait at most; then requests do.
const QUEUE: usize = 8192;
/// How often writing is tried.
const TRIES: u32 = 5;

/// Whether routine events become rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Routine {
    /// They do.
    #[default]
    Kept,
    /// They are counted and logged only.
    Counted,
}

/// How the audit trail is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TrailSettings {
    /// How long a row stays.
    pub keep: Duration,
    /// What becomes of routine events.
    pub routine: Routine,
}

impl Default for TrailSettings {
    fn default() -> Self {
        Self { keep: Duration::from_secs(365 * 24 * 60 * 60), routine: Routine::Kept }
    }
}

/// Random bytes for identifiers of rows, drawn for many at a time: each drawing asks the operating system.
struct Ids(Mutex<(usize, [u8; DRAWN])>);

/// For how many identifiers is drawn at once, in bytes.
const DRAWN: usize = 64 * 16;

impl Default for Ids {
    fn default() -> Self {
        Self(Mutex::new((DRAWN, [0; DRAWN])))
    }
}

impl Ids {
    fn next(&self, now: UtcMillis, entropy: &Entropy) -> Result<TokenId, NoEntropy> {
        let mut ids = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (used, bytes) = &mut *ids;
        if *used >= DRAWN {
            *bytes = entropy.bytes()?;
            *used = 0;
        }
        let random = bytes.get(*used..).and_then(|left| left.first_chunk()).copied().ok_or(NoEntropy)?;
        *used += 16;
        Ok(TokenId::of(now, random))
    }
}

/// The way to the background task.
#[derive(Default)]
pub(crate) struct Trail {
    queue: OnceLock<mpsc::Sender<AuditRow>>,
    waiting: AtomicUsize,
    wake: Notify,
    ids: Ids,
}

impl Trail {
    pub(crate) fn waiting(&self) -> usize {
        self.waiting.load(Acquire)
    }

    /// Queues a row; gives it back when there is no room just now, or nobody who writes what is queued.
    fn push(&self, row: AuditRow) -> Option<AuditRow> {
        let place = self.queue.get().and_then(|queue| queue.try_reserve().ok());
        self.fill(place, row)
    }

    /// The same, once there is room.
    async fn push_later(&self, row: AuditRow) -> Option<AuditRow> {
        let place = match self.queue.get() {
            Some(queue) => queue.reserve().await.ok(),
            None => None,
        };
        self.fill(place, row)
    }

    /// The row is counted before it is there, for who takes it out. Waking a task costs more than queueing, so it is woken
    /// for the first row and for a full page.
    fn fill(&self, place: Option<mpsc::Permit<'_, AuditRow>>, row: AuditRow) -> Option<AuditRow> {
        let Some(place) = place else { return Some(row) };
        let before = self.waiting.fetch_add(1, AcqRel);
        if before == 0 || (before + 1).is_multiple_of(PAGE) {
            self.wake.notify_one();
        }
        place.send(row);
        None
    }
}

impl Authority {
    /// Writes an event where it belongs.
    pub(crate) async fn keep(&self, event: Event) {
        let rank = event.kind.rank();
        if rank == Rank::Routine && self.0.settings.trail.routine == Routine::Counted {
            return;
        }
        let now = self.0.clock.now();
        let Ok(id) = self.0.trail.ids.next(now, &self.0.entropy) else {
            self.0.tally.audit_lost.add_one();
            return;
        };
        let notice = self.notice_of(&event, id, now);
        let row = event.into_row(id);
        // Who has to wait does so in a box, or each future that records something would carry all that is waited for.
        if rank > Rank::Routine || notice.is_some() {
            return Box::pin(self.write_notable(row, notice)).await;
        }
        if let Some(row) = self.0.trail.push(row) {
            Box::pin(self.write_crowded(row)).await;
        }
    }

    async fn write_notable(&self, row: AuditRow, notice: Option<NewDelivery>) {
        let noticed = notice.is_some();
        self.write_one(row, notice).await;
        if noticed {
            self.0.bell.notify_one();
        }
    }

    async fn write_crowded(&self, row: AuditRow) {
        if let Some(row) = self.0.trail.push_later(row).await {
            self.write_one(row, None).await;
        }
    }

    /// A page of one event has the event's identifier.
    async fn write_one(&self, row: AuditRow, notice: Option<NewDelivery>) {
        if let Err(error) = self.0.store.add_audit(row.id, &[row], notice).await {
            self.lost(1, &error);
        }
    }

    /// The background task: writes what is queued until `end` comes, and then what is left.
    pub async fn write_trail(&self, end: impl Future<Output = ()>) {
        let (sender, mut queue) = mpsc::channel(QUEUE);
        if self.0.trail.queue.set(sender).is_err() {
            tracing::error!("the audit trail has a writer already");
            return;
        }
        tokio::pin!(end);
        loop {
            let ended = tokio::select! {
                () = self.gathered() => false,
                () = &mut end => true,
            };
            if ended {
                // Whoever comes from here on writes for himself.
                queue.close();
            }
            self.drain(&mut queue, if ended { usize::MAX } else { QUEUE }).await;
            if ended {
                return;
            }
        }
    }

    /// Comes to its end when there is something to write: enough of it, or some that has waited long enough.
    async fn gathered(&self) {
        let trail = &self.0.trail;
        while trail.waiting() == 0 {
            trail.wake.notified().await;
        }
        let enough = async {
            while trail.waiting() < PAGE {
                trail.wake.notified().await;
            }
        };
        let _ = timeout(LATE, enough).await;
    }

    async fn drain(&self, queue: &mut mpsc::Receiver<AuditRow>, most: usize) {
        let mut taken = 0;
        while taken < most {
            let mut rows = Vec::new();
            while rows.len() < PAGE {
                match queue.try_recv() {
                    Ok(row) => rows.push(row),
                    Err(_) => break,
                }
            }
            if rows.is_empty() {
                return;
            }
            let count = rows.len();
            taken += count;
            self.0.trail.waiting.fetch_sub(count, AcqRel);
            self.write(&rows).await;
        }
    }

    async fn write(&self, rows: &[AuditRow]) {
        let Ok(id) = self.0.trail.ids.next(self.0.clock.now(), &self.0.entropy) else {
            return self.0.tally.audit_lost.add(u64::try_from(rows.len()).unwrap_or(u64::MAX));
        };
        for attempt in 1..=TRIES {
            match self.0.store.add_audit(id, rows, None).await {
                // The answer to the last try was lost, and the page was not.
                Ok(()) | Err(Error::Unique { .. }) => return,
                Err(error) if attempt == TRIES => return self.lost(rows.len(), &error),
                Err(error) => {
                    tracing::warn!(%error, rows = rows.len(), "events could not be written yet");
                    sleep(LATE * attempt).await;
                }
            }
        }
    }

    fn lost(&self, rows: usize, error: &Error) {
        self.0.tally.audit_lost.add(u64::try_from(rows).unwrap_or(u64::MAX));
        tracing::error!(%error, rows, "events could not be written to the audit trail");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn no_two_rows_have_one_identifier() {
        let (ids, entropy) = (Ids::default(), Entropy::system());
        let drawn: BTreeSet<_> = (0..1000).map(|_| ids.next(UtcMillis(7), &entropy).unwrap().0).collect();
        assert_eq!(drawn.len(), 1000);
        assert!(drawn.iter().all(|id| id.starts_with(&[0, 0, 0, 0, 0, 7]) && id[6] >> 4 == 7 && id[8] >> 6 == 2));
    }
}
