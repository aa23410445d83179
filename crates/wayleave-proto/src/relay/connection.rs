//! One connection of a client, from its acceptance to its end.

use core::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use crate::auth::Verdict;
use crate::base::{Instant, Kind, Target};
use crate::carrier::h1::{Acks, Pipe};
use crate::codec::http::Want;
use crate::net::{Dial, SocketId};
use crate::policy::Scope;
use crate::queue::DatagramQueue;

/// One connection.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) socket: SocketId,
    /// Whose it is, also where a balancer passes it on.
    pub(super) client: SocketAddr,
    /// The source address that it counts for; none while a balancer has not said whose it is.
    pub(super) source: Option<IpAddr>,
    /// The address of the relay that the client reached.
    pub(super) local: SocketAddr,
    pub(super) pipe: Pipe,
    pub(super) state: State,
    /// The client ended its half of TCP, and how.
    pub(super) ended: Option<Ending>,
    /// Bytes of the client's that came while it has no tunnel.
    pub(super) stray: usize,
    /// Bytes in buffers, as last counted.
    pub(super) held: usize,
    /// Those of them that count as a stranger's.
    pub(super) strange: usize,
}

impl Connection {
    /// What its client was allowed, where something is open or on its way.
    pub(super) fn grant(&self) -> Option<&Grant> {
        match &self.state {
            State::Dialling(opening) => Some(&opening.grant),
            State::Tunnel(tunnel) => Some(&tunnel.grant),
            State::Closing { .. }
            | State::Handshake { .. }
            | State::Head { .. }
            | State::Preface { .. }
            | State::Verifying { .. } => None,
        }
    }

    /// Whether its client has asked for nothing yet that could be judged.
    pub(super) const fn is_strange(&self) -> bool {
        matches!(self.state, State::Handshake { .. } | State::Head { .. } | State::Preface { .. })
    }

    /// Whether the client ended without saying that what it sent is whole.
    pub(super) fn is_truncated(&self) -> bool {
        self.ended == Some(Ending::Truncated)
    }
}

/// How a client ended its half.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// Behind a close_notify.
    Clean,
    /// Without one.
    Truncated,
}

/// What a connection is doing.
#[derive(Debug)]
pub(super) enum State {
    /// The header of a balancer, as far as it has come, until then.
    Preface { deadline: Instant, header: Vec<u8> },
    /// TLS, until then, and whether its first byte has come.
    Handshake { deadline: Instant, begun: bool },
    /// The head of the request, until then.
    Head { deadline: Instant },
    /// The embedder says who the client is, until then.
    Verifying { deadline: Instant, want: Want },
    /// The way to the target.
    Dialling(Box<Opening>),
    /// A tunnel.
    Tunnel(Box<Tunnel>),
    /// The last answer is on its way out; what comes in is thrown away, until then.
    Closing { deadline: Instant },
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

/// A tunnel.
#[derive(Debug)]
pub(super) struct Tunnel {
    pub(super) grant: Grant,
    pub(super) socket: SocketId,
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
        /// When to wish for fewer acknowledgements again.
        acks: Acks,
    },
    /// Bytes: they wait in the encrypted connection.
    Stream {
        /// The client ended its half, and all of it was written to the target.
        client_finished: bool,
        /// The target ended its half.
        target_finished: bool,
        /// Reading from the target waits until then, because a rate was exceeded.
        to_client_slowed: Option<Instant>,
        /// Reading from the client waits until then.
        to_target_slowed: Option<Instant>,
    },
}
