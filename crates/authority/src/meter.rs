//! Counting what comes often: in memory first, and in the store only what is suspicious.
//!
//! A count in the store costs a write, which is right for a password and wrong for a thing that programs do all day. So
//! such a thing is counted here, and each time that an eighth of its limit has come together on this node, that much is
//! told to the store in one write, which answers with what all nodes have seen. Whoever stays below an eighth costs
//! nothing; who goes beyond the limit is refused on this node at once, and on `n` nodes after at most `n` eighths more.
//!
//! What is over its limit costs no write at all until its window ends. The memory is bounded: under a flood from very many
//! addresses counts may be forgotten, which is why there is a limit for the client beside that for the address.

use crate::Rate;
use gatepass_oauth::UtcMillis;
use gatepass_store::throttle::Attempts;
use quick_cache::sync::Cache;
use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicI64, Ordering::Relaxed},
};

/// How many subjects are remembered, a hundred bytes each or so.
const CAPACITY: usize = 64 * 1024;

/// What is counted in memory.
pub(crate) struct Meters {
    windows: Cache<String, Arc<Mutex<Window>>>,
    /// When the last window ends in which somebody is over a limit, in milliseconds of UTC.
    calm_from: AtomicI64,
}

/// One subject's count in the current window.
#[derive(Clone, Copy, Debug)]
struct Window {
    ends_at: UtcMillis,
    /// What the store has told of all nodes, and what it was told since.
    known: i64,
    /// What it was not told yet.
    untold: i64,
    /// What was not told in the window before.
    before: i64,
    alarmed: bool,
}

/// What one more means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Metered {
    /// It is within the limit.
    Within,
    /// It is within the limit, and so many are to be told to the store.
    Tell(i64),
    /// It is over the limit until then.
    Over {
        /// When the count begins anew.
        until: UtcMillis,
        /// Whether it is the first one of this window.
        first: bool,
    },
}

impl Default for Meters {
    fn default() -> Self {
        Self { windows: Cache::new(CAPACITY), calm_from: AtomicI64::new(i64::MIN) }
    }
}

impl Window {
    fn new(ends_at: UtcMillis) -> Self {
        Self { ends_at, known: 0, untold: 0, before: 0, alarmed: false }
    }

    fn over(&mut self, calm_from: &AtomicI64) -> Metered {
        calm_from.fetch_max(self.ends_at.0, Relaxed);
        let first = !std::mem::replace(&mut self.alarmed, true);
        Metered::Over { until: self.ends_at, first }
    }
}

impl Meters {
    /// Counts one of `bucket`.
    pub(crate) fn hit(&self, bucket: &str, rate: Rate, now: UtcMillis) -> Metered {
        self.with(bucket, rate, now, |window| {
            window.untold = window.untold.saturating_add(1);
            if window.known.saturating_add(window.untold) > rate.attempts {
                return window.over(&self.calm_from);
            }
            if window.untold < (rate.attempts / 8).max(1) {
                return Metered::Within;
            }
            let told = std::mem::take(&mut window.untold);
            window.known = window.known.saturating_add(told);
            Metered::Tell(told)
        })
    }

    /// Counts one of `bucket`. Of the first in its window: how many of the window before were not the first.
    pub(crate) fn first(&self, bucket: &str, rate: Rate, now: UtcMillis) -> Option<i64> {
        self.with(bucket, rate, now, |window| {
            window.untold = window.untold.saturating_add(1);
            (window.untold == 1).then(|| window.before.saturating_sub(1).max(0))
        })
    }

    /// Counts one of `bucket`. Of as many as the rate allows in a window: how many were more than that in the one before,
    /// which the first of them tells.
    pub(crate) fn few(&self, bucket: &str, rate: Rate, now: UtcMillis) -> Option<i64> {
        self.with(bucket, rate, now, |window| {
            window.untold = window.untold.saturating_add(1);
            let left_out = if window.untold == 1 { window.before.saturating_sub(rate.attempts).max(0) } else { 0 };
            (window.untold <= rate.attempts).then_some(left_out)
        })
    }

