//! Whether what proved the direct path still holds (rule 10).

use core::fmt;
use core::time::Duration;

use crate::base::Instant;
use crate::config::DoubtConfig;

/// Why a proof counts no longer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Failure {
    /// So many direct flows broke off or did not come through where others had been answered, and nothing was heard in
    /// between.
    Broken(u32),
    /// Nothing came back for so long over flows that had been answered and were being sent to.
    Silent(Duration),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Broken(count) => write!(f, "{count} flows in a row broke off or did not come through"),
            Self::Silent(span) => write!(f, "nothing came back for {} s", span.as_secs_f64()),
        }
    }
}

/// The evidence against a proof. It counts from whatever was heard last.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Doubt {
    /// Failures in the present window, and when the first of them was.
    failures: u32,
    since: Instant,
    /// Sends to flows that had been answered, and when the first of them was.
    sends: u32,
    asked: Instant,
    /// No trial by itself before, and how long the last pause was.
    rests: Instant,
    pause: Duration,
}

impl Doubt {
    /// Something came back over a direct flow.
    pub(super) const fn handle_heard(&mut self) {
        self.failures = 0;
        self.sends = 0;
    }

    /// Something was sent over a direct flow that had been answered before.
    pub(super) const fn handle_sent(&mut self, now: Instant) {
        if self.sends == 0 {
            self.asked = now;
        }
        self.sends = self.sends.saturating_add(1);
    }

    /// Failures that count at `now`.
    pub(super) fn failures(&self, now: Instant, config: &DoubtConfig) -> u32 {
        if now.since(self.since) > config.window { 0 } else { self.failures }
    }

    /// A direct flow broke off, or did not come through where others had been answered.
    pub(super) fn handle_failed(&mut self, now: Instant, config: &DoubtConfig) -> Option<Failure> {
        if self.failures == 0 || now.since(self.since) > config.window {
            (self.failures, self.since) = (0, now);
        }
        self.failures = self.failures.saturating_add(1);
        let failure = Failure::Broken(self.failures);
        (config.on && self.failures >= config.failures && self.rest(now, config)).then_some(failure)
    }

    /// When silence has lasted for too long.
    pub(super) fn poll_timeout(&self, config: &DoubtConfig) -> Option<Instant> {
        let is_silent = config.on && self.sends >= config.failures;
        is_silent.then(|| (self.asked + config.window).max(self.rests))
    }

    pub(super) fn handle_timeout(&mut self, now: Instant, config: &DoubtConfig) -> Option<Failure> {
        let is_due = self.poll_timeout(config).is_some_and(|due| due <= now);
        let failure = Failure::Silent(now.since(self.asked));
        (is_due && self.rest(now, config)).then_some(failure)
    }

    /// A trial begins: the evidence is used up, the pause stays.
    pub(super) const fn calm(&mut self) {
        self.handle_heard();
    }

    /// Whether the pause since the last trial of this kind is over; the next one is longer.
    fn rest(&mut self, now: Instant, config: &DoubtConfig) -> bool {
        if now < self.rests {
            return false;
        }
        self.pause = if self.pause.is_zero() { config.pause } else { self.pause.saturating_mul(2) }
            .min(config.pause_most);
        self.rests = now + self.pause;
        self.calm();
        true
    }
}
