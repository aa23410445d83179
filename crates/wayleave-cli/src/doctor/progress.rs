//! A line on a terminal for whoever waits; where standard error is none, nothing.

use std::io::{self, IsTerminal, Write};
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::{Instant, interval};

use super::report::Finding;

/// The line, until it ends.
#[derive(Debug)]
pub(super) struct Progress {
    is_shown: bool,
    /// Counts how long idle connections have still to be left alone.
    counting: Option<JoinHandle<()>>,
}

impl Progress {
    /// Begins; connections are left idle for so long.
    pub(super) fn begin(idle: Option<Duration>) -> Self {
        let is_shown = io::stderr().is_terminal();
        let counting = idle.filter(|_| is_shown).map(|idle| tokio::spawn(count(idle)));
        Self { is_shown, counting }
    }

    /// What hears of each finding.
    pub(super) fn hearing(&self) -> impl Fn(&Finding) + Send + Sync + 'static {
        let is_shown = self.is_shown;
        move |finding| {
            if is_shown {
                let words = [finding.code.step().to_string(), finding.subject.to_string()];
                line(&format!("{}: {}", words.join(" ").trim_end(), finding.outcome()));
            }
        }
    }

    /// Takes the line away.
    pub(super) fn end(self) {
        if let Some(counting) = self.counting {
            counting.abort();
        }
        if self.is_shown {
            line("");
        }
    }
}

async fn count(idle: Duration) {
    let (began, mut ticks) = (Instant::now(), interval(Duration::from_secs(1)));
    loop {
        ticks.tick().await;
        let left = idle.saturating_sub(began.elapsed()).as_secs();
        line(&format!("connections are left idle: {left} s more"));
    }
}

fn line(text: &str) {
    let _ = write!(io::stderr(), "\r\u{1b}[K{text}");
}
