//! Rules 1 to 3: the trial and its outcomes.

use core::time::Duration;

use wayleave_proto::base::{Instant, Kind, Link, Route};
use wayleave_proto::client::What;
use wayleave_proto::route::Proof;

use crate::network::Quality;
use crate::scenario::{ClientPlan, Condition, Fault, FlowPlan, Server, Step};
use crate::{Report, Scenario};

pub(super) fn rule_1_the_trial_begins_at_the_start_with_probes() -> Scenario {
    Scenario::new("", "Rule 1: with probes the trial begins when the client starts, before any flow.")
        .relays(1)
        .client(ClientPlan::smart().probes(true, true).behind(Condition::OnlyRelays))
        .ends(Condition::OnlyRelays)
        .expect("both trials begin at 0 ms", |report| {
            let begun = trials(report);
            begun.iter().filter(|at| **at == Instant::ZERO).count() == 2
        })
        .expect("both kinds are proxied after one second", |report| {
            report.switched_at(Kind::Stream, 1_000) && report.switched_at(Kind::Datagram, 1_000)
        })
}

pub(super) fn rule_1_the_trial_begins_with_the_first_flow() -> Scenario {
    let client = ClientPlan::smart().behind(Condition::OnlyRelays).opens(3_000, FlowPlan::stream(2_000, 2_000));
    Scenario::new("", "Rule 1: without probes the trial begins with the first flow.")
        .relays(1)
        .client(client)
        .ends(Condition::OnlyRelays)
        .expect("the trial begins at 3000 ms", |report| trials(report).first() == Some(&Instant::from_millis(3_000)))
        .expect("streams are proxied from 4000 ms", |report| report.switched_at(Kind::Stream, 4_000))
        .expect("the flow is done", |report| report.is_done_within(0, Route::Proxied, 1_200))
}

pub(super) fn rule_2_a_stream_proves_direct() -> Scenario {
    Scenario::new("", "Rule 2: a direct stream that connects proves the direct path, and ends the trial.")
        .relays(1)
        .client(ClientPlan::smart().opens(10, FlowPlan::stream(2_000, 2_000)))
        .expect("a stream proves it", |report| proven_by(report, Proof::Stream))
        .expect("the flow is done directly", |report| report.is_done_within(0, Route::Direct, 100))
        .expect("nothing switches", |report| report.never_switched(Kind::Stream))
}

pub(super) fn rule_2_a_probe_proves_direct() -> Scenario {
    Scenario::new("", "Rule 2: a probe that is answered proves the direct path, of its own kind.")
        .relays(1)
        .client(ClientPlan::smart().probes(true, true))
        .expect("a probe proves it", |report| proven_by(report, Proof::Probe))
        .expect("nothing switches", |report| {
            report.never_switched(Kind::Stream) && report.never_switched(Kind::Datagram)
        })
}

pub(super) fn rule_2_an_answer_proves_direct() -> Scenario {
    Scenario::new("", "Rule 2: a direct datagram flow that gets an answer proves the direct path.")
        .relays(1)
        .client(ClientPlan::smart().opens(10, FlowPlan::datagrams(20)))
        .expect("a datagram proves it", |report| proven_by(report, Proof::Datagram))
        .expect("nothing switches", |report| report.never_switched(Kind::Datagram))
}

pub(super) fn rule_2_the_embedder_proves_direct() -> Scenario {
    let client = ClientPlan::smart()
        .opens(10, FlowPlan::stream(100, 100).to(Server::Silent))
        .does(500, Step::DirectWorks(Kind::Stream));
    Scenario::new("", "Rule 2: the embedder can say that the direct path works.")
        .relays(1)
        .client(client.behind(Condition::BlackHole))
        .expect("the embedder proves it", |report| proven_by(report, Proof::Embedder))
        .expect("nothing switches", |report| report.never_switched(Kind::Stream))
}

pub(super) fn rule_2_a_quick_failure_proves_nothing() -> Scenario {
    let client = ClientPlan::smart().behind(Condition::Refusing).opens(10, FlowPlan::stream(2_000, 2_000));
    Scenario::new("", "Rule 2: a quick failure proves nothing; it is tried again, and succeeds before the deadline.")
        .relays(1)
        .client(client)
        .fault(600, Fault::Condition { client: 0, condition: Condition::Open })
        .expect("it is tried again", |report| report.count("client Retrying") > 1)
        .expect("the flow is done directly", |report| report.is_done_within(0, Route::Direct, 1_000))
        .expect("nothing switches", |report| report.never_switched(Kind::Stream))
}

pub(super) fn rule_2_a_proof_just_before_the_deadline_counts() -> Scenario {
    // 10 ms for the name, and four ways through the client's link and the server's of 5 ms, there and back for the connection
    // and again for the first answer: 990 ms in all.
    let quality = Quality { latency: Duration::from_millis(240), ..Quality::default() };
    let client = ClientPlan { quality, ..ClientPlan::smart() }.opens(0, FlowPlan::stream(2_000, 2_000));
    Scenario::new("", "Rule 2: a proof that arrives just before the deadline still counts.")
        .relays(1)
        .client(client)
        .expect("it is proven after 990 ms", |report| {
            report.said(|what| matches!(what, What::DirectConnected { .. })).first() == Some(&Instant::from_millis(990))
        })
        .expect("nothing switches", |report| report.never_switched(Kind::Stream))
}

