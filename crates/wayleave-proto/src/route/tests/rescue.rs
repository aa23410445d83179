//! Rules 9 and 10, as far as the machine of the routes decides them.

use core::time::Duration;

use super::super::{Blocked, Failure, Phase, Proof, RouteEvent, Routes};
use super::{CELLULAR, KINDS, NO_PROBES, STREAM_PROBES, WIFI, at, events, routes};
use crate::base::{Instant, Kind, Link, Network, Target};
use crate::config::{AtDeadline, DoubtConfig, Mode, RescueConfig, RouteConfig, Scope};

const STREAM: Kind = Kind::Stream;

fn target(text: &str) -> Target {
    text.parse().unwrap()
}

/// Routes whose stream route is direct on wifi, with the events taken.
fn direct(config: RouteConfig) -> Routes {
    let mut routes = routes(config, WIFI, NO_PROBES);
    routes.handle_proven(at(0), STREAM, Proof::Embedder);
    events(&mut routes);
    routes
}

fn usual() -> RouteConfig {
    RouteConfig::default()
}

fn told(routes: &mut Routes) -> Vec<Failure> {
    let failure = |event| match event {
        RouteEvent::ProofFailed { failure, .. } => Some(failure),
        _ => None,
    };
    events(routes).into_iter().filter_map(failure).collect()
}

#[test]
fn flows_are_rescued_while_the_route_is_direct_and_never_on_cellular() {
    let stay = |routing: &mut RouteConfig| routing.treatment.wifi = AtDeadline::StayDirect;
    let mut held = usual();
    stay(&mut held);
    let off = RouteConfig { rescue: RescueConfig { on: false, ..RescueConfig::default() }, ..usual() };
    let mut always = usual();
    always.treatment.cellular = AtDeadline::Proxied;
    let table = [
        (usual(), WIFI, true),
        (usual(), Network::up(Link::Ethernet), true),
        (usual(), Network::up(Link::Unknown), true),
        (usual(), CELLULAR, false),
        (always, CELLULAR, false),
        (held, WIFI, false),
        (off, WIFI, false),
        (RouteConfig { mode: Mode::Normal, ..usual() }, WIFI, false),
        (RouteConfig { mode: Mode::Off, ..usual() }, WIFI, false),
    ];
    for (config, network, expected) in table {
        let mut routes = routes(config, network, NO_PROBES);
        assert!(!routes.can_rescue(STREAM), "before it is proven");
        routes.handle_proven(at(0), STREAM, Proof::Embedder);
        assert_eq!(routes.can_rescue(STREAM), expected, "{config:?} {network:?}");
        let web = target("a.example:80");
        assert_eq!(routes.handle_rescued(at(1), STREAM, &web).is_some(), expected);
        assert_eq!(routes.is_blocked(at(2), STREAM, &web), expected);
    }
}

#[test]
fn a_port_is_blocked_for_a_growing_pause_and_one_flow_tries_in_between() {
    let mut routes = direct(usual());
    let web = target("a.example:80");
    let mut now = Instant::ZERO;
    for pause in [60, 120, 240, 480, 960, 1_800, 1_800] {
        assert!(!routes.is_blocked(now, STREAM, &web), "the one that tries");
        let pause = Duration::from_secs(pause);
        assert_eq!(routes.handle_rescued(now, STREAM, &web), Some((Blocked::Port, pause)));
        for host in ["a.example:80", "b.example:80", "192.0.2.1:80"] {
            assert!(routes.is_blocked(now + pause - Duration::from_nanos(1), STREAM, &target(host)));
        }
        assert!(!routes.is_blocked(now, Kind::Datagram, &web), "the other kind");
        assert!(!routes.is_blocked(now, STREAM, &target("a.example:81")), "another port");
        now = now + pause;
    }
    assert!(!routes.is_blocked(now, STREAM, &web));
    assert!(routes.is_blocked(now, STREAM, &web), "only one in a while");
}

