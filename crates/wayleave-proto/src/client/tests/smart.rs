//! Smart mode, rule by rule, with flows on it.

use super::*;
use crate::base::Route;
use crate::config::{Probe, Scope};
use crate::testing::Direct;

fn changed(world: &World) -> Option<Instant> {
    when(world, |what| matches!(what, What::RouteChanged { to: Route::Proxied, .. }))
}

#[test]
fn rule_2_an_open_network_settles_direct_at_once() {
    let mut world = world(config(Mode::Smart, Link::Wifi));
    let flow = connect(&mut world, ECHO);
    assert_eq!(world.client.status(flow), FlowStatus::Open(Route::Direct));
    assert!(world.now.as_millis() < 10);
    world.run(5 * SECOND);
    assert_eq!(changed(&world), None);
    assert!(when(&world, |what| matches!(what, What::DirectConnected { .. })).is_some());
}

#[test]
fn rule_3_every_link_but_cellular_becomes_proxied_at_the_deadline() {
    for direct in [Direct::BlackHole, Direct::Refusing] {
        for link in [Link::Wifi, Link::Ethernet, Link::Unknown] {
            let mut world = world(config(Mode::Smart, link));
            world.direct = direct;
            let flow = connect(&mut world, ECHO);
            assert_eq!(world.client.status(flow), FlowStatus::Open(Route::Proxied), "{link}");
            assert_eq!(changed(&world).map(Instant::as_millis), Some(1_000), "{link} {direct:?}");
            assert_eq!(exchange(&mut world, flow, b"hello"), b"hello");
        }
    }
}

#[test]
fn rule_3_cellular_stays_direct_and_tries_again() {
    for direct in [Direct::BlackHole, Direct::Refusing] {
        let mut world = world(config(Mode::Smart, Link::Cellular));
        world.direct = direct;
        let flow = open(&mut world, Kind::Stream, ECHO);
        world.run(4 * SECOND);
        assert_eq!(changed(&world), None);
        assert!(when(&world, |what| matches!(what, What::StayingDirect { .. })).is_some());
        assert!(
            when(&world, |what| matches!(what, What::Retrying { .. })).is_some(),
            "{}",
            story(&world.events)
        );
        assert!(!is_open(&world, flow));
        world.direct = Direct::Open;
        assert!(world.run_until(20 * SECOND, |world| is_open(world, flow)), "{}", story(&world.events));
        assert_eq!(world.client.status(flow), FlowStatus::Open(Route::Direct));
    }
}

#[test]
fn rule_4_a_new_network_starts_the_trial_anew() {
    let mut world = world(config(Mode::Smart, Link::Wifi));
    connect(&mut world, ECHO);
    world.run(SECOND);
    world.direct = Direct::BlackHole;
    let at = world.now;
    world.client.handle_network(at, Network::up(Link::Ethernet));
    let flow = connect(&mut world, ECHO);
    assert_eq!(world.client.status(flow), FlowStatus::Open(Route::Proxied));
    assert_eq!(changed(&world).map(|changed| changed.since(at).as_millis()), Some(1_000));
}

#[test]
fn rule_4_while_the_network_is_down_everything_waits() {
    let mut world = world(config(Mode::Smart, Link::Wifi));
    world.client.handle_network(world.now, Network::down(Link::Wifi));
    let flow = open(&mut world, Kind::Stream, ECHO);
    world.run(5 * SECOND);
    assert_eq!(world.client.status(flow), FlowStatus::Pending);
    assert!(world.reached.is_empty(), "{:?}", world.reached);
    world.client.handle_network(world.now, Network::up(Link::Wifi));
    assert!(world.run_until(SECOND, |world| is_open(world, flow)), "{}", story(&world.events));
}

#[test]
fn rule_5_a_proxied_route_stays_and_datagram_tunnels_are_made_anew() {
    let mut world = world(config(Mode::Smart, Link::Wifi));
    world.direct = Direct::BlackHole;
    let flow = open(&mut world, Kind::Datagram, ECHO);
    world.run(2 * SECOND);
    assert_eq!(world.client.status(flow), FlowStatus::Open(Route::Proxied));
    world.direct = Direct::Open;
    world.client.handle_network(world.now, Network::up(Link::Cellular));
    assert_eq!(world.client.route(Kind::Datagram), Route::Proxied);
    world.run(2 * SECOND);
    world.client.send_datagram(world.now, flow, b"over the new link").unwrap();
    assert!(world.run_until(SECOND, |world| !datagrams(world, flow).is_empty()), "{}", story(&world.events));
    assert_eq!(world.client.status(flow), FlowStatus::Open(Route::Proxied));
}

#[test]
fn rule_7_a_new_trial_on_request_can_return_to_direct() {
    let mut world = world(config(Mode::Smart, Link::Wifi));
    world.direct = Direct::BlackHole;
    let old = connect(&mut world, ECHO);
    world.direct = Direct::Open;
    world.client.retry_direct(world.now, None);
    let new = connect(&mut world, ECHO);
    assert_eq!(world.client.status(new), FlowStatus::Open(Route::Direct));
    assert_eq!(exchange(&mut world, old, b"the old tunnel lives"), b"the old tunnel lives");
}

#[test]
fn rule_8_an_open_stream_is_not_cut_by_a_route_change() {
    let mut world = world(config(Mode::Smart, Link::Wifi));
    let flow = connect(&mut world, ECHO);
    world.direct = Direct::BlackHole;
    world.client.retry_direct(world.now, Some(Kind::Stream));
    world.run(2 * SECOND);
    assert_eq!(world.client.route(Kind::Stream), Route::Proxied);
    assert_eq!(exchange(&mut world, flow, b"direct to the end"), b"direct to the end");
}

#[test]
fn kinds_are_judged_apart_and_together_in_session_scope() {
    for (scope, datagram) in [(Scope::Kind, Route::Direct), (Scope::Session, Route::Proxied)] {
        let mut config = config(Mode::Smart, Link::Wifi);
        config.route.scope = scope;
        let mut world = world(config);
        world.direct = Direct::BlackHole;
        connect(&mut world, ECHO);
        assert_eq!(world.client.route(Kind::Datagram), datagram, "{scope}");
    }
}

#[test]
fn probes_start_the_trial_and_prove_the_path() {
    for kind in [Kind::Stream, Kind::Datagram] {
        for (direct, route) in [(Direct::Open, Route::Direct), (Direct::BlackHole, Route::Proxied)] {
            let mut config = config(Mode::Smart, Link::Wifi);
            config.probes = vec![Probe { kind, target: "10.0.0.1:3478".parse().unwrap() }];
            let mut world = world(config);
            world.direct = direct;
            world.run(2 * SECOND);
            assert!(when(&world, |what| matches!(what, What::TrialStarted { .. })).is_some());
            assert_eq!(world.client.route(kind), route, "{kind} {direct:?}\n{}", story(&world.events));
        }
    }
}

#[test]
fn the_same_inputs_give_the_same_story() {
    let run = || {
        let mut world = world(config(Mode::Smart, Link::Cellular));
        world.direct = Direct::Refusing;
        open(&mut world, Kind::Stream, ECHO);
        world.run(20 * SECOND);
        story(&world.events)
    };
    assert_eq!(run(), run());
}
