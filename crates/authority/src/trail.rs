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
    fmt::Display,
    future::Future,
    pin::{Pin, pin},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::{
    sync::Notify,
    time::{Instant, sleep, timeout_at},
};

/// How long a routine event waits for others at most.
const LATE: Duration = Duration::from_millis(200);
/// How many routine events wait at most, beside the page that is being written; then requests do.
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
    /// When the first event came onto the open page.
    open_since: Option<Instant>,
}

/// What became of an event that was to be gathered.
enum Gathering {
    Done,
    NoRoom,
    NobodyWrites,
    Failed(Error),
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
        if self.open.events() == 1 {
            self.open_since = Some(Instant::now());
        } else if self.open.events() >= PAGE {
            let page = self.turn();
            self.full.push_back(page);
        }
        Gathering::Done
    }

    /// Closes the open page and begins another one.
    fn turn(&mut self) -> Page {
        self.open_since = None;
        let next = self.open.next();
        std::mem::replace(&mut self.open, next)
    }

    /// When the open page is written, full or not.
    fn due_at(&self) -> Option<Instant> {
        self.open_since.map(|since| since + LATE)
    }

    /// The next page to write: a full one, or one that has waited long enough.
    fn take(&mut self, now: Instant) -> Option<Page> {
        let is_late = self.due_at().is_some_and(|at| at <= now);
        self.full.pop_front().or_else(|| is_late.then(|| self.turn()))
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

    /// The next page, once it is to be written.
    async fn next_page(&self) -> Page {
        loop {
            let due_at = {
                let mut gathered = self.lock();
                match gathered.take(Instant::now()) {
                    Some(page) => return page,
                    None => gathered.due_at(),
                }
            };
            match due_at {
                Some(at) => drop(timeout_at(at, self.wake.notified()).await),
                None => self.wake.notified().await,
            }
        }
    }

    /// What is left. Whoever comes from here on writes for himself, and so does who waits for room.
    fn close(&self) -> VecDeque<Page> {
        let mut gathered = self.lock();
        gathered.is_written = false;
        let open = gathered.turn();
        let mut left = std::mem::take(&mut gathered.full);
        drop(gathered);
        self.room.notify_waiters();
        left.extend(Some(open).filter(|page| page.events() > 0));
        left
    }
}

/// Who writes the trail. However he ends, nobody waits for him afterwards, and what he leaves is told of.
struct Writer<'a> {
    authority: &'a Authority,
    /// What is taken from the trail, and not on the disk yet.
    in_hand: VecDeque<Page>,
}

impl Writer<'_> {
    /// Writes what is in hand.
    async fn write(&mut self) {
        while let Some(page) = self.in_hand.front() {
            self.authority.write(page).await;
            self.in_hand.pop_front();
        }
    }
}

impl Drop for Writer<'_> {
    fn drop(&mut self) {
        let trail = &self.authority.0.trail;
        let left: usize = self.in_hand.iter().chain(&trail.close()).map(Page::events).sum();
        if left > 0 {
            self.authority.lost(left, &"the writer of the trail has ended");
        }
    }
}

impl Authority {
    /// Puts an event where it belongs, at once. What is left to wait for is given back, in a box: hardly any event has it,
    /// and each future that records something would carry it.
    pub(crate) fn keep(&self, event: Event) -> Option<Pin<Box<dyn Future<Output = ()> + Send + '_>>> {
        let rank = event.kind.rank();
        if rank == Rank::Routine && self.0.settings.trail.routine == Routine::Counted {
            return None;
        }
        let now = self.0.clock.now();
        let Ok(id) = self.0.trail.ids.next(now, &self.0.entropy) else {
            self.0.tally.audit_lost.add_one();
            return None;
        };
        let notice = self.notice_of(&event, id, now);
        let row = event.into_row(id);
        if rank > Rank::Routine || notice.is_some() {
            return Some(Box::pin(self.write_notable(row, notice)));
        }
        match self.0.trail.push(&row) {
            Gathering::Done => None,
            gathering => Some(Box::pin(self.write_crowded(row, gathering))),
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
        let mut writer = Writer { authority: self, in_hand: VecDeque::new() };
        tokio::pin!(end);
        loop {
            tokio::select! {
                page = trail.next_page() => writer.in_hand.push_back(page),
                () = &mut end => break,
            }
            writer.write().await;
            trail.room.notify_waiters();
        }
        writer.in_hand = trail.close();
        writer.write().await;
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

    fn lost(&self, rows: usize, error: &dyn Display) {
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
        let (now, later) = (Instant::now(), Instant::now() + LATE);
        let mut take = |now| gathered.take(now).map(|page| page.events());
        assert_eq!([take(now), take(now), take(later), take(later)], [Some(PAGE), None, Some(44), None]);
        assert_eq!(gathered.events(), 0);
    }

    #[tokio::test(crate = "gatepass_testkit::tokio")]
    async fn who_finds_no_room_waits_for_it_and_who_finds_no_writer_writes_himself() {
        let trail = Trail::default();
        assert!(matches!(trail.push(&row()), Gathering::NobodyWrites));
        trail.lock().is_written = true;
        assert!((0..MOST).all(|_| matches!(trail.push(&row()), Gathering::Done)));
        assert!(matches!(trail.push(&row()), Gathering::NoRoom));
        let later = row();
        let (waited, page) = tokio::join!(trail.push_later(&later), async {
            tokio::task::yield_now().await;
            let page = trail.next_page().await;
            trail.room.notify_waiters();
            page.events()
        });
        assert!(matches!(waited, Gathering::Done) && page == PAGE);
        assert_eq!(trail.waiting(), MOST - PAGE + 1);
        for _ in 1..MOST / PAGE {
            assert_eq!(trail.next_page().await.events(), PAGE);
        }
        assert_eq!(trail.next_page().await.events(), 1, "one alone is written when its time has come");
    }

    #[tokio::test(crate = "gatepass_testkit::tokio")]
    async fn nobody_waits_for_a_writer_that_is_gone() {
        let trail = Trail::default();
        trail.lock().is_written = true;
        assert!((0..MOST).all(|_| matches!(trail.push(&row()), Gathering::Done)));
        let later = row();
        let (waited, left) = tokio::join!(trail.push_later(&later), async {
            tokio::task::yield_now().await;
            trail.close()
        });
        assert!(matches!(waited, Gathering::NobodyWrites));
        assert_eq!(left.iter().map(Page::events).sum::<usize>(), MOST);
    }

    #[test]
    fn no_two_rows_have_one_identifier() {
        let (ids, entropy) = (Ids::default(), Entropy::system());
        let drawn: BTreeSet<_> = (0..1000).map(|_| ids.next(UtcMillis(7), &entropy).unwrap().0).collect();
        assert_eq!(drawn.len(), 1000);
        assert!(drawn.iter().all(|id| id.starts_with(&[0, 0, 0, 0, 0, 7]) && id[6] >> 4 == 7 && id[8] >> 6 == 2));
    }
}
