//! What a client tells its embedder.

use core::fmt;
use core::time::Duration;
use std::io;

use super::{AssociationId, FlowError, FlowId};
use crate::base::{Instant, Kind, Link, Network, Route, Target};
use crate::carrier::Carrier;
use crate::config::Via;
use crate::error::Resource;
use crate::net::Fault;
use crate::route::{Blocked, Failure, Proof, RouteReason};

/// What comes out of [`Client`](super::Client) beside requests for sockets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notice {
    /// Something changed for this flow: it opened or closed, there is something to read, or room to write. Look at it.
    Flow(FlowId),
    /// Something came to the shared port of this association from somebody who is no target of it:
    /// [`Client::stray`](super::Client::stray).
    Association(AssociationId),
    /// A fact worth showing or keeping.
    Event(Event),
}

/// A fact and its moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// When it happened, on the clock of the machine.
    pub at: Instant,
    /// What happened.
    pub what: What,
}

/// What happened. In scope `session` a decision is one for both kinds of flow, and `kind` is `None`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum What {
    /// A port, or one host at it, is blocked on this network: flows there go through a relay although the route is direct.
    Blocked {
        /// The kind of flow.
        kind: Kind,
        /// Where the flow went that showed it.
        target: Target,
        /// The whole port, or this host alone.
        what: Blocked,
        /// After this time one flow tries directly again.
        pause: Duration,
    },
    /// The first relay that was reached has accepted the credential
    /// ([`check_credential`](crate::config::ClientConfig::check_credential)). One that refuses it is told of as `ProxyFailed`.
    CredentialAccepted {
        /// The relay.
        proxy: Target,
    },
    /// The direct path was proven to work; the trial is over.
    DirectConnected {
        /// The kind of flow that was judged.
        kind: Option<Kind>,
        /// What proved it.
        proof: Proof,
        /// Since the beginning of the trial.
        elapsed: Duration,
    },
    /// A flow has ended.
    FlowClosed {
        /// The flow.
        flow: FlowId,
        /// Its kind.
        kind: Kind,
        /// Where it went.
        target: Target,
        /// Bytes from the application.
        sent: u64,
        /// Bytes to the application.
        received: u64,
        /// Why.
        reason: CloseReason,
    },
    /// A flow that was open goes on over another path: a datagram flow, or a stream that nothing had answered yet.
    FlowMoved {
        /// The flow.
        flow: FlowId,
        /// The new route.
        route: Route,
    },
    /// A flow has reached its target: a stream is connected, a datagram flow got its first answer or its tunnel.
    FlowOpened {
        /// The flow.
        flow: FlowId,
        /// Its kind.
        kind: Kind,
        /// Where it goes.
        target: Target,
        /// Which way.
        route: Route,
        /// Since the application asked for it.
        elapsed: Duration,
    },
    /// The network underneath is another.
    NetworkChanged {
        /// What it is now.
        network: Network,
    },
    /// What proved the direct path has failed since; the client asks itself for a new trial.
    ProofFailed {
        /// The kind of flow that is judged anew.
        kind: Option<Kind>,
        /// What happened.
        failure: Failure,
    },
    /// The system dropped datagrams that came for a direct flow faster than they were received. Told at once, and then each
    /// time that there are twice as many. A larger [`receive_buffer`](crate::config::ClientLimits::receive_buffer) helps.
    Overflowed {
        /// The flow.
        flow: FlowId,
        /// Where it goes.
        target: Target,
        /// How many so far.
        dropped: u64,
    },
    /// A connection to a proxy stands.
    ProxyConnected {
        /// The proxy.
        proxy: Target,
        /// The proxy of the network that led there, where one does.
        via: Option<Via>,
        /// Over which carrier.
        carrier: Carrier,
        /// Since the first attempt of this round.
        elapsed: Duration,
    },
    /// A proxy could not be reached, or refused.
    ProxyFailed {
        /// The proxy.
        proxy: Target,
        /// Over which carrier.
        carrier: Carrier,
        /// What it said.
        error: ProxyFault,
    },
    /// A flow did not come through directly, and a relay is asked for it although the route is direct. `FlowOpened` or
    /// `FlowMoved` follows where one serves it.
    Rescuing {
        /// The flow.
        flow: FlowId,
        /// Its kind.
        kind: Kind,
        /// Where it goes.
        target: Target,
        /// Why.
        reason: RescueReason,
    },
    /// A direct attempt came to nothing and will be made again.
    Retrying {
        /// What is retried: a flow, or a probe where there is none.
        flow: Option<FlowId>,
        /// Its kind.
        kind: Kind,
        /// Where it goes.
        target: Target,
        /// When, from now.
        after: Duration,
        /// Why the last attempt failed.
        error: Fault,
    },
    /// Flows go another way.
    RouteChanged {
        /// The kind of flow.
        kind: Option<Kind>,
        /// The way so far.
        from: Route,
        /// The way from now on.
        to: Route,
        /// Why.
        reason: RouteReason,
        /// The link on which it was decided.
        link: Link,
    },
    /// Nothing was proven, and the link is one on which the route stays direct.
    StayingDirect {
        /// The kind of flow.
        kind: Option<Kind>,
        /// The link.
        link: Link,
    },
    /// What this machine lacked is there again: nothing has failed for want of it for a second.
    SystemRecovered {
        /// What was lacking first.
        resource: Resource,
        /// Attempts that failed for want of it.
        failures: u64,
        /// From the first to the last of them.
        lasted: Duration,
    },
    /// This machine itself lacks something, and attempts to reach targets or proxies come to nothing for want of it. It is told
    /// once, however many those are; [`Self::SystemRecovered`] tells the end.
    SystemLacks {
        /// What is lacking.
        resource: Resource,
    },
    /// A relay through which tunnels run has accepted a renewed token for all of them, on each of its machines.
    TokenAccepted {
        /// The relay.
        proxy: Target,
    },
    /// The token expires soon, or has expired when nothing is left.
    TokenExpiring {
        /// The time left.
        left: Duration,
    },
    /// Tunnels run through a machine behind the relay's name that a renewed token has not reached: a balancer in front of it
    /// gives every new connection to others. It is tried on; they may end with the old token.
    TokenUnheard {
        /// The relay.
        proxy: Target,
        /// How many tunnels.
        tunnels: usize,
    },
    /// A trial of the direct path begins.
    TrialStarted {
        /// The kind of flow.
        kind: Option<Kind>,
        /// The link on which it runs.
        link: Link,
        /// How long it may take.
        length: Duration,
    },
}

