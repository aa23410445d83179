//! What relays do.

use core::time::Duration;

use wayleave_proto::base::Route;
use wayleave_proto::client::FlowError;

use crate::Scenario;
use crate::network::Quality;
use crate::scenario::{
    ClientPlan, Condition, Credential, Ending, Fault, FlowPlan, IntruderPlan, RelayPlan, Server, State, Step,
};

const fn becomes(relay: usize, state: State) -> Fault {
    Fault::Relay { relay, state }
}

fn normal() -> ClientPlan {
    ClientPlan::normal()
}

pub(super) fn the_second_relay_serves_when_the_first_is_gone() -> Scenario {
    Scenario::new("", "With the first relay gone from the network the second serves.")
        .relay(RelayPlan::default())
        .relay(RelayPlan::default())
        .client(normal().opens(100, FlowPlan::stream(2_000, 2_000)))
        .fault(0, becomes(0, State::Vanished))
        .expect("the flow is done", |report| report.is_done_within(0, Route::Proxied, 400))
}

pub(super) fn a_relay_that_crashes_is_replaced() -> Scenario {
    let client = normal()
        .opens(0, FlowPlan::datagrams(400).ending(Ending::Open))
        .opens(0, FlowPlan::stream(1_000, 1_000).ending(Ending::Open))
        .opens(3_000, FlowPlan::stream(2_000, 2_000));
    Scenario::new("", "A relay that crashes breaks its streams; datagram flows move to the next relay, and new flows too.")
        .relays(2)
        .client(client)
        .fault(2_000, becomes(0, State::Crashed))
        .expect("the open stream is reset", |report| matches!(report.error(1), Some(FlowError::Reset)))
        .expect("the datagram flow goes on within a second", |report| report.error(0).is_none() && report.longest_quiet(0) <= 1_000)
        .expect("the new stream is done", |report| report.is_done_within(2, Route::Proxied, 150))
}

pub(super) fn calls_that_share_a_connection_move_together() -> Scenario {
    let call = || FlowPlan { pace: Duration::from_millis(20), ..FlowPlan::datagrams(400).ending(Ending::Open) };
    let client = (0..5).fold(normal(), |client, _| client.opens(0, call()));
    Scenario::new("", "Calls that share a connection move to the next relay together when theirs crashes, within a second.")
        .shared()
        .relays(2)
        .client(client.opens(3_000, FlowPlan::stream(20_000, 20_000)))
        .fault(2_000, becomes(0, State::Crashed))
        .expect("every call goes on", |report| {
            (0..5).all(|flow| report.error(flow).is_none() && report.longest_quiet(flow) <= 1_000)
        })
        .expect("the new stream is done", |report| report.is_done_within(5, Route::Proxied, 200))
}

pub(super) fn streams_that_share_a_connection_end_each_by_itself() -> Scenario {
    let slow = FlowPlan { pace: Duration::from_millis(20), ..FlowPlan::stream(100, 200_000) };
    Scenario::new("", "A relay that drains says so: streams that share its connection end by themselves, and what is new goes elsewhere.")
        .shared()
        .relays(2)
        .client(normal().opens(0, slow).opens(100, slow).opens(1_000, FlowPlan::stream(2_000, 2_000)))
        .fault(500, becomes(0, State::Draining))
        .lasts(15_000)
        .expect("all streams are done", |report| {
            (0..2).all(|flow| report.is_done_within(flow, Route::Proxied, 5_000))
                && report.is_done_within(2, Route::Proxied, 250)
        })
}

pub(super) fn a_relay_that_drains_finishes_what_it_has() -> Scenario {
    let slow = FlowPlan { pace: Duration::from_millis(20), ..FlowPlan::stream(100, 200_000) };
    Scenario::new("", "A relay that drains finishes what it has, and what is new goes to the next one.")
        .relays(2)
        .client(normal().opens(0, slow).opens(1_000, FlowPlan::stream(2_000, 2_000)))
        .fault(500, becomes(0, State::Draining))
        .lasts(15_000)
        .expect("both streams are done", |report| {
            report.is_done_within(0, Route::Proxied, 2_500) && report.is_done_within(1, Route::Proxied, 200)
        })
}

