//! The client: the embedded side, which decides routes and opens flows.
//!
//! [`Client`] is a [`Machine`] for its adapter, and has verbs for its embedder: open a flow, write, read, send a
//! datagram, renew the token, say that the network changed. It owns the routing decision, the connections to proxies
//! and every flow; a direct flow passes through it just like a proxied one, so that a route can change beneath a flow
//! that is still looking for its way.

mod association;
mod check;
mod direct;
mod error;
mod event;
mod expiry;
mod flow;
mod lack;
mod opening;
mod parting;
mod probes;
mod proxied;
mod refresh;
mod renewal;
mod rescue;
mod silence;
mod standby;
#[cfg(test)]
mod tests;
mod tunnel;
mod verbs;

use core::net::{IpAddr, SocketAddr};
use std::collections::{BTreeSet, VecDeque};

use crate::auth::Credential;
use crate::base::{Clock, Families, Instant, Kind, Network, Rng, Route, Seed, Slots, Timers, UnixTime};
use crate::config::{ClientConfig, Mode, Valid};
use crate::error::IoFailed;
use crate::net::{Backoff, Episode, Family, Machine, Memory, Output, Proxies, Requests, SocketId};
use crate::route::{Phase, RouteEvent, Routes};

pub use association::AssociationId;
pub use error::FlowError;
pub use event::{CloseReason, Event, Notice, ProxyFault, RescueReason, What};
pub use flow::{FlowId, FlowStatus, Incoming};
pub use proxied::CarrierId;

use association::Association;
use check::Check;
use flow::Flow;
use parting::{Parting, PartingId};
use probes::Probing;
use proxied::{Carrier, DialId, ProxyDial};
use refresh::Refreshes;
use renewal::{Place, Renewals};
use silence::Standing;

/// The client machine.
#[derive(Debug)]
pub struct Client {
    config: Valid<ClientConfig>,
    credential: Option<Credential>,
    clock: Clock,
    now: Instant,
    rng: Rng,
    network: Network,
    /// How often streams began anew: with each network and with each trial. A connection from before proves nothing.
    epoch: u64,
    /// The epoch of the present network.
    network_epoch: u64,
    routes: Routes,
    memory: Memory,
    refreshes: Refreshes,
    /// When the timer of the routes goes off; never later than they want it.
    route_due: Option<Instant>,
    proxies: Proxies,
    requests: Requests<Role, Notice>,
    flows: Slots<FlowId, Flow>,
    associations: Slots<AssociationId, Association>,
    carriers: Slots<CarrierId, Carrier>,
    dials: Slots<DialId, ProxyDial>,
    partings: Slots<PartingId, Parting>,
    probes: Vec<Probing>,
    /// Connections that wait for a flow, the oldest first.
    ready: VecDeque<CarrierId>,
    /// Flows that wait for a connection, in the order in which they get one. Those that have one over which nothing comes
    /// keep it until then.
    waiting: VecDeque<FlowId>,
    /// Flows that found no proxy and pause; the next connection to one wakes them.
    paused: BTreeSet<FlowId>,
    /// What is thought of each proxy, by its place in the configuration.
    standings: Vec<Standing>,
    /// When a search that has come to nothing is joined by another.
    search_at: Option<Instant>,
    timers: Timers<Timer>,
    /// When a connection was last wanted; standby ends some time after.
    wanted: Option<Instant>,
    /// No standby before this moment, after one that came to nothing.
    standby_after: Instant,
    standby_backoff: Backoff,
    renewals: Renewals,
    check: Check,
    /// When the embedder is told of the expiry of the credential next, on the civil clock.
    token_word: Option<UnixTime>,
    /// What this machine lacks.
    lack: Episode,
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

/// What a socket is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    Carrier(CarrierId),
    Dial(DialId),
    Flow(FlowId),
    Parting(PartingId),
    Probe(usize),
    /// The look-up of a proxy's name, beside connections to where it led before.
    Refresh,
    /// The flows of an association, with everybody of a family.
    Shared(AssociationId, Family),
}

/// What a deadline is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Timer {
    Carrier(CarrierId),
    Dial(DialId),
    Doubt(usize),
    Drain,
    Flow(FlowId),
    Parting(PartingId),
    Probe(usize),
    Renewal(Place),
    Route,
    Search,
    Standby,
    Token,
}

