//! Rates: so much in a second, and so much at once.

use core::time::Duration;

use crate::base::Instant;

/// A rate and the burst that it allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateLimit {
    /// Units per second; at least one.
    pub per_second: u64,
    /// Units at once; at least one.
    pub burst: u64,
}

impl RateLimit {
    /// A rate that allows the units of one second at once.
    pub const fn per_second(units: u64) -> Self {
        Self { per_second: units, burst: units }
    }

    fn span(&self, units: u64) -> Duration {
        let nanos = u128::from(units) * 1_000_000_000 / u128::from(self.per_second.max(1));
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }
}

/// How much of a [`RateLimit`] is used, after the generic cell rate algorithm: one moment is all it remembers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bucket {
    /// When everything used so far would have been used at the plain rate.
    empty: Instant,
}

impl Bucket {
    /// Uses `units`, always, and says until when nothing more should be used if that was more than allowed.
    pub fn charge(&mut self, now: Instant, limit: &RateLimit, units: u64) -> Option<Instant> {
        self.empty = self.empty.max(now) + limit.span(units);
        self.blocked(now, limit)
    }

    /// Whether more was used than allowed.
    pub fn is_over(&self, now: Instant, limit: &RateLimit) -> bool {
        self.blocked(now, limit).is_some()
    }

    /// Until when nothing more should be used, if more was used than allowed.
    pub fn blocked(&self, now: Instant, limit: &RateLimit) -> Option<Instant> {
        let until = self.empty - limit.span(limit.burst);
        (until > now).then_some(until)
    }

    /// Whether nothing is remembered that matters any more.
    pub fn is_at_rest(&self, now: Instant, _limit: &RateLimit) -> bool {
        self.empty <= now
    }
}
