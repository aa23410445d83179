//! Failed authentications, counted by where they come from.

use core::net::{IpAddr, Ipv6Addr};
use std::collections::{BTreeMap, BTreeSet};

use super::{Bucket, RateLimit};
use crate::base::Instant;

/// A bounded table of how often each source failed to authenticate.
///
/// A source is an IPv4 address or the /64 of an IPv6 address, because one host has as many of those as it likes. Many
/// people can share one source, so ask [`Self::blocked_until`] only before work is spent on credentials that are not
/// already known to be good.
#[derive(Clone, Debug)]
pub struct SourceLimits {
    limit: RateLimit,
    capacity: usize,
    buckets: BTreeMap<IpAddr, Bucket>,
    /// The same entries, those nearest to rest first.
    order: BTreeSet<(Bucket, IpAddr)>,
}

impl SourceLimits {
    /// An empty table of at most `capacity` sources, each of which may fail as often as `limit` says.
    pub const fn new(limit: RateLimit, capacity: usize) -> Self {
        Self { limit, capacity, buckets: BTreeMap::new(), order: BTreeSet::new() }
    }

    /// Counts one failed authentication of `source`.
    ///
    /// A new source in a full table takes the place of the one that is at rest, or nearest to it.
    pub fn record_failure(&mut self, now: Instant, source: IpAddr) {
        self.forget(now);
        let source = group(source);
        let known = self.buckets.get(&source).copied();
        let mut bucket = known.unwrap_or_default();
        if bucket.take(now, &self.limit, 1).is_err() {
            return;
        }
        if let Some(old) = known {
            self.order.remove(&(old, source));
        } else if self.buckets.len() >= self.capacity {
            match self.order.pop_first() {
                Some((_, nearest)) => self.buckets.remove(&nearest),
                None => return,
            };
        }
        self.buckets.insert(source, bucket);
        self.order.insert((bucket, source));
    }

    /// Until when `source` is blocked, if it failed too often.
    pub fn blocked_until(&self, now: Instant, source: IpAddr) -> Option<Instant> {
        self.buckets.get(&group(source))?.ready_at(now, &self.limit, 1)
    }

    /// How many sources are remembered.
    pub fn len(&self) -> usize {
        self.buckets.len()
    }

    /// Whether no source is remembered.
    pub fn is_empty(&self) -> bool {
        self.buckets.is_empty()
    }

    /// Forgets two sources that are at rest, if there are any: one more than a failure can add.
    fn forget(&mut self, now: Instant) {
        for _ in 0..2 {
            if self.order.first().is_some_and(|(bucket, _)| bucket.is_at_rest(now))
                && let Some((_, source)) = self.order.pop_first()
            {
                self.buckets.remove(&source);
            }
        }
    }
}

impl Default for SourceLimits {
    /// 65,536 sources; twenty failures at once, then one a second.
    fn default() -> Self {
        Self::new(RateLimit { per_second: 1, burst: 20 }, 65_536)
    }
}

/// The address by which a source is counted.
pub(crate) fn group(source: IpAddr) -> IpAddr {
    match source.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from(u128::from(address) & (u128::MAX << 64))),
        address => address,
    }
}
