//! One flow of the application.

use smallvec::SmallVec;

use super::association::AssociationId;
use super::clear::Clear;
use super::error::FlowError;
use super::event::ProxyFault;
use super::opening::Opening;
use super::pool::TunnelRef;
use crate::base::{Instant, Kind, Route, Target, key};
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
    /// Datagrams that the system dropped before they were received, and how many of them were told.
    pub(super) overflowed: (u64, u64),
    /// `FlowOpened` was said.
    pub(super) announced: bool,
    pub(super) hold: Hold,
    /// Carriers that died under this flow before they answered.
    pub(super) lost: u8,
    /// What each proxy said that would not serve it, once for each.
    pub(super) refusals: Vec<(Target, ProxyFault)>,
    pub(super) backoff: Backoff,
    pub(super) queues: Option<Box<Queues>>,
    /// The direct path of a flow that is being taken to a relay although the route is direct: one of the direct states,
    /// [`State::Failed`] where it has failed, [`State::Retry`] where it was not tried.
    pub(super) spare: Option<Box<State>>,
    /// What a stream had sent on a path that it left before anything came back; it goes out first on the next one.
    pub(super) unsent: Vec<u8>,
    /// Since when the direct path has been tried.
    pub(super) tried: Instant,
    pub(super) resort: Resort,
}

/// What the application has of its flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hold {
    /// Both halves.
    Whole,
    /// It ended its own half of the stream.
    Reads,
    /// Nothing: it gave the flow back. What it wrote is still delivered.
    Nothing,
}

/// Whether a relay may be asked for a flow that does not come through directly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Resort {
    /// Not before then: no relay served it.
    From(Instant),
    /// A relay said that the target is out of reach for it as well: none is asked again until the next trial.
    Spent,
}

impl Resort {
    /// From when on a relay may be asked.
    pub(super) const fn from(self) -> Option<Instant> {
        match self {
            Self::From(at) => Some(at),
            Self::Spent => None,
        }
    }
}

/// The two queues of a datagram flow. They belong to the flow, so that they outlive a path.
#[derive(Debug)]
pub(super) struct Queues {
    pub(super) incoming: DatagramQueue,
    pub(super) outgoing: DatagramQueue,
    /// Somebody wants to send and found no room.
    pub(super) sender_waits: bool,
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
    Asking(Asked),
    /// A direct stream.
    DirectStream { socket: SocketId, clear: Clear, opening: Opening },
    /// A direct datagram flow, whether anything ever answered on this socket, and if not, since when it has been sent to.
    DirectDatagrams { socket: SocketId, answered: bool, asked: Option<Instant> },
    /// A tunnel, since then.
    Tunnel { tunnel: TunnelRef, since: Instant },
    /// A datagram flow without a tunnel, because the relay ended it; the next datagram opens another, not before then.
    Resting(Instant),
    /// It failed; kept until the application has seen it.
    Failed(FlowError),
}

impl State {
    /// Whether this path may be left for another one: what a stream has sent may go out once more.
    pub(super) fn is_repeatable(&mut self) -> bool {
        match self {
            Self::DirectStream { clear, opening, .. } => opening.is_repeatable(clear.pending()),
            _ => true,
        }
    }

    /// Whether this is a stream that has asked, was not answered, and may ask elsewhere without its application noticing.
    pub(super) fn is_movable(&mut self) -> bool {
        matches!(self, Self::DirectStream { opening, .. } if !opening.is_quiet()) && self.is_repeatable()
    }
}

/// A request and the tunnels that it asked for, each on a connection of its own: all but the first are hedges, and the first to
/// answer has the flow.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) tunnels: SmallVec<[TunnelRef; 2]>,
    /// When it went out first.
    pub(super) since: Instant,
    /// When it goes out once more; `None` while a connection for that is looked for.
    pub(super) hedge_at: Option<Instant>,
}

