//! The log on standard error.
//!
//! It stands on no data path: lines are written on a thread of their own ([`Lines`]), whoever reads them and however.

mod outlet;

#[cfg(test)]
mod tests;

use std::env;
use std::io::{self, IsTerminal, Write};
use std::panic;
use std::process;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;
use wayleave_settings::relay::LogFormat;

use crate::Failure;
use crate::lines::Lines;

use outlet::StandardError;

/// The log of this process, from its start on.
static LOG: OnceLock<Log> = OnceLock::new();

struct Log {
    lines: Lines,
    format: LogFormat,
}

/// Starts the log at `level`, one of `error`, `warn`, `info`, `debug` and `trace`.
///
/// Where it is `None`, the environment variable `RUST_LOG` counts, which can also name parts of the program, and without
/// that it is info.
///
/// # Errors
/// The level is none, or the system gives no thread.
pub(crate) fn start(level: Option<&str>, format: LogFormat) -> Result<(), Failure> {
    let environment = env::var("RUST_LOG").ok().filter(|filter| !filter.is_empty());
    let filter = match (level, environment) {
        (Some(level), _) => EnvFilter::default().add_directive(level_of(level)?.into()),
        (None, Some(filter)) => EnvFilter::try_new(filter)
            .map_err(|error| Failure::usage(format!("the variable RUST_LOG cannot be used: {error}")))?,
        (None, None) => EnvFilter::default().add_directive(LevelFilter::INFO.into()),
    };
    let lines = Lines::start("wayleave-log", StandardError { format }, HELD)
        .map_err(|error| Failure::run(format!("the log cannot be started: {error}")))?;
    // A second log in one process is one of a test.
    let _ = LOG.set(Log { lines, format });
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(|| Line)
        .with_target(false)
        .log_internal_errors(false);
    let _ = match format {
        LogFormat::Json => log.json().flatten_event(true).try_init(),
        LogFormat::Text => log.with_ansi(io::stderr().is_terminal()).try_init(),
    };
    Ok(())
}

/// Says something at any log level: where the process listens, why it ends.
pub(crate) fn say(level: &str, message: &str) {
    match LOG.get() {
        Some(Log { lines, format: LogFormat::Json }) => {
            let line = serde_json::json!({ "level": level, "message": message });
            lines.push(format!("{line}\n").into_bytes());
        }
        Some(Log { lines, format: LogFormat::Text }) => lines.push(format!("{message}\n").into_bytes()),
        // Whoever reads no more does not want to know.
        None => drop(writeln!(io::stderr(), "{message}")),
    }
}

/// Waits until everything was written, for a moment and not longer.
pub(crate) fn finish() {
    if let Some(log) = LOG.get() {
        log.lines.flush(Instant::now() + LAST_WORDS);
    }
}

/// Lets a panic, in whichever thread or task, end the process with status 101 and a line that says where it was.
///
/// What a part that panicked has left behind is known to nobody, so nothing goes on beside it: whoever watches the process
/// starts it anew.
pub(crate) fn end_at_panics() {
    panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        let payload = panic.payload();
        let what = payload.downcast_ref::<&str>().copied();
        let what = what.or_else(|| payload.downcast_ref::<String>().map(String::as_str));
        let what = what.unwrap_or("for a reason without words");
        say("ERROR", &format!("wayleave: a fault of this program at {place}: {what}; please report it"));
        finish();
        process::exit(PANICKED);
    }));
}

/// One line on its way to the log, which has taken it whole before this returns.
struct Line;

impl Write for Line {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if let Some(log) = LOG.get() {
            log.lines.push(bytes.to_vec());
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn level_of(level: &str) -> Result<LevelFilter, Failure> {
    level.parse().map_err(|_| {
        Failure::usage(format!("unknown log level {level:?}; choose error, warn, info, debug or trace"))
    })
}

/// Bytes that wait for a reader.
const HELD: usize = 1 << 20;
/// How long the last lines may take.
const LAST_WORDS: Duration = Duration::from_millis(300);
/// The exit status after a panic, as Rust has it.
const PANICKED: i32 = 101;
