//! The relay: the server side, which authenticates, checks policy and forwards.
//!
//! [`Relay`] is a [`Machine`] for its adapter. Each accepted connection carries one tunnel: TLS, a request, a judgement,
//! a dial, then payload. Nothing is looked up or dialled for a client that has not shown a valid token.

mod account;
mod arrival;
mod connection;
mod event;
mod liveness;
mod meter;
mod refuse;
mod request;
mod sentence;
mod sessions;
mod tunnel;
mod turned_away;
mod verify;

#[cfg(test)]
mod tests;

use core::net::{IpAddr, SocketAddr};
use std::collections::BTreeMap;

use crate::auth::{AccountId, Revocations, Verdicts};
use crate::base::{Clock, Families, Instant, Seed, Slots, Timers, UnixTime};
use crate::config::{RelayConfig, Truncation, Valid, Verifier};
use crate::error::IoFailed;
use crate::net::{Episode, Ipv6, Machine, Nowhere, Onward, Output, Requests, SocketId};
use crate::policy::SourceLimits;

pub use event::{Bound, CloseReason, ConnectionFault, ConnectionId, Event, RefuseReason, TurnedAway, What};
pub use sessions::TooManyRevocations;
pub use verify::Presented;

use account::Account;
use connection::{Connection, State};
use turned_away::Crowd;

/// The relay machine.
#[derive(Debug)]
pub struct Relay {
    config: Valid<RelayConfig>,
    /// What it calls itself where it accepts something, so that clients can tell it from others behind the same name.
    name: String,
    clock: Clock,
    now: Instant,
    verifier: Verifier,
    verdicts: Verdicts,
    /// What is revoked, by the keys and since the start.
    revocations: Revocations,
    /// What was revoked since the start.
    revoked: Revocations,
    /// Requests that wait for the embedder's verifier.
    verifying: usize,
    failures: SourceLimits,
    /// Whether IPv6 works where the relay stands.
    ipv6: Ipv6,
    /// Names that are being looked up.
    lookups: usize,
    requests: Requests<Role, Event>,
    connections: Slots<ConnectionId, Connection>,
    sources: BTreeMap<IpAddr, usize>,
    crowd: Crowd,
    accounts: BTreeMap<AccountId, Account>,
    /// Accounts without a tunnel, and until when each is remembered.
    resting: Timers<AccountId>,
    timers: Timers<ConnectionId>,
    /// Bytes in all buffers, as last counted for each connection.
    held: usize,
    /// Those of them that belong to clients who have asked for nothing yet.
    strange: usize,
    /// What the adapter says of its listener.
    accepting: Episode,
    draining: bool,
    stats: Stats,
}

/// What a relay has counted, and what it has open.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Connections open now.
    pub connections: usize,
    /// Tunnels open now.
    pub tunnels: usize,
    /// Connections accepted so far.
    pub accepted: u64,
    /// Connections closed at once so far, because the system lacked what it takes to serve them.
    pub unaccepted: u64,
    /// Datagrams that the system dropped so far, because they came faster than the relay received them.
    pub overflowed: u64,
    /// Tunnels opened so far.
    pub opened: u64,
    /// Requests refused so far.
    pub refused: u64,
    /// Connections turned away so far, at a limit.
    pub turned_away: u64,
    /// Bytes in buffers now.
    pub held: usize,
    /// Accounts that have something open or are remembered.
    pub accounts: usize,
    /// Tokens, users and applications that are revoked.
    pub revocations: usize,
    /// Whether it drains.
    pub draining: bool,
}

/// What a socket is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    /// The client's side of a connection.
    Client(ConnectionId),
    /// The target's side, or the way there.
    Target(ConnectionId),
}

impl Relay {
    /// A relay that follows `config`. `seed` gives it a name of its own, and `clock` ties the machine's time to the civil
    /// clock, by which tokens expire.
    pub fn new(config: Valid<RelayConfig>, seed: &Seed, clock: Clock, now: Instant) -> Self {
        Self {
            name: format!("wayleave-{:016x}", seed.stream("relay").draw()),
            revocations: match &config.verifier {
                Verifier::Embedder => Revocations::default(),
                Verifier::Keys(keys) => keys.revocations().clone(),
            },
            revoked: Revocations::default(),
            verifier: config.verifier.clone(),
            verifying: 0,
            clock,
            now,
            verdicts: Verdicts::new(config.limits.verdicts),
            failures: SourceLimits::new(config.limits.failures, config.limits.suspects, SOURCES),
            ipv6: Ipv6::default(),
            lookups: 0,
            requests: Requests::new(),
            connections: Slots::new(),
            sources: BTreeMap::new(),
            crowd: Crowd::default(),
            accounts: BTreeMap::new(),
            resting: Timers::new(),
            timers: Timers::new(),
            held: 0,
            strange: 0,
            accepting: Episode::default(),
            draining: false,
            stats: Stats::default(),
            config,
        }
    }