pub(super) fn a_relay_without_its_keys_is_passed_over() -> Scenario {
    Scenario::new("", "A relay that restarted with other keys refuses every token; the next one is used.")
        .relays(2)
        .client(normal().opens(1_000, FlowPlan::stream(2_000, 2_000)))
        .fault(500, becomes(0, State::WithoutKeys))
        .expect("it refused", |report| report.count("relay Refused") > 0)
        .expect("the flow is done", |report| report.is_done_within(0, Route::Proxied, 250))
}

pub(super) fn nonsense_in_place_of_a_relay_is_passed_over() -> Scenario {
    Scenario::new("", "Something that speaks no TLS in place of a relay is passed over.")
        .relays(2)
        .client(normal().opens(1_000, FlowPlan::stream(2_000, 2_000)))
        .fault(0, becomes(0, State::Babbling))
        .expect("the flow is done", |report| report.is_done_within(0, Route::Proxied, 150))
}

pub(super) fn silence_in_place_of_a_relay_is_passed_over() -> Scenario {
    Scenario::new("", "Something that says nothing in place of a relay costs a quarter of a second, and no more.")
        .relays(2)
        .client(normal().opens(0, FlowPlan::stream(2_000, 2_000)))
        .fault(0, becomes(0, State::Mute))
        .expect("the flow is done", |report| report.is_done_within(0, Route::Proxied, 450))
}

pub(super) fn a_token_that_expires_is_renewed() -> Scenario {
    let client = ClientPlan { credential: Credential::Short(Duration::from_secs(5)), ..normal() };
    let client = client
        .opens(1_000, FlowPlan::stream(100, 100))
        .opens(45_000, FlowPlan::stream(100, 100))
        .does(50_000, Step::Renew(Duration::from_secs(600)))
        .opens(51_000, FlowPlan::stream(100, 100));
    Scenario::new("", "A token expires: new flows are refused until the application renews it.")
        .relays(1)
        .client(client)
        .lasts(60_000)
        .expect("the first flow is done, the second refused, the third done", |report| {
            report.is_done(0) && report.is_failed_within(1, 500) && report.is_done_within(2, Route::Proxied, 150)
        })
}

pub(super) fn forbidden_targets_are_refused() -> Scenario {
    let client = normal().opens(100, FlowPlan::stream(100, 100).to(Server::Private));
    let mut scenario = Scenario::new("", "A name that leads to a private address is refused, and so is every intruder.")
        .relays(2)
        .client(client.opens(200, FlowPlan::stream(100, 100)));
    scenario.intruder = Some(IntruderPlan::new(40));
    scenario
        .expect("the private target is forbidden", |report| {
            matches!(report.error(0), Some(FlowError::TargetForbidden { .. }))
        })
        .expect("the good one is served", |report| report.is_done_within(1, Route::Proxied, 150))
        .expect("the intruder was refused", |report| report.count("intruder 407") > 5)
}

pub(super) fn clocks_may_be_wrong_by_seconds() -> Scenario {
    let client = ClientPlan { ahead: 600, ..normal() };
    Scenario::new("", "Clocks that are wrong by less than the leeway of 30 s are no reason to refuse.")
        .relay(RelayPlan { ahead: -25, ..RelayPlan::default() })
        .client(client.opens(100, FlowPlan::stream(2_000, 2_000)))
        .expect("the flow is done", |report| report.is_done_within(0, Route::Proxied, 150))
}

pub(super) fn a_lossy_link_delivers_everything() -> Scenario {
    let quality = Quality {
        latency: Duration::from_millis(40),
        jitter: Duration::from_millis(20),
        loss: 8,
        duplicate: 8,
        reorder: 8,
        ..Quality::default()
    };
    let client = ClientPlan { quality, ..ClientPlan::smart() }.behind(Condition::OnlyRelays);
    Scenario::new("", "Over a link that loses, doubles and reorders, streams arrive whole and in order.")
        .relays(1)
        .client(client.opens(0, FlowPlan::stream(60_000, 60_000)).opens(0, FlowPlan::datagrams(100)))
        .lasts(60_000)
        .expect("the stream is done", |report| report.is_done_within(0, Route::Proxied, 5_000))
}

pub(super) fn a_slow_reader_loses_nothing() -> Scenario {
    let slow = FlowPlan { pace: Duration::from_millis(5), ..FlowPlan::stream(100, 400_000) };
    Scenario::new("", "An application that reads slowly slows its server down, and loses nothing.")
        .relays(1)
        .client(normal().opens(0, slow))
        .lasts(20_000)
        .expect("the stream is done", |report| report.is_done_within(0, Route::Proxied, 1_500))
}
