//! The story of the present routes: what was tried, what came of it, why the decision fell so, and what would change it.
//!
//! Most of it is what the machines know anyway. Kept for it alone are the latest cause of each decision
//! ([`Grounds`](crate::route::Grounds)), what was tried since its latest trial began ([`tried`]), and the latest word of each
//! relay: one record for each, whatever happens.

mod sentence;
pub(super) mod tried;

use core::time::Duration;

use super::{Client, ProxyFault};
use crate::base::{Instant, Kind, Link, Network, Route, Target};
use crate::carrier::Carrier;
use crate::config::{AtDeadline, Mode, Scope, Via};
use crate::net::Fault;
use crate::route::{Block, Cause, Grounds, Phase};

/// Why flows go where they go now, and what would change that: [`Client::explain`].
///
/// Displayed it is one sentence a line, for a person. Targets are named as in events; there is no secret in it. All times
/// count from the moment at which it was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Explanation {
    /// Whether the client opens flows: it neither drains nor is it closed.
    pub open: bool,
    /// The mode of the client.
    pub mode: Mode,
    /// The network underneath.
    pub network: Network,
    /// The decisions: one for each kind of flow, or one for both outside of smart mode and in scope session.
    pub routes: Vec<RouteStory>,
    /// The relays, as configured.
    pub relays: Vec<RelayStory>,
    /// Whether a connection to a relay is being made.
    pub dialling: bool,
}

/// Why one decision stands where it does.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RouteStory {
    /// The kind of flow; `None` where the decision is one for both.
    pub kind: Option<Kind>,
    /// Where new flows go.
    pub route: Route,
    /// Where the decision stands.
    pub phase: Phase,
    /// For how long it has stood there.
    pub lasted: Duration,
    /// What brought it there.
    pub cause: Cause,
    /// The latest trial, if any has begun.
    pub trial: Option<TrialStory>,
    /// Failures that count against a proof at present, of those that end it (rule 10).
    pub doubts: u32,
    /// What is blocked on this network while the route is direct: at most [`MOST_BLOCKS`] of them, in the order of the ports.
    pub blocked: Vec<BlockStory>,
    /// How many are blocked in all.
    pub blocked_count: usize,
    /// What would change the route, or the decision.
    pub changes: Vec<Change>,
}

/// The latest trial of a decision, and what was tried since it began, until the decision fell.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TrialStory {
    /// How long ago it began.
    pub ago: Duration,
    /// The link on which it began.
    pub link: Link,
    /// Why it began.
    pub cause: Cause,
    /// The probes of this decision, as configured.
    pub probes: Vec<ProbeStory>,
    /// What flows tried, for each kind of which one was dialled.
    pub flows: Vec<FlowStory>,
}

/// What one probe tried.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ProbeStory {
    /// Its kind.
    pub kind: Kind,
    /// Where it leads.
    pub target: Target,
    /// How often it was tried.
    pub attempts: u32,
    /// It was answered.
    pub answered: bool,
    /// Why an attempt failed last; `None` where none has failed but by silence.
    pub fault: Option<Fault>,
}

/// What flows of one kind tried directly.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct FlowStory {
    /// Their kind.
    pub kind: Kind,
    /// How often one of them was dialled.
    pub attempts: u32,
    /// Where the latest attempt led.
    pub target: Target,
    /// Where an attempt failed last, and why; `None` where none has failed but by silence.
    pub fault: Option<(Target, Fault)>,
}

/// A port, or one host at it, that is blocked on this network.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct BlockStory {
    /// What is blocked.
    pub block: Block,
    /// After what time one flow tries directly again.
    pub again: Duration,
}

/// What would change a route, or the decision about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Change {
    /// The trial ends after `left` with nothing proven, and flows go `to` from then on.
    Deadline {
        /// The time left.
        left: Duration,
        /// Where flows go then.
        to: Route,
    },
    /// So many failures within this time, or as long a silence over flows that had been answered, end the proof (rule 10).
    Doubt {
        /// How many failures.
        failures: u32,
        /// Within what time.
        window: Duration,
    },
    /// The next flow begins a trial.
    Flow,
    /// Another network, or another address: a new trial follows.
    NetworkChanged,
    /// The network comes up.
    NetworkUp,
    /// A new client, in another mode.
    NewClient,
    /// The embedder asks for a new trial: [`Client::retry_direct`].
    NewTrialAsked,
    /// Something is answered directly.
    Proof,
}

