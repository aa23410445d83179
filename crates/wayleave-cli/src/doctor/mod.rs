//! `wayleave check`: why it does not connect, for people and for programs.
//!
//! `code` is the table of everything that can be found, `report` what was found, `verdict` and `quality` what follows from it,
//! `show` how it is told; none of them has a socket. `probe` looks.

mod code;
mod options;
mod probe;
mod progress;
mod quality;
mod report;
mod show;
mod verdict;

#[cfg(test)]
mod tests;

use std::env;
use std::fs::OpenOptions;
use std::io::{self, IsTerminal};
use std::path::Path;
use std::sync::Arc;

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::Failure;
use crate::stdout::print;

use probe::{Notes, examine};
use progress::Progress;
use show::{Paint, document, page, table};
use verdict::Verdict;

pub(crate) use options::CheckArgs;

/// Checks, tells, and says whether it works.
///
/// # Errors
/// An argument is wrong, the page cannot be written, or standard output cannot.
pub(crate) async fn run(args: CheckArgs) -> Result<bool, Failure> {
    if args.codes {
        print(&code::table())?;
        return Ok(true);
    }
    let environment = env::var("WAYLEAVE_TOKEN").ok().filter(|token| !token.is_empty());
    let (json, page_path) = (args.json, args.report.clone());
    // Whoever waits for a page should not learn at the end that it has no place.
    if let Some(path) = &page_path {
        OpenOptions::new().append(true).create(true).open(path).map_err(|error| unwritten(path, &error))?;
    }
    let plan = args.plan(environment)?;
    let progress = Progress::begin(plan.idle);
    let notes = Notes::new(progress.hearing());
    let report = examine(Arc::new(plan), Arc::new(notes)).await;
    progress.end();
    let verdict = Verdict::of(&report);
    if let Some(path) = &page_path {
        std::fs::write(path, page(&report, &verdict)).map_err(|error| unwritten(path, &error))?;
    }
    if json {
        print(&format!("{:#}\n", document(&report, &verdict)))?;
    } else {
        print(&table(&report, &verdict, paint()))?;
    }
    Ok(verdict.works)
}

/// The present, as it stands in a report.
fn now() -> String {
    let now = OffsetDateTime::now_utc();
    now.replace_nanosecond(0).unwrap_or(now).format(&Rfc3339).unwrap_or_default()
}

fn unwritten(path: &Path, error: &io::Error) -> Failure {
    Failure::usage(format!("the report {} cannot be written: {error}", path.display()))
}

/// Colours are for terminals, and for those who want them there (<https://no-color.org>).
fn paint() -> Paint {
    let is_wanted = env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    let is_able = env::var_os("TERM").is_none_or(|term| term != "dumb");
    if io::stdout().is_terminal() && is_wanted && is_able { Paint::Colours } else { Paint::Plain }
}