/// Why a flow is taken to a relay although the route is direct.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RescueReason {
    /// Its port, or its host at that port, is known to be blocked on this network.
    Blocked,
    /// The other side ended the stream before anything came back.
    Ended,
    /// The direct path failed at once.
    Failed(Fault),
    /// The stream was not connected within this time, or the datagram flow had no address.
    NotConnected(Duration),
    /// The stream was reset before anything came back.
    Reset,
    /// What was sent was not answered within this time.
    Unanswered(Duration),
}

impl fmt::Display for RescueReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Blocked => f.write_str("its port is blocked on this network"),
            Self::Ended => f.write_str("it was ended before anything came back"),
            Self::Failed(fault) => write!(f, "it failed directly: {fault}"),
            Self::NotConnected(span) => write!(f, "it was not connected within {} s", span.as_secs_f64()),
            Self::Reset => f.write_str("it was reset before anything came back"),
            Self::Unanswered(span) => write!(f, "nothing came back within {} s", span.as_secs_f64()),
        }
    }
}

/// Why a flow ended.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CloseReason {
    /// The application closed it.
    Closed,
    /// It failed.
    Failed(FlowError),
    /// Both sides ended their half.
    Finished,
    /// Both sides ended their half, and the relay did not say by a close_notify that what it sent is whole.
    Truncated,
}

impl fmt::Display for CloseReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed => f.write_str("closed by the application"),
            Self::Failed(error) => error.fmt(f),
            Self::Finished => f.write_str("finished"),
            Self::Truncated => f.write_str(
                "the relay ended without close_notify; the target may have sent more than arrived",
            ),
        }
    }
}

/// What a proxy said, or what stood in the way of asking it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ProxyFault {
    /// No connection to it could be made.
    #[error("{0}")]
    Connection(Fault),
    /// It ended the connection before it answered.
    #[error("it closed the connection without an answer")]
    NoAnswer,
    /// It broke a rule of HTTP.
    #[error("it does not speak HTTP/1.1 as a proxy should: {0}")]
    Protocol(String),
    /// It does not say whether it is at fault or the target.
    #[error(
        "it answered {status}, and does not say whether the target cannot be reached or the proxy cannot serve"
    )]
    Unclear {
        /// The HTTP status.
        status: u16,
    },
    /// Nothing comes from it any more, and it does not answer when it is asked.
    #[error("it has fallen silent and does not answer any more")]
    Silent,
    /// It refused every tunnel, whatever the target.
    #[error("{}", refused(*.status))]
    Refused {
        /// The HTTP status.
        status: u16,
    },
    /// It did not accept the app sign.
    #[error(
        "it did not accept the app sign (407): it may not know this key of the application, or something on the way \
         terminates TLS, where only a token gets through; the relay's log has the reason"
    )]
    AppSignRefused,
    /// It did not accept the token, which is not good yet by its own word.
    #[error(
        "it did not accept the token (407), which becomes good in {} s: wait, or compare this machine's clock with that of \
         whoever minted it", .wait.as_secs()
    )]
    TokenEarly {
        /// For how long, by this machine's clock.
        wait: Duration,
    },
    /// It did not accept the token, which has expired by its own word.
    #[error("it did not accept the token (407), which expired {} s ago: renew it", .ago.as_secs())]
    TokenExpired {
        /// For how long, by this machine's clock.
        ago: Duration,
    },
}

impl ProxyFault {
    /// The nearest kind of the standard library: what is wrong with the credential is `PermissionDenied`, what answers and is
    /// not trusted or no proxy `InvalidData`.
    pub const fn kind(&self) -> io::ErrorKind {
        use io::ErrorKind as K;
        match self {
            Self::Connection(fault) => fault.kind(),
            Self::NoAnswer => K::ConnectionReset,
            Self::Protocol(_) => K::InvalidData,
            Self::Unclear { .. } => K::HostUnreachable,
            Self::Silent => K::TimedOut,
            Self::Refused { status: 407 }
            | Self::AppSignRefused
            | Self::TokenEarly { .. }
            | Self::TokenExpired { .. } => K::PermissionDenied,
            Self::Refused { status: 429 } => K::QuotaExceeded,
            Self::Refused { status: 503 } => K::ResourceBusy,
            Self::Refused { .. } => K::ConnectionRefused,
        }
    }
}

fn refused(status: u16) -> String {
    match status {
        407 => "it did not accept the token (407): it may be cut, revoked, meant for another relay, or signed by a key the \
                relay does not know; get a new one, the relay's log has the reason"
            .into(),
        429 => "too many tunnels or failed attempts (429)".into(),
        503 => "it is overloaded or draining (503)".into(),
        _ => format!("it answered {status}"),
    }
}
