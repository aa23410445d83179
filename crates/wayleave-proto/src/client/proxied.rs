//! Connections to proxies: made, kept ready, given to flows.

use core::net::{IpAddr, SocketAddr};

use smallvec::SmallVec;

use super::event::ProxyFault;
use super::flow::{Flow, State};
use super::parting::last_word;
use super::renewal::Place;
use super::{Client, FlowError, FlowId, Role, Timer, What};
use crate::base::{Families, Host, Instant, Kind, Name, Target, key};
use crate::carrier::Carrier as CarrierKind;
use crate::carrier::h1::{Acks, Pipe};
use crate::carrier::tls::Session;
use crate::codec::h1::HeadLimits;
use crate::config::{BackoffConfig, Canary, Peer};
use crate::error::{IoFailed, Resource};
use crate::net::{Dial, DialConfig, Fault, Judge, Known, Recall, Refresh, SocketId};

key! {
    /// One connection to a proxy.
    pub CarrierId, "c"
}

key! {
    /// One search for a proxy.
    pub(super) DialId, "d"
}

/// One connection to a proxy: made, and either ready or in use by one flow.
#[derive(Debug)]
pub(super) struct Carrier {
    pub(super) socket: SocketId,
    pub(super) pipe: Pipe,
    /// Its place in the configuration.
    pub(super) proxy: usize,
    /// Where it was dialled.
    pub(super) address: SocketAddr,
    /// What the machine at the other end calls itself, once it has accepted something.
    pub(super) machine: Option<String>,
    /// The latest credential that this machine is known to have accepted, by the count of renewals.
    pub(super) heard: u64,
    /// Its relay ended it without close_notify.
    pub(super) truncated: bool,
    /// The flow that uses it.
    pub(super) flow: Option<FlowId>,
    /// When to wish for fewer acknowledgements again.
    pub(super) acks: Acks,
    /// It shows a renewed credential and carries no flow.
    pub(super) shows: bool,
    /// Which credential it showed, by the count of renewals.
    pub(super) renewal: u64,
    /// When it was made.
    pub(super) made: Instant,
    /// Since when something was sent and nothing came.
    pub(super) unheard: Option<Instant>,
    /// Its timer looks after its silence.
    pub(super) watched: bool,
    /// Its flow looks for another.
    pub(super) leaving: bool,
}

/// Where a search leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lead {
    /// To whichever proxy answers.
    Anywhere,
    /// To the proxy that is doubted, to see whether it answers.
    Question(usize),
    /// To whichever proxy answers, this one last.
    RatherNot(usize),
    /// To the place that has to see a credential.
    Renewal(Place),
}

impl Lead {
    /// The only proxy that it may lead to.
    const fn only(self) -> Option<usize> {
        match self {
            Self::Question(proxy) => Some(proxy),
            Self::Renewal(place) => Some(place.proxy),
            Self::Anywhere | Self::RatherNot(_) => None,
        }
    }

    /// The only address that it may lead to.
    const fn address(self) -> Option<IpAddr> {
        match self {
            Self::Renewal(place) => Some(place.address.ip()),
            Self::Anywhere | Self::Question(_) | Self::RatherNot(_) => None,
        }
    }
}

impl Carrier {
    /// Where a connection leads that can reach the same machine.
    pub(super) fn place(&self) -> Place {
        Place { proxy: self.proxy, address: self.address }
    }
}

/// One search for a proxy that answers: staggered over proxies and their addresses, won by the first TLS handshake.
#[derive(Debug)]
pub(super) struct ProxyDial {
    pub(super) dial: Dial,
    /// The proxies in the order of this search, by their places in the configuration.
    order: SmallVec<[usize; 4]>,
    sessions: SmallVec<[(SocketId, Box<dyn Session>); 2]>,
    began: Instant,
    /// Failures of the search that were already told.
    told: usize,
    pub(super) lead: Lead,
}

