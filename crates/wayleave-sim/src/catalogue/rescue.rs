//! Rules 2, 9 and 10: what is no proof, flows that do not come through while the route is direct, and proofs that fail.

use core::time::Duration;

use wayleave_proto::base::{Instant, Kind, Link, Route};
use wayleave_proto::client::{FlowError, RescueReason, What};
use wayleave_proto::config::Scope;
use wayleave_proto::route::{Blocked, Failure, Proof};

use crate::scenario::{ClientPlan, Condition, Ending, Fault, FlowPlan, Server, State};
use crate::{Report, Scenario};

pub(super) fn rule_2_silence_behind_a_connection_proves_nothing() -> Scenario {
    let client = ClientPlan::smart().behind(Condition::Swallowing);
    let client = client.opens(0, FlowPlan::stream(2_000, 2_000).over_tls());
    Scenario::new("", "Rule 2: a box takes every connection and says nothing: no proof, and a ClientHello goes on to the relay.")
        .relays(1)
        .client(client)
        .ends(Condition::OnlyRelays)
        .expect("streams switch at 1000 ms", |report| report.switched_at(Kind::Stream, 1_000))
        .expect("nothing was proven", |report| proofs(report).is_empty())
        .expect("the stream is answered within 1500 ms", |report| answered(report, 0, 1_000, 1_500))
        .expect("and done through the relay", |report| report.is_done_over(0, Route::Proxied))
}

pub(super) fn rule_2_what_must_not_be_sent_again_is_not() -> Scenario {
    let client = ClientPlan::smart().behind(Condition::Swallowing);
    let client = client.opens(0, FlowPlan::stream(2_000, 2_000)).opens(1_500, FlowPlan::stream(2_000, 2_000));
    Scenario::new("", "Rule 2: where the bytes may have had an effect the stream stays, and the next goes to the relay.")
        .relays(1)
        .client(client)
        .ends(Condition::OnlyRelays)
        .expect("streams switch at 1000 ms", |report| report.switched_at(Kind::Stream, 1_000))
        .expect("the first has no answer", |report| report.flows[0].2.answered.is_none())
        .expect("the second is done through the relay", |report| report.is_done_over(1, Route::Proxied))
}

pub(super) fn rule_2_a_reset_before_a_byte_came_back_is_tried_again() -> Scenario {
    let stream = FlowPlan::stream(2_000, 2_000).to(Server::Resetting).over_tls();
    Scenario::new("", "Rule 2: a connection that is reset before a byte came back is made again until the deadline.")
        .relays(1)
        .client(ClientPlan::smart().opens(0, stream))
        .expect("it is made again several times before the deadline", |report| {
            let again = report.said(|what| matches!(what, What::Retrying { .. }));
            again.iter().filter(|at| **at <= Instant::from_millis(1_000)).count() >= 3
        })
        .expect("streams switch at 1000 ms", |report| report.switched_at(Kind::Stream, 1_000))
}

pub(super) fn rule_9_a_blocked_port_is_reached_through_the_relay() -> Scenario {
    let high = FlowPlan::stream(2_000, 2_000).to(Server::HighPort);
    let good = FlowPlan::stream(2_000, 2_000);
    let client = ClientPlan::smart().behind(Condition::Only443).opens(0, good).opens(500, high);
    Scenario::new("", "Rule 9: where only TCP 443 gets out, a stream to another port is rescued after a second, the next at once.")
        .relays(1)
        .client(client.opens(3_000, high).opens(3_500, good))
        .ends(Condition::Only443)
        .expect("443 proves direct", |report| proofs(report) == [Proof::Stream])
        .expect("the first is answered through the relay within 1500 ms", |report| {
            report.route(1) == Some(Route::Proxied) && answered(report, 1, 1_000, 1_500)
        })
        .expect("because it was not connected", |report| {
            matches!(rescues(report)[..], [RescueReason::NotConnected(_), RescueReason::Blocked, ..])
        })
        .expect("the port is remembered", |report| blocked(report) == [Blocked::Port])
        .expect("the second is answered within 400 ms", |report| {
            report.route(2) == Some(Route::Proxied) && answered(report, 2, 0, 400)
        })
        .expect("everything else stays direct", |report| {
            report.is_done_over(3, Route::Direct) && report.never_switched(Kind::Stream)
        })
}

