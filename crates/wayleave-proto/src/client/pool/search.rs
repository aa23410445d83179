//! Searches for a proxy that answers: staggered over proxies and their addresses, won by the first TLS handshake.

use core::net::{IpAddr, SocketAddr};
use core::time::Duration;

use smallvec::SmallVec;

use super::connection::{Connection, MOST_PARTING};
use super::renewal::Place;
use super::{Decision, Pool, ProxyFault, SEARCH_AGAIN};
use crate::base::{Families, Host, Instant, Kind, Name, Target, key};
use crate::carrier::uplink::{Signal, Uplink};
use crate::carrier::via::{Approach, ViaFault, ViaProblem};
use crate::client::What;
use crate::client::io::{Io, Role, Timer};
use crate::error::IoFailed;
use crate::net::{Dial, DialConfig, Fault, Judge, Known, Recall, Refresh, SocketId};

key! {
    /// One search for a proxy.
    pub(in crate::client) DialId, "d"
}

/// One search for a proxy that answers.
#[derive(Debug)]
pub(super) struct Search {
    dial: Dial,
    /// The ways in the order of this search.
    order: SmallVec<[Way; 4]>,
    /// How often an attempt was repeated because a proxy of the network had asked who the user is.
    repeats: u8,
    uplinks: SmallVec<[(SocketId, Uplink); 2]>,
    began: Instant,
    /// When another search won after this one had come to nothing for a while.
    overtaken: Option<Instant>,
    /// Failures of the search that were already told.
    told: usize,
    pub(super) lead: Lead,
}

