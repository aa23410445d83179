//! Each sentence of the design's section on routing, in its order.

use core::time::Duration;

use super::super::{Phase, Proof, RouteEvent, RouteReason, Routes};
use super::{ALL_PROBES, CELLULAR, KINDS, NO_PROBES, STREAM_PROBES, WIFI, at, events, past, routes, smart};
use crate::base::{Kind, Link, Network, Route};
use crate::config::{AtDeadline, Mode, RouteConfig, Scope};

const STREAM: Option<Kind> = Some(Kind::Stream);
const DATAGRAM: Option<Kind> = Some(Kind::Datagram);

fn started(kind: Option<Kind>, link: Link, deadline: u64) -> RouteEvent {
    RouteEvent::TrialStarted { kind, link, deadline: at(deadline) }
}

fn proven(kind: Option<Kind>, proof: Proof, elapsed: u64) -> RouteEvent {
    RouteEvent::DirectProven { kind, proof, elapsed: Duration::from_millis(elapsed) }
}

fn became_proxied(kind: Option<Kind>, link: Link) -> RouteEvent {
    let reason = RouteReason::NothingProven(Duration::from_secs(1));
    RouteEvent::RouteChanged { kind, from: Route::Direct, to: Route::Proxied, reason, link }
}

fn became_direct(kind: Option<Kind>, reason: RouteReason, link: Link) -> RouteEvent {
    RouteEvent::RouteChanged { kind, from: Route::Proxied, to: Route::Direct, reason, link }
}

fn with_scope(scope: Scope) -> RouteConfig {
    RouteConfig { scope, ..RouteConfig::default() }
}

/// Routes whose stream route became proxied at 1 s on wifi, with the events taken.
fn proxied(config: RouteConfig) -> Routes {
    let mut routes = routes(config, WIFI, STREAM_PROBES);
    routes.handle_timeout(past(1_000));
    assert_eq!(routes.route(Kind::Stream), Route::Proxied);
    events(&mut routes);
    routes
}

/// Routes whose stream route was proven direct at 100 ms on wifi, with the events taken.
fn direct() -> Routes {
    let mut routes = smart(WIFI, STREAM_PROBES);
    routes.handle_proven(at(100), Kind::Stream, Proof::Probe);
    assert_eq!(routes.phase(Kind::Stream), Phase::Direct);
    events(&mut routes);
    routes
}

/// Routes without probes whose stream route the first flow proved direct at 100 ms on wifi, with the events taken.
fn direct_without_probes() -> Routes {
    let mut routes = smart(WIFI, NO_PROBES);
    routes.handle_flow(at(0), Kind::Stream);
    routes.handle_proven(at(100), Kind::Stream, Proof::Stream);
    events(&mut routes);
    routes
}

/// Everything that could move a route, thrown at one that must not move.
fn throw_everything(routes: &mut Routes) {
    for kind in KINDS {
        routes.handle_flow(at(10), kind);
        for proof in [Proof::Datagram, Proof::Embedder, Proof::Probe, Proof::Stream] {
            routes.handle_proven(at(20), kind, proof);
        }
    }
    routes.handle_network(at(30), Network::down(Link::Wifi));
    routes.handle_timeout(at(5_000));
    routes.handle_network(at(5_000), CELLULAR);
    routes.retry(at(5_000), None);
    routes.handle_timeout(at(60_000));
}

#[test]
fn mode_off_is_direct_for_ever() {
    for scope in [Scope::Kind, Scope::Session] {
        let mut routes = routes(RouteConfig { mode: Mode::Off, ..with_scope(scope) }, WIFI, ALL_PROBES);
        throw_everything(&mut routes);
        for kind in KINDS {
            assert_eq!(routes.phase(kind), Phase::Fixed(Route::Direct));
            assert_eq!((routes.route(kind), routes.can_dial_direct(kind)), (Route::Direct, true));
        }
        assert_eq!((routes.poll_event(), routes.poll_timeout()), (None, None));
    }
}