impl Client {
    /// A client that follows `config`. `clock` ties the machine's time to the civil clock, for the token's expiry.
    pub fn new(config: Valid<ClientConfig>, seed: &Seed, clock: Clock, now: Instant) -> Self {
        let route = config.route;
        let probed = probes::probed(&config.probes);
        let mut client = Self {
            credential: config.credential.clone(),
            clock,
            now,
            rng: seed.stream("client"),
            network: config.network,
            memory: Memory::new(config.network),
            refreshes: Refreshes::default(),
            epoch: 0,
            network_epoch: 0,
            route_due: None,
            routes: Routes::new(route, now, config.network, probed),
            proxies: Proxies::new(config.proxies.len(), seed, config.route.retry),
            requests: Requests::new(),
            flows: Slots::new(),
            associations: Slots::new(),
            carriers: Slots::new(),
            dials: Slots::new(),
            partings: Slots::new(),
            probes: config.probes.iter().cloned().map(Probing::new).collect(),
            ready: VecDeque::new(),
            waiting: VecDeque::new(),
            paused: BTreeSet::new(),
            search_at: None,
            standings: core::iter::repeat_with(Standing::default).take(config.proxies.len()).collect(),
            timers: Timers::new(),
            wanted: (config.route.mode == Mode::Normal).then_some(now),
            standby_after: now,
            standby_backoff: Backoff::new(),
            renewals: Renewals::default(),
            check: match config.route.mode {
                Mode::Normal | Mode::Smart if config.check_credential => Check::Wanted,
                _ => Check::Over,
            },
            token_word: None,
            lack: Episode::default(),
            end: End::Open,
            config,
        };
        client.arm_token();
        client.follow_routes();
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
        let carriers = self.carriers.iter().map(|(_, carrier)| carrier.pipe.held());
        flows.chain(carriers).fold(0, usize::saturating_add)
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
        self.now = self.now.max(now);
        if !self.is_closed() && self.routes.poll_timeout().is_some_and(|due| due <= self.now) {
            self.pass_routes();
        }
        self.now
    }

    fn tell(&mut self, what: What) {
        self.requests.event(Notice::Event(Event { at: self.now, what }));
    }

    fn nudge(&mut self, flow: FlowId) {
        self.requests.event(Notice::Flow(flow));
    }

    /// Acts on what the routing decision has come to.
    fn follow_routes(&mut self) {
        while let Some(event) = self.routes.poll_event() {
            match event {
                RouteEvent::TrialStarted { kind, link, deadline } => {
                    self.wanted = Some(self.now);
                    if kind != Some(Kind::Datagram) {
                        self.epoch += 1;
                    }
                    self.tell(What::TrialStarted { kind, link, length: deadline.since(self.now) });
                    self.restart_direct(kind);
                }
                RouteEvent::DirectProven { kind, proof, elapsed } => {
                    self.tell(What::DirectConnected { kind, proof, elapsed });
                    self.announce_datagrams();
                    // What has not come through has a time of its own from now on.
                    self.flows_of(kind).into_iter().for_each(|id| self.arm_flow(id));
                }
                RouteEvent::ProofFailed { kind, failure } => {
                    self.tell(What::ProofFailed { kind, failure });
                    self.begin_trials();
                }
                RouteEvent::RouteChanged { kind, from, to, reason, link } => {
                    self.tell(What::RouteChanged { kind, from, to, reason, link });
                    match to {
                        Route::Proxied => self.take_over(kind),
                        Route::Direct => self.recall(kind),
                    }
                }
                RouteEvent::Held { kind, link } => {
                    self.tell(What::StayingDirect { kind, link });
                    self.announce_datagrams();
                    self.hold(kind);
                }
            }
        }
        self.run_probes();
        self.arm_routes();
        self.supply();
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
        self.timers.set(Timer::Flow(id), due.into_iter().chain(rescue).min());
    }
}

impl Machine for Client {
    type Event = Notice;

    fn poll_output(&mut self) -> Option<Output<Notice>> {
        self.requests.poll()
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.timers.next()
    }

    fn handle_timeout(&mut self, now: Instant) {
        let now = self.at(now);
        while let Some(timer) = self.timers.pop_due(now) {
            match timer {
                Timer::Carrier(id) => self.on_carrier_timeout(id),
                Timer::Dial(id) => self.advance_dial(id),
                Timer::Doubt(proxy) => self.on_doubt_timeout(proxy),
                Timer::Drain => self.close(now),
                Timer::Flow(id) => self.on_flow_timeout(id),
                Timer::Parting(id) => self.end_parting(id),
                Timer::Probe(index) => self.on_probe_timeout(index),
                Timer::Renewal(place) => self.on_renewal_timeout(place),
                Timer::Route => {
                    self.route_due = None;
                    self.pass_routes();
                }
                Timer::Search => self.search_again(),
                Timer::Standby => self.supply(),
                Timer::Token => self.on_token_timeout(),
            }
        }
    }

