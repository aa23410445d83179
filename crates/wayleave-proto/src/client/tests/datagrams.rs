//! Datagram flows: through tunnels, over a change of tunnel, in short queues.

use super::*;
use crate::auth::{Algorithm, Keys, SigningKey};
use crate::base::Route;
use crate::client::{FlowError, ProxyFault};
use crate::testing::Direct;

#[test]
pub(super) fn datagrams_of_every_size_come_back_whole() {
    let mut world = world(config(Mode::Normal, Link::Wifi));
    let flow = open(&mut world, Kind::Datagram, ECHO);
    assert!(world.run_until(SECOND, |world| is_open(world, flow)));
    for size in [0, 1, 62, 63, 64, 1_200, 16_383, 16_384, 40_000, 65_507] {
        let payload: Vec<u8> = (0..size).map(|index| index as u8).collect();
        world.client.send_datagram(world.now, flow, &payload).unwrap();
        let mut got = Vec::new();
        assert!(
            world.run_until(SECOND, |world| {
                got = datagrams(world, flow);
                !got.is_empty()
            }),
            "{size}"
        );
        assert!(got == [payload], "{size}");
    }
}

#[test]
pub(super) fn a_datagram_that_its_target_could_never_get_is_an_error() {
    let mut world = world(config(Mode::Normal, Link::Wifi));
    for (target, most) in [
        (ECHO, 65_507),
        ("media.example:5004", 65_507),
        ("[::ffff:192.0.2.1]:7", 65_507),
        ("[2001:db8::7]:7", 65_527),
    ] {
        let flow = open(&mut world, Kind::Datagram, target);
        assert_eq!(world.client.largest_datagram(flow), most, "{target}");
        let mut send = |size| world.client.send_datagram(world.now, flow, &vec![0; size]);
        assert_eq!(send(most), Ok(()), "{target}");
        assert_eq!(send(most + 1), Err(FlowError::DatagramTooLarge { most }), "{target}");
    }
}

#[test]
pub(super) fn what_is_sent_before_the_tunnel_stands_waits_and_arrives() {
    let mut world = world(config(Mode::Normal, Link::Wifi));
    let flow = open(&mut world, Kind::Datagram, ECHO);
    for number in 0..20 {
        world.client.send_datagram(world.now, flow, &[number]).unwrap();
    }
    world.run(SECOND);
    assert_eq!(datagrams(&mut world, flow).len(), 20);
}

/// Each change of the network sends it another way, and none of them gives it more time than its opening has.
#[test]
pub(super) fn a_flow_that_never_was_open_fails_in_time_although_the_network_changes() {
    let mut world = world(config(Mode::Smart, Link::Wifi));
    world.direct = Direct::BlackHole;
    (0..RELAYS.len()).for_each(|index| world.silence(index));
    let flow = open(&mut world, Kind::Datagram, ECHO);
    for _ in 0..5 {
        world.run(5 * SECOND);
        world.client.handle_network(world.now, Network::up(Link::Wifi));
    }
    assert_eq!(world.client.status(flow), FlowStatus::Pending, "{}", story(&world.events));
    world.run(6 * SECOND);
    assert_eq!(world.client.status(flow), FlowStatus::Failed(FlowError::TimedOut));
}

#[test]
pub(super) fn a_flow_that_nothing_answers_directly_goes_through_the_relay_at_the_deadline() {
    let mut world = world(config(Mode::Smart, Link::Wifi));
    world.direct = Direct::BlackHole;
    let flow = open(&mut world, Kind::Datagram, ECHO);
    let mut got = 0;
    let answered = world.run_until(3 * SECOND, |world| {
        if world.now.as_millis() % 20 < 5 {
            world.client.send_datagram(world.now, flow, b"ping").unwrap();
        }
        got += datagrams(world, flow).len();
        got > 0
    });
    assert!(answered, "{}", story(&world.events));
    let opened = when(&world, |what| matches!(what, What::FlowOpened { route: Route::Proxied, .. })).unwrap();
    assert!((1_000..1_010).contains(&opened.as_millis()), "{opened}");
}

#[test]
pub(super) fn a_flow_that_is_answered_directly_stays_direct() {
    let mut world = world(config(Mode::Smart, Link::Wifi));
    let flow = open(&mut world, Kind::Datagram, ECHO);
    world.client.send_datagram(world.now, flow, b"ping").unwrap();
    assert!(world.run_until(SECOND, |world| !datagrams(world, flow).is_empty()));
    world.run(3 * SECOND);
    assert_eq!(world.client.status(flow), FlowStatus::Open(Route::Direct));
    assert_eq!(world.client.route(Kind::Datagram), Route::Direct);
}

#[test]
pub(super) fn a_flow_whose_relay_dies_goes_on_through_another() {
    let mut world = world(config(Mode::Normal, Link::Wifi));
    let flow = open(&mut world, Kind::Datagram, ECHO);
    assert!(world.run_until(SECOND, |world| is_open(world, flow)));
    world.run(3 * SECOND);
    world.crash(0);
    world.run(SECOND);
    world.client.send_datagram(world.now, flow, b"still here").unwrap();
    assert!(
        world.run_until(SECOND, |world| datagrams(world, flow) == [b"still here"]),
        "{}",
        story(&world.events)
    );
    assert!(when(&world, |what| matches!(what, What::FlowMoved { .. })).is_some());
}

#[test]
pub(super) fn a_flow_that_is_refused_asks_once_a_second_however_soon_a_connection_stands() {
    let mut config = config(Mode::Normal, Link::Wifi);
    config.proxies.truncate(1);
    let mut world = world(config);
    let flow = open(&mut world, Kind::Datagram, ECHO);
    assert!(world.run_until(SECOND, |world| is_open(world, flow)));
    let foreign = SigningKey::generate(Algorithm::EdDsa, "foreign", &[9; 32]).unwrap().verifying();
    let now = world.now;
    let relay = world.relays[0].1.as_mut().unwrap();
    relay.renew_keys(now, Keys::new(vec![foreign]).unwrap());
    world.reset_relay_connections(0);
    for _ in 0..40 {
        let _ = world.client.send_datagram(world.now, flow, b"is anybody there?");
        world.run(SECOND / 4);
    }
    let refused = world.events.iter().filter(|event| {
        matches!(&event.what, What::ProxyFailed { error: ProxyFault::Refused { status: 407 }, .. })
    });
    // Each time it asks, it asks as often as there are proxies and once more; pauses are half a second on the average.
    let count = refused.count();
    assert!((5..=50).contains(&count), "{count}: {}", story(&world.events));
}
