//! What a process executes in user mode, counted by Linux: unlike its rate it hardly depends on the machine's mood.
//!
//! Counting has a price at every change of context, which a process pays that waits often. So it is done only when
//! [`ASKED`] is set, and rates are taken without it.

use perf_event::{Builder, Counter, events::Hardware};
use std::fs;

/// The environment variable that asks for it.
const ASKED: &str = "OAUTH_LOADGEN_INSTRUCTIONS";

/// Counts from its start, in all threads of a process and in those that they begin.
pub struct Instructions(Vec<Counter>);

impl Instructions {
    /// `None` when nobody asked, and where the machine or its settings have no such counters.
    pub fn of(pid: u32) -> Option<Instructions> {
        std::env::var_os(ASKED)?;
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
