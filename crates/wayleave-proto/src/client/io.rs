//! What every part of the client works with: the configuration, time, chance, the network, and the way to the adapter.

use super::pool::{CarrierId, DialId, Place};
use super::{AssociationId, Event, FlowId, Notice, What};
use crate::base::{Clock, Instant, Network, Rng, Seed, Timers};
use crate::carrier::uplink;
use crate::config::{ClientConfig, Valid};
use crate::error::{IoFailed, IoFailure, Resource};
use crate::net::{Episode, Family, Memory, Requests};

#[derive(Debug)]
pub(super) struct Io {
    pub(super) config: Valid<ClientConfig>,
    pub(super) clock: Clock,
    pub(super) now: Instant,
    pub(super) rng: Rng,
    pub(super) network: Network,
    /// Where names lead on each network, and whether IPv6 works there.
    pub(super) memory: Memory,
    pub(super) requests: Requests<Role, Notice>,
    pub(super) timers: Timers<Timer>,
    /// What this machine lacks.
    lack: Episode,
}

/// What a socket is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    Carrier(CarrierId),
    Dial(DialId),
    Flow(FlowId),
    Probe(usize),
    /// The look-up of a proxy's name, beside connections to where it led before.
    Refresh,
    /// The flows of an association, with everybody of a family.
    Shared(AssociationId, Family),
}

/// What a deadline is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Timer {
    /// A connection that is ready grows old.
    Age(CarrierId),
    /// A connection has something to do.
    Carrier(CarrierId),
    Dial(DialId),
    Doubt(usize),
    Drain,
    Flow(FlowId),
    Probe(usize),
    Renewal(Place),
    Route,
    Search,
    /// A credential that was shown is not answered.
    Shown(CarrierId),
    /// Nothing comes on a connection that is in use.
    Silence(CarrierId),
    Standby,
    Token,
}

impl Io {
    pub(super) fn new(config: Valid<ClientConfig>, seed: &Seed, clock: Clock, now: Instant) -> Self {
        Self {
            clock,
            now,
            rng: seed.stream("client"),
            network: config.network,
            memory: Memory::new(config.network),
            requests: Requests::new(),
            timers: Timers::new(),
            lack: Episode::default(),
            config,
        }
    }

    /// What a carrier works with.
    pub(super) fn wire(&mut self) -> uplink::Io<'_, Role, Notice> {
        uplink::Io { sockets: &mut self.requests, config: &self.config, now: self.now }
    }

    pub(super) fn tell(&mut self, what: What) {
        self.requests.event(Notice::Event(Event { at: self.now, what }));
    }

    pub(super) fn nudge(&mut self, flow: FlowId) {
        self.requests.event(Notice::Flow(flow));
    }

    /// Something failed for want of `resource`: that is nobody else's fault, not the direct path's, and not a proxy's.
    pub(super) fn on_lack(&mut self, resource: Resource) {
        let failed = IoFailed::new(IoFailure::Exhausted(resource));
        if self.lack.handle_failed(self.now, &failed) {
            self.tell(What::SystemLacks { resource });
        }
    }

    /// A socket was opened: the machine has what it takes.
    pub(super) fn on_plenty(&mut self) {
        if let Some(over) = self.lack.handle_good(self.now)
            && let Some(resource) = over.failed.lacked()
        {
            self.tell(What::SystemRecovered { resource, failures: over.count, lasted: over.lasted });
        }
    }
}
