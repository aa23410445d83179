//! One connection to a proxy, from the moment it stands until it is closed, and the tunnels in it.

use core::net::SocketAddr;
use std::collections::VecDeque;

use smallvec::SmallVec;

use super::renewal::Place;
use super::silence::{Excuse, Silence};
use super::{Pool, ProxyFault};
use crate::auth::Credential;
use crate::base::{Beside, Instant, Kind, Target, key};
use crate::carrier::uplink::{Signal, TunnelKey, Uplink};
use crate::client::FlowId;
use crate::client::io::{Io, Timer};
use crate::codec::http::{Answer, Ask, Malformed, Want};
use crate::net::Fault;

key! {
    /// One connection to a proxy.
    pub CarrierId, "c"
}

/// A tunnel: the connection that carries it, and its key there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::client) struct TunnelRef {
    pub(in crate::client) carrier: CarrierId,
    pub(super) key: TunnelKey,
}

/// Who answered: a proxy, by its place in the configuration, on this connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::client) struct Source {
    pub(in crate::client) carrier: CarrierId,
    pub(in crate::client) proxy: usize,
}

/// One connection to a proxy.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) uplink: Uplink,
    /// Its place in the configuration.
    pub(super) proxy: usize,
    /// Where it was dialled.
    pub(super) address: SocketAddr,
    /// What was asked for in it, and how many of those there are.
    pub(super) tunnels: Beside<TunnelKey, Tunnel>,
    pub(super) count: usize,
    /// Tunnels whose datagrams wait to be sent, each once, whose turn it is first.
    senders: VecDeque<TunnelKey>,
    /// Nothing was ever asked for in it.
    is_fresh: bool,
    /// It takes no new tunnels any more, and ends behind the last that it has.
    leaves: bool,
    /// What the machine at the other end calls itself, once it has accepted something.
    pub(super) machine: Option<String>,
    /// The latest credential that this machine is known to have accepted, by the count of renewals.
    pub(super) heard: u64,
    /// When it was made.
    pub(super) made: Instant,
    pub(super) silence: Silence,
    pub(super) excuse: Excuse,
}

/// What was asked for in a connection.
#[derive(Debug)]
pub(super) struct Tunnel {
    pub(super) key: TunnelKey,
    pub(super) stage: Stage,
    /// Which credential was shown with it, by the count of renewals.
    pub(super) shown: u64,
    /// It is among those whose datagrams wait.
    sends: bool,
}

/// What has come of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// The request of this flow is on its way.
    Asks(FlowId),
    /// It is the tunnel of this flow.
    Carries(FlowId),
    /// The same, while that flow looks for another.
    Leaves(FlowId),
    /// It shows a credential, and asks for nothing else.
    Shows,
}

impl Stage {
    /// The flow that it is for.
    pub(super) const fn flow(self) -> Option<FlowId> {
        match self {
            Self::Asks(flow) | Self::Carries(flow) | Self::Leaves(flow) => Some(flow),
            Self::Shows => None,
        }
    }
}

/// What came of a tunnel, for the flow that it is for.
#[derive(Debug)]
pub(in crate::client) struct Heard {
    pub(in crate::client) flow: FlowId,
    pub(in crate::client) tunnel: TunnelRef,
    pub(in crate::client) word: Word,
}

/// What can come of a tunnel.
#[derive(Debug)]
pub(in crate::client) enum Word {
    /// The proxy has answered.
    Answered(Box<Result<Answer, Malformed>>),
    /// It is gone with its connection. What came before may still be read.
    Broken,
    /// Datagrams came, with so many bytes.
    Datagrams(u64),
    /// The proxy has ended it regularly; it carried datagrams.
    Ended,
    /// Bytes of a stream came, or its end.
    Readable,
    /// The proxy broke a rule of datagrams.
    Violated,
    /// Bytes have left.
    Writable,
}

/// What came of one input; mostly one word.
pub(super) type Words = SmallVec<[Heard; 2]>;

impl Connection {
    pub(super) fn new(uplink: Uplink, proxy: usize, address: SocketAddr, made: Instant) -> Self {
        Self {
            uplink,
            proxy,
            address,
            tunnels: Beside::new(),
            count: 0,
            senders: VecDeque::new(),
            is_fresh: true,
            leaves: false,
            machine: None,
            heard: 0,
            made,
            silence: Silence::Quiet,
            excuse: Excuse::default(),
        }
    }

