//! The client: the embedded side, which decides routes and opens flows.
//!
//! [`Client`] is a [`Machine`] for its adapter, and has verbs for its embedder: open a flow, write, read, send a
//! datagram, renew the token, say that the network changed. It owns the routing decision, the connections to proxies
//! and every flow; a direct flow passes through it just like a proxied one, so that a route can change beneath a flow
//! that is still looking for its way.

mod association;
mod clear;
mod datagrams;
mod decide;
mod direct;
mod error;
mod event;
mod expiry;
mod explain;
mod flow;
mod io;
mod lack;
mod opening;
mod pool;
mod probes;
mod proxied;
mod rescue;
mod sentence;
mod stream;
#[cfg(test)]
mod tests;
mod tunnel;
mod verbs;

use core::net::{IpAddr, SocketAddr};
use std::collections::BTreeSet;

use crate::base::{Clock, Families, Instant, Kind, Route, Seed, Slots, UnixTime};
use crate::config::{ClientConfig, Valid};
use crate::error::IoFailed;
use crate::net::{Machine, Output, Packets, SocketId, Transmit};
use crate::route::{Phase, Routes};

pub use association::AssociationId;
pub use datagrams::DatagramStats;
pub use error::FlowError;
pub use event::{CloseReason, Event, Notice, ProxyFault, RescueReason, What};
pub use explain::{
    BlockStory, Change, Contact, Explanation, FlowStory, MOST_BLOCKS, ProbeStory, RelayState, RelayStory,
    RouteStory, TrialStory,
};
pub use flow::{FlowId, FlowStatus, Incoming};
pub use pool::CarrierId;

use association::Association;
use explain::tried::Tried;
use flow::Flow;
use io::{Io, Role, Timer};
use pool::Pool;
use probes::Probing;

/// The client machine.
#[derive(Debug)]
pub struct Client {
    io: Io,
    /// How often streams began anew: with each network and with each trial. A connection from before proves nothing.
    epoch: u64,
    /// The epoch of the present network.
    network_epoch: u64,
    routes: Routes,
    /// When the timer of the routes goes off; never later than they want it.
    route_due: Option<Instant>,
    flows: Slots<FlowId, Flow>,
    /// Flows that look for their way and have none yet, or not any more.
    unplaced: BTreeSet<FlowId>,
    /// Flows that found no proxy and pause; the next connection to one wakes them.
    paused: BTreeSet<FlowId>,
    associations: Slots<AssociationId, Association>,
    probes: Vec<Probing>,
    /// What flows tried directly in their latest trials.
    tried: Tried,
    pool: Pool,
    /// When the embedder is told of the expiry of the credential next, on the civil clock.
    token_word: Option<UnixTime>,
    end: End,
}

/// How far the client is from its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// It is open.
    Open,
    /// It opens nothing any more, and delivers what was written.
    Draining,
    /// It is closed. So many flows were cut off by that.
    Closed { cut: usize },
}

impl Client {
    /// A client that follows `config`. `clock` ties the machine's time to the civil clock, for the token's expiry.
    pub fn new(config: Valid<ClientConfig>, seed: &Seed, clock: Clock, now: Instant) -> Self {
        let mut client = Self {
            epoch: 0,
            network_epoch: 0,
            routes: Routes::new(config.route, now, config.network, probes::probed(&config.probes)),
            route_due: None,
            flows: Slots::new(),
            unplaced: BTreeSet::new(),
            paused: BTreeSet::new(),
            associations: Slots::new(),
            probes: config.probes.iter().cloned().map(Probing::new).collect(),
            tried: Tried::default(),
            pool: Pool::new(&config, seed, now),
            token_word: None,
            end: End::Open,
            io: Io::new(config, seed, clock, now),
        };
        client.arm_token();
        client.advance();
        client
    }

    /// Where new flows of this kind go now.
    pub fn route(&self, kind: Kind) -> Route {
        self.routes.route(kind)
    }

    /// Where the decision about this kind of flow stands, for whoever shows it.
    pub fn phase(&self, kind: Kind) -> Phase {
        self.routes.phase(kind)
    }

    /// Bytes in all buffers now, used or not; at most those of [`ClientLimits`](crate::config::ClientLimits) for each flow.
    pub fn held(&self) -> usize {
        let flows = self.flows.iter().map(|(_, flow)| flow.held());
        flows.fold(self.pool.held(), usize::saturating_add)
    }

    /// How many flows there are.
    pub const fn flow_count(&self) -> usize {
        self.flows.len()
    }

    /// Whether the client is closed: by its embedder, or because everything is delivered after [`Self::drain`].
    pub const fn is_closed(&self) -> bool {
        matches!(self.end, End::Closed { .. })
    }