#[test]
fn an_answer_opens_a_port_again() {
    let mut routes = direct(usual());
    let web = target("a.example:80");
    routes.handle_rescued(at(0), STREAM, &web);
    assert!(routes.has_blocked(STREAM) && !routes.has_blocked(Kind::Datagram));
    routes.handle_answered(at(1), STREAM, &target("b.example:80"));
    assert!(!routes.is_blocked(at(2), STREAM, &web) && routes.is_answered(STREAM, &web));
    assert!(!routes.has_blocked(STREAM));
}

#[test]
fn where_others_are_answered_a_host_is_blocked_alone() {
    let mut routes = direct(usual());
    let (good, bad, worse) =
        (target("good.example:80"), target("bad.example:80"), target("worse.example:80"));
    routes.handle_answered(at(0), STREAM, &good);
    assert_eq!(routes.handle_lost(at(1), STREAM, &bad), None, "nobody knows whether it is the path");
    assert_eq!(routes.handle_rescued(at(1), STREAM, &bad).map(|(what, _)| what), Some(Blocked::Host));
    assert!(routes.is_blocked(at(2), STREAM, &bad) && !routes.is_blocked(at(2), STREAM, &good));
    // Nothing was answered since: the next one speaks of the port.
    assert_eq!(routes.handle_rescued(at(3), STREAM, &worse).map(|(what, _)| what), Some(Blocked::Port));
    assert!(routes.is_blocked(at(4), STREAM, &good));
}

#[test]
fn what_is_known_is_forgotten_with_the_network_and_when_a_trial_is_asked_for() {
    let web = target("a.example:80");
    let mut routes = direct(usual());
    routes.handle_rescued(at(0), STREAM, &web);
    routes.handle_network(at(1), Network::up(Link::Ethernet));
    routes.handle_proven(at(2), STREAM, Proof::Embedder);
    assert!(!routes.is_blocked(at(3), STREAM, &web));
    routes.handle_rescued(at(3), STREAM, &web);
    routes.retry(at(4), Some(Kind::Datagram));
    assert!(routes.is_blocked(at(5), STREAM, &web), "the other kind");
    routes.retry(at(6), Some(STREAM));
    routes.handle_proven(at(7), STREAM, Proof::Embedder);
    assert!(!routes.is_blocked(at(8), STREAM, &web));
}

#[test]
fn the_memory_is_bounded_and_the_oldest_goes_first() {
    let config =
        RouteConfig { rescue: RescueConfig { remembered: 16, ..RescueConfig::default() }, ..usual() };
    let mut routes = direct(config);
    for port in 1..=100_u16 {
        routes.handle_rescued(at(u64::from(port)), STREAM, &target(&format!("a.example:{port}")));
    }
    assert_eq!(routes.remembered(), 16);
    let blocked = |port: u16, routes: &mut Routes| {
        routes.is_blocked(at(200), STREAM, &target(&format!("a.example:{port}")))
    };
    assert!(!blocked(84, &mut routes) && blocked(85, &mut routes) && blocked(100, &mut routes));
}

#[test]
fn several_failures_in_a_row_make_doubt() {
    for scope in [Scope::Kind, Scope::Session] {
        let mut routes = direct(RouteConfig { scope, ..usual() });
        routes.handle_broken(at(100), STREAM);
        routes.handle_broken(at(200), STREAM);
        routes.handle_heard(at(300), STREAM);
        routes.handle_broken(at(400), STREAM);
        routes.handle_broken(at(500), STREAM);
        // The window of ten seconds begins anew.
        routes.handle_broken(at(10_401), STREAM);
        routes.handle_broken(at(10_402), STREAM);
        assert_eq!((told(&mut routes), routes.phase(STREAM)), (vec![], Phase::Direct));
        routes.handle_broken(at(10_403), STREAM);
        assert_eq!((told(&mut routes), routes.phase(STREAM)), (vec![Failure::Broken(3)], Phase::Idle));
    }
}