    /// Where a connection leads that can reach the same machine.
    pub(super) const fn place(&self) -> Place {
        Place { proxy: self.proxy, address: self.address }
    }

    /// The flows that use it.
    pub(super) fn flows(&self) -> impl Iterator<Item = FlowId> {
        self.tunnels.values().filter_map(|tunnel| tunnel.stage.flow())
    }

    /// How many tunnels of flows it carries.
    pub(super) fn carried(&self) -> usize {
        let carries = |tunnel: &&Tunnel| matches!(tunnel.stage, Stage::Carries(_) | Stage::Leaves(_));
        self.tunnels.values().filter(carries).count()
    }

    /// How many tunnels may be asked for now.
    pub(super) fn room(&self) -> usize {
        if self.leaves { 0 } else { self.uplink.room() }
    }

    /// Notes what was asked for.
    pub(super) fn hold(&mut self, key: TunnelKey, stage: Stage, shown: u64) {
        self.tunnels.insert(key, Tunnel { key, stage, shown, sends: false });
        self.count += 1;
        self.is_fresh = false;
    }

    fn let_go(&mut self, key: TunnelKey) -> Option<Tunnel> {
        let tunnel = self.tunnels.remove(key)?;
        self.count = self.count.saturating_sub(1);
        Some(tunnel)
    }

    /// Asks for something at `authority` with `credential`.
    pub(super) fn ask(
        &mut self,
        io: &mut Io,
        credential: Option<&Credential>,
        authority: Target,
        want: Want,
    ) -> Option<TunnelKey> {
        let uplink = &mut self.uplink;
        let authorization = credential.and_then(|credential| {
            credential.authorization_value(&authority, |label, context| uplink.export(label, context))
        });
        let ask = Ask { want, authority: Some(authority), authorization, user_agent: None, echo: None };
        uplink.ask(&mut io.wire(), &ask)
    }
}

/// What a flow does with its tunnel.
impl Pool {
    /// Asks for the tunnel of a flow over the connection that was handed to it.
    pub(in crate::client) fn ask(
        &mut self,
        io: &mut Io,
        id: CarrierId,
        (flow, kind, target): (FlowId, Kind, &Target),
    ) -> Option<TunnelRef> {
        let connection = self.connections.get_mut(id)?;
        let authority = match kind {
            Kind::Datagram => io.config.proxies.get(connection.proxy)?.clone(),
            Kind::Stream => target.clone(),
        };
        let want = Want::Tunnel { kind, target: target.clone() };
        let key = connection.ask(io, self.credential.as_ref(), authority, want)?;
        let shown = self.renewals.count;
        connection.hold(key, Stage::Asks(flow), shown);
        self.on_taken(io, id);
        self.expect(io.now);
        Some(TunnelRef { carrier: id, key })
    }

    /// The proxy has accepted what was asked, and calls itself `by`.
    pub(in crate::client) fn on_accepted(&mut self, io: &mut Io, tunnel: TunnelRef, by: Option<String>) {
        let Some(connection) = self.connections.get_mut(tunnel.carrier) else { return };
        connection.machine = by;
        let proxy = connection.proxy;
        let Some(found) = connection.tunnels.get_mut(tunnel.key) else { return };
        if let Stage::Asks(flow) = found.stage {
            found.stage = Stage::Carries(flow);
        }
        let shown = found.shown;
        self.on_proxy_good(proxy);
        self.standby.backoff.reset();
        self.on_tunnel_shown(io, tunnel.carrier, shown);
        self.stirred = true;
    }

    /// Ends a tunnel, open or asked for.
    pub(in crate::client) fn end(&mut self, io: &mut Io, tunnel: TunnelRef, reset: bool) {
        let Some(connection) = self.connections.get_mut(tunnel.carrier) else { return };
        connection.uplink.end(&mut io.wire(), tunnel.key, reset);
        let Some(ended) = connection.let_go(tunnel.key) else { return };
        let is_of_use = connection.room() > 0;
        let is_idle = connection.count == 0;
        if let Stage::Leaves(flow) = ended.stage {
            self.unwant(flow);
        }
        if is_of_use {
            self.on_room(io, tunnel.carrier);
        } else if is_idle {
            self.close(io, tunnel.carrier, reset);
        }
        self.stirred = true;
    }

