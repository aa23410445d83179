//! Trouble that is told once when it begins, and once when it is over.

use core::time::Duration;

use crate::base::Instant;
use crate::error::IoFailed;

/// Failures that follow one another, such as those of a listener while descriptors are used up: thousands of them are one
/// thing that happened.
#[derive(Debug, Default)]
pub struct Episode(Option<Running>);

#[derive(Debug)]
struct Running {
    failed: IoFailed,
    began: Instant,
    latest: Instant,
    count: u64,
}

/// An episode that is over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Over {
    /// What failed first.
    pub failed: IoFailed,
    /// How often something failed.
    pub count: u64,
    /// From the first failure to the last.
    pub lasted: Duration,
}

impl Episode {
    /// Something failed. Whether that is news: only the first failure of an episode is.
    pub fn handle_failed(&mut self, now: Instant, failed: &IoFailed) -> bool {
        match &mut self.0 {
            Some(running) => {
                running.latest = now;
                running.count = running.count.saturating_add(1);
                false
            }
            none => {
                *none = Some(Running { failed: failed.clone(), began: now, latest: now, count: 1 });
                true
            }
        }
    }

    /// Something of the kind worked. It ends the episode once nothing has failed for a second: who works at the edge of what
    /// the system gives fails and succeeds in turns, and is told of once all the same.
    pub fn handle_good(&mut self, now: Instant) -> Option<Over> {
        let Running { failed, began, latest, count } =
            self.0.take_if(|running| now.since(running.latest) >= QUIET)?;
        Some(Over { failed, count, lasted: latest.since(began) })
    }

    /// Whether something failed less than `span` before `now`.
    pub fn has_failed_within(&self, now: Instant, span: Duration) -> bool {
        self.0.as_ref().is_some_and(|running| now.since(running.latest) < span)
    }
}

/// How long nothing may have failed where an episode is over.
const QUIET: Duration = Duration::from_secs(1);
