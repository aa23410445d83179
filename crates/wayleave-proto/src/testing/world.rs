//! The world itself.

use core::net::{IpAddr, Ipv4Addr, SocketAddr};
use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::base::{Families, Instant};
use crate::client::{Client, Event as ClientEvent, Notice};
use crate::error::{IoFailed, IoFailure};
use crate::net::{Machine, Output, Packets, Remote, SocketId, Transmit};
use crate::relay::{Event as RelayEvent, Relay};

/// What the direct path from the client does with everything but proxies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direct {
    /// It swallows everything.
    BlackHole,
    /// It takes every connection and ends it at the first bytes; it swallows datagrams.
    Ending,
    /// It takes every connection and never says a word; it swallows datagrams.
    Mute,
    /// Connections to that port work; it swallows everything else.
    Only(u16),
    /// It works.
    Open,
    /// It refuses connections at once, and swallows datagrams.
    Refusing,
    /// It takes every connection and resets it at the first bytes; it swallows datagrams.
    Resetting,
}

/// Who is at one end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum End {
    /// The client.
    Client(SocketId),
    /// The relay of that number.
    Relay(usize, SocketId),
    /// The echoing target, by connection.
    Target(u64),
}

#[derive(Debug)]
enum Happening {
    Answer(End, Result<Vec<IpAddr>, IoFailed>),
    Opened(End, SocketAddr),
    Failed(End, IoFailure),
    Bytes(End, Vec<u8>),
    Finished(End),
    /// The end reads what waits for it.
    Read(End),
    Connect {
        from: End,
        to: SocketAddr,
    },
}

/// One client, some relays, and targets that send back whatever they get and end when their peer does.
#[derive(Debug)]
pub struct World {
    /// The present.
    pub now: Instant,
    /// The client.
    pub client: Client,
    /// The relays and their addresses; `None` has been stopped and refuses connections.
    pub relays: Vec<(SocketAddr, Option<Relay>)>,
    /// What the direct path does.
    pub direct: Direct,
    /// Addresses of names; others are unknown.
    pub names: BTreeMap<String, IpAddr>,
    /// Targets that refuse connections.
    pub refusing: BTreeSet<SocketAddr>,
    /// Whether relays refuse every new connection.
    pub refuses_new: bool,
    /// Relays with one address stand behind a balancer, which gives each new connection to the next of them; all to this one
    /// where it is set.
    pub stuck_to: Option<usize>,
    /// How many bytes one write takes at most.
    pub chunk: usize,
    /// What the client said.
    pub events: Vec<ClientEvent>,
    /// What the relays said.
    pub relay_events: Vec<RelayEvent>,
    /// Everything that the client sent to, and every name that it looked up.
    pub reached: BTreeSet<String>,
    /// What each target got, or what swallowed it in its place, by the number of its connection.
    pub taken: BTreeMap<u64, Vec<u8>>,
    /// Connections that something on the direct path took in place of the target.
    boxed: BTreeMap<u64, Direct>,
    latency: Duration,
    /// Relays to which nothing comes and from which nothing goes.
    silent: BTreeSet<usize>,
    /// What will happen when they are heard again, in that order.
    unheard: VecDeque<Happening>,
    /// Ends that do not read.
    paused: BTreeSet<End>,
    /// What waits for an end because it did not read when it came.
    waits: BTreeMap<End, VecDeque<Happening>>,
    /// Bytes of a stream on their way to an end, or waiting there: its peer writes no more than fit.
    unread: BTreeMap<End, usize>,
    peers: BTreeMap<End, End>,
    datagram: BTreeSet<End>,
    pending: BTreeSet<End>,
    finishing: BTreeSet<End>,
    targets: u64,
    /// Connections that relays were asked for.
    turn: usize,
    queue: BTreeMap<(Instant, u64), Happening>,
    sequence: u64,
}