    /// Stops accepting; what is open goes on. [`Self::is_idle`] says when nothing is left.
    pub fn drain(&mut self, now: Instant) {
        self.at(now);
        self.draining = true;
        self.end_crowd();
        for id in self.connections.keys() {
            let waits = |connection: &Connection| {
                let is_early = matches!(
                    connection.state,
                    State::Handshake { .. } | State::Head { .. } | State::Preface { .. }
                );
                is_early && !connection.pipe.has_begun_head()
            };
            if self.connections.get(id).is_some_and(waits) {
                self.drop_connection(id, false);
            }
        }
    }

    /// Ends everything at once. What the system has taken is still sent: clients know by the missing close_notify that it was no
    /// regular end, and targets by a reset where the configuration asks for it.
    pub fn close(&mut self, now: Instant) {
        self.drain(now);
        let resets = self.config.truncation == Truncation::Reset;
        for id in self.connections.keys() {
            self.end_tunnel(id, CloseReason::Stopped, resets);
            self.drop_connection(id, false);
        }
    }

    /// Whether no connection is open.
    pub const fn is_idle(&self) -> bool {
        self.connections.is_empty()
    }

    /// What the relay has counted.
    pub fn stats(&self) -> Stats {
        Stats {
            accounts: self.accounts.len(),
            connections: self.connections.len(),
            draining: self.draining,
            held: self.held,
            revocations: self.revocations.len(),
            ..self.stats
        }
    }

    fn at(&mut self, now: Instant) -> Instant {
        self.now = self.now.max(now);
        self.now
    }

    fn tell(&mut self, id: ConnectionId, what: What) {
        let Some(connection) = self.connections.get(id) else { return };
        let (connection, client) = (Some(id), Some(connection.client));
        self.requests.event(Event { at: self.now, connection, client, what });
    }

    /// Tells what concerns no connection in particular.
    fn tell_all(&mut self, what: What) {
        self.requests.event(Event { at: self.now, connection: None, client: None, what });
    }

    /// Counts what a connection holds.
    fn count(&mut self, id: ConnectionId) {
        let Some(connection) = self.connections.get_mut(id) else { return };
        let held = connection.pipe.held() + connection.state_held();
        let strange = if connection.is_strange() { held } else { 0 };
        self.held = self.held.saturating_sub(connection.held).saturating_add(held);
        self.strange = self.strange.saturating_sub(connection.strange).saturating_add(strange);
        (connection.held, connection.strange) = (held, strange);
    }

    /// Forgets a connection and closes what it has open.
    fn drop_connection(&mut self, id: ConnectionId, reset: bool) {
        let Some(connection) = self.connections.remove(id) else { return };
        self.held = self.held.saturating_sub(connection.held);
        self.strange = self.strange.saturating_sub(connection.strange);
        self.timers.set(id, None);
        self.requests.close(connection.socket, reset);
        self.give_up(connection.state);
        self.uncount(connection.source);
    }

    /// Lets go of what a connection waited for.
    fn give_up(&mut self, state: State) {
        match state {
            State::Dialling(mut opening) => {
                opening.dial.end(&mut self.requests, None);
                let account = &opening.grant.verdict.account;
                if opening.asks {
                    self.count_lookup(account, false);
                }
                self.leave(account);
            }
            State::Verifying { .. } => self.verifying = self.verifying.saturating_sub(1),
            State::Closing { .. }
            | State::Handshake { .. }
            | State::Head { .. }
            | State::Preface { .. }
            | State::Tunnel(_) => {}
        }
    }

    fn on_timeout(&mut self, id: ConnectionId) {
        let now = self.now;
        let Some(connection) = self.connections.get(id) else { return };
        match &connection.state {
            State::Preface { deadline, .. } if *deadline <= now => self.on_too_slow(id, "PROXY header"),
            State::Handshake { deadline, .. } if *deadline <= now => self.on_too_slow(id, "TLS handshake"),
            State::Head { deadline } if *deadline <= now => self.on_too_slow(id, "request"),
            State::Closing { deadline } if *deadline <= now => self.drop_connection(id, false),
            State::Verifying { deadline, .. } if *deadline <= now => self.on_unverified(id),
            State::Dialling(_) => self.advance_dial(id),
            State::Tunnel(_) => self.on_tunnel_timeout(id),
            State::Closing { deadline }
            | State::Handshake { deadline, .. }
            | State::Head { deadline }
            | State::Preface { deadline, .. }
            | State::Verifying { deadline, .. } => {
                let deadline = *deadline;
                self.timers.set(id, Some(deadline));
            }
        }
    }

