//! How often an address may fail.

use core::net::IpAddr;
use std::collections::BTreeMap;

use super::{Bucket, RateLimit};
use crate::base::Instant;

/// Failed authentications by source address; an IPv6 host counts with its whole /64.
///
/// The table is bounded: when it is full, those at rest are forgotten, and if that does not help, new sources are not
/// counted until some are. Guessing from 65,536 networks at once is beyond what a table can stop.
#[derive(Debug)]
pub struct SourceLimits {
    limit: RateLimit,
    sources: BTreeMap<IpAddr, Bucket>,
}

impl SourceLimits {
    /// Nobody has failed yet.
    pub const fn new(limit: RateLimit) -> Self {
        Self { limit, sources: BTreeMap::new() }
    }

    /// Counts a failure of `address`.
    pub fn fail(&mut self, now: Instant, address: IpAddr) {
        let source = source_of(address);
        if self.sources.len() >= MOST_SOURCES && !self.sources.contains_key(&source) {
            let limit = self.limit;
            self.sources.retain(|_, bucket| !bucket.is_at_rest(now, &limit));
            if self.sources.len() >= MOST_SOURCES {
                return;
            }
        }
        self.sources.entry(source).or_default().charge(now, &self.limit, 1);
    }

    /// Until when `address` has to wait, if it failed too often.
    pub fn blocked(&self, now: Instant, address: IpAddr) -> Option<Instant> {
        self.sources.get(&source_of(address))?.blocked(now, &self.limit)
    }
}

/// The address that a limit counts: an IPv6 host has a whole /64 to itself.
pub(crate) fn source_of(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(v4) => IpAddr::V4(v4),
        IpAddr::V6(v6) => IpAddr::V6((u128::from(v6) >> 64 << 64).into()),
    }
}

const MOST_SOURCES: usize = 65_536;
