//! Staggered attempts: several ways to the same place, started one after the other until one wins.

use core::net::IpAddr;
use core::time::Duration;
use std::collections::VecDeque;

use crate::base::Instant;

#[cfg(test)]
mod tests;

/// Candidates that wait for their turn, after [RFC 8305 §5].
///
/// The first starts at once, each further one after the stagger, or at once when an attempt failed. Attempts that
/// were started stay alive beside each other; the caller drops the race when one has won. At most 64 candidates wait
/// at a time.
///
/// [RFC 8305 §5]: https://www.rfc-editor.org/rfc/rfc8305#section-5
#[derive(Clone, Debug)]
pub struct Race<C> {
    stagger: Duration,
    waiting: VecDeque<C>,
    running: usize,
    /// When the next candidate may start.
    turn: Instant,
    now: Instant,
}

impl<C> Race<C> {
    /// The recommended stagger: 250 ms, after [RFC 8305 §8](https://www.rfc-editor.org/rfc/rfc8305#section-8).
    pub const STAGGER: Duration = Duration::from_millis(250);

    /// A race without candidates. A stagger under 10 ms counts as 10 ms, the least that RFC 8305 §5 allows.
    pub fn new(stagger: Duration) -> Self {
        Self {
            stagger: stagger.max(STAGGER_LEAST),
            waiting: VecDeque::new(),
            running: 0,
            turn: Instant::ZERO,
            now: Instant::ZERO,
        }
    }

    /// Adds `candidates`, at any time: they take turns with those that wait, beginning with a new one. Returns how many
    /// were taken; the rest is dropped where 64 wait already.
    pub fn add(&mut self, candidates: impl IntoIterator<Item = C>) -> usize {
        let mut old = core::mem::take(&mut self.waiting).into_iter();
        let mut room = WAITING_MOST.saturating_sub(old.len());
        let mut taken = 0_usize;
        for candidate in candidates {
            if room == 0 {
                break;
            }
            room = room.saturating_sub(1);
            taken = taken.saturating_add(1);
            self.waiting.push_back(candidate);
            self.waiting.extend(old.next());
        }
        self.waiting.extend(old);
        taken
    }

    /// Takes the next candidate if its turn has come; from then on it counts as running.
    pub fn poll_start(&mut self, now: Instant) -> Option<C> {
        self.now = self.now.max(now);
        if self.now < self.turn {
            return None;
        }
        let candidate = self.waiting.pop_front()?;
        self.running = self.running.saturating_add(1);
        self.turn = self.now + self.stagger;
        Some(candidate)
    }

    /// One running attempt failed: the next candidate starts at once, a late one too. Without a running attempt this
    /// does nothing.
    pub fn handle_failed(&mut self, now: Instant) {
        self.now = self.now.max(now);
        if let Some(running) = self.running.checked_sub(1) {
            self.running = running;
            self.turn = self.turn.min(self.now);
        }
    }

    /// When to call [`poll_start`](Self::poll_start); a moment of the past means at once, `None` that nobody waits.
    pub fn poll_timeout(&self) -> Option<Instant> {
        if self.waiting.is_empty() { None } else { Some(self.turn) }
    }

    /// How many attempts were started and have not failed.
    pub const fn running(&self) -> usize {
        self.running
    }

    /// How many candidates wait for their turn.
    pub fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// Whether nobody waits and nothing runs: unless a late candidate comes, the race is lost.
    pub fn is_exhausted(&self) -> bool {
        self.waiting.is_empty() && self.running == 0
    }
}

/// Puts `addresses` into the order of attempts: the families take turns, beginning with that of the first address, or with
/// IPv4 where that is to be `v4_first`; each in the order of the resolver ([RFC 8305 §4]). Repeated addresses are removed;
/// at most 16 remain.
///
/// [RFC 8305 §4]: https://www.rfc-editor.org/rfc/rfc8305#section-4
pub fn interleave(addresses: &[IpAddr], v4_first: bool) -> Vec<IpAddr> {
    let first_is_v4 = v4_first || addresses.first().is_some_and(IpAddr::is_ipv4);
    let family = |v4: bool| {
        let mut kept: Vec<IpAddr> = Vec::new();
        for address in addresses.iter().filter(|address| address.is_ipv4() == v4) {
            if kept.len() == ADDRESSES_MOST {
                break;
            }
            if !kept.contains(address) {
                kept.push(*address);
            }
        }
        kept.into_iter()
    };
    let (mut turn, mut other) = (family(first_is_v4), family(!first_is_v4));
    let mut order = Vec::new();
    while order.len() < ADDRESSES_MOST {
        let Some(address) = turn.next() else {
            order.extend(other.take(ADDRESSES_MOST.saturating_sub(order.len())));
            break;
        };
        order.push(address);
        core::mem::swap(&mut turn, &mut other);
    }
    order
}

/// The least stagger, so that a race is no burst (RFC 8305 §5).
const STAGGER_LEAST: Duration = Duration::from_millis(10);
/// A name rarely has more than 16 addresses, and a client rarely more than four proxies.
const WAITING_MOST: usize = 64;
const ADDRESSES_MOST: usize = 16;