    /// The connection of a tunnel, to read and write.
    pub(in crate::client) fn uplink(&mut self, tunnel: TunnelRef) -> Option<(&mut Uplink, TunnelKey)> {
        Some((&mut self.connections.get_mut(tunnel.carrier)?.uplink, tunnel.key))
    }

    /// Who is at the other end of a tunnel.
    pub(in crate::client) fn source_of(&self, tunnel: TunnelRef) -> Option<Source> {
        let connection = self.connections.get(tunnel.carrier)?;
        Some(Source { carrier: tunnel.carrier, proxy: connection.proxy })
    }

    /// Whether a tunnel goes on where the network underneath is another one.
    pub(in crate::client) fn survives_network(&self, tunnel: TunnelRef) -> bool {
        let connection = self.connections.get(tunnel.carrier);
        connection.is_some_and(|connection| connection.uplink.survives_network())
    }

    /// Whether the latest credential was shown with a tunnel.
    pub(in crate::client) fn has_shown_latest(&self, tunnel: TunnelRef) -> bool {
        self.shown_with(tunnel) == Some(self.renewals.count)
    }

    /// Which credential was shown with a tunnel, by the count of renewals.
    pub(super) fn shown_with(&self, tunnel: TunnelRef) -> Option<u64> {
        self.connections.get(tunnel.carrier)?.tunnels.get(tunnel.key).map(|it| it.shown)
    }

    /// Whether the proxy did not say that what it sent in a tunnel is whole.
    pub(in crate::client) fn is_truncated(&self, tunnel: TunnelRef) -> bool {
        let connection = self.connections.get(tunnel.carrier);
        connection.is_some_and(|connection| connection.uplink.is_truncated(tunnel.key))
    }

    /// Datagrams of a tunnel wait to be sent: its turn comes behind those that wait already.
    pub(in crate::client) fn announce_datagrams(&mut self, io: &mut Io, tunnel: TunnelRef) {
        let Some(connection) = self.connections.get_mut(tunnel.carrier) else { return };
        let Some(sender) = connection.tunnels.get_mut(tunnel.key) else { return };
        if !core::mem::replace(&mut sender.sends, true) {
            connection.senders.push_back(tunnel.key);
            connection.uplink.announce_datagrams(&mut io.wire(), tunnel.key);
        }
    }

    /// The tunnel whose turn it is to send datagrams on a connection, and its flow; it has had its turn then.
    pub(in crate::client) fn next_sender(&mut self, id: CarrierId) -> Option<(FlowId, TunnelRef)> {
        let connection = self.connections.get_mut(id)?;
        while let Some(key) = connection.senders.pop_front() {
            if let Some(tunnel) = connection.tunnels.get_mut(key) {
                tunnel.sends = false;
                return Some((tunnel.stage.flow()?, TunnelRef { carrier: id, key }));
            }
        }
        None
    }

    /// A tunnel had its turn, and nothing could be sent: it has it again.
    pub(in crate::client) fn return_turn(&mut self, tunnel: TunnelRef) {
        let Some(connection) = self.connections.get_mut(tunnel.carrier) else { return };
        let Some(sender) = connection.tunnels.get_mut(tunnel.key) else { return };
        if !core::mem::replace(&mut sender.sends, true) {
            connection.senders.push_front(tunnel.key);
        }
    }

    /// The flows that use a connection, each with its tunnel.
    pub(in crate::client) fn users(&self, id: CarrierId) -> SmallVec<[(FlowId, TunnelRef); 1]> {
        let tunnels = self.connections.get(id).into_iter().flat_map(|connection| connection.tunnels.values());
        let user = |it: &Tunnel| Some((it.stage.flow()?, TunnelRef { carrier: id, key: it.key }));
        tunnels.filter_map(user).collect()
    }
}

/// What happens to a connection; [`Self::hear`] says what came of it.
impl Pool {
    /// Bytes came on a connection; the datagrams among them are handed to `take` at once.
    pub(in crate::client) fn on_received(
        &mut self,
        io: &mut Io,
        id: CarrierId,
        take: &mut dyn FnMut(FlowId, &[u8]),
        data: &mut [u8],
    ) {
        self.on_heard(io, id);
        let Some(Connection { uplink, tunnels, .. }) = self.connections.get_mut(id) else { return };
        let mut take = |key, payload: &[u8]| {
            if let Some(flow) = flow_of(tunnels, key) {
                take(flow, payload);
            }
        };
        uplink.handle_received(&mut io.wire(), &mut take, data);
    }

