//! What a relay tells its operator.

use core::fmt;
use core::net::{IpAddr, SocketAddr};
use core::time::Duration;
use std::sync::Arc;

use super::{Presented, TunnelId};
use crate::auth::{AuthorizationError, TokenError, Verdict};
use crate::base::{Instant, Kind, Target, key};
use crate::carrier::ConnectionFault;
use crate::carrier::tls::TlsError;
use crate::codec::http::Malformed;
use crate::error::{IoFailed, Resource};
use crate::net::Fault;
use crate::policy::{Denied, Grantor};

key! {
    /// One connection of a client.
    pub ConnectionId, "c"
}

/// A fact and its moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// When it happened, on the clock of the machine.
    pub at: Instant,
    /// The connection it happened on; `None` where it concerns the relay as a whole.
    pub connection: Option<ConnectionId>,
    /// The tunnel it happened to, or what was asked for in its place; `None` where it concerns no tunnel.
    pub tunnel: Option<TunnelId>,
    /// The address of its client.
    pub client: Option<SocketAddr>,
    /// What happened.
    pub what: What,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum What {
    /// The relay cannot accept connections: mostly because the system lacks something. What is open goes on. Told once,
    /// however many connections that costs; [`Self::AcceptRecovered`] tells the end.
    AcceptFailed {
        /// Why.
        error: IoFailed,
    },
    /// The relay accepts connections again: nothing has failed for a second.
    AcceptRecovered {
        /// What was in the way.
        error: IoFailed,
        /// How often.
        failures: u64,
        /// From the first to the last of them.
        lasted: Duration,
    },
    /// A connection ended before it asked for anything that could be answered.
    ConnectionFailed {
        /// Why.
        reason: ConnectionFault,
    },
    /// A request was refused.
    Refused {
        /// The HTTP status of the answer.
        status: u16,
        /// What was asked for, as far as it was understood.
        target: Option<Target>,
        /// The whole reason, for the operator only; the client learns no more than the status and its class.
        reason: RefuseReason,
    },
    /// A tunnel has ended.
    TunnelClosed {
        /// What it carried.
        kind: Kind,
        /// Where it went.
        target: Target,
        /// Whose it was.
        verdict: Arc<Verdict>,
        /// Bytes from the client.
        sent: u64,
        /// Bytes to the client.
        received: u64,
        /// Datagrams dropped because a queue was full, here or in the system, they had grown old, or a rate was exceeded.
        dropped: u64,
        /// How long it was open.
        lasted: Duration,
        /// Why it ended.
        reason: CloseReason,
    },
    /// A tunnel is open.
    TunnelOpened {
        /// What it carries.
        kind: Kind,
        /// Where it goes.
        target: Target,
        /// The address that was dialled; for the relay's own echo, that at which the client reached the relay.
        address: SocketAddr,
        /// Whose it is.
        verdict: Arc<Verdict>,
        /// Since the request.
        elapsed: Duration,
    },
    /// Connections were not taken as they came. The first is told at once; those who follow for the same reason are counted
    /// and told once a minute.
    TurnedAway {
        /// How many since the last word for this reason.
        count: u64,
        /// The address of the latest of them.
        latest: SocketAddr,
        /// Why.
        reason: TurnedAway,
    },
    /// The embedder has to say who the client is, by
    /// [`Relay::handle_verified`](super::Relay::handle_verified) with the id of this tunnel; only where the relay has
    /// no keys of its own ([`Verifier::Embedder`](crate::config::Verifier::Embedder)).
    Verify {
        /// What the client showed.
        presented: Presented,
    },
}

/// Why a connection was not taken as it came.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TurnedAway {
    /// The relay has as many connections as it may.
    #[error("{0} connections are open, the limit of the relay (connections of [limits])")]
    All(usize),
    /// Its address has as many as it may.
    #[error(
        "{most} connections of {address} are open, the limit for one address (connections-per-source of [limits])"
    )]
    Source {
        /// The address; of an IPv6 address the network of 64 bits.
        address: IpAddr,
        /// How many.
        most: usize,
    },
    /// TLS cannot be spoken with anybody.
    #[error("TLS cannot be begun: {0}")]
    Tls(TlsError),
}

