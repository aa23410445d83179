//! The connections to proxies: searched for, kept ready, given to flows, watched over, given up.
//!
//! The pool is a machine of its own inside of the client. It knows flows by their ids alone and calls nobody: its inputs
//! note what happened, and [`Pool::advance`] runs at the end of each input of the client. It begins the searches that are
//! missing, gives up what is too much, and gives out one [`Decision`] after the other, which the client carries out.

mod check;
mod connection;
mod line;
mod record;
mod refresh;
mod renewal;
mod search;
mod silence;
mod standby;
#[cfg(test)]
mod tests;

use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::io::{Io, Timer};
use super::{FlowId, ProxyFault, What};
use crate::auth::Credential;
use crate::base::{Instant, Seed, Slots, Target};
use crate::codec::digest::Challenge;
use crate::config::{ClientConfig, Mode};
use crate::error::Resource;
use crate::net::Proxies;

pub use connection::CarrierId;
pub(super) use connection::{Heard, Source, TunnelRef, Word};
pub(super) use line::{Beside, Want};
pub(super) use renewal::Place;
pub(super) use search::DialId;

use check::Check;
use connection::Connection;
use line::Line;
use record::Record;
use refresh::Refreshes;
use renewal::Renewals;
use search::{Lead, Search};
use silence::Standing;
use standby::Standby;

/// The pool of connections to proxies.
#[derive(Debug)]
pub(super) struct Pool {
    credential: Option<Credential>,
    proxies: Proxies,
    /// How proxies of the network asked who the user is, by their places in the configuration.
    known: BTreeMap<usize, Challenge>,
    /// What is thought of each proxy, by its place in the configuration.
    standings: Vec<Standing>,
    /// The latest that is known of each, for whoever asks.
    records: Vec<Record>,
    connections: Slots<CarrierId, Connection>,
    searches: Slots<DialId, Search>,
    /// Searches that found nobody, until that is dealt with.
    ended: VecDeque<DialId>,
    /// Proxies that are to be asked whether they are there.
    questions: BTreeSet<usize>,
    /// Connections that have room for another flow, the oldest first.
    ready: VecDeque<CarrierId>,
    line: Line,
    /// How many tunnels a connection carries, as the latest had room for when it stood.
    width: usize,
    refreshes: Refreshes,
    /// When a search that has come to nothing is joined by another.
    search_at: Option<Instant>,
    /// A search joins those that have come to nothing.
    joins: bool,
    standby: Standby,
    renewals: Renewals,
    check: Check,
    decisions: VecDeque<Decision>,
    /// Something happened since [`Self::advance`] had nothing left to decide.
    stirred: bool,
}

/// What the pool has decided, for the client to carry out.
#[derive(Debug)]
pub(super) enum Decision {
    /// A connection stands: there is a way to a proxy again.
    Connected,
    /// This connection is for this flow, which is to ask over it.
    Handed { flow: FlowId, carrier: CarrierId },
    /// No proxy answered this flow, which does not wait any more. Each said why, or this machine lacked something.
    Nobody { flow: FlowId, said: Vec<(Target, ProxyFault)>, lacked: Option<Resource> },
    /// The proxy at the other end has fallen silent while this flow waits for something to come; by now it is certain that
    /// nothing will come any more, or not yet.
    Silent { flow: FlowId, is_certain: bool },
}

/// What the client wants of its pool at large.
#[derive(Clone, Copy, Debug)]
pub(super) struct Demand {
    /// The client still opens flows.
    pub(super) is_open: bool,
    /// Flows may have to go through a proxy: connections are kept ready.
    pub(super) may_proxy: bool,
}