    fn handle_clock(&mut self, now: Instant, unix: UnixTime) {
        let now = self.at(now);
        if !self.is_closed() && self.clock.tie(now, unix) {
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
        match self.requests.role(id) {
            Some(Role::Dial(dial)) => self.on_proxy_resolved(dial, id, families, answer),
            Some(Role::Flow(flow)) => self.on_flow_resolved(flow, id, families, answer),
            Some(Role::Probe(index)) => self.on_probe_resolved(index, id, families, answer),
            Some(Role::Refresh) => self.on_refreshed(id, families, answer),
            Some(Role::Carrier(_) | Role::Parting(_) | Role::Shared(..)) | None => {}
        }
    }

    fn handle_opened(&mut self, now: Instant, id: SocketId, _local: SocketAddr) {
        self.at(now);
        let role = self.requests.role(id);
        if role.is_some() {
            self.on_plenty();
        }
        match role {
            Some(Role::Dial(dial)) => self.on_proxy_opened(dial, id),
            Some(Role::Flow(flow)) => self.on_flow_opened(flow, id),
            Some(Role::Probe(index)) => self.on_probe_opened(index, id),
            Some(Role::Shared(association, family)) => self.on_shared_opened(association, family),
            Some(Role::Carrier(_) | Role::Parting(_) | Role::Refresh) | None => {}
        }
    }

    fn handle_failed(&mut self, now: Instant, id: SocketId, error: IoFailed) {
        self.at(now);
        match self.requests.role(id) {
            Some(Role::Carrier(carrier)) => {
                self.requests.forget(id);
                self.on_carrier_gone(carrier);
            }
            Some(Role::Dial(dial)) => {
                self.requests.forget(id);
                self.on_proxy_attempt_failed(dial, id, error.into());
            }
            Some(Role::Flow(flow)) => self.on_flow_failed(flow, id, error),
            Some(Role::Parting(parting)) => {
                self.requests.forget(id);
                self.end_parting(parting);
            }
            Some(Role::Probe(index)) => self.on_probe_failed(index, id, error),
            Some(Role::Shared(association, family)) => {
                self.on_shared_failed(association, family, id, &error);
            }
            Some(Role::Refresh) | None => {}
        }
    }

    fn handle_broken(&mut self, now: Instant, id: SocketId, _error: IoFailed) {
        self.at(now);
        let flow = match self.requests.role(id) {
            Some(Role::Carrier(carrier)) => self.carriers.get(carrier).and_then(|carrier| carrier.flow),
            Some(Role::Flow(flow)) => Some(flow),
            Some(Role::Dial(_) | Role::Parting(_) | Role::Probe(_) | Role::Refresh | Role::Shared(..))
            | None => None,
        };
        self.requests.break_off(id);
        if let Some(flow) = flow {
            self.on_stream_broken(flow);
        }
    }

    fn handle_received(&mut self, now: Instant, id: SocketId, data: &mut [u8]) {
        self.at(now);
        match self.requests.role(id) {
            Some(Role::Carrier(carrier)) => self.on_carrier_received(carrier, data),
            Some(Role::Dial(dial)) => self.on_proxy_received(dial, id, data),
            Some(Role::Flow(flow)) => self.on_flow_received(flow, id, data),
            Some(Role::Parting(parting)) => self.on_parting_received(parting, data.len()),
            Some(Role::Probe(index)) => self.on_probe_answer(index),
            Some(Role::Refresh | Role::Shared(..)) | None => {}
        }
    }

    fn handle_datagram(&mut self, now: Instant, id: SocketId, from: SocketAddr, data: &mut [u8]) {
        self.at(now);
        if let Some(Role::Shared(association, family)) = self.requests.role(id) {
            self.on_shared_received(association, family, from, data);
        }
    }

    fn handle_overflow(&mut self, now: Instant, id: SocketId, count: u64) {
        self.at(now);
        if let Some(Role::Flow(flow)) = self.requests.role(id) {
            self.on_flow_overflow(flow, count);
        }
    }

    fn handle_finished(&mut self, now: Instant, id: SocketId) {
        self.at(now);
        match self.requests.role(id) {
            Some(Role::Carrier(carrier)) => self.on_carrier_finished(carrier),
            Some(Role::Dial(dial)) => self.on_proxy_finished(dial, id),
            Some(Role::Flow(flow)) => self.on_flow_finished(flow, id),
            Some(Role::Parting(parting)) => self.end_parting(parting),
            Some(Role::Probe(_) | Role::Refresh | Role::Shared(..)) | None => {}
        }
    }

    fn pending(&mut self, now: Instant, id: SocketId) -> Option<&[u8]> {
        self.at(now);
        match self.requests.role(id)? {
            Role::Carrier(carrier) => self.pending_of_carrier(carrier, id),
            Role::Dial(dial) => self.pending_of_dial(dial, id),
            Role::Flow(flow) => self.pending_of_flow(flow, id),
            Role::Parting(parting) => self.pending_of_parting(parting),
            Role::Probe(index) => self.pending_of_probe(index, id),
            Role::Refresh => None,
            Role::Shared(association, family) => self.pending_of_shared(association, family, id),
        }
    }

    fn destination(&self, id: SocketId) -> Option<SocketAddr> {
        match self.requests.role(id)? {
            Role::Shared(association, family) => self.destination_of_shared(association, family),
            _ => None,
        }
    }

    fn handle_written(&mut self, now: Instant, id: SocketId, written: usize) {
        self.at(now);
        match self.requests.role(id) {
            Some(Role::Carrier(carrier)) => self.on_carrier_written(carrier, written),
            Some(Role::Dial(dial)) => self.on_proxy_written(dial, id, written),
            Some(Role::Flow(flow)) => self.on_flow_written(flow, id, written),
            Some(Role::Parting(parting)) => self.on_parting_written(parting, written),
            Some(Role::Probe(index)) => self.on_probe_written(index),
            Some(Role::Shared(association, family)) => self.on_shared_written(association, family),
            Some(Role::Refresh) | None => {}
        }
    }
}
