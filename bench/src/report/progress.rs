//! The bar that says how far a run has come.

use std::io::{IsTerminal as _, Write as _, stderr};
use std::time::Duration;

/// A bar on standard error; without a terminal, a line for each row.
#[derive(Debug)]
pub struct Progress {
    total: usize,
    done: usize,
    row: String,
}

impl Progress {
    /// For `total` steps.
    pub fn new(total: usize) -> Self {
        Self { total: total.max(1), done: 0, row: String::new() }
    }

    /// A step begins.
    pub fn step(&mut self, row: &str, relay: &str) {
        let mut out = stderr().lock();
        // A closed standard error is no reason to stop.
        let _ = if out.is_terminal() {
            let filled = self.done * WIDTH / self.total;
            let percent = self.done * 100 / self.total;
            let bar = format!("{}{}", "#".repeat(filled), "-".repeat(WIDTH - filled));
            write!(out, "\r\x1b[K[{bar}] {percent:3} %  {row}  {relay}").and_then(|()| out.flush())
        } else if self.row == row {
            Ok(())
        } else {
            writeln!(out, "{}/{} {row}", self.done, self.total)
        };
        row.clone_into(&mut self.row);
        self.done += 1;
    }

    /// The run is over.
    pub fn end(&self, elapsed: Duration) {
        let clear = if stderr().is_terminal() { "\r\x1b[K" } else { "" };
        eprintln!("{clear}measured in {:.0} s", elapsed.as_secs_f64());
    }
}

const WIDTH: usize = 30;