impl Pool {
    pub(super) fn new(config: &ClientConfig, seed: &Seed, now: Instant) -> Self {
        let is_checked = config.check_credential && matches!(config.route.mode, Mode::Normal | Mode::Smart);
        Self {
            credential: config.credential.clone(),
            proxies: Proxies::new(config.proxies.len(), seed, config.route.retry),
            known: BTreeMap::new(),
            standings: core::iter::repeat_with(Standing::default).take(config.proxies.len()).collect(),
            records: core::iter::repeat_with(Record::default).take(config.proxies.len()).collect(),
            connections: Slots::new(),
            searches: Slots::new(),
            ended: VecDeque::new(),
            questions: BTreeSet::new(),
            ready: VecDeque::new(),
            line: Line::default(),
            width: 1,
            refreshes: Refreshes::default(),
            search_at: None,
            joins: false,
            standby: Standby::new((config.route.mode == Mode::Normal).then_some(now), now),
            renewals: Renewals::default(),
            check: if is_checked { Check::Wanted } else { Check::Over },
            decisions: VecDeque::new(),
            stirred: true,
        }
    }

    /// Whether [`Self::advance`] has something to decide.
    pub(super) const fn is_stirred(&self) -> bool {
        self.stirred
    }

    /// What is demanded has changed.
    pub(super) const fn stir(&mut self) {
        self.stirred = true;
    }

    /// A flow waits for a connection, at the end of the line.
    pub(super) fn want(&mut self, flow: FlowId, beside: impl IntoIterator<Item = Beside>) {
        self.line.join(Want { flow, beside: beside.into_iter().collect(), leaves: false });
        self.stirred = true;
    }

    /// A flow waits no longer.
    pub(super) fn unwant(&mut self, flow: FlowId) {
        self.stirred |= self.line.leave(flow);
    }

    /// Does what the moment asks for, up to the next decision; `None` when there is nothing left to decide.
    ///
    /// It comes to an end: every search that ends at once takes a flow out of the line, or lets what it was for rest.
    pub(super) fn advance(&mut self, io: &mut Io, demand: Demand) -> Option<Decision> {
        while self.stirred {
            if let Some(decision) = self.decisions.pop_front() {
                return Some(decision);
            }
            if let Some(search) = self.ended.pop_front() {
                self.end_search(io, search);
            } else if let Some(proxy) = self.questions.pop_first() {
                self.begin_search(io, Lead::Question(proxy));
            } else if !demand.is_open {
                self.stirred = false;
            } else {
                self.show_renewals(io);
                if let Some((flow, carrier)) = self.pair() {
                    return Some(Decision::Handed { flow, carrier });
                }
                self.show_for_check(io);
                self.drop_surplus(io);
                self.begin_missing(io, demand);
                self.arm_join(io);
                self.stirred = !self.ended.is_empty() || !self.decisions.is_empty();
            }
        }
        None
    }

    fn decide(&mut self, decision: Decision) {
        self.decisions.push_back(decision);
        self.stirred = true;
    }

    /// Takes the first of those who wait for whom a ready connection will do, with that connection.
    fn pair(&mut self) -> Option<(FlowId, CarrierId)> {
        if self.ready.is_empty() {
            return None;
        }
        let (ready, connections) = (&self.ready, &self.connections);
        // Not for one that is already on its way over a connection of the same proxy and no younger.
        let suits = |want: &Want, carrier: &CarrierId| {
            let Some(connection) = connections.get(*carrier) else { return false };
            let is_better = |it: &Beside| it.proxy != connection.proxy || connection.made > it.since;
            connection.room() > 0 && want.beside.iter().all(is_better)
        };
        let find = |want: &Want| ready.iter().position(|carrier| suits(want, carrier));
        let (want, place) = self.line.take(PAIRED, find)?;
        Some((want.flow, self.ready.get(place).copied()?))
    }

    /// Begins the searches that are missing.
    fn begin_missing(&mut self, io: &mut Io, demand: Demand) {
        self.begin_for_renewals(io);
        if io.config.route.mode == Mode::Off || !io.network.up {
            self.joins = false;
            return;
        }
        let most = io.config.limits.dials;
        if core::mem::take(&mut self.joins) && !self.line.is_empty() && self.searches.len() < most {
            let lead = self.lead();
            self.begin_search(io, lead);
        }
        // Those in the line wait because nothing that is ready will do for them.
        let ready = (self.standby(io, demand) + self.renewals.connections()).saturating_sub(self.room());
        let wanted = self.line.len() + ready;
        while self.ended.is_empty()
            && self.searches.len() < most
            && self.bringing().saturating_mul(self.width) < wanted
        {
            let lead = self.lead();
            self.begin_search(io, lead);
        }
    }