    /// The other end of a connection ended its half.
    pub(in crate::client) fn on_finished(
        &mut self,
        io: &mut Io,
        id: CarrierId,
        take: &mut dyn FnMut(FlowId, &[u8]),
    ) {
        let Some(Connection { uplink, tunnels, .. }) = self.connections.get_mut(id) else { return };
        let mut take = |key, payload: &[u8]| {
            if let Some(flow) = flow_of(tunnels, key) {
                take(flow, payload);
            }
        };
        uplink.handle_finished(&mut io.wire(), &mut take);
    }

    /// A connection and its socket are gone.
    pub(in crate::client) fn on_failed(&mut self, io: &mut Io, id: CarrierId, fault: Fault) {
        if let Some(connection) = self.connections.get_mut(id) {
            connection.uplink.handle_failed(&mut io.wire(), fault);
        }
    }

    /// Bytes were written to a connection.
    pub(in crate::client) fn on_written(&mut self, io: &mut Io, id: CarrierId, written: usize) {
        if let Some(connection) = self.connections.get_mut(id) {
            connection.uplink.handle_written(written);
            self.on_sent(io, id);
        }
    }

    /// A deadline of a connection has come.
    pub(in crate::client) fn on_carrier_timeout(&mut self, io: &mut Io, id: CarrierId) {
        if let Some(connection) = self.connections.get_mut(id) {
            connection.uplink.handle_timeout(&mut io.wire());
        }
    }

    /// What a connection has to send now.
    pub(in crate::client) fn pending_of(&mut self, io: &mut Io, id: CarrierId) -> Option<&[u8]> {
        self.connections.get_mut(id)?.uplink.pending(&mut io.wire())
    }

    /// What came of an input for the flows in a connection; what came for the pool itself is done.
    pub(in crate::client) fn hear(&mut self, io: &mut Io, id: CarrierId) -> Words {
        let mut words = Words::new();
        while let Some(connection) = self.connections.get_mut(id)
            && let Some(signal) = connection.uplink.poll_signal()
        {
            let (key, word) = match signal {
                Signal::Answered(key, answer) => (key, Word::Answered(answer)),
                Signal::Datagrams(key, bytes) => (key, Word::Datagrams(bytes)),
                Signal::Ended(key) => (key, Word::Ended),
                Signal::Readable(key) => (key, Word::Readable),
                Signal::Violated(key) => (key, Word::Violated),
                Signal::Writable(key) => (key, Word::Writable),
                Signal::Lost(key) => (key, Word::Broken),
                Signal::Broken => {
                    self.on_broken(io, id, &mut words);
                    continue;
                }
                Signal::Leaving => {
                    self.retire(io, id);
                    continue;
                }
                Signal::Room => {
                    self.on_room(io, id);
                    continue;
                }
                Signal::Failed(_) | Signal::Ready => continue,
            };
            let tunnel = TunnelRef { carrier: id, key };
            match (connection.tunnels.get(key).map(|tunnel| tunnel.stage), word) {
                (Some(Stage::Shows), Word::Answered(answer)) => self.on_shown_answered(io, tunnel, *answer),
                (Some(Stage::Shows), Word::Broken) => self.on_unshown(io, tunnel, ProxyFault::NoAnswer),
                (Some(Stage::Asks(flow)), Word::Broken) => {
                    let proxy = connection.proxy;
                    self.on_proxy_failed(io, proxy, ProxyFault::NoAnswer, None);
                    words.push(Heard { flow, tunnel, word: Word::Broken });
                }
                (Some(stage), word) => {
                    words.extend(stage.flow().map(|flow| Heard { flow, tunnel, word }));
                }
                (None, _) => {}
            }
        }
        if let Some(connection) = self.connections.get(id) {
            match connection.uplink.poll_timeout() {
                Some(due) => io.timers.set(Timer::Carrier(id), Some(due)),
                None if connection.count == 0 && connection.uplink.is_closed() => {
                    self.close(io, id, false);
                }
                None => {}
            }
        }
        words
    }