impl Client {
    /// Gives ready connections to waiting flows, and makes as many as are wanted.
    pub(super) fn supply(&mut self) {
        if !self.is_open() {
            return;
        }
        self.supply_renewals();
        while let Some((flow, carrier)) = self.pair() {
            self.ask(flow, carrier);
        }
        self.supply_check();
        self.drop_surplus();
        let standby = self.standby();
        let wanted = self.waiting.len() + standby + self.renewals.connections();
        let dials = self.config.limits.dials;
        while self.uses_proxies()
            && self.network.up
            && self.dials.len() < dials
            && self.ready.len() + self.searches() < wanted
        {
            let lead = self.lead();
            self.start_dial(lead);
        }
        let searches = !self.waiting.is_empty() && !self.dials.is_empty() && self.network.up;
        match (searches, self.search_at) {
            (true, None) => self.search_at = Some(self.now + SEARCH_AGAIN),
            (false, Some(_)) => self.search_at = None,
            _ => return,
        }
        self.timers.set(Timer::Search, self.search_at);
    }

    /// Takes the first of those who wait for whom a ready connection will do, with that connection.
    fn pair(&mut self) -> Option<(FlowId, CarrierId)> {
        let waiting = self.waiting.iter().take(if self.ready.is_empty() { 0 } else { PAIRED });
        let (flow, carrier) = waiting.enumerate().find_map(|(flow, id)| {
            let carrier = self.ready.iter().position(|carrier| self.suits(*id, *carrier))?;
            Some((flow, carrier))
        })?;
        Some((self.waiting.remove(flow)?, self.ready.remove(carrier)?))
    }

    /// Searches that may bring a connection for whoever waits.
    fn searches(&self) -> usize {
        let asks = |search: &ProxyDial| matches!(search.lead, Lead::Question(_));
        self.dials.iter().filter(|(_, search)| !asks(search)).count()
    }

    /// Somebody waits, and no search has come to anything: one more begins. Those before it go on, but what TCP asked long ago
    /// it repeats more and more seldom, and would hear of the end of an outage long after it. Where enough have joined, the
    /// oldest of those makes room.
    pub(super) fn search_again(&mut self) {
        self.search_at = None;
        let free = self.dials.iter().filter(|(_, search)| search.lead.only().is_none());
        let joined: SmallVec<[DialId; 4]> = free.map(|(id, _)| id).skip(self.waiting.len()).collect();
        if joined.len() >= SEARCHES_AGAIN
            && let Some(oldest) = joined.first()
        {
            self.drop_dial(*oldest);
        }
        if !self.waiting.is_empty() && self.network.up && self.dials.len() < self.config.limits.dials {
            let lead = self.lead();
            self.start_dial(lead);
        }
        self.supply();
    }

    /// Gives up what nobody waits for any more: flows may be released faster than a proxy is found for them.
    fn drop_surplus(&mut self) {
        let again = if self.waiting.is_empty() { 0 } else { SEARCHES_AGAIN };
        let beside = self.renewals.connections() + self.check_connections();
        let most = self.waiting.len() + self.config.limits.standby + beside + again;
        while self.ready.len() + self.searches() > most {
            // The latest search has the longest way to go; one that leads to one proxy alone is wanted.
            let free = |search: &ProxyDial| search.lead.only().is_none();
            let latest = self.dials.iter().filter(|(_, search)| free(search)).map(|(id, _)| id).last();
            if let Some(id) = latest {
                self.drop_dial(id);
            } else if self.ready.len() > most {
                let Some(id) = self.ready.pop_front() else { return };
                self.close_carrier(id, false);
            } else {
                return;
            }
        }
    }

    pub(super) fn drop_dial(&mut self, id: DialId) {
        self.timers.set(Timer::Dial(id), None);
        if let Some(mut search) = self.dials.remove(id) {
            search.dial.end(&mut self.requests, None);
            if let Lead::Question(proxy) = search.lead {
                self.forget_question(proxy);
            }
        }
    }