impl World {
    /// A world around `client` and `relays`, with one millisecond from end to end.
    pub fn new(client: Client, relays: Vec<(SocketAddr, Relay)>) -> Self {
        Self {
            now: Instant::ZERO,
            client,
            relays: relays.into_iter().map(|(address, relay)| (address, Some(relay))).collect(),
            direct: Direct::Open,
            names: BTreeMap::new(),
            refusing: BTreeSet::new(),
            refuses_new: false,
            stuck_to: None,
            chunk: usize::MAX,
            events: Vec::new(),
            relay_events: Vec::new(),
            reached: BTreeSet::new(),
            taken: BTreeMap::new(),
            boxed: BTreeMap::new(),
            latency: Duration::from_millis(1),
            silent: BTreeSet::new(),
            unheard: VecDeque::new(),
            paused: BTreeSet::new(),
            waits: BTreeMap::new(),
            unread: BTreeMap::new(),
            peers: BTreeMap::new(),
            datagram: BTreeSet::new(),
            pending: BTreeSet::new(),
            finishing: BTreeSet::new(),
            targets: 0,
            turn: 0,
            queue: BTreeMap::new(),
            sequence: 0,
        }
    }

    /// Lets time pass until `done` or until `limit` has passed; says whether `done` came true.
    pub fn run_until(&mut self, limit: Duration, mut done: impl FnMut(&mut Self) -> bool) -> bool {
        let end = self.now + limit;
        loop {
            self.settle();
            if done(self) {
                return true;
            }
            let machines = self.relays.iter().filter_map(|(_, relay)| relay.as_ref()?.poll_timeout());
            let due = machines.chain(self.client.poll_timeout());
            let next = due.chain(self.queue.keys().next().map(|(at, _)| *at)).min();
            let Some(next) = next.filter(|next| *next <= end) else {
                self.now = end;
                self.settle();
                return done(self);
            };
            self.now = self.now.max(next);
            while let Some(entry) = self.queue.first_entry() {
                if entry.key().0 > self.now {
                    break;
                }
                let happening = entry.remove();
                self.happen(happening);
                self.settle();
            }
            self.client.handle_timeout(self.now);
            for (_, relay) in &mut self.relays {
                if let Some(relay) = relay {
                    relay.handle_timeout(self.now);
                }
            }
        }
    }

    /// Lets `span` pass.
    pub fn run(&mut self, span: Duration) {
        self.run_until(span, |_| false);
    }

    /// Stops a relay as a crash does: its connections break, new ones are refused.
    pub fn crash(&mut self, index: usize) {
        if let Some((_, relay)) = self.relays.get_mut(index) {
            *relay = None;
        }
        self.break_off(|end| matches!(end, End::Relay(i, _) if *i == index));
    }

    /// Lets a relay vanish from the network without a word: nothing reaches it, nothing comes from it, and nobody is told.
    /// Its machine goes on.
    pub fn silence(&mut self, index: usize) {
        self.silent.insert(index);
    }

    /// Lets a relay be heard again. What was sent meanwhile arrives, as where it was sent again and again.
    pub fn hear(&mut self, index: usize) {
        self.silent.remove(&index);
        // Everything else that is under way was sent after these.
        for happening in core::mem::take(&mut self.unheard) {
            self.soon(happening);
        }
    }

    /// Breaks every connection that a relay has with anybody; it goes on.
    pub fn reset_relay_connections(&mut self, index: usize) {
        self.break_off(|end| matches!(end, End::Relay(i, _) if *i == index));
    }

    /// Breaks every connection that a target has.
    pub fn reset_targets(&mut self) {
        self.break_off(|end| matches!(end, End::Target(_)));
    }

    /// What is open directly falls silent: nothing that is sent there arrives any more, in either direction.
    pub fn silence_direct(&mut self) {
        let is_direct = |end: &End, peer: &End| matches!((end, peer), (End::Client(_), End::Target(_)));
        self.peers.retain(|end, peer| !is_direct(end, peer) && !is_direct(peer, end));
    }

    /// A translator of addresses forgets what leads to a relay: nothing arrives any more over the connections that there are, in
    /// either direction, and nobody is told.
    pub fn forget_ways_to(&mut self, index: usize) {
        let leads = |end: &End| matches!(end, End::Relay(at, _) if *at == index);
        self.peers.retain(|end, peer| !leads(end) && !leads(peer));
    }

