//! The log on standard error.

use std::io::{self, IsTerminal};

use tracing_subscriber::filter::LevelFilter;

use crate::Failure;

/// Starts the log at `level`, one of `error`, `warn`, `info`, `debug` and `trace`; info where none is given.
///
/// # Errors
/// The level is none.
pub(crate) fn start(level: Option<&str>) -> Result<(), Failure> {
    let level: LevelFilter = level.unwrap_or("info").parse().map_err(|_| {
        Failure::usage(format!(
            "unknown log level {:?}; choose error, warn, info, debug or trace",
            level.unwrap_or_default()
        ))
    })?;
    let log = tracing_subscriber::fmt().with_max_level(level).with_writer(io::stderr).with_target(false);
    // A second log in one process is one of a test.
    let _ = log.with_ansi(io::stderr().is_terminal()).try_init();
    Ok(())
}
