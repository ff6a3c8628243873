//! How many files and connections this process may have open.
//!
//! Systems start programs with room for 256 or 1,024, for the sake of old ones, and let those that know have more: the
//! bounds of what listens here are in its own tables of connections.

/// Enough for every bound there is, and no more than any system gives whose hard limit is higher.
#[cfg(unix)]
const MANY: u64 = 10_240;

/// Takes as much room as the system gives, and no more than that. With less, connections wait sooner.
#[cfg(unix)]
pub(crate) fn allow_many() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let wanted = maximum.map_or(MANY, |maximum| maximum.min(MANY));
    if current.is_some_and(|current| current < wanted)
        && let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: Some(wanted), maximum })
    {
        tracing::debug!(%error, current, "the limit of open files is as it was");
    }
}

/// This system has no such number.
#[cfg(not(unix))]
pub(crate) fn allow_many() {}
