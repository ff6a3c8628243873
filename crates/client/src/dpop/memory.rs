//! What servers have told of nonces and time, by origin, for as long as the process lives (RFC 9449 §8.2).

use gatepass_keys::Clock;
use gatepass_oauth::UtcMillis;
use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};
use url::Url;

/// How many origins are remembered; when one more comes, all are asked anew.
const MAX_ORIGINS: usize = 64;
/// The longest nonce that is kept, in bytes.
const MAX_NONCE: usize = 512;
/// How far two clocks may be apart without notice, in milliseconds: a `Date` has whole seconds, and takes its time.
const TOLERATED: u64 = 3000;

/// What is known of one origin.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Known {
    /// The nonce that it gave last.
    pub nonce: Option<String>,
    /// How far its clock is ahead of ours, in milliseconds.
    pub clock_ahead: i64,
}

impl Known {
    /// Our clock, set to that origin's time.
    #[must_use]
    pub fn clock(&self, ours: &Clock) -> Clock {
        match self.clock_ahead {
            0 => ours.clone(),
            ahead => Clock::settable(UtcMillis(ours.now().0.saturating_add(ahead))),
        }
    }
}

/// The memory of a [`crate::Transport`].
#[derive(Debug, Default)]
pub struct Memory(Mutex<HashMap<String, Known>>);

impl Memory {
    /// What is known of a URL's origin.
    #[must_use]
    pub fn of(&self, url: &Url) -> Known {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(&origin(url)).cloned().unwrap_or_default()
    }

    /// Remembers a nonce, if it is one (§8: characters of `NQCHAR`).
    pub fn set_nonce(&self, url: &Url, nonce: &str) {
        if is_nonce(nonce) {
            self.change(url, |known| known.nonce = Some(nonce.to_owned()));
        }
    }

    /// Takes over the server's time from an answer that refuses what was made by ours, or by what was `believed` of the
    /// server's; whether that changes anything.
    pub(crate) fn learn_time(&self, url: &Url, date: Option<UtcMillis>, ours: &Clock, believed: i64) -> bool {
        let Some(date) = date else { return false };
        let ahead = date.0.saturating_sub(ours.now().0);
        let changes = ahead.abs_diff(believed) > TOLERATED;
        if changes {
            self.set_clock(url, ahead);
            tracing::debug!(origin = origin(url), seconds = ahead / 1000, "the server's clock is another");
        }
        changes
    }

    fn set_clock(&self, url: &Url, ahead: i64) {
        self.change(url, |known| known.clock_ahead = ahead);
    }

    fn change(&self, url: &Url, change: impl FnOnce(&mut Known)) {
        let (origin, mut all) = (origin(url), self.0.lock().unwrap_or_else(PoisonError::into_inner));
        if all.len() >= MAX_ORIGINS && !all.contains_key(&origin) {
            all.clear();
        }
        change(all.entry(origin).or_default());
    }
}

/// Whether a text can be a nonce.
#[must_use]
pub fn is_nonce(text: &str) -> bool {
    (1..=MAX_NONCE).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic() && !matches!(b, b'"' | b'\\'))
}

fn origin(url: &Url) -> String {
    url.origin().ascii_serialization()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_origin_has_its_own_and_the_memory_is_bounded() {
        let (memory, url) = (Memory::default(), |text: &str| text.parse::<Url>().unwrap());
        memory.set_nonce(&url("https://a.example/token"), "one");
        memory.set_clock(&url("https://a.example:443/other"), 5000);
        let known = memory.of(&url("https://a.example/"));
        assert_eq!(known, Known { nonce: Some("one".into()), clock_ahead: 5000 });
        assert_eq!(memory.of(&url("https://a.example:8443/token")), Known::default());
        for bad in ["", "a b", "a\"b", "a\r\nX: y", &"x".repeat(MAX_NONCE + 1)] {
            memory.set_nonce(&url("https://a.example/token"), bad);
        }
        assert_eq!(memory.of(&url("https://a.example/")).nonce.as_deref(), Some("one"));
        for port in 1..1000 {
            memory.set_nonce(&url(&format!("https://b.example:{port}/")), "n");
        }
        assert!(memory.0.lock().unwrap().len() <= MAX_ORIGINS);
    }
}