    fn break_off(&mut self, concerns: impl Fn(&End) -> bool) {
        let broken: Vec<_> =
            self.peers.iter().filter(|(end, _)| concerns(end)).map(|(end, peer)| (*end, *peer)).collect();
        for (end, peer) in broken {
            self.peers.remove(&end);
            self.peers.remove(&peer);
            self.forget(end);
            self.later(Happening::Failed(peer, IoFailure::ConnectionReset));
        }
    }

    /// Does what the machines ask for until they ask for nothing more.
    pub fn settle(&mut self) {
        loop {
            let mut quiet = true;
            while let Some(output) = self.client.poll_output() {
                quiet = false;
                if let Some(Notice::Event(event)) = self.output(output, End::Client) {
                    self.events.push(event);
                }
            }
            for index in 0..self.relays.len() {
                while let Some(output) =
                    self.relays.get_mut(index).and_then(|(_, relay)| relay.as_mut()?.poll_output())
                {
                    quiet = false;
                    if let Some(event) = self.output(output, |id| End::Relay(index, id)) {
                        self.relay_events.push(event);
                    }
                }
            }
            for end in core::mem::take(&mut self.pending) {
                quiet = false;
                self.write(end);
            }
            if quiet {
                return;
            }
        }
    }

    fn output<E>(&mut self, output: Output<E>, end: impl Fn(SocketId) -> End) -> Option<E> {
        match output {
            Output::Resolve { id, name } => {
                let from = end(id);
                if matches!(from, End::Client(_)) {
                    self.reached.insert(name.to_string());
                }
                let answer = self.names.get(name.as_str()).map(|address| vec![*address]);
                let closed =
                    matches!(from, End::Client(_)) && self.direct == Direct::BlackHole && answer.is_none();
                if !closed {
                    let answer = answer.ok_or(IoFailed::new(IoFailure::NameUnknown));
                    self.later(Happening::Answer(from, answer));
                }
            }
            Output::Dial { id, address } => self.connect(end(id), address),
            Output::Bind { id, remote: Remote::Every(_), .. } => {
                self.later(Happening::Opened(end(id), ANYWHERE));
            }
            Output::Bind { id, remote: Remote::One(address), .. } => {
                let from = end(id);
                self.datagram.insert(from);
                self.targets += 1;
                let target = End::Target(self.targets);
                self.datagram.insert(target);
                let is_let_out = !matches!((self.direct, from), (Direct::Only(_), End::Client(_)));
                if self.leads_on(from, address) && is_let_out {
                    self.peers.insert(from, target);
                    self.peers.insert(target, from);
                }
                self.later(Happening::Opened(from, address));
            }
            Output::Pending(id) => {
                self.pending.insert(end(id));
            }
            Output::DelayAcks(_) | Output::Watch { .. } => {}
            Output::Finish(id) => {
                self.finishing.insert(end(id));
                self.pending.insert(end(id));
            }
            Output::Close { id, reset } => {
                let from = end(id);
                self.forget(from);
                if let Some(peer) = self.peers.remove(&from) {
                    self.peers.remove(&peer);
                    let happening = if reset {
                        Happening::Failed(peer, IoFailure::ConnectionReset)
                    } else {
                        Happening::Finished(peer)
                    };
                    self.later(happening);
                }
            }
            Output::ReadPause(id) => {
                self.paused.insert(end(id));
            }
            Output::ReadResume(id) => {
                self.resume(end(id));
            }
            Output::Event(event) => return Some(event),
        }
        None
    }

    fn leads_on(&mut self, from: End, to: SocketAddr) -> bool {
        let is_client = matches!(from, End::Client(_));
        if is_client {
            self.reached.insert(to.to_string());
        }
        let is_let_out = match self.direct {
            Direct::Open => true,
            Direct::Only(port) => to.port() == port,
            _ => false,
        };
        !is_client || is_let_out || self.relays.iter().any(|(address, _)| *address == to)
    }