    /// Searches for a proxy.
    pub(super) fn start_dial(&mut self, lead: Lead) -> DialId {
        let mut order = self.proxies.order(self.now);
        order.retain(|index| lead.only().is_none_or(|only| only == *index));
        order.sort_by_key(|index| lead == Lead::RatherNot(*index));
        let targets: SmallVec<[Target; 4]> =
            order.iter().filter_map(|index| self.config.proxies.get(*index).cloned()).collect();
        let limits = &self.config.limits;
        let config = DialConfig { stagger: limits.stagger, timeout: limits.proxy_timeout, fragments: true };
        let dial = Dial::new(Kind::Stream, targets, config, self.now);
        let dial = ProxyDial { dial, order, sessions: SmallVec::new(), began: self.now, told: 0, lead };
        let id = self.dials.insert(dial);
        self.advance_dial(id);
        id
    }

    pub(super) fn advance_dial(&mut self, id: DialId) {
        let Some(search) = self.dials.get_mut(id) else { return };
        let only = search.lead.address();
        let mut judge = ThatPlace { only, recall: Recall::proxies(&self.memory, self.now) };
        search.dial.advance(self.now, &mut self.requests, Role::Dial(id), &mut judge);
        let ProxyDial { sessions, dial, .. } = search;
        sessions.retain(|(socket, _)| dial.attempt(*socket).is_some());
        self.tell_proxy_faults(id);
        let Some(search) = self.dials.get(id) else { return };
        if search.dial.is_exhausted() {
            self.on_dial_exhausted(id);
        } else {
            let due = search.dial.poll_timeout();
            self.timers.set(Timer::Dial(id), due);
        }
    }

    fn tell_proxy_faults(&mut self, id: DialId) {
        while let Some(search) = self.dials.get_mut(id)
            && let Some((place, fault)) = search.dial.faults().get(search.told).cloned()
        {
            search.told += 1;
            let Some(proxy) = search.order.get(place).copied() else { continue };
            if let Some(resource) = fault.lacked() {
                self.on_lack(resource);
                continue;
            }
            self.on_proxy_failed(proxy, ProxyFault::Connection(fault), None);
        }
    }

    pub(super) fn on_proxy_failed(
        &mut self,
        proxy: usize,
        error: ProxyFault,
        again: Option<core::time::Duration>,
    ) {
        self.proxies.handle_failed(self.now, proxy, again);
        if let Some(target) = self.config.proxies.get(proxy).cloned() {
            self.tell(What::ProxyFailed { proxy: target, carrier: CarrierKind::H1, error });
        }
    }

    /// No proxy answered: the flow that waited longest learns what each one said.
    fn on_dial_exhausted(&mut self, id: DialId) {
        self.timers.set(Timer::Dial(id), None);
        let Some(search) = self.dials.remove(id) else { return };
        let lacked = search.dial.faults().iter().find_map(|(_, fault)| fault.lacked());
        let said = search.dial.faults().iter().filter_map(|(place, fault)| {
            Some((search.dial.target(*place)?.clone(), ProxyFault::Connection(fault.clone())))
        });
        let said = said.collect();
        match search.lead {
            Lead::Anywhere | Lead::RatherNot(_) => {}
            Lead::Question(proxy) => {
                let faults: Vec<Fault> =
                    search.dial.faults().iter().map(|(_, fault)| fault.clone()).collect();
                return self.on_question_failed(proxy, &faults);
            }
            Lead::Renewal(place) => {
                self.rest_renewal(place);
                return self.supply();
            }
        }
        match self.waiting.front().copied() {
            Some(flow) => self.on_no_proxy(flow, said, lacked),
            None => self.rest_standby(),
        }
        self.supply();
    }

