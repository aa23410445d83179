//! When the next datagrams are due.

use std::time::{Duration, Instant};

/// How datagrams are offered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// As fast as they go.
    Flood,
    /// This many a second over all flows, in groups: each group goes at once, to the next flows in turn.
    Groups {
        /// Datagrams a second in each direction.
        rate: u32,
        /// Datagrams at once.
        group: u32,
    },
    /// This many a second in each flow, one flow after the other.
    Steady {
        /// Datagrams a second in each flow and direction.
        each: u32,
    },
}

/// A pace in time.
#[derive(Clone, Copy, Debug)]
pub(super) struct Schedule {
    next: Instant,
    interval: Duration,
    group: u32,
}

impl Schedule {
    /// The schedule of `pace` over `flows` flows, from `now` on.
    pub(super) fn new(pace: Pace, flows: usize, now: Instant) -> Self {
        let (rate, group) = match pace {
            Pace::Flood => (u32::MAX, BURST),
            Pace::Groups { rate, group } => (rate, group),
            Pace::Steady { each } => (each * flows as u32, 1),
        };
        let interval =
            if pace == Pace::Flood { Duration::ZERO } else { Duration::from_secs(1) * group / rate.max(1) };
        Self { next: now, interval, group }
    }

    /// How many are due at `now`; the next come later.
    pub(super) fn due(&mut self, now: Instant) -> u32 {
        if now < self.next {
            return 0;
        }
        self.next += self.interval;
        self.group
    }

    /// When the next are due.
    pub(super) fn next(&self) -> Instant {
        self.next
    }
}

/// Datagrams between two looks at the sockets, as fast as it goes.
const BURST: u32 = 32;
