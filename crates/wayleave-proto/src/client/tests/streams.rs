//! Streams: every byte, in order, at any split, half by half.

use super::*;
use crate::base::Route;
use crate::client::FlowError;
use crate::testing::Direct;

fn pattern(length: usize) -> Vec<u8> {
    (0..length).map(|index| (index * 31 % 251) as u8).collect()
}

#[test]
pub(super) fn bytes_come_back_whole_at_any_split_of_writes() {
    for mode in [Mode::Normal, Mode::Off] {
        for chunk in [1, 7, 1_000, usize::MAX] {
            let mut world = world(config(mode, Link::Wifi));
            world.chunk = chunk;
            let flow = connect(&mut world, ECHO);
            let bytes = pattern(if chunk < 10 { 3_000 } else { 500_000 });
            assert!(exchange(&mut world, flow, &bytes) == bytes, "{mode} in chunks of {chunk}");
            world.client.release(world.now, flow);
            world.run(SECOND);
            assert_eq!(world.client.flow_count(), 0);
        }
    }
}

#[test]
pub(super) fn who_does_not_read_slows_down_who_writes_and_loses_nothing() {
    for mode in [Mode::Normal, Mode::Off] {
        let mut world = world(config(mode, Link::Wifi));
        let flow = connect(&mut world, ECHO);
        let bytes = pattern(4_000_000);
        let mut sent = 0;
        world.run_until(10 * SECOND, |world| {
            sent += world.client.write(world.now, flow, &bytes[sent..]).unwrap();
            world.settle();
            false
        });
        // Every queue between the application and itself, and what each lends at once.
        assert!(sent < 1_000_000, "{mode}: {sent} bytes were taken, and none was read");
        assert!(exchange(&mut world, flow, &bytes[sent..]) == bytes, "{mode}");
    }
}

#[test]
pub(super) fn a_relay_that_falls_silent_is_heard_again() {
    let mut world = world(config(Mode::Normal, Link::Wifi));
    let flow = connect(&mut world, ECHO);
    world.silence(0);
    world.client.write(world.now, flow, b"into the void").unwrap();
    world.run(2 * SECOND);
    assert_eq!(read_all(&mut world, flow), (Vec::new(), false));
    world.hear(0);
    world.run(SECOND);
    assert_eq!(read_all(&mut world, flow), (b"into the void".to_vec(), false));
}

#[test]
pub(super) fn one_half_ends_while_the_other_goes_on() {
    let mut world = world(config(Mode::Normal, Link::Wifi));
    let flow = connect(&mut world, ECHO);
    world.client.write(world.now, flow, b"last words").unwrap();
    world.client.finish(world.now, flow);
    let mut got = Vec::new();
    let ended = world.run_until(SECOND, |world| {
        let (mut more, end) = read_all(world, flow);
        got.append(&mut more);
        end
    });
    assert!(ended);
    assert_eq!(got, b"last words");
    assert_eq!(world.client.write(world.now, flow, b"more"), Err(FlowError::Finished));
}

#[test]
pub(super) fn what_was_written_before_the_release_is_delivered() {
    let mut world = world(config(Mode::Normal, Link::Wifi));
    let flow = connect(&mut world, ECHO);
    let taken = world.client.write(world.now, flow, &pattern(50_000)).unwrap();
    world.client.release(world.now, flow);
    world.run(SECOND);
    let sent = world.relay_events.iter().find_map(|event| match &event.what {
        crate::relay::What::TunnelClosed { sent, reason, .. } => Some((*sent, reason.to_string())),
        _ => None,
    });
    assert_eq!(sent, Some((taken as u64, "finished".into())));
    assert_eq!(world.client.flow_count(), 0);
}

#[test]
pub(super) fn a_reader_that_does_not_read_stops_the_sender() {
    let mut world = world(config(Mode::Normal, Link::Wifi));
    let flow = connect(&mut world, ECHO);
    let mut sent = 0;
    for _ in 0..1_000 {
        sent += world.client.write(world.now, flow, &pattern(64 * 1024)).unwrap();
        world.run(Duration::from_millis(2));
    }
    // The world does not pause its readers, so only the writer's own mark holds: what is pending is bounded.
    assert!(sent > 0);
    assert!(world.client.write(world.now, flow, b"x").unwrap() <= 1);
}