#[test]
fn mode_normal_is_proxied_from_the_first_packet_and_never_dials_directly() {
    for scope in [Scope::Kind, Scope::Session] {
        let config = RouteConfig { mode: Mode::Normal, return_to_direct: true, ..with_scope(scope) };
        let mut routes = routes(config, WIFI, ALL_PROBES);
        for _ in 0..2 {
            for kind in KINDS {
                assert_eq!(routes.phase(kind), Phase::Fixed(Route::Proxied));
                assert_eq!((routes.route(kind), routes.can_dial_direct(kind)), (Route::Proxied, false));
                assert!(!routes.is_trial(kind));
            }
            throw_everything(&mut routes);
        }
        assert_eq!((routes.poll_event(), routes.poll_timeout()), (None, None));
    }
}

#[test]
fn rule_1_a_trial_of_one_second_begins_at_the_start_where_there_are_probes() {
    let mut routes = smart(WIFI, STREAM_PROBES);
    assert_eq!(events(&mut routes), [started(STREAM, Link::Wifi, 1_000)]);
    assert!(routes.is_trial(Kind::Stream));
    assert!(!routes.is_trial(Kind::Datagram));
    assert_eq!(routes.poll_timeout(), Some(past(1_000)));
    routes.handle_flow(at(500), Kind::Stream);
    assert_eq!(events(&mut routes), [], "a flow does not begin what runs");
}

#[test]
fn rule_1_without_probes_a_trial_begins_with_the_first_flow() {
    let mut routes = smart(WIFI, NO_PROBES);
    assert_eq!((routes.poll_event(), routes.poll_timeout()), (None, None));
    routes.handle_timeout(at(60_000));
    routes.handle_flow(at(60_000), Kind::Datagram);
    routes.handle_flow(at(60_700), Kind::Datagram);
    assert_eq!(events(&mut routes), [started(DATAGRAM, Link::Wifi, 61_000)]);
    assert_eq!(routes.phase(Kind::Stream), Phase::Idle);
}

#[test]
fn rule_1_the_length_of_the_trial_is_configuration() {
    let config = RouteConfig { trial: Duration::from_millis(300), ..RouteConfig::default() };
    let mut routes = routes(config, WIFI, ALL_PROBES);
    routes.handle_timeout(at(300));
    assert_eq!(routes.route(Kind::Stream), Route::Direct);
    routes.handle_timeout(past(300));
    assert_eq!(routes.route(Kind::Stream), Route::Proxied);
}

#[test]
fn rule_1_flows_go_direct_during_the_trial() {
    let mut routes = smart(WIFI, ALL_PROBES);
    for millis in [0, 1, 500, 1_000] {
        routes.handle_timeout(at(millis));
        for kind in KINDS {
            assert_eq!((routes.route(kind), routes.can_dial_direct(kind)), (Route::Direct, true));
        }
    }
}

#[test]
fn rule_1_while_the_network_is_down_the_first_trial_waits() {
    let mut routes = smart(Network::down(Link::Ethernet), STREAM_PROBES);
    routes.handle_flow(at(10), Kind::Datagram);
    routes.handle_timeout(at(60_000));
    for kind in KINDS {
        assert_eq!(routes.phase(kind), Phase::Waiting);
        assert_eq!((routes.route(kind), routes.can_dial_direct(kind)), (Route::Direct, false));
    }
    assert_eq!((routes.poll_event(), routes.poll_timeout()), (None, None));
    routes.handle_network(at(61_000), Network::up(Link::Ethernet));
    let both = [started(DATAGRAM, Link::Ethernet, 62_000), started(STREAM, Link::Ethernet, 62_000)];
    assert_eq!(events(&mut routes), both);
}

#[test]
fn rule_2_any_proof_before_the_deadline_makes_the_route_direct() {
    for proof in [Proof::Datagram, Proof::Embedder, Proof::Probe, Proof::Stream] {
        let mut routes = smart(WIFI, STREAM_PROBES);
        events(&mut routes);
        routes.handle_proven(at(120), Kind::Stream, proof);
        assert_eq!(events(&mut routes), [proven(STREAM, proof, 120)]);
        assert_eq!((routes.phase(Kind::Stream), routes.poll_timeout()), (Phase::Direct, None));
        routes.handle_proven(at(130), Kind::Stream, proof);
        routes.handle_timeout(at(60_000));
        assert_eq!((routes.route(Kind::Stream), routes.poll_event()), (Route::Direct, None));
    }
}