/// Why a request was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RefuseReason {
    /// The credentials are missing.
    #[error("no Proxy-Authorization")]
    NoToken,
    /// The credentials are not in a form that is understood.
    #[error("{0}")]
    Authorization(AuthorizationError),
    /// The token was judged.
    #[error("{0}")]
    Token(TokenError),
    /// Too many failed attempts from this address.
    #[error("too many failed authentications from {0}")]
    TooManyFailures(IpAddr),
    /// The connection has as many tunnels as it may.
    #[error("the connection has {0} tunnels, its limit (tunnels-per-connection of [limits])")]
    ConnectionFull(usize),
    /// The account has as many names looked up as it may at once.
    #[error("{0} names of the account are being looked up, its limit")]
    TooManyLookups(usize),
    /// The relay has as many names looked up as it may at once.
    #[error("{0} names are being looked up, the relay's limit")]
    LookupOverload(usize),
    /// The embedder's verifier has as much to do as it may.
    #[error("{0} requests wait for the verifier, its limit")]
    TooManyToVerify(usize),
    /// The account has as many tunnels as it may.
    #[error("the account has {most} tunnels, the limit by {whose}")]
    TooManyTunnels {
        /// How many.
        most: usize,
        /// Whose word that is.
        whose: Bound,
    },
    /// The embedder's verifier did not answer in time.
    #[error("the verifier did not answer in time")]
    Unverified,
    /// The account has moved as much as it may.
    #[error("the account has moved {most} bytes, the volume by {whose}")]
    VolumeSpent {
        /// How many.
        most: u64,
        /// Whose word that is.
        whose: Bound,
    },
    /// The relay is near its memory limit.
    #[error("{0} bytes in buffers, the relay's limit")]
    Overload(usize),
    /// The relay drains.
    #[error("the relay is draining")]
    Draining,
    /// The policy forbids the target.
    #[error("{0}")]
    Denied(Denied),
    /// The relay's echo is switched off, or was asked for on another port or as a stream.
    #[error("the relay's echo is switched off, or serves datagrams on port 7 only")]
    Echo,
    /// The relay's own machine lacks what the tunnel needs. The target has no part in it.
    #[error("{0}")]
    Exhausted(Resource),
    /// The target could not be reached.
    #[error("{0}")]
    Unreachable(Fault),
    /// The request is not one.
    #[error("{0}")]
    Malformed(Malformed),
}

/// Whose word a number is that bounds an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Bound {
    /// That of one side's scope.
    Scope(Grantor),
    /// That of the limits of the relay.
    Limits,
}

impl fmt::Display for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Scope(grantor) => write!(f, "the {grantor}"),
            Self::Limits => f.write_str("[limits] of the relay"),
        }
    }
}

/// Why a tunnel ended.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CloseReason {
    /// The client broke a rule of the capsule protocol.
    BadCapsule(String),
    /// The client went away without an end.
    ClientGone,
    /// The credential expired, and the time after that is over in which a renewed one could have come.
    Expired,
    /// The relay's own machine lacked something in the middle.
    Exhausted(Resource),
    /// Both sides ended their half, or the client ended its datagrams.
    Finished,
    /// Nothing moved for longer than the limits allow.
    Idle,
    /// The token, the user or the application is revoked.
    Revoked,
    /// The relay stopped.
    Stopped,
    /// The target went away without an end.
    TargetGone(String),
    /// It ended, and the client did not say by a close_notify that what it sent is whole.
    Truncated,
    /// The account has moved as much as it may.
    VolumeSpent,
}

impl fmt::Display for CloseReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BadCapsule(detail) => write!(f, "the client broke the capsule protocol: {detail}"),
            Self::ClientGone => f.write_str("the client went away without an end"),
            Self::Expired => f.write_str("the credential expired and was not renewed in time"),
            Self::Exhausted(resource) => resource.fmt(f),
            Self::Finished => f.write_str("finished"),
            Self::Idle => f.write_str("idle for too long"),
            Self::Revoked => f.write_str("the token, the user or the application is revoked"),
            Self::Stopped => f.write_str("the relay stopped"),
            Self::TargetGone(detail) => write!(f, "the target went away: {detail}"),
            Self::Truncated => {
                f.write_str("the client ended without close_notify; it may have sent less than it meant to")
            }
            Self::VolumeSpent => f.write_str("the account has moved as much as it may"),
        }
    }
}