    /// A stream fails; a datagram flow that was open before tries again until it has been silent for too long.
    fn on_no_proxy(&mut self, id: FlowId, said: Vec<(Target, ProxyFault)>, lacked: Option<Resource>) {
        let Some(flow) = self.flows.get_mut(id) else {
            self.waiting.retain(|waiting| *waiting != id);
            return;
        };
        // Where it has a way, it keeps it: nobody else answers either. One that is owed an answer looks again soon.
        if let State::Asking(asked) = &mut flow.state {
            asked.hedge_at = Some(self.now + self.config.limits.hedge);
            self.waiting.retain(|waiting| *waiting != id);
            self.arm_flow(id);
        } else if let State::Tunnel { .. } = flow.state {
            if let State::Tunnel { carrier, .. } = flow.state
                && let Some(carrier) = self.carriers.get_mut(carrier)
            {
                carrier.leaving = false;
            }
            self.waiting.retain(|waiting| *waiting != id);
        } else if flow.kind == Kind::Datagram && flow.announced && flow.spare.is_none() {
            self.waiting.retain(|waiting| *waiting != id);
            self.wait_again(id);
            // A connection is what this one lacks. One that was refused would be refused again, as often as one stands.
            if !said.is_empty() {
                self.paused.insert(id);
            }
        } else if let Some(resource) = lacked {
            self.fail(id, FlowError::Exhausted(resource));
        } else {
            for (proxy, fault) in said {
                flow.refused_by(proxy, fault);
            }
            if self.config.route.breaks(Canary::FailsOpen) {
                self.waiting.retain(|waiting| *waiting != id);
                return self.dial_directly(id);
            }
            let said = core::mem::take(&mut flow.refusals);
            self.fail(id, no_proxy(said));
        }
    }

    /// Lets a flow that lost its connection wait a moment before it asks for another.
    pub(super) fn wait_again(&mut self, id: FlowId) {
        let schedule = self.busy_schedule();
        let Some(flow) = self.flows.get_mut(id) else { return };
        let after = flow.backoff.next(&schedule, &mut self.rng);
        flow.state = State::Waiting(Some(self.now + after));
        self.arm_flow(id);
    }

    /// How pauses grow where somebody waits: not beyond a second.
    fn busy_schedule(&self) -> BackoffConfig {
        let retry = self.config.route.retry;
        BackoffConfig { first: retry.first.min(LONGEST_PAUSE), most: retry.most.min(LONGEST_PAUSE), ..retry }
    }

    /// The moment from which a datagram flow whose tunnel ended may ask for another: at once where that one had lived.
    pub(super) fn after_tunnel(&mut self, id: FlowId, since: Instant) -> Instant {
        let schedule = self.busy_schedule();
        let Some(flow) = self.flows.get_mut(id) else { return self.now };
        if self.now.since(since) >= SETTLED {
            flow.backoff.reset();
            return self.now;
        }
        self.now + flow.backoff.next(&schedule, &mut self.rng)
    }

    pub(super) fn on_proxy_resolved(
        &mut self,
        id: DialId,
        lookup: SocketId,
        families: Families,
        answer: Result<&[IpAddr], IoFailed>,
    ) {
        let Some(search) = self.dials.get_mut(id) else { return };
        if let (Some(name), Ok(addresses)) = (search.dial.asked(lookup), &answer) {
            self.memory.handle_resolved(self.now, name, families, addresses);
        }
        search.dial.handle_resolved(self.now, lookup, families, answer);
        self.advance_dial(id);
    }

    pub(super) fn on_proxy_opened(&mut self, id: DialId, socket: SocketId) {
        let Some(search) = self.dials.get_mut(id) else { return };
        let Some(attempt) = search.dial.attempt(socket) else { return };
        let Some(proxy) = search.dial.target(attempt.target) else { return };
        match self.config.connector.connect(&proxy.host) {
            Ok(session) => {
                search.sessions.push((socket, session));
                self.requests.watch(socket, self.config.limits.liveness(Peer::Pausing));
                self.requests.pending(socket);
            }
            Err(error) => {
                self.requests.close(socket, false);
                self.on_proxy_attempt_failed(id, socket, error.into());
            }
        }
    }

