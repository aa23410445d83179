//! Rates: so much at once, and then so much a second.

use core::fmt;

use crate::base::Instant;

/// A rate: `burst` units at once, and `per_second` units a second after that.
///
/// A unit is whatever the caller counts: tunnels, packets, bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateLimit {
    /// Units a second in the long run; zero lets nothing pass.
    pub per_second: u64,
    /// Units at once after a rest; zero lets nothing pass.
    pub burst: u64,
}

impl RateLimit {
    /// How long `amount` units take, in ticks; at least one where `amount` is not zero, and `None` at rate zero.
    fn ticks(&self, amount: u64) -> Option<u128> {
        if amount == 0 {
            return Some(0);
        }
        // 64 bits of amount, 30 of the second and 32 of the tick: the product fits.
        let dividend = (u128::from(amount).saturating_mul(NANOS_PER_SECOND)) << TICK_BITS;
        dividend.checked_div(self.per_second.into()).map(|ticks| ticks.max(1))
    }
}

/// What one source has used of a [`RateLimit`], by the generic cell rate algorithm: one number and no timer.
///
/// The limit is an argument, so that it can change while the bucket lives.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Bucket {
    /// When all that was taken will be paid for, in ticks.
    paid_at: u128,
}

impl Bucket {
    /// A bucket from which nothing was taken.
    pub const fn new() -> Self {
        Self { paid_at: 0 }
    }

    /// Takes `amount` units at `now`.
    ///
    /// # Errors
    /// The moment from which `amount` units can be taken, if nobody takes any before, and then nothing was taken now.
    /// It is the end of time where `amount` is more than the burst.
    pub fn take(&mut self, now: Instant, limit: &RateLimit, amount: u64) -> Result<(), Instant> {
        let Some(after) = self.after(now, limit, amount) else { return Err(NEVER) };
        match after.checked_sub(limit.ticks(limit.burst).unwrap_or(0)) {
            Some(from) if from > ticks(now) => Err(instant(from)),
            _ => {
                self.paid_at = after;
                Ok(())
            }
        }
    }

    /// The moment from which `amount` units can be taken; `None` where that is now.
    pub fn ready_at(&self, now: Instant, limit: &RateLimit, amount: u64) -> Option<Instant> {
        let mut copy = *self;
        copy.take(now, limit, amount).err()
    }

    /// Takes `amount` units whatever the limit, for what has already happened, and says until when nothing more should
    /// be taken where that was more than the limit lets pass.
    pub fn charge(&mut self, now: Instant, limit: &RateLimit, amount: u64) -> Option<Instant> {
        let ticks_taken = limit.ticks(amount).unwrap_or(u128::MAX);
        self.paid_at = self.paid_at.max(ticks(now)).saturating_add(ticks_taken);
        self.over_until(now, limit)
    }

    /// Gives back `amount` units that were taken and not used.
    pub fn give_back(&mut self, limit: &RateLimit, amount: u64) {
        self.paid_at = self.paid_at.saturating_sub(limit.ticks(amount).unwrap_or(0));
    }

    /// Until when nothing more should be taken; `None` where no more was taken than the limit lets pass.
    pub fn over_until(&self, now: Instant, limit: &RateLimit) -> Option<Instant> {
        let until = self.paid_at.saturating_sub(limit.ticks(limit.burst).unwrap_or(0));
        (until > ticks(now)).then(|| instant(until))
    }

    /// When the bucket is as good as new; `None` where it is already.
    pub fn rests_at(&self, now: Instant) -> Option<Instant> {
        (!self.is_at_rest(now)).then(|| instant(self.paid_at))
    }

    /// Whether the bucket is as good as new.
    pub const fn is_at_rest(&self, now: Instant) -> bool {
        self.paid_at <= ticks(now)
    }

    /// When all would be paid for with `amount` units more; `None` where the limit never lets so many pass.
    fn after(&self, now: Instant, limit: &RateLimit, amount: u64) -> Option<u128> {
        if amount > limit.burst {
            return None;
        }
        Some(self.paid_at.max(ticks(now)).saturating_add(limit.ticks(amount)?))
    }
}

impl fmt::Debug for Bucket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Bucket(paid at {})", instant(self.paid_at))
    }
}

const fn ticks(at: Instant) -> u128 {
    (at.as_nanos() as u128) << TICK_BITS
}

/// The first nanosecond that is not before `ticks`.
fn instant(ticks: u128) -> Instant {
    let nanos = ticks.saturating_add((1 << TICK_BITS) - 1) >> TICK_BITS;
    Instant::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}

/// A tick is 2^-32 ns, because one bit of a fast line takes less than a nanosecond.
const TICK_BITS: u32 = 32;
const NANOS_PER_SECOND: u128 = 1_000_000_000;
const NEVER: Instant = Instant::from_nanos(u64::MAX);
