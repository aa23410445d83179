//! The log on standard error.

use std::env;
use std::io::{self, IsTerminal};

use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;

use crate::Failure;
use crate::options::Word;

/// How a line of the log is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Format {
    /// One JSON object.
    Json,
    /// For people.
    #[default]
    Text,
}

impl Word for Format {
    fn read(text: &str) -> Result<Self, String> {
        match text {
            "json" => Ok(Self::Json),
            "text" => Ok(Self::Text),
            _ => Err("unknown format; choose text or json".into()),
        }
    }
}

/// Starts the log at `level`, one of `error`, `warn`, `info`, `debug` and `trace`.
///
/// Where it is `None`, the environment variable `RUST_LOG` counts, which can also name parts of the program, and without
/// that it is info.
///
/// # Errors
/// The level is none.
pub(crate) fn start(level: Option<&str>, format: Format) -> Result<(), Failure> {
    let environment = env::var("RUST_LOG").ok().filter(|filter| !filter.is_empty());
    let filter = match (level, environment) {
        (Some(level), _) => EnvFilter::default().add_directive(level_of(level)?.into()),
        (None, Some(filter)) => EnvFilter::try_new(filter)
            .map_err(|error| Failure::usage(format!("the variable RUST_LOG cannot be used: {error}")))?,
        (None, None) => EnvFilter::default().add_directive(LevelFilter::INFO.into()),
    };
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr).with_target(false);
    // A second log in one process is one of a test.
    let _ = match format {
        Format::Json => log.json().flatten_event(true).try_init(),
        Format::Text => log.with_ansi(io::stderr().is_terminal()).try_init(),
    };
    Ok(())
}

fn level_of(level: &str) -> Result<LevelFilter, Failure> {
    level.parse().map_err(|_| {
        Failure::usage(format!("unknown log level {level:?}; choose error, warn, info, debug or trace"))
    })
}