#[test]
fn rule_2_a_proof_exactly_at_the_deadline_counts() {
    let mut routes = smart(WIFI, STREAM_PROBES);
    routes.handle_proven(at(1_000), Kind::Stream, Proof::Stream);
    routes.handle_timeout(at(1_000));
    routes.handle_timeout(past(1_000));
    assert_eq!(routes.phase(Kind::Stream), Phase::Direct);
}

#[test]
fn rule_2_a_proof_at_the_deadline_counts_even_after_the_timeout_of_the_same_moment() {
    let mut routes = smart(WIFI, STREAM_PROBES);
    events(&mut routes);
    routes.handle_timeout(at(1_000));
    assert_eq!((routes.poll_timeout(), routes.poll_event()), (Some(past(1_000)), None));
    routes.handle_proven(at(1_000), Kind::Stream, Proof::Stream);
    routes.handle_timeout(past(1_000));
    assert_eq!(events(&mut routes), [proven(STREAM, Proof::Stream, 1_000)]);
}

#[test]
fn rule_2_the_embedder_may_say_so_before_the_first_flow() {
    let mut routes = smart(WIFI, NO_PROBES);
    routes.handle_proven(at(50), Kind::Datagram, Proof::Embedder);
    routes.handle_flow(at(60), Kind::Datagram);
    routes.handle_timeout(at(5_000));
    assert_eq!(events(&mut routes), [proven(DATAGRAM, Proof::Embedder, 0)]);
    assert_eq!(routes.phase(Kind::Datagram), Phase::Direct);
}

#[test]
fn rule_3_wifi_becomes_proxied_at_the_deadline() {
    let mut routes = smart(WIFI, STREAM_PROBES);
    events(&mut routes);
    routes.handle_timeout(past(1_000));
    assert_eq!(events(&mut routes), [became_proxied(STREAM, Link::Wifi)]);
    assert_eq!(routes.phase(Kind::Stream), Phase::Proxied);
    assert!(!routes.can_dial_direct(Kind::Stream));
    assert_eq!(routes.poll_timeout(), None);
}

#[test]
fn rule_3_ethernet_and_unknown_become_proxied_at_the_deadline() {
    for link in [Link::Ethernet, Link::Unknown] {
        let mut routes = smart(Network::up(link), STREAM_PROBES);
        routes.handle_timeout(past(1_000));
        assert_eq!(events(&mut routes), [started(STREAM, link, 1_000), became_proxied(STREAM, link)]);
    }
}

#[test]
fn rule_3_cellular_stays_direct_and_leaves_the_retries_to_flows_and_probes() {
    let mut routes = smart(CELLULAR, STREAM_PROBES);
    routes.handle_timeout(past(1_000));
    let expected =
        [started(STREAM, Link::Cellular, 1_000), RouteEvent::Held { kind: STREAM, link: Link::Cellular }];
    assert_eq!(events(&mut routes), expected);
    assert_eq!(routes.phase(Kind::Stream), Phase::Held { started: at(0) });
    assert_eq!((routes.route(Kind::Stream), routes.can_dial_direct(Kind::Stream)), (Route::Direct, true));
    for seconds in [2, 60, 3_600] {
        routes.handle_flow(at(seconds * 1_000), Kind::Stream);
        assert_eq!((routes.poll_event(), routes.poll_timeout()), (None, None), "no trial repeats by itself");
    }
    assert!(!routes.is_trial(Kind::Stream));
}