    fn connect(&mut self, from: End, to: SocketAddr) {
        if self.leads_on(from, to) {
            self.later(Happening::Connect { from, to });
            return;
        }
        match self.direct {
            Direct::Refusing => self.later(Happening::Failed(from, IoFailure::ConnectionRefused)),
            Direct::Ending | Direct::Mute | Direct::Resetting => {
                self.targets += 1;
                self.boxed.insert(self.targets, self.direct);
                let end = End::Target(self.targets);
                self.peers.insert(from, end);
                self.peers.insert(end, from);
                self.later(Happening::Opened(from, to));
            }
            Direct::BlackHole | Direct::Only(_) | Direct::Open => {}
        }
    }

    fn write(&mut self, end: End) {
        let (now, chunk) = (self.now, self.chunk);
        let is_datagram = self.datagram.contains(&end);
        let peer = self.peers.get(&end).copied();
        let waits = peer.and_then(|peer| self.unread.get(&peer)).copied().unwrap_or_default();
        let mut room = WINDOW.saturating_sub(waits);
        let (mut sent, mut is_full) = (Vec::new(), false);
        self.on(end, |machine, id| {
            if is_datagram {
                while let Some(transmit) = machine.transmit(now, id) {
                    sent.extend(transmit.datagrams().map(<[u8]>::to_vec));
                    let count = transmit.count();
                    machine.handle_sent(now, id, count);
                }
                return;
            }
            while let Some(bytes) = machine.pending(now, id) {
                let count = bytes.len().min(chunk).min(room);
                is_full = count == 0;
                if is_full {
                    return;
                }
                room = room.saturating_sub(count);
                sent.push(bytes.get(..count).unwrap_or_default().to_vec());
                machine.handle_written(now, id, count);
            }
        });
        if let Some(peer) = peer {
            for bytes in sent {
                if !is_datagram {
                    *self.unread.entry(peer).or_default() += bytes.len();
                }
                self.later(Happening::Bytes(peer, bytes));
            }
            if !is_full && self.finishing.remove(&end) {
                self.later(Happening::Finished(peer));
            }
        }
    }

    fn later(&mut self, happening: Happening) {
        self.sequence += 1;
        self.queue.insert((self.now + self.latency, self.sequence), happening);
    }

    /// It happens at this moment still.
    fn soon(&mut self, happening: Happening) {
        self.sequence += 1;
        self.queue.insert((self.now, self.sequence), happening);
    }

    /// An end is gone, with what waited for it.
    fn forget(&mut self, end: End) {
        self.paused.remove(&end);
        self.waits.remove(&end);
        self.unread.remove(&end);
    }

    /// Whether that end reads, and neither it nor its peer is a relay that nobody hears; else it happens later.
    fn reaches(&mut self, happening: Happening) -> Option<Happening> {
        let end = match &happening {
            Happening::Answer(end, _)
            | Happening::Opened(end, _)
            | Happening::Failed(end, _)
            | Happening::Bytes(end, _)
            | Happening::Finished(end)
            | Happening::Read(end)
            | Happening::Connect { from: end, .. } => *end,
        };
        let is_silent = |end: &End| matches!(end, End::Relay(index, _) if self.silent.contains(index));
        let leads_to_silent = matches!(&happening, Happening::Connect { to, .. }
            if self.relays.iter().position(|(address, _)| address == to).is_some_and(|at| self.silent.contains(&at)));
        if leads_to_silent || is_silent(&end) || self.peers.get(&end).is_some_and(is_silent) {
            self.unheard.push_back(happening);
            return None;
        }
        // A target reads no more than it can send back.
        let back = self.peers.get(&end).and_then(|peer| self.unread.get(peer)).copied().unwrap_or_default();
        if matches!(end, End::Target(_)) && back >= WINDOW {
            self.paused.insert(end);
        }
        let is_read = matches!(happening, Happening::Bytes(..) | Happening::Finished(_));
        if is_read && (self.paused.contains(&end) || self.waits.contains_key(&end)) {
            self.waits.entry(end).or_default().push_back(happening);
            return None;
        }
        Some(happening)
    }

