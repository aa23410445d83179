//! Several machines behind one name of a relay: which of them has heard of a renewed token.

use super::*;
use crate::policy::OnExpiry;

/// A client whose token is good for 100 s, of three relays that close tunnels 10 s after that and stand behind one address.
pub(super) fn balanced() -> World {
    let mut config = config(Mode::Normal, Link::Wifi);
    config.proxies.truncate(1);
    config.credential = Some(Credential::Token(token(START, 100 * SECOND).unwrap()));
    let clock = Clock::new(Instant::ZERO, START);
    let client = Client::new(config.build().unwrap(), &Seed::new([1; 32]), clock, Instant::ZERO);
    let relay = |number| {
        let mut config = relay_config().unwrap();
        config.carrier = crate::testing::carrier();
        config.rules.leeway = Duration::ZERO;
        config.scope.on_expiry = Some(OnExpiry::CloseAfter(10 * SECOND));
        Relay::new(config.build().unwrap(), &Seed::new([number; 32]), clock, Instant::ZERO)
    };
    World::new(client, (0..3).map(|number| (RELAYS[0].parse().unwrap(), relay(number))).collect())
}

pub(super) fn renew(world: &mut World) {
    let now = START.after(world.now.since(Instant::ZERO));
    world.client.renew(world.now, Credential::Token(token(now, 1_000 * SECOND).unwrap()));
}

pub(super) fn tunnels(world: &World) -> Vec<usize> {
    world.relays.iter().filter_map(|(_, relay)| Some(relay.as_ref()?.stats().tunnels)).collect()
}

pub(super) fn told(world: &World) -> Vec<String> {
    let word = |event: &Event| match &event.what {
        What::TokenAccepted { .. } => Some("accepted".to_owned()),
        What::TokenUnheard { tunnels, .. } => Some(format!("{tunnels} unheard")),
        _ => None,
    };
    world.events.iter().filter_map(word).collect()
}

#[test]
pub(super) fn the_machine_of_each_tunnel_hears_of_a_renewal() {
    let mut world = balanced();
    let flows: Vec<_> = (0..6).map(|_| connect(&mut world, ECHO)).collect();
    assert!(tunnels(&world).iter().all(|tunnels| *tunnels > 0), "{:?}", tunnels(&world));
    world.run(80 * SECOND);
    renew(&mut world);
    world.run(5 * SECOND);
    assert_eq!(told(&world), ["accepted"], "{}", story(&world.events));
    world.run(60 * SECOND);
    for flow in flows {
        assert_eq!(exchange(&mut world, flow, b"still"), b"still");
    }
}

#[test]
pub(super) fn a_new_tunnel_speaks_for_its_machine_alone() {
    let mut world = balanced();
    let flows: Vec<_> = (0..3).map(|_| connect(&mut world, ECHO)).collect();
    world.run(80 * SECOND);
    // No connection can be made while it is renewed; then the first that stands carries a tunnel.
    world.refuses_new = true;
    renew(&mut world);
    world.run(SECOND);
    world.refuses_new = false;
    connect(&mut world, ECHO);
    world.run(60 * SECOND);
    assert_eq!(told(&world), ["accepted"], "{}", story(&world.events));
    for flow in flows {
        assert_eq!(exchange(&mut world, flow, b"still"), b"still");
    }
}

#[test]
pub(super) fn a_machine_that_no_connection_reaches_is_told_before_it_hurts() {
    let mut world = balanced();
    let flows: Vec<_> = (0..6).map(|_| connect(&mut world, ECHO)).collect();
    let deaf: usize = tunnels(&world)[1..].iter().sum();
    world.run(80 * SECOND);
    world.stuck_to = Some(0);
    let before = world.relays[0].1.as_ref().unwrap().stats().accepted;
    renew(&mut world);
    world.run(10 * SECOND);
    assert_eq!(told(&world), [format!("{deaf} unheard")], "{}", story(&world.events));
    let asked = world.relays[0].1.as_ref().unwrap().stats().accepted - before;
    assert!((8..=16).contains(&asked), "{asked} connections in 10 s");
    // It is tried on, and in time here.
    world.stuck_to = None;
    world.run(15 * SECOND);
    assert_eq!(told(&world).last().map(String::as_str), Some("accepted"), "{}", story(&world.events));
    world.run(60 * SECOND);
    for flow in flows {
        assert_eq!(exchange(&mut world, flow, b"still"), b"still");
    }
}

#[test]
pub(super) fn who_was_not_heard_of_is_forgotten_with_its_tunnels() {
    let mut world = balanced();
    let flows: Vec<_> = (0..6).map(|_| connect(&mut world, ECHO)).collect();
    world.run(80 * SECOND);
    world.stuck_to = Some(0);
    renew(&mut world);
    world.run(2 * SECOND);
    for flow in flows {
        world.client.release(world.now, flow);
    }
    world.run(60 * SECOND);
    let before = world.relays[0].1.as_ref().unwrap().stats().accepted;
    world.run(60 * SECOND);
    let asked = world.relays[0].1.as_ref().unwrap().stats().accepted - before;
    assert!(asked <= 3, "{asked}: only what is kept ready is made anew");
}