    /// What the store answered: what all nodes have seen, and until when it counts.
    pub(crate) fn learn(&self, bucket: &str, rate: Rate, now: UtcMillis, seen: Attempts) -> Metered {
        self.with(bucket, rate, now, |window| {
            window.known = window.known.max(seen.hits);
            window.ends_at = seen.window_ends_at;
            if window.known.saturating_add(window.untold) > rate.attempts {
                self.calm_from.fetch_max(window.ends_at.0, Relaxed);
            }
            if seen.hits > rate.attempts { window.over(&self.calm_from) } else { Metered::Within }
        })
    }

    /// Whether nobody was found to be over a limit whose window has not ended: what is true nearly always, and known at
    /// the cost of one look.
    pub(crate) fn are_calm(&self, now: UtcMillis) -> bool {
        self.calm_from.load(Relaxed) <= now.0
    }

    /// Whether `bucket` is known to be over its limit, without counting.
    pub(crate) fn is_over(&self, bucket: &str, rate: Rate, now: UtcMillis) -> Option<UtcMillis> {
        let window = self.windows.get(bucket)?;
        let window = window.lock().unwrap_or_else(PoisonError::into_inner);
        let over = window.known.saturating_add(window.untold) > rate.attempts;
        (over && window.ends_at > now).then_some(window.ends_at)
    }

    fn with<T>(&self, bucket: &str, rate: Rate, now: UtcMillis, work: impl FnOnce(&mut Window) -> T) -> T {
        let fresh = || Window::new(now.plus(rate.window));
        let window = match self.windows.get(bucket) {
            Some(window) => window,
            None => {
                // Two at once may each begin a window; one of the two first counts is then forgotten.
                let window = Arc::new(Mutex::new(fresh()));
                self.windows.insert(bucket.to_owned(), window.clone());
                window
            }
        };
        let mut window = window.lock().unwrap_or_else(PoisonError::into_inner);
        if window.ends_at <= now {
            *window = Window { before: window.untold, ..fresh() };
        }
        work(&mut window)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    const RATE: Rate = Rate { attempts: 16, window: Duration::from_secs(60) };

    #[test]
    fn an_eighth_is_told_and_the_limit_holds_here_at_once() {
        let meters = Meters::default();
        let answers: Vec<_> = (0..19).map(|_| meters.hit("a", RATE, UtcMillis(0))).collect();
        let told: i64 = answers.iter().map(|met| if let Metered::Tell(n) = met { *n } else { 0 }).sum();
        assert_eq!(told, 16);
        assert_eq!(answers.iter().filter(|met| matches!(met, Metered::Tell(_))).count(), 8);
        let until = UtcMillis(60_000);
        assert_eq!(answers[16..], [true, false, false].map(|first| Metered::Over { until, first }));
        assert_eq!(meters.is_over("a", RATE, UtcMillis(59_999)), Some(until));
        assert_eq!([59_999, 60_000].map(|now| meters.are_calm(UtcMillis(now))), [false, true]);
        assert_eq!(meters.is_over("a", RATE, until), None);
        assert_eq!(meters.hit("a", RATE, until), Metered::Within, "the window has ended");
        assert_eq!(meters.hit("b", RATE, UtcMillis(0)), Metered::Within, "another subject has its own count");
    }

    #[test]
    fn one_of_a_window_is_the_first() {
        let meters = Meters::default();
        let told = [0, 1, 59_999, 60_000, 60_001].map(|now| meters.first("a", RATE, UtcMillis(now)));
        assert_eq!(told, [Some(0), None, None, Some(2), None], "the next one tells how many were left out");
        assert_eq!(meters.first("b", RATE, UtcMillis(1)), Some(0));
    }

    #[test]
    fn what_other_nodes_saw_counts() {
        let meters = Meters::default();
        assert_eq!(meters.hit("a", RATE, UtcMillis(0)), Metered::Within);
        assert_eq!(meters.hit("a", RATE, UtcMillis(0)), Metered::Tell(2));
        assert!(meters.are_calm(UtcMillis(0)));
        let seen = Attempts { hits: 17, window_ends_at: UtcMillis(5_000) };
        let over = Metered::Over { until: UtcMillis(5_000), first: true };
        assert_eq!(meters.learn("a", RATE, UtcMillis(0), seen), over);
        assert!(!meters.are_calm(UtcMillis(4_999)));
        assert!(matches!(meters.hit("a", RATE, UtcMillis(0)), Metered::Over { first: false, .. }));
    }
}