pub(super) fn rule_9_switched_off_rules_1_to_8_hold_to_the_letter() -> Scenario {
    let client = ClientPlan { rescue: false, ..ClientPlan::smart() }.behind(Condition::Only443);
    let client = client.opens(0, FlowPlan::stream(2_000, 2_000));
    Scenario::new("", "Rule 9: without rescue a stream to a blocked port fails as it does without Wayleave.")
        .relays(1)
        .client(client.opens(500, FlowPlan::stream(2_000, 2_000).to(Server::HighPort)))
        .lasts(40_000)
        .ends(Condition::Only443)
        .expect("it fails after 30 s", |report| fails(report, 1, 30_000, 30_010))
        .expect("nothing is rescued", |report| rescues(report).is_empty())
}

pub(super) fn rule_9_never_on_cellular() -> Scenario {
    let client = ClientPlan::smart().on(Link::Cellular).behind(Condition::Only443);
    let client = client.opens(0, FlowPlan::stream(2_000, 2_000));
    Scenario::new("", "Rule 9: on cellular nothing is rescued.")
        .relays(1)
        .client(client.opens(500, FlowPlan::stream(2_000, 2_000).to(Server::HighPort)))
        .lasts(40_000)
        .ends(Condition::Only443)
        .expect("it fails after 30 s", |report| fails(report, 1, 30_000, 30_010))
        .expect("nothing is rescued, no relay is asked", |report| {
            rescues(report).is_empty() && report.count("relay TunnelOpened") == 0
        })
}

pub(super) fn rule_9_unanswered_datagrams_go_to_the_relay() -> Scenario {
    let client = ClientPlan { scope: Scope::Session, ..ClientPlan::smart() }.behind(Condition::Only443);
    let client = client.opens(0, FlowPlan::stream(2_000, 2_000));
    Scenario::new("", "Rule 9: one decision for both kinds, proven by a stream: datagrams without an answer are rescued after a second.")
        .relays(1)
        .client(client.opens(500, FlowPlan::datagrams(200)).opens(3_000, FlowPlan::datagrams(100)))
        .ends(Condition::Only443)
        .expect("the first is answered within 1500 ms", |report| {
            report.route(1) == Some(Route::Proxied) && answered(report, 1, 1_000, 1_500)
        })
        .expect("because nothing came back", |report| matches!(rescues(report)[..], [RescueReason::Unanswered(_), ..]))
        .expect("the second at once", |report| {
            report.route(2) == Some(Route::Proxied) && answered(report, 2, 0, 400)
        })
        .expect("nothing switches", |report| report.never_switched(Kind::Stream))
}

pub(super) fn rule_9_a_client_hello_is_sent_again() -> Scenario {
    let client = ClientPlan::smart().opens(0, FlowPlan::stream(2_000, 2_000));
    let client = client.opens(3_000, FlowPlan::stream(2_000, 2_000).to(Server::HighPort).over_tls());
    Scenario::new("", "Rule 9: a box that takes connections in silence comes after the proof: a ClientHello goes on to the relay.")
        .relays(1)
        .client(client)
        .fault(2_000, Fault::Condition { client: 0, condition: Condition::Swallowing })
        .ends(Condition::OnlyRelays)
        .expect("it is answered within 1600 ms", |report| answered(report, 1, 1_000, 1_600))
        .expect("and done through the relay", |report| report.is_done_over(1, Route::Proxied))
        .expect("because nothing came back", |report| matches!(rescues(report)[..], [RescueReason::Unanswered(_)]))
}

