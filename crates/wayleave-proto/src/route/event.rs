//! What the routes tell the client.

use core::fmt;
use core::time::Duration;
use std::collections::VecDeque;

use super::Failure;
use crate::base::{Instant, Kind, Link, Route};

/// What proves that direct works.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Proof {
    /// A direct stream stood at the deadline, and its application had sent nothing yet.
    Connection,
    /// A direct datagram flow got an answer.
    Datagram,
    /// The embedder said so.
    Embedder,
    /// A probe was answered.
    Probe,
    /// A direct stream connected and got an answer.
    Stream,
}

impl fmt::Display for Proof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Connection => "a stream connected, and nothing was sent over it",
            Self::Datagram => "a datagram was answered",
            Self::Embedder => "the application said so",
            Self::Probe => "a probe was answered",
            Self::Stream => "a stream was answered",
        })
    }
}

/// Why a route changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RouteReason {
    /// The network changed, and the embedder opted in to return to direct.
    NetworkChanged,
    /// The embedder asked for a new trial.
    NewTrialAsked,
    /// A trial of this length ended with nothing proven.
    NothingProven(Duration),
}

impl fmt::Display for RouteReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NetworkChanged => f.write_str("the network changed"),
            Self::NewTrialAsked => f.write_str("the application asked for a new trial"),
            Self::NothingProven(trial) => {
                let text = format!("{trial:?}");
                let unit = text.find(char::is_alphabetic).unwrap_or(text.len());
                let (number, unit) = text.split_at_checked(unit).unwrap_or((&text, ""));
                write!(f, "nothing proven within {number} {unit}")
            }
        }
    }
}

/// What happened to the routes. In each, `kind` is `None` where one decision holds for both kinds of flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RouteEvent {
    /// Direct is proven; the trial, if one ran, is over.
    DirectProven {
        /// What is decided.
        kind: Option<Kind>,
        /// The proof.
        proof: Proof,
        /// The time since the trial began; zero where none had begun since the route last started again.
        elapsed: Duration,
    },
    /// A trial ended with nothing proven on a link that stays direct: keep trying, a proof still counts.
    Held {
        /// What is held.
        kind: Option<Kind>,
        /// The link.
        link: Link,
    },
    /// What proved the direct path has failed, and the route starts again by itself.
    ProofFailed {
        /// What is decided anew.
        kind: Option<Kind>,
        /// What happened.
        failure: Failure,
    },
    /// New flows go elsewhere from now on.
    RouteChanged {
        /// What changes.
        kind: Option<Kind>,
        /// Where flows went.
        from: Route,
        /// Where flows go.
        to: Route,
        /// Why.
        reason: RouteReason,
        /// The present link.
        link: Link,
    },
    /// A trial begins: dial and probe directly. It may follow another one that has not ended.
    TrialStarted {
        /// What is tried.
        kind: Option<Kind>,
        /// The link that is tried.
        link: Link,
        /// The last moment at which a proof counts.
        deadline: Instant,
    },
}

/// Events that nobody has taken yet: the latest [`EVENTS_MOST`] of them.
#[derive(Clone, Debug, Default)]
pub(super) struct Events(VecDeque<RouteEvent>);

impl Events {
    pub(super) fn push(&mut self, event: RouteEvent) {
        if self.0.len() >= EVENTS_MOST {
            self.0.pop_front();
        }
        self.0.push_back(event);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn pop(&mut self) -> Option<RouteEvent> {
        self.0.pop_front()
    }
}

/// An input makes eight events at most; whoever leaves more than eight inputs' worth of them has no use for the oldest.
pub(super) const EVENTS_MOST: usize = 64;