    /// An end has read bytes of a stream, so its peer may write again.
    fn read(&mut self, end: End, amount: usize) {
        let Some(unread) = self.unread.get_mut(&end) else { return };
        *unread = unread.saturating_sub(amount);
        let Some(peer) = self.peers.get(&end).copied() else { return };
        self.pending.insert(peer);
        if matches!(peer, End::Target(_)) {
            self.resume(peer);
        }
    }

    /// An end reads again, what waits for it first.
    fn resume(&mut self, end: End) {
        if self.paused.remove(&end) {
            self.soon(Happening::Read(end));
        }
    }

    /// An end takes the next thing that waits for it.
    fn on_read(&mut self, end: End) {
        if self.paused.contains(&end) {
            return;
        }
        let Some(waits) = self.waits.get_mut(&end) else { return };
        let next = waits.pop_front();
        let is_last = waits.is_empty();
        if is_last {
            self.waits.remove(&end);
        }
        if let Some(next) = next {
            self.arrive(next);
        }
        if !is_last {
            self.soon(Happening::Read(end));
        }
    }

    fn happen(&mut self, happening: Happening) {
        if let Some(happening) = self.reaches(happening) {
            self.arrive(happening);
        }
    }

    fn arrive(&mut self, happening: Happening) {
        let now = self.now;
        if let Happening::Bytes(end, bytes) = &happening {
            self.read(*end, bytes.len());
        }
        match happening {
            Happening::Answer(end, answer) => {
                self.on(end, |machine, id| {
                    machine.handle_resolved(now, id, Families::Both, answer.as_deref().map_err(Clone::clone))
                });
            }
            Happening::Opened(end, local) => {
                self.on(end, |machine, id| machine.handle_opened(now, id, local))
            }
            Happening::Failed(end, failure) => {
                self.peers.remove(&end);
                self.forget(end);
                self.on(end, |machine, id| machine.handle_failed(now, id, IoFailed::new(failure)));
            }
            Happening::Bytes(End::Target(id), bytes) => {
                self.taken.entry(id).or_default().extend_from_slice(&bytes);
                if let Some(boxed) = self.boxed.get(&id) {
                    return self.swallow(id, *boxed);
                }
                if let Some(peer) = self.peers.get(&End::Target(id)).copied() {
                    if !self.datagram.contains(&peer) {
                        *self.unread.entry(peer).or_default() += bytes.len();
                    }
                    self.later(Happening::Bytes(peer, bytes));
                }
            }
            Happening::Bytes(end, mut bytes) if self.datagram.contains(&end) => {
                self.on(end, |machine, id| {
                    machine.handle_packets(now, id, Packets::one(ANYWHERE, &mut bytes));
                })
            }
            Happening::Bytes(end, mut bytes) => {
                self.on(end, |machine, id| machine.handle_received(now, id, &mut bytes))
            }
            Happening::Finished(End::Target(id)) => {
                if let Some(peer) = self.peers.get(&End::Target(id)).copied() {
                    self.later(Happening::Finished(peer));
                }
            }
            Happening::Finished(end) => {
                if !self.datagram.contains(&end) {
                    self.on(end, |machine, id| machine.handle_finished(now, id));
                }
            }
            Happening::Read(end) => self.on_read(end),
            Happening::Connect { from, to } => self.accept(from, to),
        }
    }

    /// Bytes came to what took a connection in place of its target.
    fn swallow(&mut self, id: u64, boxed: Direct) {
        let Some(peer) = self.peers.get(&End::Target(id)).copied() else { return };
        match boxed {
            Direct::Ending => self.later(Happening::Finished(peer)),
            Direct::Resetting => {
                self.peers.remove(&End::Target(id));
                self.peers.remove(&peer);
                self.later(Happening::Failed(peer, IoFailure::ConnectionReset));
            }
            _ => {}
        }
    }

