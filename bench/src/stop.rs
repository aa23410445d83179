//! The wish of the user that everything ends.

#![expect(unsafe_code, reason = "a handler for signals has no safe form without another dependency")]

use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::bail;

/// From now on SIGINT and SIGTERM are only noted.
pub fn watch() {
    for signal in [libc::SIGINT, libc::SIGTERM] {
        let handler: extern "C" fn(libc::c_int) = note;
        // SAFETY: the handler does nothing but store to an atomic.
        unsafe { libc::signal(signal, handler as libc::sighandler_t) };
    }
}

/// # Errors
/// A signal asked for the end.
pub fn check() -> anyhow::Result<()> {
    if STOPPED.load(Ordering::Relaxed) {
        bail!("stopped by a signal");
    }
    Ok(())
}

extern "C" fn note(_: libc::c_int) {
    STOPPED.store(true, Ordering::Relaxed);
}

static STOPPED: AtomicBool = AtomicBool::new(false);
