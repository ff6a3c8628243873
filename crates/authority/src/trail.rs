//! The audit trail: events as rows that are never changed.
//!
//! 1. A *routine* event goes onto a page in memory, and one background task writes what has gathered: at most
//!    [`LATE`] after it happened, or as soon as a whole page is there. When too much waits to be written, the request
//!    waits too. So a kill of the process may lose the last moment of routine events, and costs the rest of them a few
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
    audit::{AuditRow, PAGE, Page},
    webhook_delivery::NewDelivery,
};
use std::{
    collections::VecDeque,
    future::Future,
    pin::pin,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::{
    sync::Notify,
    time::{sleep, timeout},
};

/// How long a routine event waits for others at most.
const LATE: Duration = Duration::from_millis(200);
/// How many routine events wait at most; then requests do. As many again may be under way.
const MOST: usize = 8192;
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

/// What waits for the background task.
#[derive(Default)]
pub(crate) struct Trail {
    gathered: Mutex<Gathered>,
    wake: Notify,
    room: Notify,
    ids: Ids,
}

/// Pages that wait to be written.
#[derive(Default)]
struct Gathered {
    /// Whether anybody writes them.
    is_written: bool,
    full: VecDeque<Page>,
    open: Page,
}

/// What became of an event that was to be gathered.
enum Gathering {
    Done,
    NoRoom,
    NobodyWrites,
    Failed(Error),
}

/// Why it is time to write.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Due {
    /// There is a full page.
    Full,
    /// What there is has waited long enough.
    Late,
}

impl Gathered {
    fn events(&self) -> usize {
        self.full.len().saturating_mul(PAGE).saturating_add(self.open.events())
    }

    fn push(&mut self, row: &AuditRow) -> Gathering {
        match () {
            () if !self.is_written => return Gathering::NobodyWrites,
            () if self.events() >= MOST => return Gathering::NoRoom,
            () => {}
        }
        if let Err(error) = self.open.push(row) {
            return Gathering::Failed(error);
        }
        if self.open.events() >= PAGE {
            self.full.push_back(std::mem::take(&mut self.open));
        }
        Gathering::Done
    }

    /// What is to be written. A page that is not full waits for more, as long as it may.
    fn take(&mut self, due: Due) -> VecDeque<Page> {
        let mut pages = std::mem::take(&mut self.full);
        if due == Due::Late && self.open.events() > 0 {
            pages.push_back(std::mem::take(&mut self.open));
        }
        pages
    }
}

impl Trail {
    pub(crate) fn waiting(&self) -> usize {
        self.lock().events()
    }

    fn lock(&self) -> MutexGuard<'_, Gathered> {
        self.gathered.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gathers an event. Waking a task costs more than this, so it is woken for the first one and for a full page.
    fn push(&self, row: &AuditRow) -> Gathering {
        let mut gathered = self.lock();
        let gathering = gathered.push(row);
        let is_news = gathered.open.events() <= 1;
        drop(gathered);
        if is_news {
            self.wake.notify_one();
        }
        gathering
    }

    /// The same, once there is room.
    async fn push_later(&self, row: &AuditRow) -> Gathering {
        loop {
            let mut room = pin!(self.room.notified());
            // Told from here on, or what is made room for between the look and the waiting would go unheard.
            room.as_mut().enable();
            match self.push(row) {
                Gathering::NoRoom => room.await,
                gathering => return gathering,
            }
        }
    }

    /// Comes to its end when there is something to write.
    async fn due(&self) -> Due {
        while self.waiting() == 0 {
            self.wake.notified().await;
        }
        let full = async {
            while self.lock().full.is_empty() {
                self.wake.notified().await;
            }
        };
        match timeout(LATE, full).await {
            Ok(()) => Due::Full,
            Err(_) => Due::Late,
        }
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
        match self.0.trail.push(&row) {
            Gathering::Done => {}
            gathering => Box::pin(self.write_crowded(row, gathering)).await,
        }
    }

    async fn write_notable(&self, row: AuditRow, notice: Option<NewDelivery>) {
        let noticed = notice.is_some();
        self.write_one(&row, notice).await;
        if noticed {
            self.0.bell.notify_one();
        }
    }

    async fn write_crowded(&self, row: AuditRow, gathering: Gathering) {
        let gathering = match gathering {
            Gathering::NoRoom => self.0.trail.push_later(&row).await,
            other => other,
        };
        match gathering {
            Gathering::Done | Gathering::NoRoom => {}
            Gathering::NobodyWrites => self.write_one(&row, None).await,
            Gathering::Failed(error) => self.lost(1, &error),
        }
    }