    /// Whether the decision about this kind of flow is open, so that direct attempts are made again and again.
    fn wants_proof(&self, kind: Kind) -> bool {
        matches!(self.routes.phase(kind), Phase::Held { .. } | Phase::Trial { .. })
    }

    /// Takes the moment of an input. Time never runs backwards: an older moment counts as the latest. A trial whose
    /// deadline has passed is over before the input counts, although its timer may come later.
    fn at(&mut self, now: Instant) -> Instant {
        self.io.now = self.io.now.max(now);
        if !self.is_closed() && self.routes.poll_timeout().is_some_and(|due| due <= self.io.now) {
            self.pass_routes();
            self.advance();
        }
        self.io.now
    }

    /// The flows of a decision that concerns `kind`, or both kinds.
    fn flows_of(&self, kind: Option<Kind>) -> Vec<FlowId> {
        let concerned = |flow: &Flow| kind.is_none_or(|kind| kind == flow.kind);
        self.flows.iter().filter(|(_, flow)| concerned(flow)).map(|(id, _)| id).collect()
    }

    fn arm_flow(&mut self, id: FlowId) {
        let flow = self.flows.get(id);
        let due = flow.and_then(Flow::poll_timeout);
        let rescue = flow.and_then(|flow| self.rescue_due(flow));
        self.io.timers.set(Timer::Flow(id), due.into_iter().chain(rescue).min());
    }
}

impl Machine for Client {
    type Event = Notice;

    fn poll_output(&mut self) -> Option<Output<Notice>> {
        self.io.requests.poll()
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.io.timers.next()
    }

    fn handle_timeout(&mut self, now: Instant) {
        let now = self.at(now);
        while let Some(timer) = self.io.timers.pop_due(now) {
            let (pool, io) = (&mut self.pool, &mut self.io);
            match timer {
                Timer::Age(id) => pool.on_age_timeout(io, id),
                Timer::Carrier(id) => self.on_carrier_timeout(id),
                Timer::Dial(id) => pool.go_on(io, id),
                Timer::Doubt(proxy) => pool.on_doubt_timeout(io, proxy),
                Timer::Drain => self.shut(),
                Timer::Flow(id) => self.on_flow_timeout(id),
                Timer::Probe(index) => self.on_probe_timeout(index),
                Timer::Renewal(place) => pool.on_renewal_timeout(place),
                Timer::Route => {
                    self.route_due = None;
                    self.pass_routes();
                }
                Timer::Search => pool.on_join_timeout(io),
                Timer::Shown(id) => pool.on_shown_timeout(io, id),
                Timer::Silence(id) => pool.on_silence_timeout(io, id),
                Timer::Standby => pool.stir(),
                Timer::Token => self.on_token_timeout(),
            }
            self.advance();
        }
    }

    fn handle_clock(&mut self, now: Instant, unix: UnixTime) {
        let now = self.at(now);
        if !self.is_closed() && self.io.clock.tie(now, unix) {
            self.on_clock_parted();
        }
    }

    fn handle_resolved(
        &mut self,
        now: Instant,
        id: SocketId,
        families: Families,
        answer: Result<&[IpAddr], IoFailed>,
    ) {
        self.at(now);
        let (pool, io) = (&mut self.pool, &mut self.io);
        match io.requests.role(id) {
            Some(Role::Dial(dial)) => pool.on_search_resolved(io, dial, id, families, answer),
            Some(Role::Flow(flow)) => self.on_flow_resolved(flow, id, families, answer),
            Some(Role::Probe(index)) => self.on_probe_resolved(index, id, families, answer),
            Some(Role::Refresh) => pool.on_refreshed(io, id, families, answer),
            Some(Role::Carrier(_) | Role::Shared(..)) | None => {}
        }
        self.advance();
    }

    fn handle_opened(&mut self, now: Instant, id: SocketId, _local: SocketAddr) {
        self.at(now);
        let role = self.io.requests.role(id);
        if role.is_some() {
            self.io.on_plenty();
        }
        match role {
            Some(Role::Dial(dial)) => self.pool.on_attempt_opened(&mut self.io, dial, id),
            Some(Role::Flow(flow)) => self.on_flow_opened(flow, id),
            Some(Role::Probe(index)) => self.on_probe_opened(index, id),
            Some(Role::Shared(association, family)) => self.on_shared_opened(association, family),
            Some(Role::Carrier(_) | Role::Refresh) | None => {}
        }
        self.advance();
    }

    fn handle_failed(&mut self, now: Instant, id: SocketId, error: IoFailed) {
        self.at(now);
        match self.io.requests.role(id) {
            Some(Role::Carrier(carrier)) => self.on_carrier_failed(carrier, error),
            Some(Role::Dial(dial)) => self.pool.on_attempt_failed(&mut self.io, dial, id, error.into()),
            Some(Role::Flow(flow)) => self.on_flow_failed(flow, id, error),
            Some(Role::Probe(index)) => self.on_probe_failed(index, id, error),
            Some(Role::Shared(association, family)) => {
                self.on_shared_failed(association, family, id, &error);
            }
            Some(Role::Refresh) | None => {}
        }
        self.advance();
    }

