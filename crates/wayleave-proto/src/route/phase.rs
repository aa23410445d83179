//! Where a decision stands, and how it may move.

use core::fmt;

use crate::base::{Instant, Link, Route};

/// Where the decision about one kind of flow stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Direct works: proven on the present network.
    Direct,
    /// Mode off or mode normal: nothing is judged.
    Fixed(Route),
    /// A trial ended with nothing proven on a link that stays direct; the next one begins at `retry`.
    Held {
        /// When that trial began.
        started: Instant,
        /// When the next one begins.
        retry: Instant,
    },
    /// No trial yet: it begins with the first flow.
    Idle,
    /// A trial ended with nothing proven: flows go through a relay.
    Proxied,
    /// A trial runs: flows and probes go direct.
    Trial {
        /// When it began.
        started: Instant,
        /// The last moment at which a proof counts.
        deadline: Instant,
        /// The link that is tried.
        link: Link,
    },
    /// A trial begins when the network comes up.
    Waiting,
}

impl Phase {
    /// Where new flows go in this phase.
    pub const fn route(&self) -> Route {
        match self {
            Self::Fixed(route) => *route,
            Self::Proxied => Route::Proxied,
            Self::Direct | Self::Held { .. } | Self::Idle | Self::Trial { .. } | Self::Waiting => {
                Route::Direct
            }
        }
    }

    /// The name of the phase, as in [`EDGES`].
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Direct => "direct",
            Self::Fixed(_) => "fixed",
            Self::Held { .. } => "held",
            Self::Idle => "idle",
            Self::Proxied => "proxied",
            Self::Trial { .. } => "trial",
            Self::Waiting => "waiting",
        }
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// One legal move between two phases.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Edge {
    /// The name of the phase before.
    pub from: &'static str,
    /// The name of the phase after.
    pub to: &'static str,
    /// What happened.
    pub cause: &'static str,
}

/// Every legal move between phases; there is no other. A trial that starts again is a move too.
pub const EDGES: &[Edge] = &[
    edge("direct", "trial", "network changed, or new trial asked"),
    edge("direct", "waiting", "network down"),
    edge("held", "direct", "proven"),
    edge("held", "trial", "backoff ended, network changed, or new trial asked"),
    edge("held", "waiting", "network down"),
    edge("idle", "direct", "proven before the first flow"),
    edge("idle", "trial", "first flow, or probes at the start"),
    edge("idle", "waiting", "the same while the network is down"),
    edge("proxied", "trial", "new trial asked, or network changed with return_to_direct"),
    edge("proxied", "waiting", "new trial asked while the network is down"),
    edge("trial", "direct", "proven at or before the deadline"),
    edge("trial", "held", "deadline, the link stays direct"),
    edge("trial", "proxied", "deadline, any other link"),
    edge("trial", "trial", "network changed, or new trial asked"),
    edge("trial", "waiting", "network down"),
    edge("waiting", "trial", "network up"),
];

const fn edge(from: &'static str, to: &'static str, cause: &'static str) -> Edge {
    Edge { from, to, cause }
}
