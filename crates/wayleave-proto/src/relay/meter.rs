//! How fast payload flows in one direction.

use crate::base::Instant;
use crate::policy::{Bucket, RateLimit, Rates};

/// Which way payload flows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Direction {
    ToClient,
    ToTarget,
}

/// How much of its rates an account has used in one direction.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Meter {
    bits: Bucket,
    packets: Bucket,
}

impl Meter {
    /// Whether a rate is exceeded, so that datagrams are dropped.
    pub(super) fn is_over(&self, now: Instant, rates: &Rates) -> bool {
        let is_over = |bucket: &Bucket, rate: Option<u64>| {
            rate.is_some_and(|rate| bucket.over_until(now, &limit(rate)).is_some())
        };
        is_over(&self.bits, rates.bits_per_second) || is_over(&self.packets, rates.packets_per_second)
    }

    /// Counts what was forwarded, and says until when nothing more should be where that was too much.
    pub(super) fn charge(
        &mut self,
        now: Instant,
        rates: &Rates,
        packets: u64,
        bytes: u64,
    ) -> Option<Instant> {
        let bits = rates
            .bits_per_second
            .and_then(|rate| self.bits.charge(now, &limit(rate), bytes.saturating_mul(8)));
        let packets =
            rates.packets_per_second.and_then(|rate| self.packets.charge(now, &limit(rate), packets));
        bits.max(packets)
    }

    /// When it is as good as new; `None` where it is already.
    pub(super) fn rests_at(&self, now: Instant) -> Option<Instant> {
        self.bits.rests_at(now).max(self.packets.rests_at(now))
    }
}

/// What a second allows may also come at once.
const fn limit(per_second: u64) -> RateLimit {
    RateLimit { per_second, burst: per_second }
}
