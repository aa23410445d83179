//! One direction of a cable.

use core::time::Duration;

use wayleave_proto::base::Instant;

use crate::Tape;

/// How good a link is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quality {
    /// From one end to the other.
    pub latency: Duration,
    /// At most this much more, drawn for each packet; the order stays.
    pub jitter: Duration,
    /// Bytes per second; 0 for no limit. What comes too fast waits, for a second's worth at most.
    pub rate: u32,
    /// Packets lost, in 256.
    pub loss: u8,
    /// Packets that arrive twice, in 256.
    pub duplicate: u8,
    /// Packets that are overtaken by later ones, in 256.
    pub reorder: u8,
    /// The largest packet, headers included.
    pub mtu: usize,
}

impl Default for Quality {
    /// Five milliseconds, no limit, nothing lost.
    fn default() -> Self {
        Self {
            latency: Duration::from_millis(5),
            jitter: Duration::ZERO,
            rate: 0,
            loss: 0,
            duplicate: 0,
            reorder: 0,
            mtu: 1_500,
        }
    }
}

/// One direction of a link.
#[derive(Clone, Debug, Default)]
pub struct Link {
    /// How good it is.
    pub quality: Quality,
    /// When everything that was sent so far has left.
    free: Instant,
    /// When the latest packet arrives; later ones do not overtake it.
    latest: Instant,
}

impl Link {
    /// A link of that quality.
    pub const fn new(quality: Quality) -> Self {
        Self { quality, free: Instant::ZERO, latest: Instant::ZERO }
    }

    /// When a packet of `size` bytes that is sent at `now` arrives: never, once, or twice.
    pub fn carry(&mut self, now: Instant, size: usize, tape: &mut Tape) -> Vec<Instant> {
        let Quality { latency, jitter, rate, loss, duplicate, reorder, mtu } = self.quality;
        if size > mtu || tape.chance(loss) {
            return Vec::new();
        }
        let mut leaves = now;
        if rate > 0 {
            let start = self.free.max(now);
            if start.since(now) > Duration::from_secs(1) {
                return Vec::new();
            }
            leaves = start + Duration::from_secs_f64(size as f64 / f64::from(rate));
            self.free = leaves;
        }
        let mut arrives = leaves + latency;
        if !jitter.is_zero() {
            arrives = arrives + jitter.mul_f64(f64::from(tape.byte()) / 255.0);
        }
        if tape.chance(reorder) {
            arrives = arrives + 2 * latency + Duration::from_millis(1);
        } else {
            arrives = arrives.max(self.latest);
            self.latest = arrives;
        }
        if tape.chance(duplicate) { vec![arrives, arrives + latency] } else { vec![arrives] }
    }
}
