//! The relay: the server side, which authenticates, checks policy and forwards.
//!
//! [`Relay`] is a [`Machine`] for its adapter. It has a table of connections, each with what carries it, and a table of
//! tunnels, each with the connection that it belongs to: a request, a judgement, a dial, then payload. Nothing is looked up or
//! dialled for a client that has not shown a valid token.

mod arrival;
mod connection;
mod counts;
mod credentials;
mod datagrams;
mod delivery;
pub mod echo;
mod event;
mod ledger;
mod liveness;
mod meter;
mod open;
mod payload;
mod refuse;
mod request;
mod sentence;
mod share;
mod stats;
mod streams;
mod tunnel;
mod turned_away;
mod verify;

#[cfg(test)]
mod tests;

use core::net::{IpAddr, SocketAddr};

use crate::base::{Clock, Families, Instant, Seed, Slots, Timers, UnixTime};
use crate::config::{Canary, RelayConfig, Truncation, Valid, Verifier};
use crate::error::IoFailed;
use crate::net::{Episode, Ipv6, Machine, Nowhere, Onward, Output, Packets, Requests, SocketId, Transmit};

pub use crate::carrier::ConnectionFault;
pub use counts::{Authentications, DialErrors, DroppedDatagrams, Moved, Refusals, TurnedAwayCounts};
pub use credentials::TooManyRevocations;
pub use event::{Bound, CloseReason, ConnectionId, Event, RefuseReason, TurnedAway, What};
pub use ledger::{Books, Ledger, Shards};
pub use open::{OpenConnection, OpenTunnel, TunnelState};
pub use stats::Stats;
pub use tunnel::TunnelId;
pub use verify::Presented;

use connection::Connection;
use ledger::{Buffers, News};
use share::Shares;
use tunnel::{State, Tunnel};
use turned_away::Crowd;

/// The relay machine: the whole relay, or one of several that share a [`Ledger`].
#[derive(Debug)]
pub struct Relay<L = Books> {
    config: Valid<RelayConfig>,
    /// What it calls itself where it accepts something, so that clients can tell it from others behind the same name.
    name: String,
    clock: Clock,
    now: Instant,
    verifier: Verifier,
    /// What all machines of the relay count together, and which of them this one is.
    ledger: L,
    shard: usize,
    is_alone: bool,
    /// Whether IPv6 works where the relay stands.
    ipv6: Ipv6,
    requests: Requests<Role, Event>,
    connections: Slots<ConnectionId, Connection>,
    tunnels: Slots<TunnelId, Tunnel>,
    /// Connections that have not been heard since something happened to them.
    touched: Vec<ConnectionId>,
    /// Tunnels for whose targets datagrams came in the bytes that are lent now.
    reached: Vec<TunnelId>,
    crowd: Crowd,
    shares: Shares,
    timers: Timers<Timer>,
    /// Bytes in all buffers of this machine, as last counted for each connection and tunnel.
    buffers: Buffers,
    /// What the books know of that, and what the other machines hold as far as this one knows.
    told: Buffers,
    others: Buffers,
    /// What the adapter says of its listener.
    accepting: Episode,
    draining: bool,
    stats: Stats,
}

/// What a socket is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    /// The client's side of a connection.
    Client(ConnectionId),
    /// The target's side of a tunnel, or the way there.
    Target(TunnelId),
}

/// Whose deadline it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Timer {
    Connection(ConnectionId),
    Tunnel(TunnelId),
}

impl Relay {
    /// A relay of one machine that follows `config`. `seed` gives it a name of its own, and `clock` ties the machine's time to
    /// the civil clock, by which tokens expire.
    pub fn new(config: Valid<RelayConfig>, seed: &Seed, clock: Clock, now: Instant) -> Self {
        let books = Books::new(config.clone(), 1);
        Self::on(books, 0, config, seed, clock, now)
    }
}

