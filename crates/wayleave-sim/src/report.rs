//! What came of a run.

use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet};

use wayleave_proto::base::{Instant, Kind, Route};
use wayleave_proto::client::{self, FlowError, FlowId};
use wayleave_proto::relay;

use crate::laws::Violation;
use crate::scenario::FlowPlan;
use crate::trace::Item;
pub use crate::world::Outcome;

/// What came of a run.
#[derive(Debug, Default)]
pub struct Report {
    /// The names of the hosts, by number.
    pub hosts: Vec<String>,
    /// Every flow: its client, its plan, and how far it came. Those that the run adds after the faults come last.
    pub flows: Vec<(usize, FlowPlan, Outcome)>,
    /// When each of them was opened, and what its client calls it; `None` where it was refused at once.
    pub opened: Vec<(Instant, Option<FlowId>)>,
    /// What clients said, with the client's number.
    pub client_events: Vec<(usize, client::Event)>,
    /// What relays said, with the host's number.
    pub relay_events: Vec<(usize, relay::Event)>,
    /// The first law that was broken.
    pub violation: Option<Violation>,
    /// The digest of everything that happened.
    pub sum: String,
    /// How often each thing was seen.
    pub seen: BTreeMap<String, u64>,
    /// Everything that happened, where it was kept.
    pub items: Vec<Item>,
    /// The virtual time at the end.
    pub now: Instant,
    /// When the faults were over.
    pub healed: Instant,
    pub(crate) roamed: u8,
    /// Relays that run, but not as at the start.
    pub(crate) odd: BTreeSet<usize>,
}

impl Report {
    /// Where the flow of that number, from 0, connected, and when since it was opened.
    pub fn connected(&self, flow: usize) -> Option<(Instant, Route)> {
        self.flows.get(flow).and_then(|(_, _, outcome)| outcome.connected)
    }

    /// Why the flow of that number failed.
    pub fn error(&self, flow: usize) -> Option<&FlowError> {
        self.flows.get(flow).and_then(|(_, _, outcome)| outcome.error.as_ref()).map(|(_, error)| error)
    }

    /// Whether the flow of that number did everything that it was to do.
    pub fn is_done(&self, flow: usize) -> bool {
        self.flows.get(flow).is_some_and(|(_, _, outcome)| outcome.done.is_some())
    }

    /// The moments at which the route of `kind` became `route`, for the first client.
    pub fn switches(&self, kind: Kind, route: Route) -> Vec<Instant> {
        self.client_events
            .iter()
            .filter_map(|(client, event)| match &event.what {
                client::What::RouteChanged { kind: of, to, .. }
                    if *client == 0 && *to == route && of.is_none_or(|of| of == kind) =>
                {
                    Some(event.at)
                }
                _ => None,
            })
            .collect()
    }

    /// When the first client said something for which `is` holds.
    pub fn said(&self, is: impl Fn(&client::What) -> bool) -> Vec<Instant> {
        self.client_events
            .iter()
            .filter(|(client, event)| *client == 0 && is(&event.what))
            .map(|(_, event)| event.at)
            .collect()
    }

    /// Over which route the flow of that number was open last.
    pub fn route(&self, flow: usize) -> Option<Route> {
        self.connected(flow).map(|(_, route)| route)
    }

    /// Whether the flow of that number did everything over that route.
    pub fn is_done_over(&self, flow: usize, route: Route) -> bool {
        self.is_done(flow) && self.route(flow) == Some(route) && self.error(flow).is_none()
    }

    /// Whether the flow of that number did everything over that route within `millis` of its opening.
    pub fn is_done_within(&self, flow: usize, route: Route, millis: u64) -> bool {
        let done = self.flows.get(flow).and_then(|(_, _, outcome)| outcome.done);
        self.is_done_over(flow, route) && done.is_some_and(|done| self.is_within(flow, done, millis))
    }

    /// Whether the flow of that number failed within `millis` of its opening.
    pub fn is_failed_within(&self, flow: usize, millis: u64) -> bool {
        let failed = self.flows.get(flow).and_then(|(_, _, outcome)| outcome.error.as_ref());
        failed.is_some_and(|(at, _)| self.is_within(flow, *at, millis))
    }

    fn is_within(&self, flow: usize, at: Instant, millis: u64) -> bool {
        self.opened.get(flow).is_some_and(|(opened, _)| at.since(*opened).as_millis() <= u128::from(millis))
    }

    /// The longest that the datagram flow of that number sent without an answer before the faults were over, in
    /// milliseconds.
    pub fn longest_quiet(&self, flow: usize) -> u64 {
        let Some((_, _, outcome)) = self.flows.get(flow) else { return u64::MAX };
        let end = outcome.done.unwrap_or(self.healed);
        let waiting = outcome.unanswered.map_or(Duration::ZERO, |since| end.since(since));
        u64::try_from(outcome.quiet.max(waiting).as_millis()).unwrap_or(u64::MAX)
    }

    /// Whether the only switch of `kind` to a relay happened at `millis`, to the millisecond.
    pub fn switched_at(&self, kind: Kind, millis: u64) -> bool {
        matches!(self.faulty_switches(kind).as_slice(), [only] if only.as_millis() == millis)
    }

    /// Whether `kind` never went to a relay in the part with faults.
    pub fn never_switched(&self, kind: Kind) -> bool {
        self.faulty_switches(kind).is_empty()
    }

    fn faulty_switches(&self, kind: Kind) -> Vec<Instant> {
        let mut switches = self.switches(kind, Route::Proxied);
        switches.retain(|at| *at <= self.healed);
        switches
    }

    /// How often something was seen, by the name that the summary gives it.
    pub fn count(&self, name: &str) -> u64 {
        self.seen.get(name).copied().unwrap_or_default()
    }
}
