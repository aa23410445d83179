//! One connection of a client, from its acceptance to its end, and what it tells.

use core::net::{IpAddr, SocketAddr};
use std::collections::VecDeque;

use super::delivery::Delivery;
use super::ledger::{Buffers, Ledger};
use super::tunnel::TunnelId;
use super::{ConnectionId, Event, Relay, Role, Timer, What};
use crate::base::{Beside, Instant};
use crate::carrier::downlink::{Downlink, Io, Loss, Signal, TunnelKey};
use crate::net::{Nowhere, Onward};
use crate::policy::group;

/// One connection.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) downlink: Downlink,
    /// Whose it is, also where a balancer passes it on.
    pub(super) client: SocketAddr,
    /// The source address that it counts for; none while a balancer has not said whose it is.
    pub(super) source: Option<IpAddr>,
    /// The address of the relay that the client reached.
    pub(super) local: SocketAddr,
    pub(super) since: Instant,
    /// Its tunnels, and how many they are.
    pub(super) tunnels: Beside<TunnelKey, TunnelId>,
    pub(super) count: usize,
    /// Tunnels with datagrams that wait for it, each once.
    pub(super) senders: VecDeque<TunnelId>,
    /// When it wants to be woken, as far as the timers know.
    pub(super) due: Option<Instant>,
    /// Something happened to it, and what it tells of that has not been heard yet.
    pub(super) touched: bool,
    /// Bytes in its buffers, as last counted.
    pub(super) held: usize,
    /// Those of them that count as a stranger's.
    pub(super) strange: usize,
}

impl Connection {
    pub(super) fn new(
        downlink: Downlink,
        client: SocketAddr,
        source: Option<IpAddr>,
        local: SocketAddr,
        since: Instant,
    ) -> Self {
        Self {
            downlink,
            client,
            source,
            local,
            since,
            tunnels: Beside::new(),
            count: 0,
            senders: VecDeque::new(),
            due: None,
            touched: false,
            held: 0,
            strange: 0,
        }
    }
}

