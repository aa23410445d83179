//! How many files the process may have open.

/// Raises the limit on open files as far as the system lets, and says what it is now; `None` for no limit.
#[cfg(unix)]
pub(crate) fn raise() -> Option<u64> {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    match setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }) {
        Ok(()) => maximum,
        Err(_) => current,
    }
}

/// There is no such limit elsewhere.
#[cfg(not(unix))]
pub(crate) fn raise() -> Option<u64> {
    None
}
