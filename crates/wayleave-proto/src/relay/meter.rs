//! How fast payload flows in one direction.

use crate::base::Instant;
use crate::policy::{Bucket, RateLimit, Rates};

/// Which way payload flows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Direction {
    ToClient,
    ToTarget,
}

/// An amount of payload, as far as rates are for it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Metered {
    pub(super) bits: u64,
    pub(super) packets: u64,
}

/// How much of its rates an account has used in one direction.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Meter {
    bits: Bucket,
    packets: Bucket,
}

impl Meter {
    /// Until when datagrams are dropped because a rate is exceeded.
    pub(super) fn over_until(&self, now: Instant, rates: &Rates) -> Option<Instant> {
        let over = |bucket: &Bucket, rate: Option<u64>| bucket.over_until(now, &limit(rate?));
        over(&self.bits, rates.bits_per_second).max(over(&self.packets, rates.packets_per_second))
    }

    /// Counts what was forwarded, and says until when nothing more should be where that was too much.
    pub(super) fn charge(&mut self, now: Instant, rates: &Rates, used: &Metered) -> Option<Instant> {
        let bits = rates.bits_per_second.and_then(|rate| self.bits.charge(now, &limit(rate), used.bits));
        let packets =
            rates.packets_per_second.and_then(|rate| self.packets.charge(now, &limit(rate), used.packets));
        bits.max(packets)
    }

    /// Takes one of so many `parts` of what a second allows, in advance; nothing where so much is not left.
    pub(super) fn lend(&mut self, now: Instant, rates: &Rates, parts: u64) -> Metered {
        let take = |bucket: &mut Bucket, rate: Option<u64>| {
            let part = rate?.checked_div(parts)?;
            bucket.take(now, &limit(rate?), part).ok().map(|()| part)
        };
        Metered {
            bits: take(&mut self.bits, rates.bits_per_second).unwrap_or_default(),
            packets: take(&mut self.packets, rates.packets_per_second).unwrap_or_default(),
        }
    }

    /// Takes back what was taken in advance and not used.
    pub(super) fn give_back(&mut self, rates: &Rates, unused: &Metered) {
        if let Some(rate) = rates.bits_per_second {
            self.bits.give_back(&limit(rate), unused.bits);
        }
        if let Some(rate) = rates.packets_per_second {
            self.packets.give_back(&limit(rate), unused.packets);
        }
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
