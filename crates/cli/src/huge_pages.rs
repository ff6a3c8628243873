//! Huge pages: none for gatepass, and the system's own setting for what it runs.
//!
//! With them a command that lives for milliseconds, or an agent that is idle, takes up megabytes that it never uses, and the
//! server gains nothing. The allocator turns them off at the start (`no_thp`), for this process and whatever it becomes.

/// Gives them back before a program of the person's is run.
pub(crate) fn give_back() {
    // A system that has none refuses, and nothing is lost.
    #[cfg(target_os = "linux")]
    let _ = rustix::thread::disable_transparent_huge_pages(false);
}