impl Flow {
    pub(super) fn new(kind: Kind, target: Target, now: Instant, limits: &ClientLimits) -> Self {
        let queues = (kind == Kind::Datagram).then(|| {
            Box::new(Queues {
                incoming: DatagramQueue::new(limits.datagrams),
                outgoing: DatagramQueue::new(limits.datagrams),
                sender_waits: false,
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
            overflowed: (0, 0),
            announced: false,
            hold: Hold::Whole,
            lost: 0,
            refusals: Vec::new(),
            backoff: Backoff::new(),
            queues,
            spare: None,
            unsent: Vec::new(),
            tried: now,
            resort: Resort::From(now),
        }
    }

    /// Notes what `proxy` said; its latest word counts.
    pub(super) fn refused_by(&mut self, proxy: Target, fault: ProxyFault) {
        self.refusals.retain(|(other, _)| *other != proxy);
        self.refusals.push((proxy, fault));
    }

    /// Gives a flow that was open the time to find a way again; one that never was has that of its opening, however often it is
    /// sent another way.
    pub(super) fn renew_deadline(&mut self, deadline: Instant) {
        if self.announced {
            self.deadline = deadline;
        }
    }

    /// The flow is served: what was said before no longer matters.
    pub(super) fn forgive(&mut self) {
        self.lost = 0;
        self.refusals = Vec::new();
    }

    /// The direct path, which is the spare of a flow that is being rescued.
    pub(super) fn direct(&mut self) -> &mut State {
        self.spare.as_deref_mut().unwrap_or(&mut self.state)
    }

    /// Whether its application has ended its half.
    pub(super) const fn is_finished(&self) -> bool {
        matches!(self.hold, Hold::Reads | Hold::Nothing)
    }

    /// Whether its application has given it back.
    pub(super) const fn is_released(&self) -> bool {
        matches!(self.hold, Hold::Nothing)
    }

    /// Whether it uses this tunnel, or asks for it.
    pub(super) fn uses(&self, tunnel: TunnelRef) -> bool {
        match &self.state {
            State::Asking(asked) => asked.tunnels.contains(&tunnel),
            State::Tunnel { tunnel: used, .. } => *used == tunnel,
            _ => false,
        }
    }

    /// Whether the flow still looks for its way.
    pub(super) fn is_pending(&self) -> bool {
        matches!(self.state, State::Dialling(_) | State::Retry(_) | State::Waiting(_) | State::Asking(_))
    }

    /// Bytes in its own buffers; those of its connection to a proxy are beside them.
    pub(super) fn held(&self) -> usize {
        let queues = self.queues.as_ref().map_or(0, |queues| queues.incoming.held() + queues.outgoing.held());
        match &self.state {
            State::DirectStream { clear, .. } => queues + clear.held(),
            _ => queues,
        }
    }

    /// Whether it is a datagram flow that was open, has looked for a way for long enough, and in which nobody says anything.
    pub(super) fn may_rest(&mut self, now: Instant) -> bool {
        let looks = matches!(self.state, State::Asking(_) | State::Waiting(_)) && self.spare.is_none();
        let is_empty = |queues: &mut Box<Queues>| {
            queues.outgoing.expire(now);
            queues.outgoing.is_empty()
        };
        looks && self.announced && self.deadline <= now && self.queues.as_mut().is_some_and(is_empty)
    }

    /// When something is due for this flow.
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        let due = |state: &State| match state {
            State::Dialling(dial) => dial.poll_timeout(),
            State::Retry(at) | State::Waiting(at) => *at,
            State::Asking(asked) => asked.hedge_at,
            _ => None,
        };
        let spare = self.spare.as_deref().and_then(due);
        // A datagram flow that was open once, or that still may be answered, does not give up by itself while direct.
        let deadline = (self.is_pending() || self.is_released()).then_some(self.deadline);
        due(&self.state).into_iter().chain(spare).chain(deadline).min()
    }
}