pub(super) fn rule_9_other_bytes_are_not_and_the_next_flow_is_saved() -> Scenario {
    let high = FlowPlan::stream(2_000, 2_000).to(Server::HighPort);
    let client = ClientPlan::smart().opens(0, FlowPlan::stream(2_000, 2_000)).opens(3_000, high);
    Scenario::new("", "Rule 9: what may have had an effect is not sent again; the next flow to that port goes to the relay at once.")
        .relays(1)
        .client(client.opens(5_000, high))
        .fault(2_000, Fault::Condition { client: 0, condition: Condition::Swallowing })
        .ends(Condition::OnlyRelays)
        .expect("the first has no answer, and is not cut", |report| {
            report.flows[1].2.answered.is_none() && report.route(1) == Some(Route::Direct)
        })
        .expect("the second is answered within 400 ms", |report| {
            report.is_done_over(2, Route::Proxied) && answered(report, 2, 0, 400)
        })
}

pub(super) fn rule_9_one_in_a_while_tries_direct_again() -> Scenario {
    let high = FlowPlan::stream(2_000, 2_000).to(Server::HighPort);
    let client = ClientPlan::smart().behind(Condition::Only443).opens(0, FlowPlan::stream(2_000, 2_000));
    let client = client.opens(1_000, high).opens(70_000, high).opens(75_000, high);
    Scenario::new("", "Rule 9: after a minute one flow tries the blocked port directly, after two more minutes another.")
        .relays(1)
        .client(client.opens(200_000, high).opens(205_000, high))
        .fault(100_000, Fault::Condition { client: 0, condition: Condition::Open })
        .lasts(210_000)
        .expect("the one that tries pays a second, the next nothing", |report| {
            answered(report, 2, 1_000, 1_500) && answered(report, 3, 0, 400)
        })
        .expect("and when the port is open, flows stay direct", |report| {
            report.is_done_over(4, Route::Direct) && report.is_done_over(5, Route::Direct)
        })
}

pub(super) fn rule_9_if_no_relay_serves_it_the_direct_failure_is_told() -> Scenario {
    let client = ClientPlan::smart().opens(0, FlowPlan::stream(2_000, 2_000));
    Scenario::new("", "Rule 9: no relay serves a flow that was refused directly: its application learns that it was refused.")
        .relays(1)
        .client(client.opens(3_000, FlowPlan::stream(2_000, 2_000).to(Server::Refusing)))
        .fault(2_000, Fault::Relay { relay: 0, state: State::Crashed })
        .expect("it fails within a second, as it does directly", |report| {
            fails(report, 1, 0, 1_000) && matches!(report.error(1), Some(FlowError::Direct(_)))
        })
        .expect("nothing is remembered", |report| blocked(report).is_empty())
}

pub(super) fn rule_9_what_is_blocked_is_forgotten_with_the_network() -> Scenario {
    let high = FlowPlan::stream(2_000, 2_000).to(Server::HighPort);
    let client = ClientPlan::smart().behind(Condition::Only443).opens(0, FlowPlan::stream(2_000, 2_000));
    Scenario::new("", "Rule 9: what is known of ports belongs to the network.")
        .relays(1)
        .client(client.opens(500, high).opens(5_000, high))
        .fault(4_000, Fault::Roam { client: 0, link: Link::Ethernet, condition: Condition::Open })
        .expect("the port is open on the other network", |report| {
            report.is_done_over(2, Route::Direct) && answered(report, 2, 0, 400)
        })
}

