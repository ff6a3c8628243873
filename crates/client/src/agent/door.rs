//! Those who have connected and have not yet said what they want, or who they are.
//!
//! There is a bounded number of places. When one more comes, whoever has been silent longest gives way: somebody who has
//! something to say says it at once, so connections that say nothing keep nobody out, however many they are.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio::sync::oneshot;

/// The places.
#[derive(Debug)]
pub struct Door {
    places: usize,
    waiting: Mutex<Waiting>,
}

#[derive(Debug, Default)]
struct Waiting {
    next: u64,
    line: VecDeque<(u64, oneshot::Sender<()>)>,
}

/// Somebody at the door; dropped, the place is free.
#[derive(Debug)]
pub struct Visitor {
    door: Arc<Door>,
    number: u64,
    sent_away: oneshot::Receiver<()>,
}

impl Door {
    /// A door with so many places.
    #[must_use]
    pub fn new(places: usize) -> Arc<Self> {
        Arc::new(Self { places, waiting: Mutex::default() })
    }

    /// A place for one more, for which another may have to go.
    #[must_use]
    pub fn enter(self: &Arc<Self>) -> Visitor {
        let (send_away, sent_away) = oneshot::channel();
        let mut waiting = self.waiting();
        if waiting.line.len() >= self.places
            && let Some((_, oldest)) = waiting.line.pop_front()
        {
            // Nobody hears it who is about to leave anyway.
            let _ = oldest.send(());
        }
        let number = waiting.next;
        waiting.next += 1;
        waiting.line.push_back((number, send_away));
        drop(waiting);
        Visitor { door: Arc::clone(self), number, sent_away }
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Visitor {
    /// What `work` comes to; `None` when the place was needed before.
    pub async fn unless_sent_away<T>(mut self, work: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            biased;
            done = work => Some(done),
            Ok(()) = &mut self.sent_away => None,
        }
    }
}

impl Drop for Visitor {
    fn drop(&mut self) {
        self.door.waiting().line.retain(|(number, _)| *number != self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::{pending, ready};

    #[tokio::test]
    async fn who_has_been_silent_longest_gives_way_and_nobody_else() {
        let door = Door::new(2);
        let (first, second) = (door.enter(), door.enter());
        drop(second);
        let second = door.enter();
        let third = door.enter();
        assert_eq!(first.unless_sent_away(pending::<()>()).await, None);
        assert_eq!(third.unless_sent_away(ready(3)).await, Some(3));
        let fourth = door.enter();
        assert_eq!(second.unless_sent_away(ready(2)).await, Some(2));
        assert_eq!(fourth.unless_sent_away(ready(4)).await, Some(4));
        assert!(door.waiting().line.is_empty());
    }
}