    /// A page of one event has the event's identifier.
    async fn write_one(&self, row: &AuditRow, notice: Option<NewDelivery>) {
        let written = match Page::of(row) {
            Ok(page) => self.0.store.add_audit(row.id, &page, notice).await,
            Err(error) => Err(error),
        };
        if let Err(error) = written {
            self.lost(1, &error);
        }
    }

    /// The background task: writes what gathers until `end` comes, and then what is left.
    pub async fn write_trail(&self, end: impl Future<Output = ()>) {
        let trail = &self.0.trail;
        if std::mem::replace(&mut trail.lock().is_written, true) {
            tracing::error!("the audit trail has a writer already");
            return;
        }
        tokio::pin!(end);
        loop {
            let (due, ended) = tokio::select! {
                due = trail.due() => (due, false),
                () = &mut end => (Due::Late, true),
            };
            let pages = {
                let mut gathered = trail.lock();
                // Whoever comes after the end writes for himself, and so does who waits for room.
                gathered.is_written = !ended;
                gathered.take(due)
            };
            trail.room.notify_waiters();
            for page in pages {
                self.write(&page).await;
            }
            if ended {
                return;
            }
        }
    }

    async fn write(&self, page: &Page) {
        let Ok(id) = self.0.trail.ids.next(self.0.clock.now(), &self.0.entropy) else {
            return self.0.tally.audit_lost.add(u64::try_from(page.events()).unwrap_or(u64::MAX));
        };
        for attempt in 1..=TRIES {
            match self.0.store.add_audit(id, page, None).await {
                // The answer to the last try was lost, and the page was not.
                Ok(()) | Err(Error::Unique { .. }) => return,
                Err(error) if attempt == TRIES => return self.lost(page.events(), &error),
                Err(error) => {
                    tracing::warn!(%error, rows = page.events(), "events could not be written yet");
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

    fn row() -> AuditRow {
        crate::Event::new(crate::EventKind::TokenIssued).into_row(TokenId([7; 16]))
    }

    #[test]
    fn a_page_that_is_not_full_waits_for_more_and_not_for_ever() {
        let mut gathered = Gathered { is_written: true, ..Gathered::default() };
        assert!((0..PAGE + 44).all(|_| matches!(gathered.push(&row()), Gathering::Done)));
        let events = |pages: VecDeque<Page>| pages.iter().map(Page::events).collect::<Vec<_>>();
        assert_eq!(events(gathered.take(Due::Full)), [PAGE]);
        assert_eq!((gathered.events(), events(gathered.take(Due::Full))), (44, vec![]));
        assert_eq!(events(gathered.take(Due::Late)), [44]);
        assert_eq!((gathered.events(), events(gathered.take(Due::Late))), (0, vec![]));
    }

    #[tokio::test(crate = "gatepass_testkit::tokio")]
    async fn who_finds_no_room_waits_for_it_and_who_finds_no_writer_writes_himself() {
        let trail = Trail::default();
        assert!(matches!(trail.push(&row()), Gathering::NobodyWrites));
        trail.lock().is_written = true;
        assert!((0..MOST).all(|_| matches!(trail.push(&row()), Gathering::Done)));
        assert!(matches!(trail.push(&row()), Gathering::NoRoom));
        let later = row();
        let (waited, pages) = tokio::join!(trail.push_later(&later), async {
            tokio::task::yield_now().await;
            let pages = trail.lock().take(Due::Full);
            trail.room.notify_waiters();
            pages.len()
        });
        assert!(matches!(waited, Gathering::Done) && pages == MOST / PAGE);
        assert_eq!(trail.waiting(), 1);
        assert!(trail.due().await == Due::Late, "one alone is written when its time has come");
    }

    #[test]
    fn no_two_rows_have_one_identifier() {
        let (ids, entropy) = (Ids::default(), Entropy::system());
        let drawn: BTreeSet<_> = (0..1000).map(|_| ids.next(UtcMillis(7), &entropy).unwrap().0).collect();
        assert_eq!(drawn.len(), 1000);
        assert!(drawn.iter().all(|id| id.starts_with(&[0, 0, 0, 0, 0, 7]) && id[6] >> 4 == 7 && id[8] >> 6 == 2));
    }
}