#[test]
fn rule_3_a_proof_after_the_deadline_counts_on_a_link_that_stays_direct() {
    for millis in [1_001, 90_000] {
        let mut routes = smart(CELLULAR, STREAM_PROBES);
        routes.handle_timeout(past(1_000));
        events(&mut routes);
        routes.handle_proven(at(millis), Kind::Stream, Proof::Stream);
        assert_eq!(events(&mut routes), [proven(STREAM, Proof::Stream, millis)]);
        assert_eq!((routes.phase(Kind::Stream), routes.poll_timeout()), (Phase::Direct, None));
    }
}

#[test]
fn rule_3_the_treatment_of_a_link_is_configuration() {
    let mut config = RouteConfig::default();
    config.treatment.wifi = AtDeadline::StayDirect;
    config.treatment.cellular = AtDeadline::Proxied;
    for (network, expected) in [(WIFI, Route::Direct), (CELLULAR, Route::Proxied)] {
        let mut routes = routes(config, network, STREAM_PROBES);
        routes.handle_timeout(past(1_000));
        assert_eq!(routes.route(Kind::Stream), expected);
    }
}

#[test]
fn rule_4_another_link_while_direct_starts_again() {
    let mut routes = direct();
    routes.handle_network(at(5_000), Network::up(Link::Ethernet));
    assert_eq!(events(&mut routes), [started(STREAM, Link::Ethernet, 6_000)]);
    routes.handle_timeout(past(6_000));
    assert_eq!(events(&mut routes), [became_proxied(STREAM, Link::Ethernet)]);
}

#[test]
fn rule_4_another_address_of_the_same_link_starts_again() {
    let mut routes = direct();
    routes.handle_network(at(5_000), WIFI);
    assert_eq!(events(&mut routes), [started(STREAM, Link::Wifi, 6_000)]);
}

#[test]
fn rule_4_a_change_during_the_trial_gives_a_whole_new_second() {
    let mut routes = smart(WIFI, STREAM_PROBES);
    routes.handle_network(at(900), Network::up(Link::Ethernet));
    routes.handle_timeout(at(1_900));
    assert!(routes.is_trial(Kind::Stream));
    routes.handle_timeout(past(1_900));
    assert_eq!(routes.route(Kind::Stream), Route::Proxied);
}

#[test]
fn rule_4_the_new_link_has_its_own_treatment() {
    let mut routes = smart(CELLULAR, STREAM_PROBES);
    routes.handle_timeout(past(1_000));
    routes.handle_network(at(1_200), WIFI);
    assert!(routes.is_trial(Kind::Stream));
    routes.handle_timeout(past(2_200));
    assert_eq!(routes.route(Kind::Stream), Route::Proxied);
}

#[test]
fn rule_4_without_probes_a_changed_network_is_tried_with_the_next_flow() {
    let mut in_trial = smart(WIFI, NO_PROBES);
    in_trial.handle_flow(at(4_500), Kind::Stream);
    let mut held = smart(CELLULAR, NO_PROBES);
    held.handle_flow(at(0), Kind::Stream);
    held.handle_timeout(past(1_000));
    for mut routes in [direct_without_probes(), in_trial, held] {
        events(&mut routes);
        routes.handle_network(at(5_000), Network::up(Link::Ethernet));
        assert_eq!((routes.phase(Kind::Stream), routes.route(Kind::Stream)), (Phase::Idle, Route::Direct));
        routes.handle_timeout(at(60_000));
        assert_eq!((routes.poll_event(), routes.poll_timeout()), (None, None), "nothing was tried");
        routes.handle_flow(at(60_000), Kind::Stream);
        routes.handle_timeout(past(61_000));
        let expected = [started(STREAM, Link::Ethernet, 61_000), became_proxied(STREAM, Link::Ethernet)];
        assert_eq!(events(&mut routes), expected);
    }
}