    fn on_too_slow(&mut self, id: ConnectionId, what: &'static str) {
        let begun = self.connections.get(id).is_some_and(|connection| connection.pipe.has_begun_head());
        if begun {
            self.refuse_slow(id);
            return;
        }
        // A client that keeps a connection ready and does not use it is no fault.
        if what != "request" {
            self.tell(id, What::ConnectionFailed { reason: ConnectionFault::TooSlow(what) });
        }
        self.drop_connection(id, false);
    }
}

impl Machine for Relay {
    type Event = Event;

    fn poll_output(&mut self) -> Option<Output<Event>> {
        self.requests.poll()
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.timers.next().into_iter().chain(self.crowd.due()).min()
    }

    fn handle_timeout(&mut self, now: Instant) {
        let now = self.at(now);
        while let Some(id) = self.timers.pop_due(now) {
            self.on_timeout(id);
        }
        self.on_crowd_due();
    }

    fn handle_clock(&mut self, now: Instant, unix: UnixTime) {
        let now = self.at(now);
        if self.clock.tie(now, unix) {
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
        if let Some(Role::Target(connection)) = self.requests.role(id) {
            self.on_target_resolved(connection, id, families, answer);
        }
    }

    fn handle_opened(&mut self, now: Instant, id: SocketId, _local: SocketAddr) {
        self.at(now);
        if let Some(Role::Target(connection)) = self.requests.role(id) {
            self.on_target_opened(connection, id);
        }
    }

    fn handle_failed(&mut self, now: Instant, id: SocketId, error: IoFailed) {
        self.at(now);
        match self.requests.role(id) {
            Some(Role::Client(connection)) => {
                self.requests.forget(id);
                self.on_client_gone(connection);
            }
            Some(Role::Target(connection)) => self.on_target_failed(connection, id, error),
            None => {}
        }
    }

    fn handle_broken(&mut self, now: Instant, id: SocketId, error: IoFailed) {
        self.at(now);
        self.requests.break_off(id);
        match self.requests.role(id) {
            Some(Role::Client(connection)) => self.on_client_broken(connection),
            Some(Role::Target(connection)) => self.on_target_broken(connection, &error),
            None => {}
        }
    }

    fn handle_received(&mut self, now: Instant, id: SocketId, data: &mut [u8]) {
        self.handle_stream(now, id, data, &mut Nowhere);
    }

    fn handle_stream(&mut self, now: Instant, id: SocketId, data: &mut [u8], onward: &mut dyn Onward) {
        self.at(now);
        match self.requests.role(id) {
            Some(Role::Client(connection)) => {
                self.on_client_received(connection, data, onward);
                self.count(connection);
                self.crowd_out(connection);
            }
            Some(Role::Target(connection)) => {
                self.on_target_received(connection, data, onward);
                self.count(connection);
            }
            None => {}
        }
    }

    fn handle_overflow(&mut self, now: Instant, id: SocketId, count: u64) {
        self.at(now);
        self.stats.overflowed = self.stats.overflowed.saturating_add(count);
        if let Some(Role::Target(connection)) = self.requests.role(id) {
            self.on_overflow(connection, count);
        }
    }

    fn handle_finished(&mut self, now: Instant, id: SocketId) {
        self.at(now);
        match self.requests.role(id) {
            Some(Role::Client(connection)) => self.on_client_finished(connection),
            Some(Role::Target(connection)) => self.on_target_finished(connection),
            None => {}
        }
    }

    fn pending(&mut self, now: Instant, id: SocketId) -> Option<&[u8]> {
        self.at(now);
        match self.requests.role(id)? {
            Role::Client(connection) => self.pending_of_client(connection, id),
            Role::Target(connection) => self.pending_of_target(connection, id),
        }
    }

    fn handle_written(&mut self, now: Instant, id: SocketId, written: usize) {
        self.at(now);
        match self.requests.role(id) {
            Some(Role::Client(connection)) => {
                self.on_client_written(connection, written);
                self.count(connection);
            }
            Some(Role::Target(connection)) => {
                self.on_target_written(connection, written);
                self.count(connection);
            }
            None => {}
        }
    }
}

/// Source addresses whose failures are remembered.
const SOURCES: usize = 65_536;
