//! What is open, for an operator who looks.

use core::fmt;
use core::net::SocketAddr;
use core::time::Duration;
use std::sync::Arc;

use super::ledger::Ledger;
use super::tunnel::{State, TunnelId};
use super::{ConnectionId, Relay};
use crate::auth::Verdict;
use crate::base::{Instant, Kind, Target};
use crate::carrier::Carrier;

/// A connection that is open.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct OpenConnection {
    /// Its name, as events have it.
    pub id: ConnectionId,
    /// Where it comes from; behind a balancer, whose it is.
    pub client: SocketAddr,
    /// What carries its tunnels.
    pub carrier: Carrier,
    /// Since it was accepted.
    pub lasted: Duration,
    /// Its tunnels, open or on their way.
    pub tunnels: usize,
    /// Bytes in its buffers.
    pub held: usize,
}

/// A tunnel that is open or on its way.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct OpenTunnel {
    /// Its name, and that of its connection, as events have them.
    pub id: TunnelId,
    /// The connection that it belongs to.
    pub connection: ConnectionId,
    /// Where that comes from.
    pub client: Option<SocketAddr>,
    /// How far it is.
    pub state: TunnelState,
    /// What it carries; none where that is not known yet.
    pub kind: Option<Kind>,
    /// Where it goes.
    pub target: Option<Target>,
    /// By which credential.
    pub verdict: Option<Arc<Verdict>>,
    /// Since it was asked for.
    pub lasted: Duration,
    /// Bytes of payload to the target.
    pub sent: u64,
    /// Bytes of payload to the client.
    pub received: u64,
}

/// How far a tunnel is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TunnelState {
    /// It is being judged, by the embedder mostly.
    Judged,
    /// Its target is being reached.
    Dialling,
    /// Payload runs.
    Open,
}

impl fmt::Display for TunnelState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Judged => "judged",
            Self::Dialling => "dialling",
            Self::Open => "open",
        })
    }
}

impl<L: Ledger> Relay<L> {
    /// The connections that are open at `now`.
    pub fn connections(&self, now: Instant) -> impl Iterator<Item = OpenConnection> {
        self.connections.iter().map(move |(id, connection)| OpenConnection {
            id,
            client: connection.client,
            carrier: connection.downlink.carrier(),
            lasted: now.since(connection.since),
            tunnels: connection.count,
            held: connection.held,
        })
    }

    /// The tunnels that are open or on their way at `now`.
    pub fn tunnels(&self, now: Instant) -> impl Iterator<Item = OpenTunnel> {
        self.tunnels.iter().map(move |(id, tunnel)| {
            let (state, moved) = match &tunnel.state {
                State::Asking | State::Verifying { .. } => (TunnelState::Judged, (0, 0)),
                State::Dialling(_) => (TunnelState::Dialling, (0, 0)),
                State::Open(open) => (TunnelState::Open, (open.sent, open.received)),
            };
            let grant = tunnel.grant();
            OpenTunnel {
                id,
                connection: tunnel.connection,
                client: self.connections.get(tunnel.connection).map(|connection| connection.client),
                state,
                kind: grant.map(|grant| grant.kind),
                target: grant.map(|grant| grant.target.clone()),
                verdict: grant.map(|grant| Arc::clone(&grant.verdict)),
                lasted: now.since(tunnel.begun),
                sent: moved.0,
                received: moved.1,
            }
        })
    }
}