    pub(super) fn on_proxy_attempt_failed(&mut self, id: DialId, socket: SocketId, fault: Fault) {
        let Some(search) = self.dials.get_mut(id) else { return };
        search.dial.handle_failed(self.now, socket, fault);
        self.advance_dial(id);
    }

    pub(super) fn on_proxy_received(&mut self, id: DialId, socket: SocketId, data: &mut [u8]) {
        let Some(session) = self.session_of(id, socket) else { return };
        match session.receive(data) {
            Err(error) => {
                let alert = last_word(session);
                self.part(socket, alert, false);
                self.on_proxy_attempt_failed(id, socket, error.into());
            }
            Ok(()) if session.is_handshaking() => self.requests.pending(socket),
            // What came with the handshake would pass for the answer to the first request (RFC 9112 §6.3).
            Ok(()) if session.plaintext_len() > 0 => {
                self.requests.close(socket, false);
                self.on_proxy_attempt_failed(id, socket, Fault::Unasked);
            }
            Ok(()) => self.on_proxy_won(id, socket),
        }
    }

    pub(super) fn on_proxy_finished(&mut self, id: DialId, socket: SocketId) {
        let Some(session) = self.session_of(id, socket) else { return };
        if let Err(error) = session.receive_end() {
            self.requests.close(socket, false);
            self.on_proxy_attempt_failed(id, socket, error.into());
        }
    }

    pub(super) fn pending_of_dial(&mut self, id: DialId, socket: SocketId) -> Option<&[u8]> {
        let search = self.dials.get_mut(id)?;
        let session = search.sessions.iter_mut().find(|(it, _)| *it == socket).map(|(_, session)| session);
        let pending = session.map(|session| session.pending()).filter(|bytes| !bytes.is_empty());
        if pending.is_none() {
            self.requests.settle(socket);
        }
        pending
    }

    pub(super) fn on_proxy_written(&mut self, id: DialId, socket: SocketId, written: usize) {
        if let Some(session) = self.session_of(id, socket) {
            session.written(written);
        }
    }

    fn session_of(&mut self, id: DialId, socket: SocketId) -> Option<&mut dyn Session> {
        let search = self.dials.get_mut(id)?;
        let (_, session) = search.sessions.iter_mut().find(|(it, _)| *it == socket)?;
        Some(&mut **session)
    }

    /// The handshake is done: the search ends, and the connection is a carrier.
    fn on_proxy_won(&mut self, id: DialId, socket: SocketId) {
        self.timers.set(Timer::Dial(id), None);
        let Some(mut search) = self.dials.remove(id) else { return };
        let attempt = search.dial.attempt(socket);
        let evidence = search.dial.ipv6(socket);
        while let Some((lookup, name)) = search.dial.release_lookup() {
            self.keep_refreshing(lookup, name);
        }
        search.dial.end(&mut self.requests, Some(socket));
        let place = search.sessions.iter().position(|(it, _)| *it == socket);
        let (Some(attempt), Some(place)) = (attempt, place) else { return };
        let (_, session) = search.sessions.remove(place);
        let Some(proxy) = search.order.get(attempt.target).copied() else { return };
        let pipe = Pipe::new(session, HeadLimits::default());
        let carrier = self.carriers.insert(Carrier {
            socket,
            pipe,
            proxy,
            address: attempt.address,
            machine: None,
            heard: 0,
            truncated: false,
            flow: None,
            acks: Acks::default(),
            shows: false,
            renewal: 0,
            made: self.now,
            unheard: None,
            watched: false,
            leaving: false,
        });
        self.requests.reassign(socket, Role::Carrier(carrier));
        self.requests.pending(socket);
        if let Some(evidence) = evidence {
            self.memory.handle_ipv6(self.now, evidence);
        }
        if let Some(target) = self.config.proxies.get(proxy).cloned() {
            if let Host::Name(name) = &target.host {
                self.memory.handle_good(name, attempt.address.ip());
            }
            let elapsed = self.now.since(search.began);
            self.tell(What::ProxyConnected { proxy: target, carrier: CarrierKind::H1, elapsed });
        }
        self.timers.set(Timer::Carrier(carrier), Some(self.now + self.config.limits.standby_age));
        self.ready.push_back(carrier);
        self.on_proxy_heard(proxy);
        self.supply();
        // There is a way again: nobody need pause any longer.
        for flow in core::mem::take(&mut self.paused) {
            if matches!(self.flows.get(flow), Some(Flow { state: State::Waiting(Some(_)), .. })) {
                self.place(flow);
            }
        }
    }