pub(super) fn rule_2_a_proof_at_the_deadline_itself_counts() -> Scenario {
    // As above, but 1,000 ms in all: the very moment of the deadline.
    let quality = Quality { latency: Duration::from_micros(242_500), ..Quality::default() };
    let client = ClientPlan { quality, ..ClientPlan::smart() }.opens(0, FlowPlan::stream(2_000, 2_000));
    Scenario::new("", "Rule 2: a proof that arrives at the very moment of the deadline still counts.")
        .relays(1)
        .client(client)
        .expect("it is proven after 1000 ms", |report| {
            report.said(|what| matches!(what, What::DirectConnected { .. })).first() == Some(&Instant::from_millis(1_000))
        })
        .expect("nothing switches", |report| report.never_switched(Kind::Stream))
        .expect("the flow is done directly", |report| report.is_done_within(0, Route::Direct, 2_100))
}

pub(super) fn rule_2_a_proof_behind_the_deadline_does_not_count() -> Scenario {
    // As above, but 1,010 ms in all: the server has written its answer when the stream moves, and writes it again for the relay.
    let quality = Quality { latency: Duration::from_millis(245), ..Quality::default() };
    let client = ClientPlan { quality, ..ClientPlan::smart() }.opens(0, FlowPlan::stream(2_000, 2_000).over_tls());
    Scenario::new("", "Rule 2: a stream whose answer is on the way at the deadline goes on to the relay and arrives once.")
        .relays(1)
        .client(client)
        .expect("streams switch at 1000 ms", |report| report.switched_at(Kind::Stream, 1_000))
        .expect("the flow is done through the relay", |report| report.is_done_within(0, Route::Proxied, 4_000))
}

fn becomes_proxied(link: Link) -> Scenario {
    let client = ClientPlan::smart().on(link).behind(Condition::OnlyRelays);
    let client = client.opens(0, FlowPlan::stream(2_000, 2_000)).opens(0, FlowPlan::datagrams(200));
    Scenario::new("", &format!("Rule 3: on {link}, nothing proven by the deadline makes the route proxied."))
        .relays(1)
        .client(client)
        .ends(Condition::OnlyRelays)
        .expect("both kinds switch at 1000 ms, once", |report| {
            report.switched_at(Kind::Stream, 1_000) && report.switched_at(Kind::Datagram, 1_000)
        })
        .expect("the stream is done through the relay", |report| report.is_done_within(0, Route::Proxied, 1_200))
        .expect("datagrams are answered through the relay", |report| {
            report.route(1) == Some(Route::Proxied) && report.longest_quiet(1) <= 1_200
        })
}

pub(super) fn rule_3_wifi_becomes_proxied() -> Scenario {
    becomes_proxied(Link::Wifi)
}

pub(super) fn rule_3_ethernet_becomes_proxied() -> Scenario {
    becomes_proxied(Link::Ethernet)
}

pub(super) fn rule_3_unknown_becomes_proxied() -> Scenario {
    becomes_proxied(Link::Unknown)
}

pub(super) fn rule_3_cellular_stays_direct_and_tries_again() -> Scenario {
    let client = ClientPlan::smart().on(Link::Cellular).behind(Condition::Refusing);
    Scenario::new("", "Rule 3: on cellular the route stays direct, and it is tried again with a growing pause.")
        .relays(1)
        .client(client.opens(0, FlowPlan::stream(2_000, 2_000)))
        .fault(14_000, Fault::Condition { client: 0, condition: Condition::Open })
        .lasts(45_000)
        .expect("after the trial each pause is twice as long as the one before, less up to a half", |report| {
            let pauses = report.client_events.iter().filter_map(|(_, event)| match &event.what {
                What::Retrying { after, .. } if event.at > Instant::from_millis(1_000) => Some(*after),
                _ => None,
            });
            let pauses: Vec<Duration> = pauses.collect();
            let most = |count: usize| Duration::from_millis(500 << count.min(5));
            pauses.len() >= 5
                && pauses.iter().enumerate().all(|(count, pause)| (most(count) / 2..=most(count)).contains(pause))
        })
        .expect("it stays direct", |report| {
            report.count("client StayingDirect") > 0 && report.never_switched(Kind::Stream)
        })
        .expect("the flow connects once the network lets it", |report| report.is_done_within(0, Route::Direct, 30_000))
}

fn trials(report: &Report) -> Vec<Instant> {
    report.said(|what| matches!(what, What::TrialStarted { .. }))
}

fn proven_by(report: &Report, by: Proof) -> bool {
    let proven = report.said(|what| matches!(what, What::DirectConnected { proof, .. } if *proof == by));
    proven.first().is_some_and(|at| *at <= Instant::from_millis(1_010))
}
