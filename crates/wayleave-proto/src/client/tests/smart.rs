//! Smart mode, rule by rule, with flows on it.

use super::*;
use crate::base::{Families, Route};
use crate::config::{Probe, Scope};
use crate::net::{Machine as _, Output};
use crate::testing::Direct;

fn changed(world: &World) -> Option<Instant> {
    when(world, |what| matches!(what, What::RouteChanged { to: Route::Proxied, .. }))
}

fn trials(world: &World) -> usize {
    world.events.iter().filter(|event| matches!(event.what, What::TrialStarted { .. })).count()
}

fn moves(world: &World) -> usize {
    world.events.iter().filter(|event| matches!(event.what, What::FlowMoved { .. })).count()
}

/// Sends one datagram and says whether it comes back within a second.
fn is_echoed(world: &mut World, flow: FlowId, payload: &[u8]) -> bool {
    world.client.send_datagram(world.now, flow, payload).unwrap();
    world.run_until(SECOND, |world| datagrams(world, flow) == [payload])
}

/// A client on an open wifi with a datagram flow that was answered directly a minute ago.
fn answered() -> (World, FlowId) {
    let mut world = world(config(Mode::Smart, Link::Wifi));
    let flow = open(&mut world, Kind::Datagram, ECHO);
    assert!(is_echoed(&mut world, flow, b"first"));
    world.run(60 * SECOND);
    assert_eq!(world.client.status(flow), FlowStatus::Open(Route::Direct));
    assert_eq!((trials(&world), moves(&world)), (1, 0), "{}", story(&world.events));
    world.reached.clear();
    (world, flow)
}

#[test]
pub(super) fn rule_2_an_open_network_settles_direct_at_once() {
    let mut world = world(config(Mode::Smart, Link::Wifi));
    let flow = connect(&mut world, ECHO);
    assert_eq!(world.client.status(flow), FlowStatus::Open(Route::Direct));
    assert!(world.now.as_millis() < 10);
    world.run(5 * SECOND);
    assert_eq!(changed(&world), None);
    assert!(when(&world, |what| matches!(what, What::DirectConnected { .. })).is_some());
}