#[test]
fn rule_4_without_probes_a_flow_that_comes_while_the_network_is_down_waits_for_it() {
    let mut routes = direct_without_probes();
    routes.handle_network(at(5_000), Network::down(Link::Wifi));
    assert_eq!(routes.phase(Kind::Stream), Phase::Idle);
    routes.handle_flow(at(6_000), Kind::Stream);
    assert_eq!(routes.phase(Kind::Stream), Phase::Waiting);
    routes.handle_network(at(6_500), Network::down(Link::Ethernet));
    routes.retry(at(6_600), None);
    assert_eq!((routes.phase(Kind::Stream), routes.poll_event()), (Phase::Waiting, None));
    routes.handle_network(at(7_000), CELLULAR);
    assert_eq!(events(&mut routes), [started(STREAM, Link::Cellular, 8_000)]);
}

#[test]
fn rule_4_while_the_network_is_down_a_trial_waits_and_then_starts() {
    let mut trial = smart(WIFI, STREAM_PROBES);
    events(&mut trial);
    let mut held = smart(CELLULAR, STREAM_PROBES);
    held.handle_timeout(past(1_000));
    events(&mut held);
    for (mut routes, millis) in [(trial, 999), (held, 1_100), (direct(), 5_000)] {
        routes.handle_network(at(millis), Network::down(Link::Wifi));
        assert_eq!((routes.phase(Kind::Stream), routes.poll_timeout()), (Phase::Waiting, None));
        routes.handle_timeout(at(20_000));
        routes.handle_proven(at(20_000), Kind::Stream, Proof::Stream);
        assert_eq!(
            (routes.route(Kind::Stream), routes.can_dial_direct(Kind::Stream)),
            (Route::Direct, false)
        );
        assert_eq!(events(&mut routes), []);
        routes.handle_network(at(30_000), Network::up(Link::Ethernet));
        assert_eq!(events(&mut routes), [started(STREAM, Link::Ethernet, 31_000)]);
    }
}

#[test]
fn rule_4_a_change_before_the_first_flow_starts_nothing() {
    let mut routes = smart(WIFI, NO_PROBES);
    routes.handle_network(at(100), Network::down(Link::Wifi));
    assert!(!routes.can_dial_direct(Kind::Stream));
    routes.handle_network(at(200), CELLULAR);
    assert_eq!((routes.phase(Kind::Stream), routes.poll_event()), (Phase::Idle, None));
    routes.handle_flow(at(300), Kind::Stream);
    assert_eq!(events(&mut routes), [started(STREAM, Link::Cellular, 1_300)]);
}

#[test]
fn rule_4_a_deadline_that_passed_before_the_change_was_told_holds() {
    let mut routes = smart(WIFI, STREAM_PROBES);
    events(&mut routes);
    routes.handle_network(past(1_000), CELLULAR);
    assert_eq!(events(&mut routes), [became_proxied(STREAM, Link::Wifi)]);
}

#[test]
fn rule_5_a_proxied_route_stays_proxied_when_the_network_changes() {
    let mut routes = proxied(RouteConfig::default());
    for network in [CELLULAR, Network::down(Link::Cellular), WIFI, WIFI] {
        routes.handle_network(at(5_000), network);
        assert_eq!(routes.route(Kind::Stream), Route::Proxied);
    }
    assert_eq!((routes.poll_event(), routes.poll_timeout()), (None, None));
}

#[test]
fn rule_5_return_to_direct_starts_again_once_the_network_is_up() {
    let config = RouteConfig { return_to_direct: true, ..RouteConfig::default() };
    let mut routes = proxied(config);
    routes.handle_network(at(5_000), Network::down(Link::Wifi));
    assert_eq!((routes.route(Kind::Stream), routes.poll_event()), (Route::Proxied, None));
    routes.handle_network(at(6_000), CELLULAR);
    let expected = [
        became_direct(STREAM, RouteReason::NetworkChanged, Link::Cellular),
        started(STREAM, Link::Cellular, 7_000),
    ];
    assert_eq!(events(&mut routes), expected);
    assert!(routes.is_trial(Kind::Stream));
}

