//! One tunnel, from the request for it to its end.

use std::sync::Arc;

use super::connection::Connection;
use super::ledger::{Books, Ledger};
use super::{ConnectionId, Relay, Timer, What};
use crate::auth::Verdict;
use crate::base::{Instant, Kind, Slots, Target, key};
use crate::carrier::downlink::TunnelKey;
use crate::codec::http::{EchoWord, Want};
use crate::net::{Dial, SocketId};
use crate::policy::Scope;
use crate::queue::{DatagramQueue, Drops};

key! {
    /// One tunnel of a client, from the request for it on, whether it was refused or opened.
    pub TunnelId, "t"
}

impl TunnelId {
    /// Which of the `machines` of a relay gave it out.
    pub const fn shard(self, machines: usize) -> usize {
        match (self.index as usize).checked_rem(machines) {
            Some(shard) => shard,
            None => 0,
        }
    }
}

/// One tunnel.
#[derive(Debug)]
pub(super) struct Tunnel {
    /// What carries it, and its name there.
    pub(super) connection: ConnectionId,
    pub(super) key: TunnelKey,
    pub(super) state: State,
    /// When it was asked for.
    pub(super) begun: Instant,
    /// The word that its client wants back.
    pub(super) echo: Option<EchoWord>,
    /// Bytes in its queues, as last counted.
    held: usize,
    /// What its queues dropped, as last counted.
    drops: Drops,
}

/// What a tunnel is doing.
#[derive(Debug)]
pub(super) enum State {
    /// What was asked is being judged.
    Asking,
    /// The embedder says who the client is, until then.
    Verifying { deadline: Instant, want: Want },
    /// The way to the target.
    Dialling(Box<Opening>),
    /// Payload runs.
    Open(Box<Open>),
}

/// A request that was allowed and whose target is being dialled.
#[derive(Debug)]
pub(super) struct Opening {
    pub(super) grant: Grant,
    pub(super) scope: Arc<Scope>,
    pub(super) dial: Dial,
    /// Its name is being looked up.
    pub(super) asks: bool,
    pub(super) asked: Instant,
}

/// What a client was allowed, and by what.
#[derive(Clone, Debug)]
pub(super) struct Grant {
    pub(super) kind: Kind,
    pub(super) target: Target,
    pub(super) verdict: Arc<Verdict>,
}

/// A tunnel through which payload runs.
#[derive(Debug)]
pub(super) struct Open {
    pub(super) grant: Grant,
    /// That of its target; the relay's own [echo](super::echo) has none.
    pub(super) socket: Option<SocketId>,
    pub(super) opened: Instant,
    pub(super) moved: Instant,
    /// Until when its client is asked more often than usual whether it is there.
    pub(super) asked: Option<Instant>,
    pub(super) sent: u64,
    pub(super) received: u64,
    pub(super) payload: Payload,
}

/// What runs through a tunnel.
#[derive(Debug)]
pub(super) enum Payload {
    /// Datagrams: a short queue each way.
    Datagrams {
        /// To the target.
        outgoing: DatagramQueue,
        /// To the client.
        incoming: DatagramQueue,
        /// Dropped because of a rate, or because no capsule may carry it.
        limited: u64,
        /// The client ended the tunnel; what it sent before is still on its way to the target.
        ending: bool,
        /// The connection knows that something waits in `incoming`.
        announced: bool,
    },
    /// Bytes: they wait in the client's connection.
    Stream {
        /// The client ended its half, and all of it was written to the target.
        client_finished: bool,
        /// The target ended its half.
        target_finished: bool,
        /// Bytes that went to the target as they came, and were not charged yet.
        passed: usize,
        /// Reading from the target waits until then, because a rate was exceeded.
        to_client_slowed: Option<Instant>,
        /// Reading from the client waits until then.
        to_target_slowed: Option<Instant>,
    },
}