    fn accept(&mut self, from: End, to: SocketAddr) {
        let now = self.now;
        let client = SocketAddr::from(([192, 0, 2, 1], 40_000));
        let behind: Vec<usize> = (0..self.relays.len())
            .filter(|index| self.relays.get(*index).is_some_and(|(address, _)| *address == to))
            .collect();
        let next = behind.get(self.turn.checked_rem(behind.len()).unwrap_or_default()).copied();
        let index = self.stuck_to.filter(|index| behind.contains(index)).or(next);
        self.turn += usize::from(index.is_some());
        let relay = index.and_then(|index| Some((index, self.relays.get_mut(index)?)));
        let end = match relay {
            Some((index, (_, relay))) => {
                let relay = relay.as_mut().filter(|_| !self.refuses_new);
                let accepted = relay.and_then(|relay| relay.handle_accepted(now, client, to));
                accepted.map(|id| End::Relay(index, id))
            }
            None if self.refusing.contains(&to) => None,
            None => {
                self.targets += 1;
                Some(End::Target(self.targets))
            }
        };
        match end {
            Some(end) => {
                self.peers.insert(from, end);
                self.peers.insert(end, from);
                self.later(Happening::Opened(from, client));
            }
            None => self.later(Happening::Failed(from, IoFailure::ConnectionRefused)),
        }
    }

    fn on(&mut self, end: End, act: impl FnOnce(&mut dyn Driven, SocketId)) {
        match end {
            End::Client(id) => act(&mut self.client, id),
            End::Relay(index, id) => {
                if let Some((_, Some(relay))) = self.relays.get_mut(index) {
                    act(relay, id);
                }
            }
            End::Target(_) => {}
        }
    }
}

/// The inputs of a machine, whatever it tells its embedder.
trait Driven {
    fn handle_resolved(
        &mut self,
        now: Instant,
        id: SocketId,
        families: Families,
        answer: Result<&[IpAddr], IoFailed>,
    );
    fn handle_opened(&mut self, now: Instant, id: SocketId, local: SocketAddr);
    fn handle_failed(&mut self, now: Instant, id: SocketId, error: IoFailed);
    fn handle_received(&mut self, now: Instant, id: SocketId, data: &mut [u8]);
    fn handle_packets(&mut self, now: Instant, id: SocketId, packets: Packets<'_>);
    fn handle_finished(&mut self, now: Instant, id: SocketId);
    fn pending(&mut self, now: Instant, id: SocketId) -> Option<&[u8]>;
    fn handle_written(&mut self, now: Instant, id: SocketId, written: usize);
    fn transmit(&mut self, now: Instant, id: SocketId) -> Option<Transmit<'_>>;
    fn handle_sent(&mut self, now: Instant, id: SocketId, count: usize);
}

impl<M: Machine> Driven for M {
    fn handle_resolved(
        &mut self,
        now: Instant,
        id: SocketId,
        families: Families,
        answer: Result<&[IpAddr], IoFailed>,
    ) {
        Machine::handle_resolved(self, now, id, families, answer);
    }

    fn handle_opened(&mut self, now: Instant, id: SocketId, local: SocketAddr) {
        Machine::handle_opened(self, now, id, local);
    }

    fn handle_failed(&mut self, now: Instant, id: SocketId, error: IoFailed) {
        Machine::handle_failed(self, now, id, error);
    }

    fn handle_received(&mut self, now: Instant, id: SocketId, data: &mut [u8]) {
        Machine::handle_received(self, now, id, data);
    }

    fn handle_packets(&mut self, now: Instant, id: SocketId, packets: Packets<'_>) {
        Machine::handle_packets(self, now, id, packets);
    }

    fn handle_finished(&mut self, now: Instant, id: SocketId) {
        Machine::handle_finished(self, now, id);
    }

    fn pending(&mut self, now: Instant, id: SocketId) -> Option<&[u8]> {
        Machine::pending(self, now, id)
    }

    fn handle_written(&mut self, now: Instant, id: SocketId, written: usize) {
        Machine::handle_written(self, now, id, written);
    }

    fn transmit(&mut self, now: Instant, id: SocketId) -> Option<Transmit<'_>> {
        Machine::transmit(self, now, id)
    }

    fn handle_sent(&mut self, now: Instant, id: SocketId, count: usize) {
        Machine::handle_sent(self, now, id, count);
    }
}

/// Bytes of a stream that are on their way to one end or wait for it.
const WINDOW: usize = 64 * 1024;

const ANYWHERE: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 9);