impl<L: Ledger> Relay<L> {
    /// The machine number `shard` of a relay, counted from zero. All of them are given the same configuration and seed, a
    /// `ledger` that leads to the same books, and moments from clocks with the same zero. No two give the same id to anything.
    pub fn on(
        ledger: L,
        shard: usize,
        config: Valid<RelayConfig>,
        seed: &Seed,
        clock: Clock,
        now: Instant,
    ) -> Self {
        let machines = ledger.read(Books::machines);
        let (nth, tables) =
            (u32::try_from(shard).unwrap_or(u32::MAX), u32::try_from(machines).unwrap_or(u32::MAX));
        Self {
            name: format!("wayleave-{:016x}", seed.stream("relay").draw()),
            verifier: config.verifier.clone(),
            ledger,
            shard,
            is_alone: machines == 1,
            clock,
            now,
            ipv6: Ipv6::default(),
            requests: Requests::new(),
            connections: Slots::one_of(nth, tables),
            tunnels: Slots::one_of(nth, tables),
            touched: Vec::new(),
            reached: Vec::new(),
            crowd: Crowd::default(),
            shares: Shares::new(),
            timers: Timers::new(),
            buffers: Buffers::default(),
            told: Buffers::default(),
            others: Buffers::default(),
            accepting: Episode::default(),
            draining: false,
            stats: Stats::default(),
            config,
        }
    }

    /// Hears what other machines of the relay have done that concerns what is open here. It is due when
    /// [`Books::take_called`] names this machine.
    pub fn handle_news(&mut self, now: Instant) {
        self.at(now);
        let shard = self.shard;
        for news in self.ledger.write(|books| books.take_news(shard)) {
            match news {
                News::Full(account) => self.ask_clients(&account),
                News::Renewed(account) => self.renew_share(&account),
            }
        }
        self.hear();
    }

    /// Stops accepting; what is open goes on. [`Self::is_idle`] says when nothing is left.
    pub fn drain(&mut self, now: Instant) {
        self.at(now);
        self.draining = true;
        self.end_crowd();
        for id in self.connections.keys() {
            self.with_downlink(id, |downlink, io| downlink.leave(io));
        }
        self.hear();
    }

    /// Ends everything at once. What the system has taken is still sent: clients know by the missing close_notify that it was no
    /// regular end, and targets by a reset where the configuration asks for it.
    pub fn close(&mut self, now: Instant) {
        self.drain(now);
        let resets = self.config.truncation == Truncation::Reset;
        for id in self.tunnels.keys() {
            self.end_tunnel(id, CloseReason::Stopped, resets, None);
            self.remove_tunnel(id);
        }
        for id in self.connections.keys() {
            self.with_downlink(id, |downlink, io| downlink.close(io, false));
        }
        self.hear();
    }

    /// Whether no connection is open.
    pub const fn is_idle(&self) -> bool {
        self.connections.is_empty()
    }

    fn at(&mut self, now: Instant) -> Instant {
        self.now = self.now.max(now);
        self.now
    }

    /// Tells what concerns no connection in particular.
    fn tell_all(&mut self, what: What) {
        self.requests.event(Event { at: self.now, connection: None, tunnel: None, client: None, what });
    }

    fn on_timeout(&mut self, timer: Timer) {
        let now = self.now;
        match timer {
            Timer::Connection(id) => {
                if let Some(connection) = self.connections.get_mut(id) {
                    connection.due = None;
                }
                self.with_downlink(id, |downlink, io| downlink.handle_timeout(io));
            }
            Timer::Tunnel(id) => match self.tunnels.get(id).map(|tunnel| &tunnel.state) {
                None | Some(State::Asking) => {}
                Some(State::Dialling(_)) => self.advance_dial(id),
                Some(State::Open(_)) => self.on_tunnel_timeout(id),
                Some(State::Verifying { deadline, .. }) if *deadline <= now => self.on_unverified(id),
                Some(State::Verifying { deadline, .. }) => {
                    let deadline = *deadline;
                    self.timers.set(timer, Some(deadline));
                }
            },
        }
    }
}

impl<L: Ledger> Machine for Relay<L> {
    type Event = Event;

    fn poll_output(&mut self) -> Option<Output<Event>> {
        self.requests.poll()
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.timers.next().into_iter().chain(self.crowd.due()).min()
    }

    fn handle_timeout(&mut self, now: Instant) {
        let now = self.at(now);
        while let Some(timer) = self.timers.pop_due(now) {
            self.on_timeout(timer);
            self.hear();
        }
        self.on_crowd_due();
    }