#[test]
fn a_rescue_where_others_were_answered_is_a_failure_and_one_elsewhere_is_none() {
    let mut routes = direct(usual());
    for port in [81, 82, 83, 84, 85] {
        routes.handle_rescued(at(10), STREAM, &target(&format!("a.example:{port}")));
    }
    assert_eq!(told(&mut routes), [], "a port list is no proof that failed");
    let ports = [443, 444, 445].map(|port| target(&format!("a.example:{port}")));
    for port in &ports {
        routes.handle_answered(at(20), STREAM, port);
    }
    for port in &ports {
        routes.handle_rescued(at(30), STREAM, port);
    }
    assert_eq!(told(&mut routes), [Failure::Broken(3)]);
}

#[test]
fn silence_after_several_sends_makes_doubt() {
    let mut routes = direct(usual());
    routes.handle_sent(at(1_000), STREAM);
    routes.handle_sent(at(1_001), STREAM);
    assert_eq!(routes.poll_timeout(), None, "two may be one question");
    routes.handle_sent(at(9_000), STREAM);
    assert_eq!(routes.poll_timeout(), Some(at(11_000)));
    routes.handle_heard(at(10_999), STREAM);
    assert_eq!(routes.poll_timeout(), None);
    (0..3).for_each(|_| routes.handle_sent(at(20_000), STREAM));
    routes.handle_timeout(at(30_000));
    assert_eq!(told(&mut routes), [Failure::Silent(Duration::from_secs(10))]);
    assert_eq!(routes.phase(STREAM), Phase::Idle);
}

#[test]
fn the_pause_between_trials_grows_until_the_network_changes() {
    let mut routes = direct(usual());
    let fail = |routes: &mut Routes, now: Instant| {
        routes.handle_proven(now, STREAM, Proof::Embedder);
        (0..3).for_each(|_| routes.handle_broken(now, STREAM));
        told(routes).len()
    };
    let mut now = Instant::ZERO;
    for pause in [30, 60, 120, 240, 480, 960, 1_800, 1_800] {
        assert_eq!(fail(&mut routes, now), 1, "{now}");
        let next = now + Duration::from_secs(pause);
        assert_eq!(fail(&mut routes, next - Duration::from_nanos(1)), 0, "{now}");
        routes.handle_heard(next, STREAM);
        now = next;
    }
    routes.handle_network(now, Network::up(Link::Ethernet));
    assert_eq!(fail(&mut routes, now), 1);
}

#[test]
fn doubt_can_be_switched_off_and_has_nothing_to_decide_on_cellular() {
    let off = RouteConfig { doubt: DoubtConfig { on: false, ..DoubtConfig::default() }, ..usual() };
    for (config, network) in [(off, WIFI), (usual(), CELLULAR)] {
        let mut routes = routes(config, network, NO_PROBES);
        routes.handle_proven(at(0), STREAM, Proof::Embedder);
        for _ in 0..10 {
            routes.handle_broken(at(1), STREAM);
            routes.handle_sent(at(1), STREAM);
        }
        routes.handle_timeout(at(100_000));
        assert_eq!((told(&mut routes), routes.phase(STREAM)), (vec![], Phase::Direct));
        assert_eq!(routes.poll_timeout(), None);
    }
}

#[test]
fn a_failed_proof_begins_a_trial_at_once_where_there_are_probes() {
    let mut routes = routes(usual(), WIFI, STREAM_PROBES);
    routes.handle_proven(at(0), STREAM, Proof::Probe);
    (0..3).for_each(|_| routes.handle_broken(at(500), STREAM));
    assert!(routes.is_trial(STREAM));
    routes.handle_timeout(at(1_501));
    assert_eq!(routes.phase(STREAM), Phase::Proxied);
}

#[test]
fn nothing_of_this_counts_in_other_phases() {
    for kind in KINDS {
        let mut routes = routes(usual(), WIFI, NO_PROBES);
        routes.handle_flow(at(0), kind);
        (0..9).for_each(|_| routes.handle_broken(at(1), kind));
        (0..9).for_each(|_| routes.handle_sent(at(1), kind));
        assert!(routes.is_trial(kind));
        routes.handle_timeout(at(20_000));
        assert_eq!((told(&mut routes), routes.phase(kind)), (vec![], Phase::Proxied));
    }
}