/// A way to a relay, both by their places in the configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Way {
    proxy: usize,
    /// The proxy of the network that is asked first.
    via: Option<usize>,
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
    pub(super) const fn only(self) -> Option<usize> {
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

impl Pool {
    /// Begins a search. One that finds nobody at once waits for its end among the others that have ended.
    pub(super) fn begin_search(&mut self, io: &mut Io, lead: Lead) -> DialId {
        let mut order = self.proxies.order(io.now);
        order.retain(|index| lead.only().is_none_or(|only| only == *index));
        order.sort_by_key(|index| lead == Lead::RatherNot(*index));
        let ways = |proxy| {
            let relay = io.config.proxies.get(proxy);
            let vias = relay.map_or(0, |relay| io.config.via_to(relay).len());
            let direct = (vias == 0).then_some(Way { proxy, via: None });
            direct.into_iter().chain((0..vias).map(move |via| Way { proxy, via: Some(via) }))
        };
        let order: SmallVec<[Way; 4]> = order.into_iter().flat_map(ways).collect();
        let first = |way: &Way| match way.via {
            Some(via) => io.config.via.get(via).map(|via| via.proxy().clone()),
            None => io.config.proxies.get(way.proxy).cloned(),
        };
        let targets: SmallVec<[Target; 4]> = order.iter().filter_map(first).collect();
        let limits = &io.config.limits;
        let config = DialConfig { stagger: limits.stagger, timeout: limits.proxy_timeout, fragments: true };
        let dial = Dial::new(Kind::Stream, targets, config, io.now);
        let search = Search {
            dial,
            order,
            repeats: 0,
            uplinks: SmallVec::new(),
            began: io.now,
            overtaken: None,
            told: 0,
            lead,
        };
        let id = self.searches.insert(search);
        self.go_on(io, id);
        id
    }

    /// Lets a search do what the moment asks for.
    pub(in crate::client) fn go_on(&mut self, io: &mut Io, id: DialId) {
        let Some(search) = self.searches.get_mut(id) else { return };
        let only = search.lead.address();
        let mut judge = ThatPlace { only, recall: Recall::proxies(&io.memory, io.now) };
        search.dial.advance(io.now, &mut io.requests, Role::Dial(id), &mut judge);
        let Search { uplinks, dial, .. } = search;
        uplinks.retain(|(socket, _)| dial.attempt(*socket).is_some());
        let (is_exhausted, due) = (dial.is_exhausted(), dial.poll_timeout());
        self.tell_faults(io, id);
        if is_exhausted {
            io.timers.set(Timer::Dial(id), None);
            self.ended.push_back(id);
            self.stirred = true;
        } else {
            io.timers.set(Timer::Dial(id), due);
        }
    }

    fn tell_faults(&mut self, io: &mut Io, id: DialId) {
        while let Some(search) = self.searches.get_mut(id)
            && let Some((place, fault)) = search.dial.faults().get(search.told).cloned()
        {
            search.told += 1;
            let Some(way) = search.order.get(place).copied() else { continue };
            if let Some(resource) = fault.lacked() {
                io.on_lack(resource);
                continue;
            }
            self.on_proxy_failed(io, way.proxy, ProxyFault::Connection(way.names(io, fault)), None);
        }
    }

    /// No proxy answered: the flow that waited longest learns what each one said.
    pub(super) fn end_search(&mut self, io: &mut Io, id: DialId) {
        let Some(search) = self.searches.remove(id) else { return };
        let faults = search.dial.faults();
        match search.lead {
            Lead::Anywhere | Lead::RatherNot(_) => {}
            Lead::Question(proxy) => return self.on_question_failed(io, proxy, faults),
            Lead::Renewal(place) => return self.rest_renewal(io, place),
        }
        let Some(want) = self.line.pop() else { return self.rest_standby(io) };
        if want.leaves {
            // Where it has a way, it keeps it: nobody else answers either.
            return self.stay(want.flow);
        }
        let lacked = faults.iter().find_map(|(_, fault)| fault.lacked());
        let said = faults.iter().filter_map(|(place, fault)| {
            let way = search.order.get(*place)?;
            let proxy = io.config.proxies.get(way.proxy)?.clone();
            Some((proxy, ProxyFault::Connection(way.names(io, fault.clone()))))
        });
        let said = said.collect();
        self.decide(Decision::Nobody { flow: want.flow, said, lacked });
    }

    pub(super) fn drop_search(&mut self, io: &mut Io, id: DialId) {
        io.timers.set(Timer::Dial(id), None);
        if let Some(mut search) = self.searches.remove(id) {
            search.dial.end(&mut io.requests, None);
            if let Lead::Question(proxy) = search.lead {
                self.forget_question(io, proxy);
            }
        }
    }

    pub(in crate::client) fn on_search_resolved(
        &mut self,
        io: &mut Io,
        id: DialId,
        lookup: SocketId,
        families: Families,
        answer: Result<&[IpAddr], IoFailed>,
    ) {
        let Some(search) = self.searches.get_mut(id) else { return };
        if let (Some(name), Ok(addresses)) = (search.dial.asked(lookup), &answer) {
            io.memory.handle_resolved(io.now, name, families, addresses);
        }
        search.dial.handle_resolved(io.now, lookup, families, answer);
        self.go_on(io, id);
    }

    pub(in crate::client) fn on_attempt_opened(&mut self, io: &mut Io, id: DialId, socket: SocketId) {
        let Some(search) = self.searches.get_mut(id) else { return };
        let Some(attempt) = search.dial.attempt(socket) else { return };
        let Some(way) = search.order.get(attempt.target).copied() else { return };
        let Some(proxy) = io.config.proxies.get(way.proxy).cloned() else { return };
        let approach = way.via.and_then(|via| {
            let known = self.known.get(&via).cloned();
            let cnonce = format!("{:016x}{:016x}", io.rng.draw(), io.rng.draw());
            Some(Approach { via: io.config.via.get(via)?.clone(), known, cnonce })
        });
        match Uplink::begin(&mut io.wire(), socket, &proxy, approach) {
            // Where there is none the mode is off, and nothing is dialled.
            None => {}
            Some(Ok(uplink)) => search.uplinks.push((socket, uplink)),
            Some(Err(fault)) => {
                io.requests.close(socket, false);
                self.fail_attempt(io, id, socket, fault);
            }
        }
    }

    fn fail_attempt(&mut self, io: &mut Io, id: DialId, socket: SocketId, fault: Fault) {
        let Some(search) = self.searches.get_mut(id) else { return };
        let via = search.dial.attempt(socket).and_then(|attempt| search.order.get(attempt.target)?.via);
        if let (Fault::Via(fault), Some(via)) = (&fault, via)
            && let ViaProblem::Challenged(challenge) = &fault.problem
            && search.repeats < MOST_REPEATS
        {
            search.repeats += 1;
            search.dial.repeat(io.now, socket);
            self.known.insert(via, (**challenge).clone());
            return self.go_on(io, id);
        }
        search.dial.handle_failed(io.now, socket, fault);
        self.go_on(io, id);
    }

    pub(in crate::client) fn on_attempt_failed(
        &mut self,
        io: &mut Io,
        id: DialId,
        socket: SocketId,
        fault: Fault,
    ) {
        match self.uplink_of(id, socket) {
            Some(uplink) => {
                uplink.handle_failed(&mut io.wire(), fault);
                self.hear_attempt(io, id, socket);
            }
            None => {
                io.requests.forget(socket);
                self.fail_attempt(io, id, socket, fault);
            }
        }
    }

    pub(in crate::client) fn on_attempt_received(
        &mut self,
        io: &mut Io,
        id: DialId,
        socket: SocketId,
        data: &mut [u8],
    ) {
        if let Some(uplink) = self.uplink_of(id, socket) {
            uplink.handle_received(&mut io.wire(), &mut |_, _| {}, data);
            self.hear_attempt(io, id, socket);
        }
    }

    pub(in crate::client) fn on_attempt_finished(&mut self, io: &mut Io, id: DialId, socket: SocketId) {
        if let Some(uplink) = self.uplink_of(id, socket) {
            uplink.handle_finished(&mut io.wire(), &mut |_, _| {});
            self.hear_attempt(io, id, socket);
        }
    }

    pub(in crate::client) fn pending_of_attempt(
        &mut self,
        io: &mut Io,
        id: DialId,
        socket: SocketId,
    ) -> Option<&[u8]> {
        match self.uplink_of(id, socket) {
            Some(uplink) => uplink.pending(&mut io.wire()),
            None => {
                io.requests.settle(socket);
                None
            }
        }
    }

    pub(in crate::client) fn on_attempt_written(&mut self, id: DialId, socket: SocketId, written: usize) {
        if let Some(uplink) = self.uplink_of(id, socket) {
            uplink.handle_written(written);
        }
    }

    fn uplink_of(&mut self, id: DialId, socket: SocketId) -> Option<&mut Uplink> {
        let search = self.searches.get_mut(id)?;
        search.uplinks.iter_mut().find(|(it, _)| *it == socket).map(|(_, uplink)| uplink)
    }

    /// What came of an attempt.
    fn hear_attempt(&mut self, io: &mut Io, id: DialId, socket: SocketId) {
        while let Some(signal) = self.uplink_of(id, socket).and_then(Uplink::poll_signal) {
            match signal {
                Signal::Ready => self.on_attempt_won(io, id, socket),
                Signal::Failed(fault) => {
                    self.let_part(io, id, socket);
                    self.fail_attempt(io, id, socket, *fault);
                }
                _ => {}
            }
        }
    }

    /// An attempt that came to nothing may have a last word for the proxy.
    fn let_part(&mut self, io: &mut Io, id: DialId, socket: SocketId) {
        let parting = self.parting();
        let Some(search) = self.searches.get_mut(id) else { return };
        let place = search.uplinks.iter().position(|(it, _)| *it == socket);
        let (Some(attempt), Some(place)) = (search.dial.attempt(socket), place) else { return };
        let (_, mut uplink) = search.uplinks.remove(place);
        let Some(Way { proxy, .. }) = search.order.get(attempt.target).copied() else { return };
        match uplink.last_word() {
            Some(due) if parting < MOST_PARTING => {
                let carrier =
                    self.connections.insert(Connection::new(uplink, proxy, attempt.address, io.now));
                io.requests.reassign(socket, Role::Carrier(carrier));
                io.timers.set(Timer::Carrier(carrier), Some(due));
            }
            _ => uplink.close(&mut io.wire(), false),
        }
    }

    /// A connection stands: the search ends, and it is ready.
    fn on_attempt_won(&mut self, io: &mut Io, id: DialId, socket: SocketId) {
        io.timers.set(Timer::Dial(id), None);
        self.stirred = true;
        let Some(mut search) = self.searches.remove(id) else { return };
        let attempt = search.dial.attempt(socket);
        let evidence = search.dial.ipv6(socket);
        while let Some((lookup, name)) = search.dial.release_lookup() {
            self.keep_refreshing(io, lookup, name);
        }
        search.dial.end(&mut io.requests, Some(socket));
        let place = search.uplinks.iter().position(|(it, _)| *it == socket);
        let (Some(attempt), Some(place)) = (attempt, place) else { return };
        let (_, uplink) = search.uplinks.remove(place);
        let Some(way @ Way { proxy, .. }) = search.order.get(attempt.target).copied() else { return };
        let host = search.dial.target(attempt.target).map(|target| target.host.clone());
        let kind = uplink.carrier();
        self.width = uplink.room().max(1);
        let carrier = self.connections.insert(Connection::new(uplink, proxy, attempt.address, io.now));
        io.requests.reassign(socket, Role::Carrier(carrier));
        if let Some(evidence) = evidence {
            io.memory.handle_ipv6(io.now, evidence);
        }
        if let Some(Host::Name(name)) = &host {
            io.memory.handle_good(name, attempt.address.ip());
        }
        if let Some(target) = io.config.proxies.get(proxy).cloned() {
            let elapsed = io.now.since(search.began);
            let via = way.via.and_then(|via| io.config.via.get(via).cloned());
            if let Some(record) = self.records.get_mut(proxy) {
                record.handle_connected(io.now, via.clone(), kind, elapsed);
            }
            io.tell(What::ProxyConnected { proxy: target, via, carrier: kind, elapsed });
        }
        self.on_room(io, carrier);
        self.on_proxy_heard(io, proxy);
        self.decide(Decision::Connected);
        self.begin_again(io);
    }

    /// There is a way again. Searches that have come to nothing for a while ask at an address that may have been wrong, or wait
    /// for TCP to repeat itself, ever more seldom: they begin again, all at once and not one each second. Those whose connection
    /// stands are let wait a moment for their answer, which never comes where the way to it was forgotten.
    fn begin_again(&mut self, io: &mut Io) {
        for id in self.searches.keys() {
            let Some(search) = self.searches.get_mut(id) else { continue };
            if io.now.since(search.began) >= SEARCH_AGAIN && search.lead.only().is_none() {
                search.overtaken.get_or_insert(io.now);
            }
        }
        self.drop_searches(io, |search| search.overtaken.is_some() && search.uplinks.is_empty());
    }

    /// When the next of those that were overtaken has waited long enough for its answer.
    pub(super) fn overtaken_due(&self) -> Option<Instant> {
        self.searches.iter().filter_map(|(_, search)| search.overtaken).min().map(|since| since + OVERTAKEN)
    }

    /// Those that were overtaken and have no answer yet begin again.
    pub(super) fn drop_overtaken(&mut self, io: &mut Io) {
        let now = io.now;
        self.drop_searches(io, |search| search.overtaken.is_some_and(|since| since + OVERTAKEN <= now));
    }

    /// Gives up the searches of which that is true.
    pub(super) fn drop_searches(&mut self, io: &mut Io, is_it: impl Fn(&Search) -> bool) {
        let stuck: Vec<DialId> =
            self.searches.iter().filter(|(_, search)| is_it(search)).map(|(id, _)| id).collect();
        for id in stuck {
            self.drop_search(io, id);
            self.stirred = true;
        }
    }
}

impl Way {
    /// Names the proxy of the network where it is what cannot be reached.
    fn names(self, io: &Io, fault: Fault) -> Fault {
        match (fault, self.via.and_then(|via| io.config.via.get(via))) {
            (Fault::Io(failed), Some(via)) => {
                let problem = ViaProblem::Unreached(failed);
                Fault::Via(Box::new(ViaFault { via: via.to_string(), problem }))
            }
            (fault, _) => fault,
        }
    }
}

/// So often at most an attempt is repeated in one search.
const MOST_REPEATS: u8 = 4;
/// How long a search that was overtaken may still be answered: longer than a round trip mostly takes.
const OVERTAKEN: Duration = Duration::from_millis(500);

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