    fn handle_clock(&mut self, now: Instant, unix: UnixTime) {
        let now = self.at(now);
        if !self.config.breaks(Canary::ClockReadOnce) && self.clock.tie(now, unix) {
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
        if let Some(Role::Target(tunnel)) = self.requests.role(id) {
            self.on_target_resolved(tunnel, id, families, answer);
            self.hear();
        }
    }

    fn handle_opened(&mut self, now: Instant, id: SocketId, _local: SocketAddr) {
        self.at(now);
        if let Some(Role::Target(tunnel)) = self.requests.role(id) {
            self.on_target_opened(tunnel, id);
            self.hear();
        }
    }

    fn handle_failed(&mut self, now: Instant, id: SocketId, error: IoFailed) {
        self.at(now);
        match self.requests.role(id) {
            Some(Role::Client(connection)) => {
                self.with_downlink(connection, |downlink, io| downlink.handle_failed(io));
            }
            Some(Role::Target(tunnel)) => self.on_target_failed(tunnel, id, error),
            None => {}
        }
        self.hear();
    }

    fn handle_broken(&mut self, now: Instant, id: SocketId, error: IoFailed) {
        self.at(now);
        self.requests.break_off(id);
        match self.requests.role(id) {
            Some(Role::Client(connection)) => {
                self.with_downlink(connection, |downlink, io| downlink.handle_broken(io));
            }
            Some(Role::Target(tunnel)) => self.on_target_broken(tunnel, &error),
            None => {}
        }
        self.hear();
    }

    fn handle_received(&mut self, now: Instant, id: SocketId, data: &mut [u8]) {
        self.handle_stream(now, id, data, &mut Nowhere);
    }

    fn handle_stream(&mut self, now: Instant, id: SocketId, data: &mut [u8], onward: &mut dyn Onward) {
        self.at(now);
        match self.requests.role(id) {
            Some(Role::Client(connection)) => {
                self.deliver(connection, onward, |downlink, io, delivery| {
                    downlink.handle_received(io, delivery, data);
                });
                self.hear();
                self.crowd_out(connection);
            }
            Some(Role::Target(tunnel)) => {
                self.on_target_received(tunnel, data, onward);
                self.hear();
            }
            None => {}
        }
    }

    fn handle_packets(&mut self, now: Instant, id: SocketId, packets: Packets<'_>) {
        self.at(now);
        if let Some(Role::Target(tunnel)) = self.requests.role(id) {
            self.on_target_packets(tunnel, packets);
            self.hear();
        }
    }

    fn handle_overflow(&mut self, now: Instant, id: SocketId, count: u64) {
        self.at(now);
        self.stats.overflowed = self.stats.overflowed.saturating_add(count);
        if let Some(Role::Target(tunnel)) = self.requests.role(id) {
            self.on_overflow(tunnel, count);
        }
    }

    fn handle_finished(&mut self, now: Instant, id: SocketId) {
        self.at(now);
        match self.requests.role(id) {
            Some(Role::Client(connection)) => {
                self.with_downlink(connection, |downlink, io| downlink.handle_finished(io));
            }
            Some(Role::Target(tunnel)) => self.on_target_finished(tunnel),
            None => {}
        }
        self.hear();
    }

    fn pending(&mut self, now: Instant, id: SocketId) -> Option<&[u8]> {
        self.at(now);
        match self.requests.role(id)? {
            Role::Client(connection) => self.pending_of_client(connection),
            Role::Target(tunnel) => self.pending_of_target(tunnel, id),
        }
    }

    fn transmit(&mut self, now: Instant, id: SocketId) -> Option<Transmit<'_>> {
        self.at(now);
        match self.requests.role(id)? {
            Role::Client(_) => None,
            Role::Target(tunnel) => self.transmit_of_target(tunnel, id),
        }
    }

    fn handle_sent(&mut self, now: Instant, id: SocketId, count: usize) {
        self.at(now);
        if let Some(Role::Target(tunnel)) = self.requests.role(id) {
            self.on_datagrams_sent(tunnel, count);
            self.hear();
        }
    }

    fn handle_written(&mut self, now: Instant, id: SocketId, written: usize) {
        self.at(now);
        match self.requests.role(id) {
            Some(Role::Client(connection)) => {
                self.with_downlink(connection, |downlink, io| downlink.handle_written(io, written));
            }
            Some(Role::Target(tunnel)) => self.on_bytes_written(tunnel, written),
            None => {}
        }
        self.hear();
    }
}