#[test]
pub(super) fn a_broken_connection_is_an_error_behind_the_last_byte() {
    for mode in [Mode::Normal, Mode::Off] {
        let (mut world, flow) = broken_behind_a_greeting(mode);
        let Ok(Incoming::Bytes(bytes)) = world.client.read(flow) else {
            panic!("{mode}: the bytes before the break are lost")
        };
        assert_eq!(bytes, b"hello");
        assert_eq!(world.client.write(world.now, flow, b"more"), Err(FlowError::Reset), "{mode}");
        world.client.consume(world.now, flow, 5);
        assert_eq!(world.client.read(flow), Err(FlowError::Reset), "{mode}");
        assert_eq!(world.client.read(flow), Err(FlowError::Reset), "{mode}");
    }
}

#[test]
pub(super) fn a_broken_connection_is_given_back_with_its_unread_bytes() {
    for mode in [Mode::Normal, Mode::Off] {
        let (mut world, flow) = broken_behind_a_greeting(mode);
        world.client.release(world.now, flow);
        assert_eq!(world.client.flow_count(), 0, "{mode}");
    }
}

/// A stream whose connection broke when a greeting had come back, which is still to be read.
fn broken_behind_a_greeting(mode: Mode) -> (World, FlowId) {
    let mut world = world(config(mode, Link::Wifi));
    let flow = connect(&mut world, ECHO);
    world.client.write(world.now, flow, b"hello").unwrap();
    world.run(Duration::from_millis(100));
    match mode {
        Mode::Off => world.reset_targets(),
        Mode::Normal | Mode::Smart => world.crash(0),
    }
    world.run(Duration::from_millis(100));
    (world, flow)
}

#[test]
pub(super) fn a_target_that_refuses_is_told_apart_from_one_that_is_forbidden() {
    let mut world = world(config(Mode::Normal, Link::Wifi));
    world.refusing.insert("10.0.0.9:80".parse().unwrap());
    let refused = open(&mut world, Kind::Stream, "10.0.0.9:80");
    let forbidden = open(&mut world, Kind::Stream, "127.0.0.1:80");
    let port = open(&mut world, Kind::Stream, "10.0.0.1:25");
    let unknown = open(&mut world, Kind::Stream, "nowhere.example:80");
    world.run(5 * SECOND);
    let status = |flow| match world.client.status(flow) {
        FlowStatus::Failed(error) => error,
        other => panic!("{other:?}"),
    };
    assert!(
        status(refused).is(crate::codec::proxy_status::ProxyError::ConnectionRefused),
        "{:?}",
        status(refused)
    );
    assert!(matches!(status(forbidden), FlowError::TargetForbidden { .. }), "{:?}", status(forbidden));
    assert!(matches!(status(port), FlowError::TargetForbidden { .. }), "{:?}", status(port));
    assert!(status(unknown).is(crate::codec::proxy_status::ProxyError::DnsError), "{:?}", status(unknown));
    assert!(!world.reached.contains("nowhere.example"), "the client looked up a target's name");
}

#[test]
pub(super) fn normal_mode_reaches_nothing_but_proxies_whatever_fails() {
    let mut world = world(config(Mode::Normal, Link::Unknown));
    world.direct = Direct::Open;
    world.crash(0);
    world.crash(1);
    let stream = open(&mut world, Kind::Stream, "name.example:80");
    let media = open(&mut world, Kind::Datagram, "name.example:80");
    world.client.send_datagram(world.now, media, b"x").unwrap();
    world.run(60 * SECOND);
    assert!(matches!(world.client.status(stream), FlowStatus::Failed(FlowError::NoProxy(_))));
    let allowed = [relay_at(0).to_string(), relay_at(1).to_string()];
    assert!(allowed.iter().all(|relay| world.reached.contains(relay)), "{:?}", world.reached);
    assert!(world.reached.iter().all(|reached| allowed.contains(reached)), "{:?}", world.reached);
    assert_eq!(world.client.route(Kind::Stream), Route::Proxied);
}

#[test]
pub(super) fn in_mode_off_a_stream_that_is_dialled_when_the_network_changes_is_dialled_over_the_new_one() {
    let mut world = world(config(Mode::Off, Link::Wifi));
    world.direct = Direct::BlackHole;
    let flow = open(&mut world, Kind::Stream, ECHO);
    world.run(SECOND);
    assert_eq!(world.client.status(flow), FlowStatus::Pending);
    world.direct = Direct::Open;
    world.run(SECOND);
    assert_eq!(world.client.status(flow), FlowStatus::Pending, "its connection is of the old network");
    world.client.handle_network(world.now, Network::up(Link::Ethernet));
    assert!(world.run_until(SECOND, |world| is_open(world, flow)), "{}", story(&world.events));
}
