//! What a server's answer teaches whoever made a proof that it refused (RFC 9449 §8, §9, §11.1).

use super::memory::{Known, Memory};
use crate::told::Told;
use gatepass_keys::Clock;
use url::Url;

/// What a server finds wrong with a proof that another one may mend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Complaint {
    /// Its nonce (§8, §9).
    Nonce,
    /// Something else; perhaps its time.
    Proof,
}

/// Why another proof may be taken where the last one was not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lesson {
    /// The server told its nonce.
    Nonce,
    /// The server told its time, and it is not ours.
    Time,
}

/// What was learned for one request: each lesson helps once.
#[derive(Clone, Copy, Debug, Default)]
pub struct Lessons {
    nonce: bool,
    time: bool,
}

impl Lessons {
    /// Whether this was not learned before.
    pub fn are_new(&mut self, lesson: Lesson) -> bool {
        let known = match lesson {
            Lesson::Nonce => &mut self.nonce,
            Lesson::Time => &mut self.time,
        };
        !std::mem::replace(known, true)
    }
}

impl Complaint {
    /// The lesson of an answer to a proof that was made by what was `known`; the memory has it from now on.
    pub(crate) fn teaches(
        self,
        memory: &Memory,
        clock: &Clock,
        url: &Url,
        told: &Told,
        known: &Known,
    ) -> Option<Lesson> {
        match self {
            Self::Nonce => (told.nonce != known.nonce).then_some(Lesson::Nonce),
            Self::Proof => memory.learn_time(url, told.date, clock, known.clock_ahead).then_some(Lesson::Time),
        }
    }
}
