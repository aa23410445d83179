//! Relays that vanish without a word, outages, and what comes back after them.

use super::*;
use crate::base::Route;
use crate::client::{FlowError, ProxyFault};
use crate::policy::Rates;
use crate::testing::Direct;

const MILLI: Duration = Duration::from_millis(1);

/// Lets `span` pass while the application sends a datagram each 20 ms, and says when the first answer came.
fn talk(world: &mut World, flow: FlowId, span: Duration) -> Option<Duration> {
    let begun = world.now;
    let mut answered = None;
    for _ in 0..span.as_millis() / 20 {
        if world.client.send_datagram(world.now, flow, b"media").is_err() {
            return answered;
        }
        world.run(20 * MILLI);
        if !datagrams(world, flow).is_empty() && answered.is_none() {
            answered = Some(world.now.since(begun));
        }
    }
    answered
}

fn silent(world: &World) -> usize {
    let is_silent =
        |event: &&Event| matches!(event.what, What::ProxyFailed { error: ProxyFault::Silent, .. });
    world.events.iter().filter(is_silent).count()
}

fn count(world: &World, wanted: impl Fn(&What) -> bool) -> usize {
    world.events.iter().filter(|event| wanted(&event.what)).count()
}

#[test]
pub(super) fn a_call_leaves_a_relay_that_vanished_within_seconds_and_a_stream_is_told() {
    let mut world = world(config(Mode::Normal, Link::Wifi));
    let stream = connect(&mut world, ECHO);
    let call = open(&mut world, Kind::Datagram, ECHO);
    assert!(talk(&mut world, call, SECOND).is_some());
    world.silence(0);
    assert!(talk(&mut world, call, 40 * MILLI).is_none_or(|after| after <= 20 * MILLI));
    let back = talk(&mut world, call, 4 * SECOND).expect("the call goes on");
    assert!(back < 3_500 * MILLI, "{back:?}\n{}", story(&world.events));
    assert_eq!(world.client.status(call), FlowStatus::Open(Route::Proxied));
    world.client.write(world.now, stream, b"are you there").unwrap();
    assert!(
        world.run_until(4 * SECOND, |world| world.client.status(stream)
            == FlowStatus::Failed(FlowError::Reset)),
        "{}",
        story(&world.events)
    );
}

#[test]
pub(super) fn a_new_stream_does_not_wait_for_a_relay_that_vanished() {
    let mut world = world(config(Mode::Normal, Link::Wifi));
    world.run(SECOND);
    world.silence(0);
    let begun = world.now;
    let flow = connect(&mut world, ECHO);
    assert!(world.now.since(begun) < 1_100 * MILLI, "{:?}", world.now.since(begun));
    assert_eq!(exchange(&mut world, flow, b"over the second"), b"over the second");
    let open: usize =
        world.relays.iter().filter_map(|(_, relay)| Some(relay.as_ref()?.stats().tunnels)).sum();
    assert_eq!(open, 0);
}

#[test]
pub(super) fn a_request_that_is_owed_an_answer_is_repeated_until_somebody_answers() {
    let mut world = world(config(Mode::Normal, Link::Wifi));
    world.run(SECOND);
    world.silence(0);
    world.refuses_new = true;
    let flow = open(&mut world, Kind::Stream, ECHO);
    world.run(4 * SECOND);
    assert_eq!(world.client.status(flow), FlowStatus::Pending, "{}", story(&world.events));
    world.refuses_new = false;
    let opened = world.run_until(1_200 * MILLI, |world| is_open(world, flow));
    assert!(opened, "{}", story(&world.events));
}

#[test]
pub(super) fn all_who_waited_go_on_as_soon_as_one_connection_stands() {
    let mut config = config(Mode::Normal, Link::Wifi);
    config.proxies = vec!["relay.example:443".parse().unwrap()];
    let mut world = world(config);
    // The name leads to nobody at first.
    world.direct = Direct::BlackHole;
    world.names.insert("relay.example".to_owned(), "198.51.100.9".parse().unwrap());
    let flows: Vec<_> = (0..6).map(|_| open(&mut world, Kind::Stream, ECHO)).collect();
    world.run(2_500 * MILLI);
    world.names.insert("relay.example".to_owned(), relay_at(0).ip());
    let all = world.run_until(1_500 * MILLI, |world| flows.iter().all(|flow| is_open(world, *flow)));
    assert!(all, "{}", story(&world.events));
}

/// Their connections stand, and nothing that is said on them arrives.
#[test]
pub(super) fn all_who_wait_for_an_answer_that_got_lost_go_on_as_soon_as_another_relay_connection_stands() {
    let mut config = config(Mode::Normal, Link::Wifi);
    config.proxies.truncate(1);
    config.limits.standby = 0;
    let mut world = world(config);
    let flows: Vec<_> = (0..6).map(|_| open(&mut world, Kind::Stream, ECHO)).collect();
    // TCP stands with all six, and their ClientHellos are under way.
    world.run(5 * MILLI / 2);
    world.silence(0);
    world.run(1_500 * MILLI);
    world.forget_ways_to(0);
    world.hear(0);
    let all = world.run_until(1_500 * MILLI, |world| flows.iter().all(|flow| is_open(world, *flow)));
    assert!(all, "{}", story(&world.events));
}

