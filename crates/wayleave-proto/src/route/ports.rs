//! What the present network is known to do with each port (rule 9).

use core::time::Duration;
use std::collections::BTreeMap;
use std::num::NonZeroU16;

use crate::base::{Host, Instant, Kind, Target};
use crate::config::RescueConfig;

/// Ports, and single hosts, that were answered directly or are blocked.
///
/// A flow that had to be rescued blocks its whole port. Where another flow was answered on that port since the last rescue
/// it blocks its host alone: one host that cannot be reached says nothing of those that can.
#[derive(Clone, Debug, Default)]
pub(super) struct Ports(BTreeMap<Place, Known>);

/// A port, or one host at it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    kind: Kind,
    port: NonZeroU16,
    host: Option<Host>,
}

#[derive(Clone, Copy, Debug)]
struct Known {
    /// Something was answered here since the last rescue.
    answered: bool,
    /// Flows go through a relay, and one of them tries directly again then.
    blocked: Option<Instant>,
    /// How long the last block held; kept for the next one.
    pause: Duration,
    /// When something was last learnt.
    at: Instant,
}

impl Ports {
    /// Whether a flow to `target` goes through a relay at once. Where a block has held for its time the answer is no for
    /// one flow, and yes again for those behind it.
    pub(super) fn is_blocked(&mut self, now: Instant, kind: Kind, target: &Target) -> bool {
        for place in [Place::host(kind, target), Place::port(kind, target)] {
            let Some(known) = self.0.get_mut(&place) else { continue };
            let Some(until) = known.blocked else { continue };
            if now < until {
                return true;
            }
            known.blocked = Some(now + known.pause);
        }
        false
    }

    /// Whether any port of that kind is blocked, so that a relay will be wanted.
    pub(super) fn has_blocked(&self, kind: Kind) -> bool {
        self.0.iter().any(|(place, known)| place.kind == kind && known.blocked.is_some())
    }

    /// Whether a direct flow to that port was answered since the last rescue.
    pub(super) fn is_answered(&self, kind: Kind, target: &Target) -> bool {
        self.0.get(&Place::port(kind, target)).is_some_and(|known| known.answered)
    }

    /// A direct flow to `target` was answered: neither it nor its port is blocked.
    pub(super) fn handle_answered(
        &mut self,
        now: Instant,
        kind: Kind,
        target: &Target,
        config: &RescueConfig,
    ) {
        if let Some(host) = self.0.get_mut(&Place::host(kind, target)) {
            host.blocked = None;
        }
        let port = self.learn(now, Place::port(kind, target), config);
        (port.answered, port.blocked) = (true, None);
    }

    /// A flow to `target` did not come through directly. Returns after what time another one tries.
    pub(super) fn block(
        &mut self,
        now: Instant,
        kind: Kind,
        target: &Target,
        config: &RescueConfig,
    ) -> (Blocked, Duration) {
        let port = self.learn(now, Place::port(kind, target), config);
        let (known, what) = if core::mem::replace(&mut port.answered, false) {
            (self.learn(now, Place::host(kind, target), config), Blocked::Host)
        } else {
            (port, Blocked::Port)
        };
        known.pause = if known.pause.is_zero() { config.pause } else { known.pause.saturating_mul(2) }
            .min(config.pause_most);
        known.blocked = Some(now + known.pause);
        (what, known.pause)
    }

    /// Forgets what was learnt of `kind`, or everything: the network is another, or may be.
    pub(super) fn forget(&mut self, kind: Option<Kind>) {
        self.0.retain(|place, _| kind.is_some_and(|kind| kind != place.kind));
    }

    /// What is known of a place, to change; what was not heard of for longest makes room.
    fn learn(&mut self, now: Instant, place: Place, config: &RescueConfig) -> &mut Known {
        if self.0.len() >= config.remembered && !self.0.contains_key(&place) {
            let oldest = self.0.iter().min_by_key(|(_, known)| known.at).map(|(place, _)| place.clone());
            if let Some(oldest) = oldest {
                self.0.remove(&oldest);
            }
        }
        let known = Known { answered: false, blocked: None, pause: Duration::ZERO, at: now };
        let known = self.0.entry(place).or_insert(known);
        known.at = now;
        known
    }

    /// What is blocked for `kind`, in the order of the ports.
    pub(super) fn blocks(&self, kind: Kind) -> impl Iterator<Item = Block> {
        self.0.iter().filter(move |(place, _)| place.kind == kind).filter_map(move |(place, known)| {
            Some(Block { kind, port: place.port, host: place.host.clone(), until: known.blocked? })
        })
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}

impl Place {
    fn port(kind: Kind, target: &Target) -> Self {
        Self { kind, port: target.port, host: None }
    }

    fn host(kind: Kind, target: &Target) -> Self {
        Self { kind, port: target.port, host: Some(target.host.clone()) }
    }
}

/// A port, or one host at it, that is blocked on this network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    /// For this kind of flow.
    pub kind: Kind,
    /// The port.
    pub port: NonZeroU16,
    /// The host at that port; every host where there is none.
    pub host: Option<Host>,
    /// One flow tries directly again then.
    pub until: Instant,
}

/// What is remembered as blocked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blocked {
    /// One host at that port: others were answered there.
    Host,
    /// The port, whatever the host.
    Port,
}
