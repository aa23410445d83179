//! Which of the configured proxies to try first.

use core::time::Duration;

use smallvec::SmallVec;

use crate::base::{Instant, Rng, Seed};
use crate::config::BackoffConfig;
use crate::net::Backoff;

#[cfg(test)]
mod tests;

/// The configured proxies by their place in the configuration, and what is remembered of their failures.
///
/// A proxy that failed goes to the end of the order for a while and is never left out: when all have failed, all
/// are tried.
#[derive(Clone, Debug)]
pub struct Proxies {
    proxies: Vec<Proxy>,
    last_good: Option<usize>,
    config: BackoffConfig,
    rng: Rng,
}

#[derive(Clone, Debug, Default)]
struct Proxy {
    backoff: Backoff,
    /// The end of the present backoff; a moment of the past where there is none.
    free: Instant,
}

impl Proxies {
    /// `count` proxies of which nothing is known.
    pub fn new(count: usize, seed: &Seed, config: BackoffConfig) -> Self {
        let proxies = core::iter::repeat_with(Proxy::default).take(count).collect();
        Self { proxies, last_good: None, config, rng: seed.stream("proxies") }
    }

    /// The order in which to try them at `now`: the last good one, then as configured; those within their failure
    /// backoff after the others, in the same order among themselves.
    pub fn order(&self, now: Instant) -> SmallVec<[usize; 4]> {
        let mut order: SmallVec<[usize; 4]> = (0..self.proxies.len()).collect();
        order.sort_by_key(|index| (self.is_held(now, *index), self.last_good != Some(*index), *index));
        order
    }

    /// Proxy `index` did what it should: its failures are forgotten, and it comes first from now on.
    pub fn handle_good(&mut self, index: usize) {
        if let Some(proxy) = self.proxies.get_mut(index) {
            *proxy = Proxy::default();
            self.last_good = Some(index);
        }
    }

    /// Proxy `index` failed; `retry_after` is how long it asked to be left alone, of which one hour counts at most.
    ///
    /// A further failure within the backoff does not lengthen the next one: many flows that lose the same proxy at
    /// once are one failure.
    pub fn handle_failed(&mut self, now: Instant, index: usize, retry_after: Option<Duration>) {
        let Some(proxy) = self.proxies.get_mut(index) else { return };
        if proxy.free <= now {
            proxy.free = now + proxy.backoff.next(&self.config, &mut self.rng);
        }
        if let Some(asked) = retry_after {
            proxy.free = proxy.free.max(now + asked.min(RETRY_AFTER_MOST));
        }
    }

    /// Forgets the failures, because the network is another one; the last good proxy stays first.
    pub fn forget(&mut self) {
        self.proxies.fill_with(Proxy::default);
    }

    /// Whether proxy `index` is within the backoff of a failure at `now`.
    pub fn is_held(&self, now: Instant, index: usize) -> bool {
        self.held_until(now, index).is_some()
    }

    /// The end of the backoff in which proxy `index` is at `now`.
    pub fn held_until(&self, now: Instant, index: usize) -> Option<Instant> {
        self.proxies.get(index).map(|proxy| proxy.free).filter(|free| now < *free)
    }
}

/// A proxy that asks for more is believed no longer than this.
const RETRY_AFTER_MOST: Duration = Duration::from_secs(3_600);
