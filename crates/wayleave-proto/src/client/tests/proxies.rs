//! Proxies: which one, what when it fails, and what is kept ready.

use core::time::Duration;

use super::*;
use crate::auth::{Algorithm, AppSign, Keys, KeysConfig, SigningKey, Token};
use crate::base::Route;
use crate::carrier::tls::{Acceptor as _, PlainAcceptor, Session};
use crate::client::{FlowError, Notice, ProxyFault};
use crate::error::{IoFailed, IoFailure};
use crate::net::{Fault, Machine as _, Output, SocketId};

fn connected_to(world: &World) -> Vec<String> {
    let proxy = |event: &Event| match &event.what {
        What::ProxyConnected { proxy, .. } => Some(proxy.to_string()),
        _ => None,
    };
    world.events.iter().filter_map(proxy).collect()
}

#[test]
pub(super) fn the_first_proxy_is_used_and_the_second_when_it_fails() {
    let mut world = world(config(Mode::Normal, Link::Wifi));
    connect(&mut world, ECHO);
    let connected = connected_to(&world);
    assert!(!connected.is_empty() && connected.iter().all(|proxy| proxy == RELAYS[0]), "{connected:?}");
    world.crash(0);
    let flow = connect(&mut world, ECHO);
    assert_eq!(connected_to(&world).last().map(String::as_str), Some(RELAYS[1]));
    assert_eq!(exchange(&mut world, flow, b"over the second"), b"over the second");
}

#[test]
pub(super) fn a_flow_through_a_known_relay_costs_one_round_trip_to_it() {
    let mut world = world(config(Mode::Normal, Link::Wifi));
    world.run(SECOND);
    let before = world.now;
    connect(&mut world, ECHO);
    // One round trip to the relay and, within it, one from the relay to the target.
    assert!(world.now.since(before) <= Duration::from_millis(5), "{:?}", world.now.since(before));
}

#[test]
pub(super) fn the_switch_costs_no_handshake_because_one_was_made_during_the_trial() {
    let mut world = world(config(Mode::Smart, Link::Wifi));
    world.direct = crate::testing::Direct::BlackHole;
    connect(&mut world, ECHO);
    assert!((1_000..1_006).contains(&world.now.as_millis()), "{}", story(&world.events));
}

#[test]
pub(super) fn no_application_byte_leaves_during_warm_standby() {
    let mut world = world(config(Mode::Smart, Link::Wifi));
    world.direct = crate::testing::Direct::BlackHole;
    open(&mut world, Kind::Stream, ECHO);
    world.run(Duration::from_millis(999));
    assert!(!connected_to(&world).is_empty());
    assert!(world.relay_events.is_empty(), "{:?}", world.relay_events);
}

#[test]
pub(super) fn an_app_sign_opens_tunnels_of_both_kinds_without_a_token() {
    let sign = AppSign::new(1_001.into(), &"5".repeat(64)).unwrap();
    let app_sign = vec![sign.public()];
    let mut config = config(Mode::Normal, Link::Wifi);
    config.credential = Some(sign.into());
    let mut world = world(config);
    let now = world.now;
    for (_, relay) in &mut world.relays {
        let keys = KeysConfig { app_sign: app_sign.clone(), ..KeysConfig::default() };
        relay.as_mut().unwrap().renew_keys(now, Keys::new(keys).unwrap());
    }
    let flow = connect(&mut world, ECHO);
    assert_eq!(exchange(&mut world, flow, b"by the app sign"), b"by the app sign");
    let datagrams = open(&mut world, Kind::Datagram, ECHO);
    assert!(world.run_until(10 * SECOND, |world| is_open(world, datagrams)), "{}", story(&world.events));
}

#[test]
pub(super) fn a_wrong_token_fails_with_what_every_proxy_said() {
    let mut config = config(Mode::Normal, Link::Wifi);
    config.credential = Some(Credential::Token("not.a.token".parse::<Token>().unwrap()));
    let mut world = world(config);
    let flow = open(&mut world, Kind::Stream, ECHO);
    world.run(5 * SECOND);
    let FlowStatus::Failed(FlowError::NoProxy(said)) = world.client.status(flow) else {
        panic!("{}", story(&world.events))
    };
    assert_eq!(said.len(), 2, "{said:?}");
    assert!(said.iter().all(|(_, fault)| *fault == ProxyFault::Refused { status: 407 }), "{said:?}");
    assert!(!format!("{:?}", world.events).contains("not.a.token"));
}