    /// A ready connection has grown old, or one in use was silent for a while.
    pub(super) fn on_carrier_timeout(&mut self, id: CarrierId) {
        let Some(carrier) = self.carriers.get(id) else { return };
        match carrier.flow {
            None if carrier.shows => self.on_unshown(id, ProxyFault::NoAnswer),
            None => self.close_carrier(id, false),
            Some(_) => self.look_at_carrier(id),
        }
        self.supply();
    }

    /// Closes a connection to a proxy; a flow that used it must be looked after by the caller.
    pub(super) fn close_carrier(&mut self, id: CarrierId, reset: bool) {
        if let Some(carrier) = self.carriers.remove(id) {
            self.ready.retain(|ready| *ready != id);
            self.timers.set(Timer::Carrier(id), None);
            // One that broke is not the carrier's any more: it ends behind its alert.
            if self.requests.role(carrier.socket) == Some(Role::Carrier(id)) {
                self.requests.close(carrier.socket, reset);
            }
        }
    }

    /// The connection to the proxy broke.
    pub(super) fn on_carrier_gone(&mut self, id: CarrierId) {
        let Some(carrier) = self.carriers.get(id) else { return };
        let (proxy, flow) = (carrier.proxy, carrier.flow);
        if carrier.shows {
            return self.on_unshown(id, ProxyFault::NoAnswer);
        }
        let Some(flow_id) = flow else {
            return self.lose_ready(id);
        };
        let Some(flow) = self.flows.get_mut(flow_id) else {
            self.close_carrier(id, true);
            return;
        };
        match (&flow.state, flow.kind) {
            (State::Asking(_), _) => self.on_unanswered(id, flow_id, proxy),
            (State::Tunnel { .. }, Kind::Datagram) => self.reopen(flow_id),
            (State::Tunnel { .. }, Kind::Stream) if carrier.pipe.plaintext_len() > 0 && !flow.released => {
                // What arrived before the break is still the application's; the error comes behind it.
                self.nudge(flow_id);
            }
            _ => {
                let error = self.broken(flow_id);
                self.fail(flow_id, error);
            }
        }
    }

    /// The proxy took the connection and said nothing: another connection, and at last another proxy, may do better.
    /// Nothing of the application was sent yet.
    fn on_unanswered(&mut self, id: CarrierId, flow_id: FlowId, proxy: usize) {
        let is_last = self.unask(flow_id, id, true);
        self.on_proxy_failed(proxy, ProxyFault::NoAnswer, None);
        if is_last {
            self.try_another(flow_id, proxy, ProxyFault::NoAnswer);
        }
    }

    pub(super) fn try_another(&mut self, id: FlowId, proxy: usize, fault: ProxyFault) {
        let Some(flow) = self.flows.get_mut(id) else { return };
        flow.lost = flow.lost.saturating_add(1);
        if let Some(proxy) = self.config.proxies.get(proxy).cloned() {
            flow.refused_by(proxy, fault);
        }
        if usize::from(flow.lost) > self.config.proxies.len() {
            flow.state = State::Waiting(None);
            self.on_no_proxy(id, Vec::new(), None);
            return;
        }
        self.place(id);
    }