    /// A connection is gone with all its tunnels.
    fn on_broken(&mut self, io: &mut Io, id: CarrierId, words: &mut Words) {
        let Some(connection) = self.connections.get(id) else { return };
        if connection.is_fresh {
            return self.lose_ready(io, id);
        }
        if connection.count == 0 {
            return self.close(io, id, false);
        }
        self.ready.retain(|ready| *ready != id);
        let proxy = connection.proxy;
        let of: SmallVec<[(TunnelKey, Stage); 2]> =
            connection.tunnels.values().map(|tunnel| (tunnel.key, tunnel.stage)).collect();
        if of.iter().any(|(_, stage)| matches!(stage, Stage::Asks(_))) {
            self.on_proxy_failed(io, proxy, ProxyFault::NoAnswer, None);
        }
        for (key, stage) in of {
            let tunnel = TunnelRef { carrier: id, key };
            match stage.flow() {
                Some(flow) => words.push(Heard { flow, tunnel, word: Word::Broken }),
                None => self.on_unshown(io, tunnel, ProxyFault::NoAnswer),
            }
        }
    }

    /// Asks for nothing more on a connection: what it carries goes on, and it ends behind that.
    pub(super) fn retire(&mut self, io: &mut Io, id: CarrierId) {
        let Some(connection) = self.connections.get_mut(id) else { return };
        connection.leaves = true;
        if connection.count == 0 {
            return self.close(io, id, false);
        }
        self.ready.retain(|ready| *ready != id);
        self.stirred = true;
    }

    /// A connection that is ready has grown old.
    pub(in crate::client) fn on_age_timeout(&mut self, io: &mut Io, id: CarrierId) {
        if self.connections.get(id).is_some_and(|connection| connection.count == 0) {
            self.close(io, id, false);
        }
    }

    /// Something was asked for in a connection.
    pub(super) fn on_taken(&mut self, io: &mut Io, id: CarrierId) {
        io.timers.set(Timer::Age(id), None);
        if self.connections.get(id).is_none_or(|connection| connection.room() == 0) {
            self.ready.retain(|ready| *ready != id);
        }
    }

    /// There is room in a connection: it is ready for flows, and grows old where it carries none.
    pub(super) fn on_room(&mut self, io: &mut Io, id: CarrierId) {
        let Some(connection) = self.connections.get(id).filter(|connection| connection.room() > 0) else {
            return;
        };
        if connection.count == 0 {
            io.timers.set(Timer::Age(id), Some(io.now + io.config.limits.standby_age));
        }
        if !self.ready.contains(&id) {
            self.ready.push_back(id);
        }
        self.stirred = true;
    }

    /// Connections that end behind a last word.
    pub(super) fn parting(&self) -> usize {
        self.connections.iter().filter(|(_, connection)| connection.uplink.last_word().is_some()).count()
    }

    /// Closes a connection; flows that used it must be looked after by the client.
    pub(super) fn close(&mut self, io: &mut Io, id: CarrierId, reset: bool) {
        let Some(connection) = self.connections.get_mut(id) else { return };
        let tunnels = core::mem::take(&mut connection.tunnels);
        connection.count = 0;
        self.ready.retain(|ready| *ready != id);
        for timer in [Timer::Age(id), Timer::Carrier(id), Timer::Shown(id), Timer::Silence(id)] {
            io.timers.set(timer, None);
        }
        match connection.uplink.last_word() {
            // It ends by itself behind its last word.
            Some(due) if self.parting() <= MOST_PARTING => io.timers.set(Timer::Carrier(id), Some(due)),
            _ => {
                if let Some(mut connection) = self.connections.remove(id) {
                    connection.uplink.close(&mut io.wire(), reset);
                }
            }
        }
        for tunnel in tunnels.values() {
            if let Stage::Leaves(flow) = tunnel.stage {
                self.unwant(flow);
            }
        }
        self.stirred = true;
    }
}

fn flow_of(tunnels: &Beside<TunnelKey, Tunnel>, key: TunnelKey) -> Option<FlowId> {
    tunnels.get(key)?.stage.flow()
}

/// Connections that may end behind a last word at once; one more ends without.
pub(super) const MOST_PARTING: usize = 16;
