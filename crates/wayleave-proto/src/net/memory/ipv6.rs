//! Whether IPv6 works on a network.

use core::time::Duration;

use crate::base::Instant;

/// What a race between the two families says of IPv6.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ipv6Evidence {
    /// An address of IPv6 was reached.
    Reached,
    /// An address of IPv4 was reached, one of IPv6 that had its chance before was not.
    Lost,
}

/// Whether IPv6 works here, learnt from the races that were run.
///
/// Two races lost one behind the other, without one won between them, mean that IPv6 is broken; IPv4 is tried first for
/// ten minutes then. Where it is tried last it can still win, and is trusted again at once.
#[derive(Clone, Copy, Debug, Default)]
pub struct Ipv6 {
    lost: u8,
    avoided_until: Option<Instant>,
}

impl Ipv6 {
    /// A race was run.
    pub fn handle(&mut self, now: Instant, evidence: Ipv6Evidence) {
        match evidence {
            Ipv6Evidence::Reached => *self = Self::default(),
            Ipv6Evidence::Lost => {
                self.lost = self.lost.saturating_add(1);
                if self.lost >= LOST {
                    self.avoided_until = Some(now + AVOIDED);
                }
            }
        }
    }

    /// Whether IPv4 is to be tried first.
    pub fn is_avoided(&self, now: Instant) -> bool {
        self.avoided_until.is_some_and(|until| now < until)
    }
}

/// One lost race may be the fault of one target.
const LOST: u8 = 2;
/// After that IPv6 gets its chance again: one race of a quarter of a second.
const AVOIDED: Duration = Duration::from_secs(600);