pub(super) fn rule_10_a_firewall_that_closes_later_is_noticed() -> Scenario {
    let call = FlowPlan::datagrams(1_500).ending(Ending::Open);
    Scenario::new("", "Rule 10: a firewall closes in the middle of a call: ten seconds of silence, a trial, and the relay.")
        .relays(1)
        .client(ClientPlan::smart().opens(0, call))
        .fault(5_000, Fault::Condition { client: 0, condition: Condition::NoUdp })
        .lasts(30_000)
        .ends(Condition::NoUdp)
        .expect("silence is noticed after ten seconds", |report| {
            matches!(failures(report)[..], [(at, Failure::Silent(_))] if (15_000..15_200).contains(&at))
        })
        .expect("datagrams switch a second later, once", |report| {
            let switches = report.switches(Kind::Datagram, Route::Proxied);
            matches!(switches[..], [at] if (16_000..16_200).contains(&at.as_millis()))
        })
        .expect("the call goes on through the relay within 200 ms of that", |report| {
            report.connected(0).is_some_and(|(at, route)| route == Route::Proxied && at.as_millis() < 16_400)
        })
}

pub(super) fn rule_10_trials_by_themselves_become_more_and_more_seldom() -> Scenario {
    let call = FlowPlan::datagrams(20_000).ending(Ending::Open);
    let mut scenario = Scenario::new(
        "",
        "Rule 10: a network that loses UDP again and again is doubted more and more seldom: nothing flaps.",
    );
    for round in 0..24 {
        let at = 5_000 + 14_000 * round;
        scenario = scenario
            .fault(at, Fault::Condition { client: 0, condition: Condition::NoUdp })
            .fault(at + 10_500, Fault::Condition { client: 0, condition: Condition::Open });
    }
    scenario
        .relays(1)
        .client(ClientPlan::smart().opens(0, call))
        .lasts(340_000)
        .expect("there are several doubts", |report| failures(report).len() >= 3)
        .expect("each pause is at least 30 s, then 60 s, then 120 s", |report| {
            let at: Vec<u64> = failures(report).iter().map(|(at, _)| *at).collect();
            let pauses = at.windows(2).map(|pair| pair[1] - pair[0]);
            pauses.zip([30_000, 60_000, 120_000, 240_000]).all(|(pause, least)| pause >= least)
        })
}

/// Whether a flow got its first answer so long after it was opened.
fn answered(report: &Report, flow: usize, from: u64, to: u64) -> bool {
    let opened = report.opened[flow].0;
    report.flows[flow].2.answered.is_some_and(|at| within(at.since(opened), from, to))
}

/// Whether a flow failed so long after it was opened.
fn fails(report: &Report, flow: usize, from: u64, to: u64) -> bool {
    let opened = report.opened[flow].0;
    report.flows[flow].2.error.as_ref().is_some_and(|(at, _)| within(at.since(opened), from, to))
}

fn within(span: Duration, from: u64, to: u64) -> bool {
    (Duration::from_millis(from)..=Duration::from_millis(to)).contains(&span)
}

/// What the first client said, as far as `is` knows it, in the part with faults.
fn facts<T>(report: &Report, is: impl Fn(&What) -> Option<T>) -> Vec<(u64, T)> {
    let said = report.client_events.iter().filter(|(client, event)| *client == 0 && event.at <= report.healed);
    said.filter_map(|(_, event)| Some((event.at.as_millis(), is(&event.what)?))).collect()
}

fn proofs(report: &Report) -> Vec<Proof> {
    let proof = |what: &What| match what {
        What::DirectConnected { proof, .. } => Some(*proof),
        _ => None,
    };
    facts(report, proof).into_iter().map(|(_, proof)| proof).collect()
}

fn rescues(report: &Report) -> Vec<RescueReason> {
    let reason = |what: &What| match what {
        What::Rescuing { reason, .. } => Some(reason.clone()),
        _ => None,
    };
    facts(report, reason).into_iter().map(|(_, reason)| reason).collect()
}

fn blocked(report: &Report) -> Vec<Blocked> {
    let blocked = |what: &What| match what {
        What::Blocked { what, .. } => Some(*what),
        _ => None,
    };
    facts(report, blocked).into_iter().map(|(_, what)| what).collect()
}

fn failures(report: &Report) -> Vec<(u64, Failure)> {
    facts(report, |what| match what {
        What::ProofFailed { failure, .. } => Some(*failure),
        _ => None,
    })
}