/// Nothing comes back from this target, because the relay lets nothing through to the client.
#[test]
pub(super) fn media_that_goes_one_way_stays_where_it_is() {
    let rates = Rates { bits_per_second: Some(8), ..Rates::default() };
    let mut world = world_with(config(Mode::Normal, Link::Wifi), |config| config.scope.to_client = rates);
    let flow = open(&mut world, Kind::Datagram, ECHO);
    world.run(SECOND);
    talk(&mut world, flow, 120 * SECOND);
    assert_eq!(count(&world, |what| matches!(what, What::FlowMoved { .. })), 0, "{}", story(&world.events));
    assert_eq!(silent(&world), 0);
    // One handshake each 25 s for the connection that is kept ready, and seldom one to ask.
    let made = count(&world, |what| matches!(what, What::ProxyConnected { .. }));
    assert!(made < 15, "{made}");
}

#[test]
pub(super) fn a_false_alarm_costs_nothing() {
    let mut config = config(Mode::Normal, Link::Wifi);
    config.proxies.truncate(1);
    let mut world = world(config);
    let flow = open(&mut world, Kind::Datagram, ECHO);
    assert!(talk(&mut world, flow, SECOND).is_some());
    world.silence(0);
    talk(&mut world, flow, 4 * SECOND);
    assert_eq!(silent(&world), 1);
    world.hear(0);
    assert!(talk(&mut world, flow, SECOND).is_some_and(|back| back < 50 * MILLI));
    assert_eq!(world.client.status(flow), FlowStatus::Open(Route::Proxied));
}

#[test]
pub(super) fn an_asked_stream_asks_again_when_the_network_changes() {
    let mut world = world(config(Mode::Normal, Link::Wifi));
    world.run(SECOND);
    world.silence(0);
    let flow = open(&mut world, Kind::Stream, ECHO);
    world.run(100 * MILLI);
    world.client.handle_network(world.now, Network::up(Link::Ethernet));
    assert!(world.run_until(300 * MILLI, |world| is_open(world, flow)), "{}", story(&world.events));
}

#[test]
pub(super) fn an_asked_stream_goes_directly_when_that_is_tried_again() {
    let mut world = world(config(Mode::Smart, Link::Wifi));
    world.direct = Direct::BlackHole;
    connect(&mut world, ECHO);
    world.silence(0);
    world.silence(1);
    let flow = open(&mut world, Kind::Stream, ECHO);
    world.run(100 * MILLI);
    world.direct = Direct::Open;
    world.client.retry_direct(world.now, None);
    assert!(world.run_until(50 * MILLI, |world| is_open(world, flow)), "{}", story(&world.events));
    assert_eq!(world.client.status(flow), FlowStatus::Open(Route::Direct));
}

#[test]
pub(super) fn each_word_after_a_long_silence_is_answered_as_fast_as_the_first() {
    let mut world =
        world_with(config(Mode::Normal, Link::Wifi), |config| config.limits.datagram_idle = 120 * SECOND);
    let flow = open(&mut world, Kind::Datagram, ECHO);
    for round in 0..6 {
        world.client.send_datagram(world.now, flow, &[round]).unwrap();
        let mut got = Vec::new();
        let answered = world.run_until(100 * MILLI, |world| {
            got = datagrams(world, flow);
            !got.is_empty()
        });
        assert!(answered && got == [[round]], "word {round}\n{}", story(&world.events));
        world.run(400 * SECOND);
    }
}

#[test]
pub(super) fn a_word_that_waited_for_its_way_is_not_too_old_for_it() {
    let mut config = config(Mode::Normal, Link::Wifi);
    config.proxies.truncate(1);
    let mut world = world(config);
    let flow = open(&mut world, Kind::Datagram, ECHO);
    assert!(world.run_until(SECOND, |world| is_open(world, flow)));
    world.run(2 * SECOND);
    world.refuses_new = true;
    world.reset_relay_connections(0);
    world.run(100 * MILLI);
    world.client.send_datagram(world.now, flow, b"register").unwrap();
    world.run(900 * MILLI);
    world.refuses_new = false;
    let mut got = Vec::new();
    assert!(
        world.run_until(1_100 * MILLI, |world| {
            got = datagrams(world, flow);
            !got.is_empty()
        }),
        "{}",
        story(&world.events)
    );
    assert_eq!(got, [b"register"]);
}

#[test]
pub(super) fn a_call_is_heard_again_a_second_after_the_end_of_an_outage() {
    for (away, refuses) in [(3, false), (8, false), (20, false), (3, true), (8, true), (20, true)] {
        let mut config = config(Mode::Normal, Link::Wifi);
        config.proxies.truncate(1);
        let mut world = world(config);
        let call = open(&mut world, Kind::Datagram, ECHO);
        assert!(talk(&mut world, call, 2 * SECOND).is_some());
        if refuses {
            world.refuses_new = true;
            world.reset_relay_connections(0);
        } else {
            world.silence(0);
        }
        talk(&mut world, call, away * SECOND);
        world.refuses_new = false;
        world.hear(0);
        let back = talk(&mut world, call, 3 * SECOND);
        assert!(
            back.is_some_and(|back| back <= 1_050 * MILLI),
            "{away} s: {back:?}\n{}",
            story(&world.events)
        );
    }
}