#[test]
pub(super) fn a_renewed_token_is_used_at_once_and_its_expiry_is_announced() {
    let mut config = config(Mode::Normal, Link::Wifi);
    config.credential = Some(Credential::Token(token(START, 40 * SECOND).unwrap()));
    let mut world = world(config);
    world.run(60 * SECOND);
    let left: Vec<u64> = world
        .events
        .iter()
        .filter_map(|event| match event.what {
            What::TokenExpiring { left } => Some(left.as_secs()),
            _ => None,
        })
        .collect();
    assert_eq!(left, [30, 0]);
    world.run(60 * SECOND);
    let flow = open(&mut world, Kind::Stream, ECHO);
    world.run(2 * SECOND);
    assert!(matches!(world.client.status(flow), FlowStatus::Failed(FlowError::NoProxy(_))));
    let fresh = token(UnixTime::from_secs(START.as_secs() + 100), 3600 * SECOND).unwrap();
    world.client.renew(world.now, Credential::Token(fresh));
    connect(&mut world, ECHO);
}

#[test]
pub(super) fn a_token_is_announced_before_it_expires_however_short_it_is() {
    for (warning, seconds, expected) in [(30, 20, [10, 0]), (60, 100, [60, 0]), (30, 30, [15, 0])] {
        let mut config = config(Mode::Normal, Link::Wifi);
        config.limits.token_warning = warning * SECOND;
        config.credential = Some(Credential::Token(token(START, seconds * SECOND).unwrap()));
        let mut world = world(config);
        world.run(110 * SECOND);
        let left = world.events.iter().filter_map(|event| match event.what {
            What::TokenExpiring { left } => Some(left.as_secs()),
            _ => None,
        });
        assert_eq!(left.collect::<Vec<_>>(), expected, "{warning} {seconds}");
    }
}

#[test]
pub(super) fn a_connection_that_the_relay_closed_while_idle_costs_nothing_but_a_new_one() {
    let mut config = config(Mode::Normal, Link::Wifi);
    config.limits.standby_age = 3600 * SECOND;
    let mut world = world(config);
    // The relay closes silent connections after 30 s.
    world.run(29 * SECOND);
    let ready = connected_to(&world);
    assert!(!ready.is_empty(), "{}", story(&world.events));
    world.run(2 * SECOND);
    assert!(connected_to(&world).len() > ready.len(), "{}", story(&world.events));
    let before = world.now;
    let flow = connect(&mut world, ECHO);
    assert_eq!(exchange(&mut world, flow, b"over a new one"), b"over a new one");
    // Nothing was waited for but round trips, no proxy is blamed, and no flow was told.
    assert!(world.now.since(before) <= Duration::from_millis(20), "{}", story(&world.events));
    let is_trouble = |event: &Event| {
        matches!(event.what, What::ProxyFailed { .. } | What::Retrying { .. } | What::FlowClosed { .. })
    };
    assert!(!world.events.iter().any(is_trouble), "{}", story(&world.events));
}

#[test]
pub(super) fn every_proxy_unreachable_says_what_each_one_said() {
    let mut world = world(config(Mode::Normal, Link::Wifi));
    world.crash(0);
    world.crash(1);
    let flow = open(&mut world, Kind::Stream, ECHO);
    world.run(2 * SECOND);
    let FlowStatus::Failed(error @ FlowError::NoProxy(_)) = world.client.status(flow) else {
        panic!("{}", story(&world.events))
    };
    let text = error.to_string();
    assert!(RELAYS.iter().all(|relay| text.contains(relay)) && text.contains("refused"), "{text}");
}

#[test]
pub(super) fn a_thousand_flows_at_once_all_open() {
    let mut world = world(config(Mode::Normal, Link::Wifi));
    let flows: Vec<_> = (0..1_000).map(|_| open(&mut world, Kind::Stream, ECHO)).collect();
    assert!(world.run_until(20 * SECOND, |world| flows.iter().all(|flow| is_open(world, *flow))));
    assert_eq!(world.client.status(flows[0]), FlowStatus::Open(Route::Proxied));
    for flow in flows {
        world.client.release(world.now, flow);
    }
    world.run(15 * SECOND);
    assert_eq!(world.client.flow_count(), 0);
    let open: usize =
        world.relays.iter().filter_map(|(_, relay)| Some(relay.as_ref()?.stats().tunnels)).sum();
    assert_eq!(open, 0);
}

#[test]
pub(super) fn many_flows_at_once_leave_a_proxy_that_refuses_them() {
    let mut world = world(config(Mode::Normal, Link::Wifi));
    world.run(SECOND);
    let foreign = SigningKey::generate(Algorithm::EdDsa, "other", &[9; 32]).unwrap().verifying();
    let now = world.now;
    world.relays[0].1.as_mut().unwrap().renew_keys(now, Keys::new(vec![foreign]).unwrap());
    let flows: Vec<_> = (0..100).map(|_| open(&mut world, Kind::Stream, ECHO)).collect();
    world.run(20 * SECOND);
    let failed: Vec<_> = flows
        .iter()
        .map(|flow| world.client.status(*flow))
        .filter(|status| *status != FlowStatus::Open(Route::Proxied))
        .collect();
    assert!(failed.is_empty(), "{} failed, {:?}", failed.len(), failed.first());
}