#[test]
pub(super) fn rule_3_every_link_but_cellular_becomes_proxied_at_the_deadline() {
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
pub(super) fn rule_3_cellular_stays_direct_and_tries_again() {
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
pub(super) fn rule_3_probes_on_cellular_try_again_soon_after_the_deadline() {
    for (direct, millis) in [(Direct::BlackHole, 1_200), (Direct::Refusing, 2_000)] {
        let mut config = config(Mode::Smart, Link::Cellular);
        config.probes = vec![Probe { kind: Kind::Stream, target: "10.0.0.1:3478".parse().unwrap() }];
        let mut world = world(config);
        world.direct = direct;
        world.run(Duration::from_millis(millis));
        world.direct = Direct::Open;
        let proven =
            |world: &mut World| when(world, |what| matches!(what, What::DirectConnected { .. })).is_some();
        assert!(world.run_until(2 * SECOND, proven), "{}", story(&world.events));
        assert_eq!(trials(&world), 1);
    }
}

#[test]
pub(super) fn rule_4_an_answered_datagram_flow_stays_direct_on_an_open_network() {
    let (mut world, flow) = answered();
    world.client.handle_network(world.now, Network::up(Link::Ethernet));
    assert!(is_echoed(&mut world, flow, b"over the new link"), "{}", story(&world.events));
    world.run(3 * SECOND);
    assert_eq!(world.client.status(flow), FlowStatus::Open(Route::Direct));
    assert_eq!((trials(&world), changed(&world)), (2, None), "{}", story(&world.events));
    assert!(world.reached.contains(ECHO), "the old socket has the wrong address");
}

#[test]
pub(super) fn rule_4_an_answered_datagram_flow_leaves_a_black_hole_after_one_second() {
    for link in [Link::Wifi, Link::Ethernet] {
        let (mut world, flow) = answered();
        world.direct = Direct::BlackHole;
        let at = world.now;
        world.client.handle_network(at, Network::up(link));
        world.client.send_datagram(at, flow, b"lost").unwrap();
        world.run(2 * SECOND);
        assert_eq!(changed(&world).map(|changed| changed.since(at).as_millis()), Some(1_000));
        assert_eq!(world.client.status(flow), FlowStatus::Open(Route::Proxied));
        assert!(is_echoed(&mut world, flow, b"through the relay"), "{}", story(&world.events));
    }
}

#[test]
pub(super) fn rule_4_a_datagram_flow_outlives_a_time_without_network() {
    let (mut world, flow) = answered();
    world.client.handle_network(world.now, Network::down(Link::Wifi));
    world.run(60 * SECOND);
    assert_eq!((trials(&world), world.client.status(flow)), (1, FlowStatus::Open(Route::Direct)));
    world.client.handle_network(world.now, Network::up(Link::Wifi));
    assert_eq!(world.client.route(Kind::Datagram), Route::Direct);
    assert!(is_echoed(&mut world, flow, b"back"), "{}", story(&world.events));
    world.run(3 * SECOND);
    assert_eq!((trials(&world), changed(&world)), (2, None));
}

#[test]
pub(super) fn rule_4_a_new_network_with_nothing_that_looks_for_its_way_is_tried_with_the_next_flow() {
    let (mut world, flow) = answered();
    world.client.release(world.now, flow);
    let stream = connect(&mut world, ECHO);
    world.direct = Direct::BlackHole;
    world.client.handle_network(world.now, Network::up(Link::Ethernet));
    world.run(5 * SECOND);
    assert_eq!((trials(&world), changed(&world)), (2, None), "one for each kind\n{}", story(&world.events));
    let at = world.now;
    connect(&mut world, ECHO);
    assert_eq!(changed(&world).map(|changed| changed.since(at).as_millis()), Some(1_000));
    assert_eq!((trials(&world), world.client.route(Kind::Datagram)), (3, Route::Direct));
    assert_eq!(exchange(&mut world, stream, b"direct to the end"), b"direct to the end");
}

#[test]
pub(super) fn rule_4_a_new_network_during_the_trial_gives_a_flow_a_whole_new_second() {
    let mut world = world(config(Mode::Smart, Link::Wifi));
    world.direct = Direct::BlackHole;
    let flow = open(&mut world, Kind::Stream, ECHO);
    world.run(SECOND / 2);
    world.client.handle_network(world.now, Network::up(Link::Ethernet));
    world.run(2 * SECOND);
    assert_eq!(changed(&world).map(Instant::as_millis), Some(1_500), "{}", story(&world.events));
    assert_eq!(world.client.status(flow), FlowStatus::Open(Route::Proxied));
}

#[test]
pub(super) fn rule_4_a_new_network_starts_the_trial_anew() {
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
pub(super) fn rule_4_while_the_network_is_down_everything_waits() {
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
pub(super) fn rule_5_a_proxied_route_stays_and_datagram_tunnels_are_made_anew() {
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
pub(super) fn rule_7_a_new_trial_on_request_can_return_to_direct() {
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
pub(super) fn rule_7_a_new_trial_on_the_same_network_keeps_the_sockets_of_datagram_flows() {
    let (mut world, flow) = answered();
    // Nothing new gets out; only the socket that was there before still leads somewhere.
    world.direct = Direct::BlackHole;
    world.client.retry_direct(world.now, None);
    assert!(is_echoed(&mut world, flow, b"same socket"), "{}", story(&world.events));
    world.run(3 * SECOND);
    assert_eq!((trials(&world), changed(&world), moves(&world)), (2, None, 0), "{}", story(&world.events));
    assert!(!world.reached.contains(ECHO), "{:?}", world.reached);
    assert!(is_echoed(&mut world, flow, b"still the same"));
}

#[test]
pub(super) fn rule_7_a_datagram_flow_that_is_not_answered_anew_goes_to_the_relay() {
    let (mut world, flow) = answered();
    let at = world.now;
    world.client.retry_direct(at, Some(Kind::Datagram));
    world.run(2 * SECOND);
    assert_eq!(changed(&world).map(|changed| changed.since(at).as_millis()), Some(1_000));
    assert_eq!(world.client.status(flow), FlowStatus::Open(Route::Proxied));
    assert!(is_echoed(&mut world, flow, b"through the relay"));
}

#[test]
pub(super) fn rule_7_a_flow_that_waits_for_a_relay_begins_the_new_trial() {
    let mut world = world(config(Mode::Smart, Link::Wifi));
    world.direct = Direct::Refusing;
    connect(&mut world, ECHO);
    world.client.handle_network(world.now, Network::up(Link::Wifi));
    let flow = open(&mut world, Kind::Stream, ECHO);
    let at = world.now;
    world.client.retry_direct(at, None);
    assert_eq!(
        (world.client.route(Kind::Stream), world.client.status(flow)),
        (Route::Direct, FlowStatus::Pending)
    );
    world.run(2 * SECOND);
    assert_eq!(world.client.status(flow), FlowStatus::Open(Route::Proxied), "{}", story(&world.events));
    assert_eq!(trials(&world), 2);
}

#[test]
pub(super) fn rule_7_a_flow_that_loses_its_tunnel_begins_the_new_trial() {
    let mut world = world(config(Mode::Smart, Link::Wifi));
    world.direct = Direct::BlackHole;
    let flow = open(&mut world, Kind::Datagram, ECHO);
    world.run(5 * SECOND);
    world.direct = Direct::Open;
    world.client.retry_direct(world.now, None);
    world.run(5 * SECOND);
    assert_eq!(world.client.status(flow), FlowStatus::Open(Route::Proxied), "the tunnel lives");
    world.crash(0);
    world.run(Duration::from_millis(100));
    assert!(is_echoed(&mut world, flow, b"directly now"), "{}", story(&world.events));
    world.run(2 * SECOND);
    assert_eq!(world.client.status(flow), FlowStatus::Open(Route::Direct));
    assert_eq!(trials(&world), 2);
}

#[test]
pub(super) fn rule_8_an_open_stream_is_not_cut_by_a_route_change() {
    let mut world = world(config(Mode::Smart, Link::Wifi));
    let flow = connect(&mut world, ECHO);
    world.direct = Direct::BlackHole;
    world.client.retry_direct(world.now, Some(Kind::Stream));
    connect(&mut world, ECHO);
    assert_eq!(world.client.route(Kind::Stream), Route::Proxied);
    assert_eq!(exchange(&mut world, flow, b"direct to the end"), b"direct to the end");
}

#[test]
pub(super) fn kinds_are_judged_apart_and_together_in_session_scope() {
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
pub(super) fn probes_start_the_trial_and_prove_the_path() {
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
pub(super) fn the_same_inputs_give_the_same_story() {
    let run = || {
        let mut world = world(config(Mode::Smart, Link::Cellular));
        world.direct = Direct::Refusing;
        open(&mut world, Kind::Stream, ECHO);
        world.run(20 * SECOND);
        story(&world.events)
    };
    assert_eq!(run(), run());
}

#[test]
pub(super) fn rule_3_an_answer_that_comes_before_an_overdue_timer_dials_nothing_directly() {
    let clock = Clock::new(Instant::ZERO, START);
    let config = config(Mode::Smart, Link::Wifi).build().unwrap();
    let mut client = Client::new(config, &Seed::new([1; 32]), clock, Instant::ZERO);
    client.open(Instant::ZERO, Kind::Stream, "target.example:443".parse().unwrap()).unwrap();
    let mut lookup = None;
    while let Some(output) = client.poll_output() {
        if let Output::Resolve { id, .. } = output {
            lookup = Some(id);
        }
    }
    // The process slept over the deadline, and the adapter looks at what has come before it looks at the clock.
    let now = Instant::from_millis(3_000);
    client.handle_resolved(now, lookup.unwrap(), Families::Both, Ok(&["192.0.2.1".parse().unwrap()]));
    assert_eq!(client.route(Kind::Stream), Route::Proxied);
    while let Some(output) = client.poll_output() {
        let is_direct =
            matches!(output, Output::Dial { address, .. } if !RELAYS.contains(&address.to_string().as_str()));
        assert!(!is_direct, "{output:?}");
    }
}