#[test]
fn rule_5_return_to_direct_without_probes_tries_with_the_next_flow() {
    let config = RouteConfig { return_to_direct: true, ..RouteConfig::default() };
    let mut routes = routes(config, WIFI, NO_PROBES);
    routes.handle_flow(at(0), Kind::Stream);
    routes.handle_timeout(past(1_000));
    events(&mut routes);
    routes.handle_network(at(6_000), CELLULAR);
    assert_eq!(events(&mut routes), [became_direct(STREAM, RouteReason::NetworkChanged, Link::Cellular)]);
    assert_eq!((routes.phase(Kind::Stream), routes.route(Kind::Stream)), (Phase::Idle, Route::Direct));
    routes.handle_flow(at(7_000), Kind::Stream);
    assert_eq!(events(&mut routes), [started(STREAM, Link::Cellular, 8_000)]);
}

#[test]
fn rule_6_a_late_success_changes_nothing() {
    for proof in [Proof::Datagram, Proof::Embedder, Proof::Probe, Proof::Stream] {
        let mut routes = proxied(RouteConfig::default());
        routes.handle_proven(at(1_001), Kind::Stream, proof);
        routes.handle_proven(at(90_000), Kind::Stream, proof);
        assert_eq!((routes.phase(Kind::Stream), routes.poll_event()), (Phase::Proxied, None));
    }
}

#[test]
fn rule_6_a_success_past_the_deadline_first_ends_the_trial() {
    let mut routes = smart(WIFI, STREAM_PROBES);
    events(&mut routes);
    routes.handle_proven(past(1_000), Kind::Stream, Proof::Stream);
    assert_eq!(events(&mut routes), [became_proxied(STREAM, Link::Wifi)]);
}

#[test]
fn rule_7_a_new_trial_can_be_asked_for_when_proxied() {
    let mut routes = proxied(RouteConfig::default());
    routes.retry(at(5_000), STREAM);
    let expected =
        [became_direct(STREAM, RouteReason::NewTrialAsked, Link::Wifi), started(STREAM, Link::Wifi, 6_000)];
    assert_eq!(events(&mut routes), expected);
    routes.handle_timeout(past(6_000));
    assert_eq!(events(&mut routes), [became_proxied(STREAM, Link::Wifi)]);
}

#[test]
fn rule_7_a_new_trial_can_be_asked_for_when_direct_in_trial_or_held() {
    let mut held = smart(CELLULAR, STREAM_PROBES);
    held.handle_timeout(past(1_000));
    for mut routes in [direct(), smart(WIFI, STREAM_PROBES), held] {
        events(&mut routes);
        routes.retry(at(1_000), None);
        assert!(routes.is_trial(Kind::Stream));
        let told = events(&mut routes);
        assert!(matches!(told[..], [RouteEvent::TrialStarted { kind: STREAM, .. }]), "{told:?}");
        assert_eq!(routes.phase(Kind::Datagram), Phase::Idle, "the first flow has not come yet");
    }
}

#[test]
fn rule_7_without_probes_the_new_trial_begins_with_the_next_flow() {
    let mut proxied = smart(WIFI, NO_PROBES);
    proxied.handle_flow(at(0), Kind::Stream);
    proxied.handle_timeout(past(1_000));
    events(&mut proxied);
    let back = became_direct(STREAM, RouteReason::NewTrialAsked, Link::Wifi);
    for (mut routes, told) in [(direct_without_probes(), vec![]), (proxied, vec![back])] {
        routes.retry(at(5_000), None);
        assert_eq!(events(&mut routes), told);
        assert_eq!((routes.phase(Kind::Stream), routes.poll_timeout()), (Phase::Idle, None));
        routes.handle_flow(at(9_000), Kind::Stream);
        assert_eq!(events(&mut routes), [started(STREAM, Link::Wifi, 10_000)]);
    }
}

#[test]
fn rule_7_asked_for_while_the_network_is_down_the_new_trial_waits() {
    let mut routes = proxied(RouteConfig::default());
    routes.handle_network(at(2_000), Network::down(Link::Wifi));
    routes.retry(at(3_000), None);
    assert_eq!(events(&mut routes), [became_direct(STREAM, RouteReason::NewTrialAsked, Link::Wifi)]);
    assert_eq!((routes.phase(Kind::Stream), routes.can_dial_direct(Kind::Stream)), (Phase::Waiting, false));
    routes.handle_network(at(4_000), WIFI);
    assert_eq!(events(&mut routes), [started(STREAM, Link::Wifi, 5_000)]);
}