    fn handle_broken(&mut self, now: Instant, id: SocketId, _error: IoFailed) {
        self.at(now);
        self.io.requests.break_off(id);
        match self.io.requests.role(id) {
            Some(Role::Carrier(carrier)) => {
                self.pool.users(carrier).into_iter().for_each(|(flow, _)| self.on_stream_broken(flow));
            }
            Some(Role::Flow(flow)) => self.on_stream_broken(flow),
            Some(Role::Dial(_) | Role::Probe(_) | Role::Refresh | Role::Shared(..)) | None => {}
        }
        self.advance();
    }

    fn handle_received(&mut self, now: Instant, id: SocketId, data: &mut [u8]) {
        self.at(now);
        match self.io.requests.role(id) {
            Some(Role::Carrier(carrier)) => self.on_carrier_received(carrier, data),
            Some(Role::Dial(dial)) => self.pool.on_attempt_received(&mut self.io, dial, id, data),
            Some(Role::Flow(flow)) => self.on_flow_received(flow, id, data),
            Some(Role::Probe(_) | Role::Refresh | Role::Shared(..)) | None => {}
        }
        self.advance();
    }

    fn handle_packets(&mut self, now: Instant, id: SocketId, packets: Packets<'_>) {
        self.at(now);
        match self.io.requests.role(id) {
            Some(Role::Flow(flow)) => self.on_flow_packets(flow, packets),
            Some(Role::Probe(index)) => self.on_probe_answer(index),
            Some(Role::Shared(association, family)) => self.on_shared_packets(association, family, packets),
            Some(Role::Carrier(_) | Role::Dial(_) | Role::Refresh) | None => {}
        }
        self.advance();
    }

    fn handle_overflow(&mut self, now: Instant, id: SocketId, count: u64) {
        self.at(now);
        if let Some(Role::Flow(flow)) = self.io.requests.role(id) {
            self.on_flow_overflow(flow, count);
        }
    }

    fn handle_finished(&mut self, now: Instant, id: SocketId) {
        self.at(now);
        match self.io.requests.role(id) {
            Some(Role::Carrier(carrier)) => self.on_carrier_finished(carrier),
            Some(Role::Dial(dial)) => self.pool.on_attempt_finished(&mut self.io, dial, id),
            Some(Role::Flow(flow)) => self.on_flow_finished(flow, id),
            Some(Role::Probe(_) | Role::Refresh | Role::Shared(..)) | None => {}
        }
        self.advance();
    }

    fn pending(&mut self, now: Instant, id: SocketId) -> Option<&[u8]> {
        self.at(now);
        match self.io.requests.role(id)? {
            Role::Carrier(carrier) => self.pending_of_carrier(carrier),
            Role::Dial(dial) => self.pool.pending_of_attempt(&mut self.io, dial, id),
            Role::Flow(flow) => self.pending_of_flow(flow, id),
            Role::Probe(_) | Role::Refresh | Role::Shared(..) => None,
        }
    }

    fn handle_written(&mut self, now: Instant, id: SocketId, written: usize) {
        self.at(now);
        match self.io.requests.role(id) {
            Some(Role::Carrier(carrier)) => self.on_carrier_written(carrier, written),
            Some(Role::Dial(dial)) => self.pool.on_attempt_written(dial, id, written),
            Some(Role::Flow(flow)) => self.on_flow_written(flow, id, written),
            Some(Role::Probe(_) | Role::Refresh | Role::Shared(..)) | None => {}
        }
        self.advance();
    }

    fn transmit(&mut self, now: Instant, id: SocketId) -> Option<Transmit<'_>> {
        self.at(now);
        match self.io.requests.role(id)? {
            Role::Flow(flow) => self.transmit_of_flow(flow, id),
            Role::Probe(index) => self.transmit_of_probe(index, id),
            Role::Shared(association, family) => self.transmit_of_shared(association, family, id),
            Role::Carrier(_) | Role::Dial(_) | Role::Refresh => None,
        }
    }

    fn handle_sent(&mut self, now: Instant, id: SocketId, count: usize) {
        self.at(now);
        match self.io.requests.role(id) {
            Some(Role::Flow(flow)) => self.on_flow_sent(flow, count),
            Some(Role::Probe(index)) => self.on_probe_sent(index),
            Some(Role::Shared(association, family)) => self.on_shared_sent(association, family, count),
            Some(Role::Carrier(_) | Role::Dial(_) | Role::Refresh) | None => {}
        }
        self.advance();
    }
}
