//! What name services do.

use core::time::Duration;

use wayleave_proto::base::Route;

use crate::scenario::{Answers, ClientPlan, Fault, FlowPlan};
use crate::{Report, Scenario};

/// How the names of the client are answered, from then on.
const fn names(answering: Answers, delay: u64) -> Fault {
    Fault::Names { client: Some(0), answering, delay: Duration::from_millis(delay) }
}

/// Whether the flow of that number was connected within `millis` of its opening.
fn within(report: &Report, flow: usize, millis: u64) -> bool {
    let opened = report.opened.get(flow).map(|(opened, _)| *opened);
    let connected = report.connected(flow).map(|(connected, _)| connected);
    opened.zip(connected).is_some_and(|(opened, connected)| connected.since(opened) <= Duration::from_millis(millis))
}

fn small() -> FlowPlan {
    FlowPlan::stream(1_000, 1_000)
}

/// Long enough for every connection that was kept ready to have grown old.
const LATER: u64 = 330_000;

pub(super) fn names_that_die_do_not_stop_a_client_that_knows_its_relay() -> Scenario {
    Scenario::new("", "The name service dies: a client that was at its relay before goes there at once, as often as it likes.")
        .relays(1)
        .client(ClientPlan::normal().opens(0, small()).opens(LATER, small()).opens(2 * LATER, small()))
        .fault(2_000, names(Answers::Silent, 10))
        .lasts(2 * LATER + 10_000)
        .expect("every stream is open within a second", |report| (0..3).all(|flow| within(report, flow, 1_000)))
        .expect("all are done within a second", |report| {
            (0..3).all(|flow| report.is_done_within(flow, Route::Proxied, 1_000))
        })
}

pub(super) fn names_that_are_slow_cost_nothing_where_the_relay_is_known() -> Scenario {
    Scenario::new("", "Every look-up takes five seconds: a client that was at its relay before waits for none.")
        .relays(1)
        .client(ClientPlan::normal().opens(0, small()).opens(LATER, small()))
        .fault(2_000, names(Answers::Truly, 5_000))
        .lasts(LATER + 10_000)
        .expect("the stream is open within a second", |report| within(report, 1, 1_000))
}

pub(super) fn names_that_are_denied_leave_the_relay_where_it_was() -> Scenario {
    Scenario::new("", "The name service says that the relay does not exist: its last good address serves.")
        .relays(1)
        .client(ClientPlan::normal().opens(0, small()).opens(LATER, small()))
        .fault(2_000, names(Answers::Denied, 10))
        .lasts(LATER + 10_000)
        .expect("the stream is open within a second", |report| within(report, 1, 1_000))
}

pub(super) fn a_family_that_is_never_answered_costs_50_ms() -> Scenario {
    let half = Fault::Names { client: None, answering: Answers::HalfSilent, delay: Duration::from_millis(10) };
    Scenario::new("", "Questions for IPv6 are never answered, at the client and at its relay: that costs 50 ms at each.")
        .relays(1)
        .client(ClientPlan::normal().opens(100, small()))
        .fault(0, half)
        .fault(0, names(Answers::HalfSilent, 10))
        .expect("the stream is open within half a second", |report| within(report, 0, 500))
        .expect("it is done within half a second", |report| report.is_done_within(0, Route::Proxied, 500))
}
