//! Rules 4 to 8: what changes and what stays.

use core::time::Duration;

use wayleave_proto::base::{Instant, Kind, Link, Route};
use wayleave_proto::client::What;
use wayleave_proto::config::Scope;

use crate::Scenario;
use crate::scenario::{ClientPlan, Condition, Ending, Fault, FlowPlan, Step};

const fn roam(link: Link, condition: Condition) -> Fault {
    Fault::Roam { client: 0, link, condition }
}

pub(super) fn rule_4_a_change_while_direct_starts_again() -> Scenario {
    let client = ClientPlan::smart().opens(0, FlowPlan::stream(100, 100));
    Scenario::new("", "Rule 4: a network that changes while the route is direct starts again with the new link.")
        .relays(1)
        .client(client.opens(2_100, FlowPlan::stream(2_000, 2_000)))
        .fault(2_000, roam(Link::Ethernet, Condition::OnlyRelays))
        .ends(Condition::OnlyRelays)
        .expect("streams switch one second after the first flow on the new link", |report| {
            report.switched_at(Kind::Stream, 3_100)
        })
        .expect("both flows are done", |report| {
            report.is_done_within(0, Route::Direct, 100) && report.is_done_within(1, Route::Proxied, 1_200)
        })
}

pub(super) fn rule_4_a_change_in_the_trial_starts_again() -> Scenario {
    let client = ClientPlan::smart().behind(Condition::OnlyRelays).opens(0, FlowPlan::stream(2_000, 2_000));
    Scenario::new("", "Rule 4: a network that changes in the trial starts the second anew.")
        .relays(1)
        .client(client)
        .fault(600, roam(Link::Ethernet, Condition::OnlyRelays))
        .ends(Condition::OnlyRelays)
        .expect("streams switch one second after the change", |report| report.switched_at(Kind::Stream, 1_600))
}

pub(super) fn rule_4_down_waits_for_up() -> Scenario {
    let client = ClientPlan::smart().behind(Condition::OnlyRelays).opens(1_000, FlowPlan::stream(2_000, 2_000));
    Scenario::new("", "Rule 4: while the network is down nothing is tried; the trial starts when it comes up.")
        .relays(1)
        .client(client)
        .fault(500, Fault::Up { client: 0, up: false })
        .fault(3_000, Fault::Up { client: 0, up: true })
        .ends(Condition::OnlyRelays)
        .expect("streams switch one second after the network is up", |report| {
            report.switched_at(Kind::Stream, 4_000)
        })
        .expect("the flow is done", |report| report.is_done_within(0, Route::Proxied, 3_200))
}

pub(super) fn rule_5_a_change_while_proxied_keeps_the_route() -> Scenario {
    let client = ClientPlan::smart().behind(Condition::OnlyRelays);
    let client = client
        .opens(0, FlowPlan::datagrams(400).ending(Ending::Open))
        .opens(5_000, FlowPlan::stream(2_000, 2_000));
    Scenario::new("", "Rule 5: a proxied route stays proxied on another network, and its tunnels are made anew.")
        .relays(1)
        .client(client)
        .fault(3_000, roam(Link::Ethernet, Condition::Open))
        .expect("datagrams switch once, at 1000 ms", |report| report.switched_at(Kind::Datagram, 1_000))
        .expect("the datagram flow has a tunnel again", |report| {
            report.said(|what| matches!(what, What::FlowMoved { .. })).iter().any(|at| *at > Instant::from_millis(3_000))
        })
        .expect("it is answered as soon as it can be", |report| report.longest_quiet(0) <= 1_200)
}

pub(super) fn rule_5_return_to_direct_is_opted_in() -> Scenario {
    let client = ClientPlan { return_to_direct: true, ..ClientPlan::smart() };
    let client = client.behind(Condition::OnlyRelays).opens(0, FlowPlan::stream(100, 100));
    Scenario::new("", "Rule 5: who opted in to return_to_direct gets a new trial on a changed network.")
        .relays(1)
        .client(client.opens(5_000, FlowPlan::stream(2_000, 2_000)))
        .fault(3_000, roam(Link::Ethernet, Condition::Open))
        .expect("the first flow goes through the relay, the second direct", |report| {
            report.is_done_within(0, Route::Proxied, 1_200) && report.is_done_within(1, Route::Direct, 100)
        })
}

pub(super) fn rule_6_a_late_success_changes_nothing() -> Scenario {
    let client = ClientPlan::smart().probes(true, true).behind(Condition::OnlyRelays);
    let client = client.opens(0, FlowPlan::stream(100, 100)).does(2_000, Step::DirectWorks(Kind::Stream));
    Scenario::new("", "Rule 6: a direct success after the switch changes nothing.")
        .relays(1)
        .client(client.opens(3_000, FlowPlan::stream(2_000, 2_000)))
        .fault(1_100, Fault::Condition { client: 0, condition: Condition::Open })
        .expect("streams switch once and never back", |report| {
            report.switched_at(Kind::Stream, 1_000) && report.switches(Kind::Stream, Route::Direct).is_empty()
        })
        .expect("the later flow still goes through the relay", |report| report.is_done_within(1, Route::Proxied, 150))
}