#[test]
fn rule_7_a_new_trial_of_one_kind_leaves_the_other() {
    let mut routes = smart(WIFI, ALL_PROBES);
    routes.handle_timeout(past(1_000));
    routes.retry(at(2_000), DATAGRAM);
    assert_eq!((routes.route(Kind::Datagram), routes.route(Kind::Stream)), (Route::Direct, Route::Proxied));
}

#[test]
fn scope_kind_judges_streams_and_datagrams_apart() {
    let mut routes = smart(WIFI, ALL_PROBES);
    routes.handle_proven(at(30), Kind::Stream, Proof::Stream);
    routes.handle_timeout(past(1_000));
    let expected = [
        started(DATAGRAM, Link::Wifi, 1_000),
        started(STREAM, Link::Wifi, 1_000),
        proven(STREAM, Proof::Stream, 30),
        became_proxied(DATAGRAM, Link::Wifi),
    ];
    assert_eq!(events(&mut routes), expected);
    assert_eq!((routes.route(Kind::Datagram), routes.route(Kind::Stream)), (Route::Proxied, Route::Direct));
}

#[test]
fn scope_kind_an_unanswered_datagram_flow_goes_to_the_relay_at_its_own_deadline() {
    let mut routes = smart(WIFI, STREAM_PROBES);
    routes.handle_flow(at(400), Kind::Datagram);
    assert_eq!(routes.poll_timeout(), Some(past(1_000)));
    routes.handle_proven(at(500), Kind::Stream, Proof::Probe);
    assert_eq!(routes.poll_timeout(), Some(past(1_400)));
    routes.handle_timeout(past(1_400));
    assert_eq!((routes.route(Kind::Datagram), routes.route(Kind::Stream)), (Route::Proxied, Route::Direct));
}

#[test]
fn scope_session_is_one_decision_for_both() {
    let session = with_scope(Scope::Session);
    let mut proven_by_a_stream = routes(session, WIFI, STREAM_PROBES);
    proven_by_a_stream.handle_proven(at(30), Kind::Stream, Proof::Stream);
    proven_by_a_stream.handle_timeout(at(9_000));
    let expected = [started(None, Link::Wifi, 1_000), proven(None, Proof::Stream, 30)];
    assert_eq!(events(&mut proven_by_a_stream), expected);

    let mut unproven = routes(session, WIFI, NO_PROBES);
    unproven.handle_flow(at(10), Kind::Datagram);
    unproven.handle_flow(at(20), Kind::Stream);
    unproven.handle_timeout(past(1_010));
    assert_eq!(events(&mut unproven), [started(None, Link::Wifi, 1_010), became_proxied(None, Link::Wifi)]);
    assert!(KINDS.iter().all(|kind| unproven.route(*kind) == Route::Proxied));
    unproven.retry(at(2_000), DATAGRAM);
    assert!(KINDS.iter().all(|kind| unproven.phase(*kind) == Phase::Idle));
    unproven.handle_flow(at(2_100), Kind::Stream);
    assert!(KINDS.iter().all(|kind| unproven.is_trial(*kind)));

    proven_by_a_stream.retry(at(9_000), DATAGRAM);
    assert_eq!(
        events(&mut proven_by_a_stream),
        [started(None, Link::Wifi, 10_000)],
        "any probe counts for both"
    );
}

#[test]
fn an_older_now_counts_as_the_latest() {
    let mut routes = smart(WIFI, NO_PROBES);
    routes.handle_timeout(at(500));
    routes.handle_flow(at(0), Kind::Stream);
    assert_eq!(events(&mut routes), [started(STREAM, Link::Wifi, 1_500)]);
    routes.handle_timeout(past(1_500));
    routes.handle_proven(at(600), Kind::Stream, Proof::Stream);
    assert_eq!(routes.route(Kind::Stream), Route::Proxied);
}
