//! How long to wait before the next attempt.

use core::time::Duration;

use crate::base::Rng;
use crate::config::BackoffConfig;

#[cfg(test)]
mod tests;

/// A wait that grows with each failure, up to a bound, with a random share.
#[derive(Clone, Debug, Default)]
pub struct Backoff {
    /// The last wait before its random share was taken off; `None` before the first.
    last: Option<Duration>,
}

impl Backoff {
    /// A backoff before its first wait.
    pub const fn new() -> Self {
        Self { last: None }
    }

    /// The next wait: never longer than `config.most`, shorter by at most `config.jitter` percent.
    pub fn next(&mut self, config: &BackoffConfig, rng: &mut Rng) -> Duration {
        let grown = self.last.map_or(config.first, |last| last.saturating_mul(config.factor.max(1)));
        let wait = grown.min(config.most);
        self.last = Some(wait);
        let random = wait.as_nanos().saturating_mul(u128::from(config.jitter.min(100))) / 100;
        let random = u64::try_from(random).unwrap_or(u64::MAX);
        wait.saturating_sub(Duration::from_nanos(rng.below(random.saturating_add(1))))
    }

    /// Starts over with the first wait.
    pub const fn reset(&mut self) {
        self.last = None;
    }
}