    /// A datagram flow lost its tunnel: it gets another, at once if the old one had lived for a while.
    pub(super) fn reopen(&mut self, id: FlowId) {
        let Some(&Flow { state: State::Tunnel { carrier, since }, .. }) = self.flows.get(id) else { return };
        let again = self.after_tunnel(id, since);
        self.close_carrier(carrier, true);
        self.waiting.retain(|waiting| *waiting != id);
        self.go_on_at(id, again);
    }

    /// Lets a datagram flow without a tunnel ask for another from that moment on.
    pub(super) fn go_on_at(&mut self, id: FlowId, again: Instant) {
        let deadline = self.now + self.config.limits.open_timeout;
        let Some(flow) = self.flows.get_mut(id) else { return };
        flow.deadline = deadline;
        flow.forgive();
        flow.state = State::Waiting(Some(again));
        if again <= self.now { self.place(id) } else { self.arm_flow(id) }
    }

    pub(super) fn pending_of_carrier(&mut self, id: CarrierId, socket: SocketId) -> Option<&[u8]> {
        let carrier = self.carriers.get_mut(id)?;
        let flow = carrier.flow.and_then(|flow| self.flows.get_mut(flow));
        if let Some(Flow { state: State::Tunnel { .. }, queues: Some(queues), .. }) = flow {
            carrier.pipe.send_datagrams(self.now, &mut queues.outgoing);
        }
        let pending = carrier.pipe.pending();
        if pending.is_none() {
            self.requests.settle(socket);
        }
        pending
    }

    pub(super) fn on_carrier_written(&mut self, id: CarrierId, written: usize) {
        let Some(carrier) = self.carriers.get_mut(id) else { return };
        carrier.pipe.session().written(written);
        let flow = carrier.flow;
        self.on_carrier_sent(id);
        if let Some(flow) = flow {
            self.on_room(flow);
        }
    }
}

/// What it means that no proxy served a flow: where each left it open whose fault that is, it is most likely the target's.
fn no_proxy(said: Vec<(Target, ProxyFault)>) -> FlowError {
    let all_unclear = said.iter().all(|(_, fault)| matches!(fault, ProxyFault::Unclear { .. }));
    match said.last() {
        Some((proxy, ProxyFault::Unclear { status })) if all_unclear => {
            FlowError::TargetUnreachable { proxy: proxy.clone(), status: *status, error: None, lookup: None }
        }
        _ => FlowError::NoProxy(said),
    }
}

/// The judge of a search that leads to one address alone, where there is one; otherwise it goes by what is remembered.
struct ThatPlace<'a> {
    only: Option<IpAddr>,
    recall: Recall<'a>,
}

impl Judge for ThatPlace<'_> {
    fn known(&self, name: &Name) -> Option<Known> {
        match self.only {
            Some(address) => Some(Known { addresses: vec![address], refresh: Refresh::Never }),
            None => self.recall.known(name),
        }
    }

    fn avoids_ipv6(&self) -> bool {
        self.recall.avoids_ipv6()
    }

    fn judge(&mut self, address: SocketAddr) -> Result<(), Fault> {
        self.recall.judge(address)
    }
}

/// No pause is longer where somebody waits.
const LONGEST_PAUSE: core::time::Duration = core::time::Duration::from_secs(1);
/// How soon a search is joined by another while somebody waits, and how many may join.
const SEARCH_AGAIN: core::time::Duration = core::time::Duration::from_secs(1);
const SEARCHES_AGAIN: usize = 3;
/// So many of those who wait are looked at for a connection that will do.
const PAIRED: usize = 64;
/// A tunnel that lived this long shows that the way is good.
const SETTLED: core::time::Duration = core::time::Duration::from_secs(1);
