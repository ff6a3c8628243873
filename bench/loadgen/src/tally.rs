//! What the workers found, and what it amounts to.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

/// An operation that went right.
#[derive(Default)]
pub struct Done {
    /// How long its first request took, where it has several.
    pub first_leg: Option<Duration>,
    /// The server asked to slow down, which is right too, and counted apart.
    pub slowed_down: bool,
    /// Bytes of the last answer.
    pub bytes: usize,
}

/// All that happened between `start` and `end`.
pub struct Tally {
    start: Instant,
    end: Instant,
    micros: Vec<u32>,
    leg_micros: Vec<u32>,
    pub errors: BTreeMap<String, u64>,
    pub slowed_down: u64,
    pub connects: u64,
    bytes: u64,
}

impl Tally {
    pub fn new(start: Instant, end: Instant) -> Self {
        Self {
            start,
            end,
            micros: Vec::with_capacity(1 << 20),
            leg_micros: Vec::new(),
            errors: BTreeMap::new(),
            slowed_down: 0,
            connects: 0,
            bytes: 0,
        }
    }

    /// Ends before its time: there is nothing left to do.
    pub fn end(&mut self) {
        self.end = self.end.min(Instant::now());
    }

    /// The seconds that were measured.
    pub fn seconds(&self) -> f64 {
        self.end.saturating_duration_since(self.start).as_secs_f64()
    }

    pub fn is_over(&self) -> bool {
        Instant::now() >= self.end
    }

    /// Counts an operation that began at `began` and is over now.
    pub fn count(&mut self, began: Instant, result: Result<Done, String>) {
        let now = Instant::now();
        if began < self.start || now > self.end {
            return;
        }
        match result {
            Ok(done) => {
                self.micros.push(micros(now - began));
                self.leg_micros.extend(done.first_leg.map(micros));
                self.slowed_down += u64::from(done.slowed_down);
                self.bytes += done.bytes as u64;
            }
            Err(error) => *self.errors.entry(error.chars().take(200).collect()).or_default() += 1,
        }
    }

    /// Call once, when nothing more will be counted.
    pub fn sort(&mut self) {
        self.micros.sort_unstable();
        self.leg_micros.sort_unstable();
    }

    pub fn operations(&self) -> usize {
        self.micros.len()
    }

    pub fn mean_bytes(&self) -> u64 {
        self.bytes / (self.operations() as u64).max(1)
    }

    /// Milliseconds below which `part` of the operations stayed.
    pub fn percentile(&self, part: f64) -> f64 {
        percentile(&self.micros, part)
    }

    pub fn leg_percentile(&self, part: f64) -> f64 {
        percentile(&self.leg_micros, part)
    }

    pub fn mean(&self) -> f64 {
        let sum: u64 = self.micros.iter().copied().map(u64::from).sum();
        round(sum as f64 / 1000.0 / self.operations().max(1) as f64, 3)
    }
}

fn micros(time: Duration) -> u32 {
    u32::try_from(time.as_micros()).unwrap_or(u32::MAX)
}

fn percentile(sorted: &[u32], part: f64) -> f64 {
    let index = ((sorted.len() as f64 * part).ceil() as usize).clamp(1, sorted.len().max(1)) - 1;
    sorted.get(index).map_or(0.0, |micros| f64::from(*micros) / 1000.0)
}

pub fn round(number: f64, digits: i32) -> f64 {
    let scale = 10_f64.powi(digits);
    (number * scale).round() / scale
}
