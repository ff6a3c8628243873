//! Huge pages: none for an agent that is started on demand.
//!
//! The allocator asks for none (`no_thp`), but some systems hand them to every process. An agent that is idle then holds
//! megabytes that it never uses, and one that nobody started by hand should not; who starts it keeps what it had.

/// Does something, such as starting a process, without huge pages. Where there are none it is just done.
#[cfg(target_os = "linux")]
pub(crate) fn without<T>(work: impl FnOnce() -> T) -> T {
    use rustix::thread::{
        disable_transparent_huge_pages as disable, transparent_huge_pages_are_disabled as are_disabled,
    };
    let has_them = matches!(are_disabled(), Ok(false)) && disable(true).is_ok();
    let done = work();
    if has_them {
        let _ = disable(false);
    }
    done
}

/// Does something; this system hands out no huge pages unasked.
#[cfg(not(target_os = "linux"))]
pub(crate) fn without<T>(work: impl FnOnce() -> T) -> T {
    work()
}