impl<L: Ledger> Relay<L> {
    /// Does something to a connection, and marks it so that it is heard afterwards.
    pub(super) fn with_downlink<T>(
        &mut self,
        id: ConnectionId,
        act: impl FnOnce(&mut Downlink, &mut Io<'_, Role, Event>) -> T,
    ) -> Option<T> {
        self.touch(id);
        let connection = self.connections.get_mut(id)?;
        let mut io = Io {
            sockets: &mut self.requests,
            limits: &self.config.limits,
            clock: &self.clock,
            now: self.now,
        };
        Some(act(&mut connection.downlink, &mut io))
    }

    /// Lets a connection deliver what comes in its open tunnels.
    pub(super) fn deliver(
        &mut self,
        id: ConnectionId,
        onward: &mut dyn Onward,
        act: impl FnOnce(&mut Downlink, &mut Io<'_, Role, Event>, &mut Delivery<'_, L>),
    ) {
        self.touch(id);
        let Some(connection) = self.connections.get_mut(id) else { return };
        let mut io = Io {
            sockets: &mut self.requests,
            limits: &self.config.limits,
            clock: &self.clock,
            now: self.now,
        };
        let mut delivery = Delivery {
            keys: &connection.tunnels,
            tunnels: &mut self.tunnels,
            shares: &mut self.shares,
            ledger: &mut self.ledger,
            timers: &mut self.timers,
            now: self.now,
            stats: &mut self.stats,
            reached: &mut self.reached,
            onward,
        };
        act(&mut connection.downlink, &mut io, &mut delivery);
        delivery.send_on();
    }

    /// What a connection tells will be heard at the end of this input.
    pub(super) fn touch(&mut self, id: ConnectionId) {
        if let Some(connection) = self.connections.get_mut(id)
            && !core::mem::replace(&mut connection.touched, true)
        {
            self.touched.push(id);
        }
    }

    /// The same for what carries a tunnel.
    pub(super) fn touch_carrier(&mut self, id: TunnelId) {
        if let Some((connection, _)) = self.carrier(id) {
            self.touch(connection);
        }
    }

    /// Hears every connection to which something happened: once at the end of every input and verb.
    pub(super) fn hear(&mut self) {
        while let Some(id) = self.touched.pop() {
            while let Some(signal) =
                self.connections.get_mut(id).and_then(|connection| connection.downlink.poll_signal())
            {
                self.on_signal(id, signal);
            }
            let Some(connection) = self.connections.get_mut(id) else { continue };
            connection.touched = false;
            if connection.downlink.is_closed() {
                self.forget(id);
                continue;
            }
            let due = connection.downlink.poll_timeout();
            if core::mem::replace(&mut connection.due, due) != due {
                self.timers.set(Timer::Connection(id), due);
            }
            self.count(id);
        }
        self.tell_buffers();
    }

    /// Tells the books what this machine has in its buffers where that is much more or less than they know, and hears of the
    /// others'.
    fn tell_buffers(&mut self) {
        let Buffers { all, strange } = self.buffers;
        let is_near = all.abs_diff(self.told.all).max(strange.abs_diff(self.told.strange)) < NEAR;
        if !self.is_alone && !is_near {
            self.compare_buffers();
        }
    }

    /// The same, whatever they know; the answer is what all machines hold.
    pub(super) fn compare_buffers(&mut self) -> usize {
        let (shard, own) = (self.shard, self.buffers);
        self.told = own;
        self.others = self.ledger.write(|books| books.buffers(shard, own));
        own.all.saturating_add(self.others.all)
    }

    fn on_signal(&mut self, id: ConnectionId, signal: Signal) {
        let of = |key| self.connections.get(id).and_then(|connection| connection.tunnels.get(key).copied());
        match signal {
            Signal::Asked(key, ask) => self.on_asked(id, key, *ask),
            Signal::Client(client) => self.on_client_named(id, client),
            Signal::Failed(reason) => self.tell_of(id, None, What::ConnectionFailed { reason }),
            Signal::Ended(key) => of(key).into_iter().for_each(|tunnel| self.on_client_end(tunnel)),
            Signal::Lost(key, loss) => {
                of(key).into_iter().for_each(|tunnel| self.on_client_lost(tunnel, loss))
            }
            Signal::Readable(key) => of(key).into_iter().for_each(|tunnel| self.on_client_payload(tunnel)),
            Signal::Violated(key, error) => {
                of(key).into_iter().for_each(|tunnel| self.on_client_violated(tunnel, &error));
            }
            Signal::Writable(key) => of(key).into_iter().for_each(|tunnel| self.on_client_writable(tunnel)),
        }
    }

    /// A balancer said whose connection it passes on.
    fn on_client_named(&mut self, id: ConnectionId, client: Option<SocketAddr>) {
        let Some(connection) = self.connections.get_mut(id) else { return };
        connection.client = client.unwrap_or(connection.client);
        let client = connection.client;
        let source = group(client.ip());
        match self.ledger.write(|books| books.connect_from(source)) {
            Ok(()) => {
                if let Some(connection) = self.connections.get_mut(id) {
                    connection.source = Some(source);
                }
                self.deliver(id, &mut Nowhere, |downlink, io, delivery| downlink.admit(io, delivery));
            }
            Err(reason) => {
                self.turn_away(client, reason);
                self.with_downlink(id, |downlink, io| downlink.close(io, true));
            }
        }
    }

    /// Tells what happened to a connection, or to a tunnel of it.
    pub(super) fn tell_of(&mut self, id: ConnectionId, tunnel: Option<TunnelId>, what: What) {
        let Some(connection) = self.connections.get(id) else { return };
        let client = Some(connection.client);
        self.requests.event(Event { at: self.now, connection: Some(id), tunnel, client, what });
    }

    /// Counts what a connection holds.
    fn count(&mut self, id: ConnectionId) {
        let Some(connection) = self.connections.get_mut(id) else { return };
        let held = connection.downlink.held();
        let strange = if connection.downlink.is_strange() { held } else { 0 };
        let Buffers { all, strange: of_strangers } = &mut self.buffers;
        *all = all.saturating_sub(connection.held).saturating_add(held);
        *of_strangers = of_strangers.saturating_sub(connection.strange).saturating_add(strange);
        (connection.held, connection.strange) = (held, strange);
    }

    /// Forgets a connection that is over, and what is left of its tunnels.
    fn forget(&mut self, id: ConnectionId) {
        let left = self.connections.get(id).map(|connection| connection.tunnels.values().copied());
        for tunnel in left.into_iter().flatten().collect::<Vec<_>>() {
            self.on_client_lost(tunnel, Loss::Gone);
        }
        let Some(connection) = self.connections.remove(id) else { return };
        self.buffers.all = self.buffers.all.saturating_sub(connection.held);
        self.buffers.strange = self.buffers.strange.saturating_sub(connection.strange);
        self.timers.set(Timer::Connection(id), None);
        self.ledger.write(|books| books.disconnect(connection.source));
    }
}

/// Bytes in buffers that others may not know of.
const NEAR: usize = 64 * 1024;