    /// For how many flows the connections that are ready have room.
    fn room(&self) -> usize {
        let room = |id: &CarrierId| self.connections.get(*id).map_or(0, Connection::room);
        self.ready.iter().map(room).fold(0, usize::saturating_add)
    }

    /// Searches that may bring a connection for whoever waits.
    fn bringing(&self) -> usize {
        let asks = |search: &Search| matches!(search.lead, Lead::Question(_));
        self.searches.iter().filter(|(_, search)| !asks(search)).count()
    }

    /// Where the next search had better not lead: to the proxy that the first of those who wait is leaving.
    fn lead(&self) -> Lead {
        let first = self.line.front().and_then(|want| want.beside.first());
        first.map_or(Lead::Anywhere, |beside| Lead::RatherNot(beside.proxy))
    }

    /// Gives up what nobody waits for any more: flows may be released faster than a proxy is found for them.
    fn drop_surplus(&mut self, io: &mut Io) {
        let again = if self.line.is_empty() { 0 } else { SEARCHES_AGAIN };
        let beside = self.renewals.connections() + self.check_connections(io);
        let most = self.line.len() + io.config.limits.standby + beside + again;
        while self.idle().count() + self.bringing() > most {
            // The latest search has the longest way to go; one that leads to one proxy alone is wanted.
            let free = |search: &Search| search.lead.only().is_none();
            let latest = self.searches.iter().filter(|(_, search)| free(search)).map(|(id, _)| id).last();
            let oldest = self.idle().next();
            match (latest, oldest) {
                (Some(search), _) => self.drop_search(io, search),
                (None, Some(idle)) if self.idle().count() > most => self.close(io, idle, false),
                _ => return,
            }
        }
    }

    /// Connections that are ready and carry nothing, the oldest first.
    fn idle(&self) -> impl Iterator<Item = CarrierId> {
        let is_idle = |id: &CarrierId| self.connections.get(*id).is_some_and(|it| it.count == 0);
        self.ready.iter().copied().filter(is_idle)
    }

    /// While somebody waits and searches run, one more joins them each while.
    fn arm_join(&mut self, io: &mut Io) {
        let searches = !self.line.is_empty() && !self.searches.is_empty() && io.network.up;
        let due = match (searches, self.search_at) {
            (true, None) => Some(io.now + SEARCH_AGAIN),
            (true, due) => due,
            (false, _) => None,
        };
        let due = due.map(|due| self.overtaken_due().map_or(due, |overtaken| overtaken.min(due)));
        if due == self.search_at {
            return;
        }
        self.search_at = due;
        io.timers.set(Timer::Search, self.search_at);
    }

    /// Somebody waits, and no search has come to anything: one more begins. Those before it go on, but what TCP asked long ago
    /// it repeats more and more seldom, and would hear of the end of an outage long after it. Where enough have joined, the
    /// oldest of those makes room.
    pub(super) fn on_join_timeout(&mut self, io: &mut Io) {
        self.search_at = None;
        self.drop_overtaken(io);
        let free = self.searches.iter().filter(|(_, search)| search.lead.only().is_none());
        let joined: Vec<DialId> = free.map(|(id, _)| id).skip(self.line.len()).collect();
        if joined.len() >= SEARCHES_AGAIN
            && let Some(oldest) = joined.first()
        {
            self.drop_search(io, *oldest);
        }
        self.joins = true;
        self.stirred = true;
    }