/// A client that has opened a flow, and the connections that it wants: one for the flow, one to be kept ready.
fn alone() -> (Client, FlowId, [SocketId; 2]) {
    let now = Instant::ZERO;
    let config = config(Mode::Normal, Link::Wifi).build().unwrap();
    let mut client = Client::new(config, &Seed::new([1; 32]), Clock::new(now, START), now);
    let flow = client.open(now, Kind::Stream, ECHO.parse().unwrap()).unwrap();
    let (dialled, _) = drain(&mut client);
    let [(first, _), (second, _)] = dialled.try_into().unwrap();
    (client, flow, [first, second])
}

/// What the client dials, and what it says of proxies that failed.
fn drain(client: &mut Client) -> (Vec<(SocketId, SocketAddr)>, Vec<ProxyFault>) {
    let (mut dialled, mut failed) = (Vec::new(), Vec::new());
    while let Some(output) = client.poll_output() {
        match output {
            Output::Dial { id, address } => dialled.push((id, address)),
            Output::Event(Notice::Event(Event { what: What::ProxyFailed { error, .. }, .. })) => {
                failed.push(error);
            }
            _ => {}
        }
    }
    (dialled, failed)
}

/// Shakes hands on a connection as a relay that sends `early` with it.
fn shake(client: &mut Client, now: Instant, id: SocketId, early: &[u8]) -> Box<dyn Session> {
    client.handle_opened(now, id, "192.0.2.1:50000".parse().unwrap());
    let mut hello = client.pending(now, id).unwrap().to_vec();
    client.handle_written(now, id, hello.len());
    let mut proxy = PlainAcceptor.accept().unwrap();
    proxy.receive(&mut hello).unwrap();
    proxy.send(&[early]);
    client.handle_received(now, id, &mut proxy.pending().to_vec());
    proxy
}

#[test]
pub(super) fn what_a_proxy_says_before_it_is_asked_is_no_answer() {
    let (mut client, flow, [id, _]) = alone();
    shake(&mut client, Instant::ZERO, id, b"HTTP/1.1 200 OK\r\n\r\n");
    // The next one is tried at once.
    let (dialled, failed) = drain(&mut client);
    assert_eq!(failed, [ProxyFault::Connection(Fault::Unasked)]);
    assert_eq!(dialled.first().map(|(_, address)| *address), Some(relay_at(1)));
    assert_eq!(client.status(flow), FlowStatus::Pending);
}

#[test]
pub(super) fn a_proxy_that_ends_every_connection_that_is_kept_ready_is_asked_more_and_more_seldom() {
    let (mut client, flow, [first, second]) = alone();
    shake(&mut client, Instant::ZERO, first, b"");
    client.release(Instant::ZERO, flow);
    let (mut now, mut id, mut pauses) = (Instant::ZERO, second, Vec::new());
    while pauses.len() < 6 {
        drain(&mut client);
        shake(&mut client, now, id, b"");
        client.handle_failed(now, id, IoFailed::new(IoFailure::ConnectionReset));
        let (mut dialled, _) = drain(&mut client);
        let lost = now;
        while dialled.is_empty() {
            now = client.poll_timeout().expect("it is tried again");
            client.handle_timeout(now);
            dialled = drain(&mut client).0;
        }
        id = dialled[0].0;
        pauses.push(now.since(lost));
    }
    // 500 ms, then twice as long each time, less up to a half at random.
    for (count, pause) in pauses.iter().enumerate() {
        let most = Duration::from_millis(500 << count);
        assert!((most / 2..=most).contains(pause), "pause {count} of {pauses:?}");
    }
}

#[test]
pub(super) fn a_closed_client_says_nothing_more() {
    let mut world = world(config(Mode::Smart, Link::Wifi));
    connect(&mut world, ECHO);
    world.client.close(world.now);
    world.settle();
    assert_eq!(world.client.poll_timeout(), None);
    let told = world.events.len();
    let token = token(START, 7_200 * SECOND).unwrap();
    world.client.renew(world.now, Credential::Token(token));
    world.client.handle_network(world.now, Network::up(Link::Ethernet));
    world.client.retry_direct(world.now, None);
    world.client.direct_works(world.now, Kind::Stream);
    world.settle();
    assert_eq!(world.client.poll_timeout(), None, "a deadline is left");
    assert_eq!(world.events.len(), told, "{}", story(&world.events[told..]));
}

#[test]
pub(super) fn flows_that_are_given_back_at_once_leave_no_more_than_the_standby() {
    for kind in [Kind::Datagram, Kind::Stream] {
        let mut world = world(config(Mode::Normal, Link::Wifi));
        let flows: Vec<_> = (0..20).map(|_| open(&mut world, kind, ECHO)).collect();
        for flow in flows {
            world.client.release(world.now, flow);
        }
        let left = |world: &World| world.client.pool.spare();
        assert_eq!(left(&world), 1, "{kind}s");
        world.run(2 * SECOND);
        assert_eq!(left(&world), 1, "{kind}s");
        connect(&mut world, ECHO);
    }
}
