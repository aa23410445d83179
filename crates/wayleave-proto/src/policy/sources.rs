//! Failed authentications, counted by where they come from.

use core::net::{IpAddr, Ipv6Addr};
use std::collections::{BTreeMap, BTreeSet};

use super::{Bucket, RateLimit};
use crate::base::Instant;

/// A bounded table of how often each source failed to authenticate.
///
/// A source is an IPv4 address or the /64 of an IPv6 address, because one host has as many of those as it likes. Many
/// people can share one source, so a source that failed too often is not shut out: what it shows is still judged, at a rate
/// that makes guessing hopeless and leaves room for the others behind it. Ask [`Self::may_try`] only before work is spent
/// on credentials that are not already known to be good.
#[derive(Clone, Debug)]
pub struct SourceLimits {
    failures: RateLimit,
    /// How often a source is judged that failed too often.
    suspects: RateLimit,
    capacity: usize,
    sources: BTreeMap<IpAddr, Source>,
    /// The same entries, those nearest to rest first.
    order: BTreeSet<(Bucket, IpAddr)>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Source {
    failed: Bucket,
    judged: Bucket,
}

impl SourceLimits {
    /// An empty table of at most `capacity` sources, each of which may fail as often as `failures` says and is judged as
    /// often as `suspects` says when it failed more.
    pub const fn new(failures: RateLimit, suspects: RateLimit, capacity: usize) -> Self {
        Self { failures, suspects, capacity, sources: BTreeMap::new(), order: BTreeSet::new() }
    }

    /// Whether what `source` shows may be judged now. Where it failed too often, a yes is taken from its rate.
    pub fn may_try(&mut self, now: Instant, source: IpAddr) -> bool {
        let (failures, suspects) = (self.failures, self.suspects);
        self.sources.get_mut(&group(source)).is_none_or(|source| {
            source.failed.ready_at(now, &failures, 1).is_none()
                || source.judged.take(now, &suspects, 1).is_ok()
        })
    }

    /// Counts one failed authentication of `source`.
    ///
    /// A new source in a full table takes the place of the one that is at rest, or nearest to it.
    pub fn record_failure(&mut self, now: Instant, source: IpAddr) {
        self.forget(now);
        let source = group(source);
        let known = self.sources.get(&source).copied();
        let mut state = known.unwrap_or_default();
        if state.failed.take(now, &self.failures, 1).is_err() {
            return;
        }
        if let Some(old) = known {
            self.order.remove(&(old.failed, source));
        } else if self.sources.len() >= self.capacity {
            match self.order.pop_first() {
                Some((_, nearest)) => self.sources.remove(&nearest),
                None => return,
            };
        }
        self.sources.insert(source, state);
        self.order.insert((state.failed, source));
    }

    /// Until when `source` has failed too often, if it has.
    pub fn suspected_until(&self, now: Instant, source: IpAddr) -> Option<Instant> {
        self.sources.get(&group(source))?.failed.ready_at(now, &self.failures, 1)
    }

    /// How many sources are remembered.
    pub fn len(&self) -> usize {
        self.sources.len()
    }

    /// Whether no source is remembered.
    pub fn is_empty(&self) -> bool {
        self.sources.is_empty()
    }

    /// Forgets two sources that are at rest, if there are any: one more than a failure can add.
    fn forget(&mut self, now: Instant) {
        for _ in 0..2 {
            if self.order.first().is_some_and(|(bucket, _)| bucket.is_at_rest(now))
                && let Some((_, source)) = self.order.pop_first()
            {
                self.sources.remove(&source);
            }
        }
    }
}

impl Default for SourceLimits {
    /// 65,536 sources; twenty failures at once, then one a second, and ten judgements a second beyond.
    fn default() -> Self {
        let (failures, suspects) =
            (RateLimit { per_second: 1, burst: 20 }, RateLimit { per_second: 10, burst: 10 });
        Self::new(failures, suspects, 65_536)
    }
}

/// The address by which a source is counted.
pub(crate) fn group(source: IpAddr) -> IpAddr {
    match source.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from(u128::from(address) & (u128::MAX << 64))),
        address => address,
    }
}