/// What is known of one relay.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RelayStory {
    /// The relay.
    pub proxy: Target,
    /// The proxies of the network by which it is reached; none where it is dialled itself.
    pub via: Vec<Via>,
    /// How it stands.
    pub state: RelayState,
    /// Connections to it.
    pub connections: usize,
    /// Tunnels of flows in them.
    pub tunnels: usize,
    /// The latest connection that was made to it.
    pub contact: Option<Contact>,
    /// For how long it is still tried only after the others, because it failed; `None` where there are no others.
    pub last_for: Option<Duration>,
}

/// How a relay stands.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RelayState {
    /// There is a connection to it.
    Connected,
    /// It failed after whatever it did well. It may still carry tunnels from before.
    Failed {
        /// What it said, or what stood in the way.
        fault: ProxyFault,
        /// How long ago.
        ago: Duration,
    },
    /// There was a connection to it, and is none now.
    Left,
    /// Nothing has come of an attempt yet, or there was none.
    NotTried,
}

/// A connection that was made to a relay.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Contact {
    /// How long ago.
    pub ago: Duration,
    /// The proxy of the network that led there, where one did.
    pub via: Option<Via>,
    /// Over which carrier.
    pub carrier: Carrier,
    /// How long it took.
    pub elapsed: Duration,
}

impl Client {
    /// Why flows go where they go at `now`, and what would change that. It only looks: nothing is tried for it.
    pub fn explain(&self, now: Instant) -> Explanation {
        let now = now.max(self.io.now);
        let config = &self.io.config;
        let kinds: &[Option<Kind>] = match (config.route.mode, config.route.scope) {
            (Mode::Smart, Scope::Kind) => &[Some(Kind::Stream), Some(Kind::Datagram)],
            _ => &[None],
        };
        Explanation {
            open: self.is_open(),
            mode: config.route.mode,
            network: self.io.network,
            routes: kinds.iter().map(|kind| self.explain_route(now, *kind)).collect(),
            relays: self.pool.relays(config, now),
            dialling: self.pool.is_dialling(),
        }
    }

    fn explain_route(&self, now: Instant, kind: Option<Kind>) -> RouteStory {
        // One decision for both kinds is the same for each of them.
        let grounds = self.routes.grounds(now, kind.unwrap_or(Kind::Stream));
        let kinds =
            [Kind::Stream, Kind::Datagram].into_iter().filter(|it| kind.is_none_or(|kind| kind == *it));
        let trial = grounds.trial.map(|trial| TrialStory {
            ago: now.since(trial.began),
            link: trial.link,
            cause: trial.cause,
            probes: kinds.clone().flat_map(|kind| self.probe_stories(kind)).collect(),
            flows: kinds.clone().filter_map(|kind| self.tried.story(kind)).collect(),
        });
        let blocks: Vec<Block> = kinds.flat_map(|kind| self.routes.blocks(kind)).collect();
        RouteStory {
            kind,
            route: grounds.phase.route(),
            phase: grounds.phase,
            lasted: now.since(grounds.since),
            cause: grounds.cause,
            trial,
            doubts: grounds.failures,
            blocked_count: blocks.len(),
            blocked: blocks
                .into_iter()
                .take(MOST_BLOCKS)
                .map(|block| BlockStory { again: block.until.since(now), block })
                .collect(),
            changes: self.changes(now, grounds),
        }
    }

    fn changes(&self, now: Instant, grounds: Grounds) -> Vec<Change> {
        let config = &self.io.config.route;
        let at_deadline = config.treatment.of(self.io.network.link);
        match grounds.phase {
            Phase::Direct => {
                let doubt = Change::Doubt { failures: config.doubt.failures, window: config.doubt.window };
                let is_doubted = config.doubt.on && at_deadline == AtDeadline::Proxied;
                let doubt = is_doubted.then_some(doubt);
                [Change::NetworkChanged, Change::NewTrialAsked].into_iter().chain(doubt).collect()
            }
            Phase::Fixed(_) => vec![Change::NewClient],
            Phase::Held { .. } => vec![Change::Proof, Change::NetworkChanged, Change::NewTrialAsked],
            Phase::Idle => vec![Change::Flow],
            Phase::Proxied if config.return_to_direct => vec![Change::NewTrialAsked, Change::NetworkChanged],
            Phase::Proxied => vec![Change::NewTrialAsked],
            Phase::Trial { deadline, .. } => {
                let to = match at_deadline {
                    AtDeadline::Proxied => Route::Proxied,
                    AtDeadline::StayDirect => Route::Direct,
                };
                vec![
                    Change::Proof,
                    Change::Deadline { left: deadline.since(now), to },
                    Change::NetworkChanged,
                ]
            }
            Phase::Waiting => vec![Change::NetworkUp],
        }
    }
}

/// An explanation names no more blocked ports and hosts for each decision.
pub const MOST_BLOCKS: usize = 8;