impl Tunnel {
    /// What its client was allowed, where it is open or on its way.
    pub(super) fn grant(&self) -> Option<&Grant> {
        match &self.state {
            State::Asking | State::Verifying { .. } => None,
            State::Dialling(opening) => Some(&opening.grant),
            State::Open(open) => Some(&open.grant),
        }
    }

    /// Its queues, to the target and to the client, where it carries datagrams.
    fn queues(&self) -> Option<[&DatagramQueue; 2]> {
        let State::Open(open) = &self.state else { return None };
        match &open.payload {
            Payload::Datagrams { outgoing, incoming, .. } => Some([outgoing, incoming]),
            Payload::Stream { .. } => None,
        }
    }
}

/// A tunnel that is open, its name in its connection, and the connection.
pub(super) fn opened<'a>(
    tunnels: &'a mut Slots<TunnelId, Tunnel>,
    connections: &'a mut Slots<ConnectionId, Connection>,
    id: TunnelId,
) -> Option<(&'a mut Open, TunnelKey, &'a mut Connection)> {
    let tunnel = tunnels.get_mut(id)?;
    let State::Open(open) = &mut tunnel.state else { return None };
    Some((open, tunnel.key, connections.get_mut(tunnel.connection)?))
}

impl<L: Ledger> Relay<L> {
    /// Something is asked for on a connection: from now on it has a name.
    pub(super) fn begin_tunnel(&mut self, connection: ConnectionId, key: TunnelKey) -> Option<TunnelId> {
        let carrier = self.connections.get_mut(connection)?;
        let (state, begun) = (State::Asking, self.now);
        let id = self.tunnels.insert(Tunnel {
            connection,
            key,
            state,
            begun,
            echo: None,
            held: 0,
            drops: Drops::default(),
        });
        carrier.tunnels.insert(key, id);
        carrier.count += 1;
        Some(id)
    }

    /// Forgets a tunnel and lets go of what it waited for; what it has open is the caller's to close.
    pub(super) fn remove_tunnel(&mut self, id: TunnelId) -> Option<Tunnel> {
        let mut tunnel = self.tunnels.remove(id)?;
        self.timers.set(Timer::Tunnel(id), None);
        self.buffers.all = self.buffers.all.saturating_sub(tunnel.held);
        if let Some(connection) = self.connections.get_mut(tunnel.connection) {
            connection.tunnels.remove(tunnel.key);
            connection.count = connection.count.saturating_sub(1);
            connection.senders.retain(|sender| *sender != id);
        }
        match &mut tunnel.state {
            State::Asking | State::Open(_) => {}
            State::Dialling(opening) => {
                opening.dial.end(&mut self.requests, None);
                let account = opening.grant.verdict.account;
                if opening.asks {
                    self.ledger.write(|books| books.count_lookup(&account, false));
                }
                self.leave(&account);
            }
            State::Verifying { .. } => self.ledger.write(Books::end_verifying),
        }
        Some(tunnel)
    }

    /// What carries a tunnel.
    pub(super) fn carrier(&self, id: TunnelId) -> Option<(ConnectionId, TunnelKey)> {
        self.tunnels.get(id).map(|tunnel| (tunnel.connection, tunnel.key))
    }

    /// Tells what happens to a tunnel.
    pub(super) fn tell(&mut self, id: TunnelId, what: What) {
        if let Some((connection, _)) = self.carrier(id) {
            self.tell_of(connection, Some(id), what);
        }
    }

    /// Counts what the queues of a tunnel hold, and what they dropped.
    pub(super) fn count_tunnel(&mut self, id: TunnelId) {
        let Some(tunnel) = self.tunnels.get_mut(id) else { return };
        let Some([outgoing, incoming]) = tunnel.queues() else { return };
        let held = outgoing.held() + incoming.held();
        let drops = outgoing.drops().with(incoming.drops());
        self.buffers.all = self.buffers.all.saturating_sub(tunnel.held).saturating_add(held);
        self.stats.dropped.count_queued(&tunnel.drops, &drops);
        (tunnel.held, tunnel.drops) = (held, drops);
    }
}
