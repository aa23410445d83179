//! One flow of the application.

use super::association::AssociationId;
use super::error::FlowError;
use super::event::ProxyFault;
use super::proxied::CarrierId;
use crate::base::{Instant, Kind, Route, Target, key};
use crate::carrier::Clear;
use crate::config::ClientLimits;
use crate::net::{Backoff, Dial, SocketId};
use crate::queue::DatagramQueue;

key! {
    /// One flow, never given out twice in the life of a client.
    pub FlowId, "f"
}

/// What a flow is doing, as its embedder sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FlowStatus {
    /// It looks for its way.
    Pending,
    /// It is open, this way.
    Open(Route),
    /// It has failed.
    Failed(FlowError),
}

/// What there is to read from a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Incoming<'a> {
    /// These bytes; more may follow when they are consumed.
    Bytes(&'a [u8]),
    /// The target ended its half.
    End,
    /// Nothing yet.
    Nothing,
}

#[derive(Debug)]
pub(super) struct Flow {
    pub(super) kind: Kind,
    pub(super) target: Target,
    /// The association that it belongs to, whose port it uses while it is direct.
    pub(super) association: Option<AssociationId>,
    pub(super) state: State,
    pub(super) opened: Instant,
    /// When a flow that is not open gives up.
    pub(super) deadline: Instant,
    pub(super) sent: u64,
    pub(super) received: u64,
    /// `FlowOpened` was said.
    pub(super) announced: bool,
    /// The application ended its half.
    pub(super) finished: bool,
    /// The application released the flow; what it wrote is still delivered.
    pub(super) released: bool,
    /// Carriers that died under this flow before they answered.
    pub(super) lost: u8,
    /// What each proxy said that would not serve it, once for each.
    pub(super) refusals: Vec<(Target, ProxyFault)>,
    pub(super) backoff: Backoff,
    pub(super) queues: Option<Box<Queues>>,
}

/// The two queues of a datagram flow. They belong to the flow, so that they outlive a path.
#[derive(Debug)]
pub(super) struct Queues {
    pub(super) incoming: DatagramQueue,
    pub(super) outgoing: DatagramQueue,
}

#[derive(Debug)]
pub(super) enum State {
    /// Direct: being looked up and dialled.
    Dialling(Box<Dial>),
    /// Direct: failed, and tried again then; never when `None`, until something else changes.
    Retry(Option<Instant>),
    /// Proxied: waits for a connection to a proxy; tried again then when it lost one.
    Waiting(Option<Instant>),
    /// Proxied: the request is on its way.
    Asking(CarrierId),
    /// A direct stream.
    DirectStream { socket: SocketId, session: Clear },
    /// A direct datagram flow, and whether anything ever answered on this socket.
    DirectDatagrams { socket: SocketId, answered: bool },
    /// A tunnel, since then.
    Tunnel { carrier: CarrierId, since: Instant },
    /// A datagram flow whose tunnel the relay ended; the next datagram opens another.
    Resting,
    /// It failed; kept until the application has seen it.
    Failed(FlowError),
}

impl Flow {
    pub(super) fn new(kind: Kind, target: Target, now: Instant, limits: &ClientLimits) -> Self {
        let queues = (kind == Kind::Datagram).then(|| {
            Box::new(Queues {
                incoming: DatagramQueue::new(limits.datagrams),
                outgoing: DatagramQueue::new(limits.datagrams),
            })
        });
        Self {
            kind,
            target,
            association: None,
            state: State::Retry(None),
            opened: now,
            deadline: now + limits.open_timeout,
            sent: 0,
            received: 0,
            announced: false,
            finished: false,
            released: false,
            lost: 0,
            refusals: Vec::new(),
            backoff: Backoff::new(),
            queues,
        }
    }

    /// Notes what `proxy` said; its latest word counts.
    pub(super) fn refused_by(&mut self, proxy: Target, fault: ProxyFault) {
        self.refusals.retain(|(other, _)| *other != proxy);
        self.refusals.push((proxy, fault));
    }

    /// The flow is served: what was said before no longer matters.
    pub(super) fn forgive(&mut self) {
        self.lost = 0;
        self.refusals = Vec::new();
    }

    /// Whether the flow still looks for its way.
    pub(super) fn is_pending(&self) -> bool {
        matches!(self.state, State::Dialling(_) | State::Retry(_) | State::Waiting(_) | State::Asking(_))
    }

    /// When something is due for this flow.
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        let due = match &self.state {
            State::Dialling(dial) => dial.poll_timeout(),
            State::Retry(at) | State::Waiting(at) => *at,
            _ => None,
        };
        // A datagram flow that was open once, or that still may be answered, does not give up by itself while direct.
        let deadline = (self.is_pending() || self.released).then_some(self.deadline);
        due.into_iter().chain(deadline).min()
    }
}
