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
    /// A trial ended with nothing proven on a link that stays direct: flows and probes try again, each by its own
    /// schedule, and a proof still counts.
    Held {
        /// When that trial began.
        started: Instant,
    },
    /// No trial yet, or none since the route started again: it begins with the next flow.
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
    /// A flow or a probe wants a trial: it begins when the network comes up.
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

/// Every legal move between phases; there is no other. A trial that starts again with probes is a move too.
pub const EDGES: &[Edge] = &[
    edge("direct", "idle", "network changed, new trial asked, or proof failed, without probes"),
    edge("direct", "trial", "network changed, new trial asked, or proof failed, with probes"),
    edge("direct", "waiting", "network down, with probes"),
    edge("held", "direct", "proven"),
    edge("held", "idle", "network changed, or new trial asked, without probes"),
    edge("held", "trial", "network changed, or new trial asked, with probes"),
    edge("held", "waiting", "network down, with probes"),
    edge("idle", "direct", "proven before the first flow"),
    edge("idle", "trial", "first flow, or probes at the start"),
    edge("idle", "waiting", "the same while the network is down"),
    edge("proxied", "idle", "new trial asked, or network changed with return_to_direct, without probes"),
    edge("proxied", "trial", "new trial asked, or network changed with return_to_direct, with probes"),
    edge("proxied", "waiting", "new trial asked while the network is down, with probes"),
    edge("trial", "direct", "proven at or before the deadline"),
    edge("trial", "held", "deadline, the link stays direct"),
    edge("trial", "idle", "network changed, new trial asked, or nothing could be tried, without probes"),
    edge("trial", "proxied", "deadline, any other link"),
    edge("trial", "trial", "network changed, or new trial asked, with probes"),
    edge("trial", "waiting", "network down, with probes"),
    edge("waiting", "trial", "network up"),
];

const fn edge(from: &'static str, to: &'static str, cause: &'static str) -> Edge {
    Edge { from, to, cause }
}
