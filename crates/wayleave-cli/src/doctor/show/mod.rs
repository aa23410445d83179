//! A report for people, for programs, and for whoever is asked for help.

mod html;
mod json;
mod table;

pub(super) use html::page;
pub(super) use json::document;
pub(super) use table::{Paint, table};

use super::report::Subject;
use std::time::Duration;

/// What a finding is about, where its relay is known already.
fn place(subject: &Subject) -> String {
    Subject { proxy: None, ..subject.clone() }.to_string()
}

/// A time as people read it.
fn span(took: Duration) -> String {
    let millis = took.as_millis();
    if millis < 10_000 { format!("{millis} ms") } else { format!("{} s", took.as_secs()) }
}