pub(super) fn rule_7_a_new_trial_can_be_asked_for() -> Scenario {
    let client = ClientPlan::smart().behind(Condition::OnlyRelays).opens(0, FlowPlan::stream(100, 100));
    let client = client.does(3_000, Step::Retry(Some(Kind::Stream))).opens(3_100, FlowPlan::stream(2_000, 2_000));
    Scenario::new("", "Rule 7: the embedder can ask for a new trial at any time.")
        .relays(1)
        .client(client)
        .fault(2_000, Fault::Condition { client: 0, condition: Condition::Open })
        .expect("the first flow goes through the relay, the second direct", |report| {
            report.is_done_within(0, Route::Proxied, 1_200) && report.is_done_within(1, Route::Direct, 100)
        })
}

pub(super) fn rule_8_pending_flows_are_taken_over() -> Scenario {
    let client = ClientPlan::smart().behind(Condition::BlackHole);
    let client = [0, 300, 990].into_iter().fold(client, |client, at| client.opens(at, FlowPlan::stream(9_000, 9_000)));
    Scenario::new("", "Rule 8: flows that were pending in the trial are taken over by the relay, unnoticed.")
        .relays(1)
        .client(client)
        .fault(400, Fault::Condition { client: 0, condition: Condition::OnlyRelays })
        .ends(Condition::OnlyRelays)
        .expect("all three are done through the relay", |report| {
            (0..3).all(|flow| report.is_done_within(flow, Route::Proxied, 1_200))
        })
}

pub(super) fn rule_8_established_streams_are_not_cut() -> Scenario {
    let slow = FlowPlan { pace: Duration::from_millis(20), ..FlowPlan::stream(100, 300_000) };
    let client = ClientPlan::smart().opens(0, slow).does(500, Step::Retry(Some(Kind::Stream)));
    Scenario::new("", "Rule 8: a stream that stands is not cut when the route becomes proxied.")
        .relays(1)
        .client(client.opens(600, FlowPlan::stream(100, 100).to(crate::scenario::Server::HighPort)))
        .fault(550, Fault::Condition { client: 0, condition: Condition::Only443 })
        .lasts(20_000)
        .ends(Condition::OnlyRelays)
        .expect("streams switch at 1600 ms", |report| report.switched_at(Kind::Stream, 1_600))
        .expect("the old stream is done directly, the new one through the relay", |report| {
            report.is_done_within(0, Route::Direct, 3_200) && report.is_done_within(1, Route::Proxied, 1_200)
        })
}

pub(super) fn kinds_are_judged_apart() -> Scenario {
    let client = ClientPlan::smart().behind(Condition::NoUdp).opens(0, FlowPlan::stream(2_000, 2_000));
    Scenario::new("", "Scope kind: where UDP alone is blocked, streams stay direct and datagrams are proxied.")
        .relays(1)
        .client(client.opens(0, FlowPlan::datagrams(150)))
        .ends(Condition::NoUdp)
        .expect("only datagrams switch", |report| {
            report.switched_at(Kind::Datagram, 1_000) && report.never_switched(Kind::Stream)
        })
        .expect("both are served", |report| {
            report.is_done_within(0, Route::Direct, 100) && report.longest_quiet(1) <= 1_200
        })
}

pub(super) fn scope_session_is_one_decision() -> Scenario {
    let client = ClientPlan { scope: Scope::Session, ..ClientPlan::smart() };
    let client = client.behind(Condition::OnlyRelays).opens(0, FlowPlan::stream(2_000, 2_000));
    Scenario::new("", "Scope session: one decision for streams and datagrams.")
        .relays(1)
        .client(client.opens(3_000, FlowPlan::datagrams(20)))
        .ends(Condition::OnlyRelays)
        .expect("both kinds switch at 1000 ms", |report| {
            report.switched_at(Kind::Datagram, 1_000) && report.switched_at(Kind::Stream, 1_000)
        })
        .expect("the datagram flow goes through the relay at once", |report| report.is_done_within(1, Route::Proxied, 600))
}

pub(super) fn an_unanswered_datagram_flow_goes_to_the_relay() -> Scenario {
    let client = ClientPlan::smart().opens(0, FlowPlan::datagrams(100).to(crate::scenario::Server::Silent));
    Scenario::new("", "A datagram flow to which nothing answers has proven nothing, and goes to the relay at the deadline.")
        .relays(1)
        .client(client)
        .expect("datagrams switch at 1000 ms", |report| report.switched_at(Kind::Datagram, 1_000))
        .expect("the flow is moved within 100 ms", |report| {
            let moved = report.connected(0).map(|(at, _)| at.as_millis());
            report.route(0) == Some(Route::Proxied) && moved.is_some_and(|at| at <= 1_100)
        })
}

pub(super) fn the_standby_costs_no_round_trip() -> Scenario {
    let client = ClientPlan::smart().behind(Condition::OnlyRelays).opens(0, FlowPlan::stream(100, 100));
    Scenario::new("", "Warm standby: at the switch the handshake with the relay is done, so a flow costs one round trip.")
        .relays(1)
        .client(client)
        .ends(Condition::OnlyRelays)
        .expect("the relay is connected in the trial", |report| {
            let connected = report.said(|what| matches!(what, What::ProxyConnected { .. }));
            connected.first().is_some_and(|at| *at < Instant::from_millis(1_000))
        })
        .expect("the flow connects within 50 ms of the deadline: a round trip to the relay and one from there", |report| {
            let opened = report.said(|what| matches!(what, What::FlowOpened { .. }));
            opened.first().is_some_and(|at| at.as_millis() <= 1_050)
        })
}