    /// A proxy will not serve a flow, whatever its target: nothing more is asked for on that connection.
    pub(super) fn refused(&mut self, io: &mut Io, by: Source, fault: ProxyFault, again: Option<Duration>) {
        let was_held = self.proxies.is_held(io.now, by.proxy);
        self.on_proxy_failed(io, by.proxy, fault, again);
        self.retire(io, by.carrier);
        if was_held {
            return;
        }
        // What is ready or under way leads to this proxy, most likely, and would use up the patience of the flows.
        self.drop_ready(io);
        let leads_there = |(_, it): &(CarrierId, &Connection)| it.proxy == by.proxy;
        let others: Vec<CarrierId> = self.connections.iter().filter(leads_there).map(|(id, _)| id).collect();
        others.into_iter().for_each(|id| self.retire(io, id));
    }

    /// A proxy could not be reached, did not answer, or answered with a fault.
    pub(super) fn on_proxy_failed(
        &mut self,
        io: &mut Io,
        proxy: usize,
        error: ProxyFault,
        again: Option<Duration>,
    ) {
        self.proxies.handle_failed(io.now, proxy, again);
        if let Some(record) = self.records.get_mut(proxy) {
            record.handle_failed(io.now, error.clone());
        }
        if let Some(target) = io.config.proxies.get(proxy).cloned() {
            io.tell(What::ProxyFailed { proxy: target, carrier: io.config.carrier(), error });
        }
    }

    /// A proxy did what it should.
    pub(super) fn on_proxy_good(&mut self, proxy: usize) {
        self.proxies.handle_good(proxy);
        if let Some(record) = self.records.get_mut(proxy) {
            record.handle_good();
        }
    }

    /// The network underneath is another: what was made over the old one is dropped, and what was silent may speak again.
    pub(super) fn handle_network(&mut self, io: &mut Io) {
        self.proxies.forget();
        self.drop_refreshes(io);
        self.forget_doubts(io);
        self.begin_anew(io);
        for id in self.connections.keys() {
            if self.connections.get(id).is_some_and(|connection| !connection.uplink.survives_network()) {
                self.retire(io, id);
            }
        }
    }

    /// Ends everything. Flows that use a connection are looked after by the client.
    pub(super) fn shut(&mut self, io: &mut Io) {
        self.drop_ready(io);
        self.line.clear();
        self.decisions.clear();
        self.forget_doubts(io);
        self.clear_renewals(io);
        self.check = Check::Over;
        self.drop_refreshes(io);
        for id in self.connections.keys() {
            if let Some(connection) = self.connections.get_mut(id) {
                connection.uplink.close(&mut io.wire(), false);
            }
            self.close(io, id, false);
        }
        for timer in [Timer::Search, Timer::Standby] {
            io.timers.set(timer, None);
        }
    }

    /// Drops what is ready or under way.
    fn drop_ready(&mut self, io: &mut Io) {
        let idle: Vec<CarrierId> = self.idle().collect();
        idle.into_iter().for_each(|id| self.close(io, id, false));
        self.begin_anew(io);
    }

    /// Drops what is under way; what is missing is searched for at once.
    fn begin_anew(&mut self, io: &mut Io) {
        self.drop_searches(io, |_| true);
        self.standby.after = io.now;
        self.stirred = true;
    }

    /// Bytes in buffers now.
    pub(super) fn held(&self) -> usize {
        self.connections.iter().map(|(_, connection)| connection.uplink.held()).fold(0, usize::saturating_add)
    }

    /// Whether the credential has still to be shown to anybody.
    #[cfg(test)]
    pub(super) fn wants_check(&self) -> bool {
        self.check == Check::Wanted
    }

    /// Connections that wait for a flow, and searches for one.
    #[cfg(test)]
    pub(super) fn spare(&self) -> usize {
        self.ready.len() + self.searches.len()
    }
}

/// How soon a search is joined by another while somebody waits, and how many may join.
const SEARCH_AGAIN: Duration = Duration::from_secs(1);
const SEARCHES_AGAIN: usize = 3;
/// So many of those who wait are looked at for a connection that will do.
const PAIRED: usize = 64;
