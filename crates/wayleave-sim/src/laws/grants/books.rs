//! What one relay has open and has moved, counted once more.

use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet};

use wayleave_proto::base::{Instant, UnixTime};
use wayleave_proto::relay::TunnelId;

use super::LEEWAY;
use crate::scenario::RelayPlan;

/// The books on one relay, from its start to its end.
#[derive(Debug)]
pub(super) struct Books {
    /// Tunnels, with the client and the user of each.
    pub(super) open: BTreeMap<TunnelId, (usize, String)>,
    /// Clients whose users are revoked here.
    pub(super) revoked: BTreeSet<usize>,
    /// Everybody who has had a tunnel.
    pub(super) users: BTreeSet<String>,
    /// Until when the best of the credentials by which each of them had one is good; what is good for ever stands in no line.
    good_until: BTreeMap<String, UnixTime>,
    /// What the relay allows each user: tunnels at once, and bytes a second.
    pub(super) tunnels: u64,
    pub(super) rate: Option<u64>,
    /// The most tunnels at once.
    peak: u64,
    moved: u64,
    /// Since when all users together have moved all that they may.
    spent: Option<Instant>,
    /// What was moved and not paid for by time, to targets and to clients, in billionths of a byte.
    levels: [u128; 2],
    at: Instant,
}

impl Books {
    pub(super) fn new(plan: &RelayPlan) -> Self {
        Self {
            open: BTreeMap::new(),
            revoked: BTreeSet::new(),
            users: BTreeSet::new(),
            good_until: BTreeMap::new(),
            tunnels: plan.tunnels as u64,
            rate: (plan.rate > 0).then_some(plan.rate),
            peak: 0,
            moved: 0,
            spent: None,
            levels: [0; 2],
            at: Instant::ZERO,
        }
    }

    /// A user shows a credential. What he has moved is remembered for as long as one that he showed before is good: with a
    /// later one he begins again.
    pub(super) fn shown(&mut self, user: &str, unix: UnixTime, expires: Option<UnixTime>) {
        let before = self.good_until.get(user).copied();
        if before.is_some_and(|until| until.after(LEEWAY) <= unix) {
            (self.moved, self.spent) = (0, None);
        }
        if before.is_some() || !self.users.contains(user) {
            match expires {
                Some(expires) => {
                    self.good_until
                        .insert(user.to_owned(), before.map_or(expires, |until| until.max(expires)));
                }
                None => {
                    self.good_until.remove(user);
                }
            }
        }
    }

    /// Notes a tunnel of a user who may have `most`, that was `asked` for then; `is_limited` is his volume.
    pub(super) fn opened(
        &mut self,
        tunnel: TunnelId,
        (client, user): (usize, String),
        most: Option<u64>,
        is_limited: bool,
        asked: Instant,
    ) -> Result<(), String> {
        let has = self.open.values().filter(|(_, other)| *other == user).count() as u64;
        let most = most.unwrap_or(u64::MAX).min(self.tunnels);
        if has >= most {
            return Err(format!("there are {has} already, and {most} are allowed"));
        }
        if self.users.insert(user.clone()) {
            // What all may move together is more from now on.
            self.spent = None;
        }
        self.open.insert(tunnel, (client, user));
        self.peak = self.peak.max(self.open.len() as u64);
        match self.spent {
            Some(spent) if is_limited && spent < asked => {
                Err(format!("all that may be moved was moved at {spent}"))
            }
            _ => Ok(()),
        }
    }

    /// Counts what was moved; all users together may move a `volume` in all, and a `rate` each second.
    pub(super) fn moved(
        &mut self,
        now: Instant,
        moved: [u64; 2],
        volume: Option<u64>,
        rate: Option<u64>,
    ) -> Result<(), String> {
        self.moved += moved[0] + moved[1];
        match volume {
            Some(most) if self.moved >= most => {
                self.spent.get_or_insert(now);
                if self.moved > most + self.overshoot() {
                    return Err(format!("{} bytes were moved, and {most} are allowed", self.moved));
                }
            }
            _ => self.spent = None,
        }
        let passed = now.since(self.at).as_nanos();
        self.at = now;
        for (level, moved) in self.levels.iter_mut().zip(moved) {
            let paid = rate.map_or(u128::MAX, |rate| u128::from(rate).saturating_mul(passed));
            *level = level.saturating_sub(paid) + u128::from(moved) * SECOND.as_nanos();
        }
        let most = rate.map(|rate| u128::from(rate + self.overshoot()) * SECOND.as_nanos());
        match self.levels.iter().find(|level| most.is_some_and(|most| **level > most)) {
            Some(level) => {
                let over = level / SECOND.as_nanos();
                Err(format!("{over} bytes were moved at once, at a rate of {rate:?} bytes a second"))
            }
            None => Ok(()),
        }
    }

    /// A relay charges what it has read or written, so each tunnel may go beyond by one read, and what waited in it may
    /// follow at once when it ends.
    const fn overshoot(&self) -> u64 {
        self.peak * OVERSHOOT
    }
}

const SECOND: Duration = Duration::from_secs(1);
/// The most that a read gives here, as much as the network code holds; and as much again that waits for a slow reader.
const OVERSHOOT: u64 = 2 * 64 * 1024;
