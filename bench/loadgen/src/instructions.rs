//! What a process executes in user mode, counted by Linux: unlike its rate it hardly depends on the machine's mood.

use perf_event::{Builder, Counter, events::Hardware};
use std::fs;

/// Counts from its start, in all threads of a process and in those that they begin.
pub struct Instructions(Vec<Counter>);

impl Instructions {
    /// `None` where the machine or its settings have no such counters.
    pub fn of(pid: u32) -> Option<Instructions> {
        let mut counters = Vec::new();
        for entry in fs::read_dir(format!("/proc/{pid}/task")).ok()?.flatten() {
            let thread = entry.file_name().to_str()?.parse().ok()?;
            let mut builder = Builder::new(Hardware::INSTRUCTIONS);
            let mut counter = builder.observe_pid(thread).inherit(true).build().ok()?;
            counter.enable().ok()?;
            counters.push(counter);
        }
        Some(Instructions(counters))
    }

    /// How many so far.
    pub fn count(&mut self) -> Option<u64> {
        self.0.iter_mut().map(|counter| counter.read().ok()).sum()
    }
}
