//! Rules 2, 9 and 10 with flows on them: what is no proof, flows that do not come through, and a proof that has failed.

use super::*;
use crate::base::Route;
use crate::client::{CloseReason, FlowError, RescueReason};
use crate::config::Scope;
use crate::error::IoFailure;
use crate::net::Fault;
use crate::route::{Blocked, Failure, Proof};
use crate::testing::{Direct, client_hello};

const WEB: &str = "10.0.0.1:443";
const OTHER: &str = "10.0.0.1:8080";
const NEXT: &str = "10.0.0.2:8080";
const LENGTH: Duration = SECOND;

fn smart() -> World {
    world(config(Mode::Smart, Link::Wifi))
}

/// A client on a network that lets only TCP 443 out, after a stream there was answered.
fn behind_a_port_list(change: impl FnOnce(&mut ClientConfig)) -> World {
    let mut config = config(Mode::Smart, Link::Wifi);
    change(&mut config);
    let mut world = world(config);
    world.direct = Direct::Only(443);
    let web = connect(&mut world, WEB);
    say(&mut world, web, b"hello");
    assert!(is_answered(&mut world, web, b"hello"));
    assert_eq!(proofs(&world), [Proof::Stream]);
    world
}

fn say(world: &mut World, flow: FlowId, bytes: &[u8]) {
    assert_eq!(world.client.write(world.now, flow, bytes).unwrap(), bytes.len());
    world.settle();
}

fn is_answered(world: &mut World, flow: FlowId, expected: &[u8]) -> bool {
    let mut got = Vec::new();
    world.run_until(5 * SECOND, |world| {
        got.extend(read_all(world, flow).0);
        got == expected
    })
}

fn proofs(world: &World) -> Vec<Proof> {
    let proof = |event: &Event| match event.what {
        What::DirectConnected { proof, .. } => Some(proof),
        _ => None,
    };
    world.events.iter().filter_map(proof).collect()
}

fn rescues(world: &World) -> Vec<RescueReason> {
    let reason = |event: &Event| match &event.what {
        What::Rescuing { reason, .. } => Some(reason.clone()),
        _ => None,
    };
    world.events.iter().filter_map(reason).collect()
}

fn blocks(world: &World) -> Vec<(Blocked, u64)> {
    let blocked = |event: &Event| match &event.what {
        What::Blocked { what, pause, .. } => Some((*what, pause.as_secs())),
        _ => None,
    };
    world.events.iter().filter_map(blocked).collect()
}

fn failures(world: &World) -> Vec<(Instant, Failure)> {
    let failure = |event: &Event| match event.what {
        What::ProofFailed { failure, .. } => Some((event.at, failure)),
        _ => None,
    };
    world.events.iter().filter_map(failure).collect()
}

fn switched(world: &World) -> Option<u64> {
    when(world, |what| matches!(what, What::RouteChanged { .. })).map(Instant::as_millis)
}

/// How long a flow took to open, and over which route.
fn opening(world: &mut World, kind: Kind, target: &str) -> (FlowId, u128, Option<Route>) {
    let at = world.now;
    let flow = open(world, kind, target);
    world.run_until(40 * SECOND, |world| world.client.status(flow) != FlowStatus::Pending);
    let route = match world.client.status(flow) {
        FlowStatus::Open(route) => Some(route),
        _ => None,
    };
    (flow, world.now.since(at).as_millis(), route)
}

/// Connections whose target, or what stood in its place, got anything.
fn spoken(world: &World) -> Vec<&[u8]> {
    world.taken.values().map(Vec::as_slice).collect()
}

#[test]
pub(super) fn rule_2_a_connection_whose_bytes_got_no_answer_proves_nothing() {
    let mut world = smart();
    world.direct = Direct::Mute;
    let flow = connect(&mut world, WEB);
    let hello = client_hello(b"session", false);
    say(&mut world, flow, &hello);
    world.run(2 * SECOND);
    assert_eq!(switched(&world), Some(1_000), "{}", story(&world.events));
    assert!(proofs(&world).is_empty());
    // Rule 8: the stream is taken over, and its ClientHello with it.
    assert_eq!(world.client.status(flow), FlowStatus::Open(Route::Proxied));
    assert!(is_answered(&mut world, flow, &hello), "{}", story(&world.events));
    assert_eq!(spoken(&world), [&hello[..], &hello[..]]);
    say(&mut world, flow, b"and more");
    assert!(is_answered(&mut world, flow, b"and more"));
}

#[test]
pub(super) fn rule_2_nor_does_one_whose_bytes_must_not_be_sent_again() {
    for bytes in [b"GET / HTTP/1.1\r\n\r\n".to_vec(), client_hello(b"", true)] {
        let mut world = smart();
        world.direct = Direct::Mute;
        let flow = connect(&mut world, WEB);
        say(&mut world, flow, &bytes);
        world.run(10 * SECOND);
        assert_eq!(switched(&world), Some(1_000), "{}", story(&world.events));
        assert_eq!(world.client.status(flow), FlowStatus::Open(Route::Direct), "it is not cut either");
        assert_eq!(spoken(&world), [&bytes[..]], "nothing is sent twice");
        let next = connect(&mut world, WEB);
        assert_eq!(world.client.status(next), FlowStatus::Open(Route::Proxied));
    }
}

#[test]
pub(super) fn rule_2_a_connection_on_which_nothing_was_sent_counts_at_the_deadline() {
    let mut world = smart();
    let flow = connect(&mut world, WEB);
    assert!(proofs(&world).is_empty());
    world.run(3 * SECOND);
    assert_eq!(
        (proofs(&world), switched(&world)),
        (vec![Proof::Connection], None),
        "{}",
        story(&world.events)
    );
    assert_eq!(world.client.status(flow), FlowStatus::Open(Route::Direct));
}

#[test]
pub(super) fn rule_2_a_connection_from_before_the_trial_does_not_count() {
    let mut world = smart();
    connect(&mut world, WEB);
    world.run(3 * SECOND);
    world.direct = Direct::BlackHole;
    world.client.retry_direct(world.now, None);
    let flow = connect(&mut world, WEB);
    assert_eq!(world.client.status(flow), FlowStatus::Open(Route::Proxied));
}

#[test]
pub(super) fn rule_2_what_is_reset_or_ended_before_a_byte_came_back_is_tried_again_until_the_deadline() {
    for direct in [Direct::Resetting, Direct::Ending] {
        let mut world = smart();
        world.direct = direct;
        let flow = connect(&mut world, WEB);
        let hello = client_hello(b"again", false);
        say(&mut world, flow, &hello);
        world.run(SECOND / 2);
        assert!(spoken(&world).len() >= 3, "it is tried again: {}", story(&world.events));
        assert_eq!(world.client.status(flow), FlowStatus::Open(Route::Direct), "unnoticed");
        world.direct = Direct::Open;
        assert!(is_answered(&mut world, flow, &hello), "{}", story(&world.events));
        assert!(world.now.as_millis() < 1_000);
        assert_eq!((proofs(&world), switched(&world)), (vec![Proof::Stream], None));
    }
}

#[test]
pub(super) fn rule_2_and_at_the_deadline_it_goes_to_the_relay() {
    for direct in [Direct::Resetting, Direct::Ending] {
        let mut world = smart();
        world.direct = direct;
        let flow = connect(&mut world, WEB);
        let hello = client_hello(b"again", false);
        say(&mut world, flow, &hello);
        assert!(is_answered(&mut world, flow, &hello), "{}", story(&world.events));
        assert_eq!(
            (switched(&world), world.client.status(flow)),
            (Some(1_000), FlowStatus::Open(Route::Proxied))
        );
        assert!(world.now.as_millis() < 1_100);
    }
}

#[test]
pub(super) fn rule_2_what_must_not_be_sent_again_fails_as_it_would_directly() {
    let mut world = smart();
    world.direct = Direct::Resetting;
    let flow = connect(&mut world, WEB);
    say(&mut world, flow, b"once");
    world.run(2 * SECOND);
    assert_eq!(world.client.status(flow), FlowStatus::Failed(FlowError::Reset));
    assert_eq!(spoken(&world), [b"once"]);
    assert_eq!(switched(&world), Some(1_000));
}

#[test]
pub(super) fn rule_9_a_stream_to_a_blocked_port_is_opened_through_a_relay_after_one_second() {
    for scope in [Scope::Kind, Scope::Session] {
        let mut world = behind_a_port_list(|config| config.route.scope = scope);
        let (flow, took, route) = opening(&mut world, Kind::Stream, OTHER);
        assert_eq!(route, Some(Route::Proxied), "{}", story(&world.events));
        assert!((1_000..1_050).contains(&took), "{took}");
        assert_eq!(exchange(&mut world, flow, b"through the relay"), b"through the relay");
        assert_eq!(rescues(&world), [RescueReason::NotConnected(LENGTH)]);
        assert_eq!(blocks(&world), [(Blocked::Port, 60)]);
        // Later flows go there at once, everything else stays direct.
        for target in [OTHER, NEXT] {
            let (_, took, route) = opening(&mut world, Kind::Stream, target);
            assert_eq!((took < 20, route), (true, Some(Route::Proxied)), "{target} {took}");
        }
        let (_, took, route) = opening(&mut world, Kind::Stream, WEB);
        assert_eq!((took < 20, route), (true, Some(Route::Direct)));
        assert_eq!((world.client.route(Kind::Stream), switched(&world)), (Route::Direct, None));
    }
}

#[test]
pub(super) fn rule_9_a_flow_that_fails_at_once_is_rescued_at_once() {
    let mut world = behind_a_port_list(|_| {});
    world.direct = Direct::Refusing;
    let (_, took, route) = opening(&mut world, Kind::Stream, OTHER);
    assert_eq!((took < 20, route), (true, Some(Route::Proxied)), "{took}");
    assert!(matches!(rescues(&world)[..], [RescueReason::Failed(_)]), "{:?}", rescues(&world));
}

#[test]
pub(super) fn rule_9_switched_off_rules_1_to_8_hold_to_the_letter() {
    let mut world = behind_a_port_list(|config| config.route.rescue.on = false);
    let (flow, took, route) = opening(&mut world, Kind::Stream, OTHER);
    assert_eq!((took, route), (30_000, None), "{}", story(&world.events));
    assert_eq!(world.client.status(flow), FlowStatus::Failed(FlowError::TimedOut));
    assert!(rescues(&world).is_empty() && blocks(&world).is_empty());
}

#[test]
pub(super) fn rule_9_never_on_cellular() {
    let mut world = behind_a_port_list(|config| {
        config.network = Network::up(Link::Cellular);
        config.route.treatment.cellular = crate::config::AtDeadline::Proxied;
    });
    let (_, took, route) = opening(&mut world, Kind::Stream, OTHER);
    assert_eq!((took, route), (30_000, None), "{}", story(&world.events));
    assert!(rescues(&world).is_empty());
}

#[test]
pub(super) fn rule_9_a_datagram_flow_that_is_not_answered_goes_to_a_relay() {
    let mut world = behind_a_port_list(|config| config.route.scope = Scope::Session);
    let flow = open(&mut world, Kind::Datagram, OTHER);
    world.run(10 * SECOND);
    assert!(rescues(&world).is_empty(), "nobody sent anything");
    let at = world.now;
    let moved = |world: &mut World| world.client.status(flow) == FlowStatus::Open(Route::Proxied);
    for _ in 0..60 {
        world.client.send_datagram(world.now, flow, b"media").unwrap();
        if world.run_until(Duration::from_millis(20), moved) {
            break;
        }
        assert_eq!(world.client.status(flow), FlowStatus::Open(Route::Direct), "unnoticed");
    }
    assert!((1_000..1_050).contains(&world.now.since(at).as_millis()), "{}", story(&world.events));
    assert_eq!(rescues(&world), [RescueReason::Unanswered(LENGTH)]);
    assert!(when(&world, |what| matches!(what, What::FlowMoved { route: Route::Proxied, .. })).is_some());
    let late = datagrams(&mut world, flow);
    world.client.send_datagram(world.now, flow, b"later").unwrap();
    assert!(world.run_until(SECOND, |world| datagrams(world, flow).contains(&b"later".to_vec())), "{late:?}");
    // Datagrams are never sent twice: what went out directly is gone.
    assert_eq!(blocks(&world), [(Blocked::Port, 60)]);
    let (_, took, route) = opening(&mut world, Kind::Datagram, NEXT);
    assert_eq!((took < 20, route), (true, Some(Route::Proxied)));
}

#[test]
pub(super) fn rule_9_a_datagram_flow_is_left_alone_where_another_was_answered_on_its_port() {
    let mut world = smart();
    let answered = open(&mut world, Kind::Datagram, OTHER);
    world.client.send_datagram(world.now, answered, b"first").unwrap();
    assert!(world.run_until(SECOND, |world| !datagrams(world, answered).is_empty()));
    world.direct = Direct::Refusing;
    let lonely = open(&mut world, Kind::Datagram, NEXT);
    for _ in 0..50 {
        world.client.send_datagram(world.now, lonely, b"is anybody there").unwrap();
        world.run(SECOND / 10);
    }
    assert!(rescues(&world).is_empty(), "{}", story(&world.events));
    assert_eq!(world.client.status(lonely), FlowStatus::Open(Route::Direct));
}

#[test]
pub(super) fn rule_9_a_client_hello_is_sent_again_and_nothing_else() {
    let hello = client_hello(b"session", false);
    let early = client_hello(b"session", true);
    let with_more = [&hello[..], b"more"].concat();
    let table = [(&hello[..], true), (&early[..], false), (&with_more[..], false), (b"SSH-2.0-x\r\n", false)];
    for (bytes, is_rescued) in table {
        let mut world = behind_a_port_list(|_| {});
        world.direct = Direct::Mute;
        let (flow, took, route) = opening(&mut world, Kind::Stream, OTHER);
        assert_eq!((took < 20, route), (true, Some(Route::Direct)));
        // However long the application waits before it speaks.
        world.run(5 * SECOND);
        let at = world.now;
        world.taken.clear();
        say(&mut world, flow, bytes);
        if is_rescued {
            assert!(is_answered(&mut world, flow, bytes), "{}", story(&world.events));
            assert!((1_000..1_050).contains(&world.now.since(at).as_millis()));
            assert_eq!(rescues(&world), [RescueReason::Unanswered(LENGTH)]);
            assert_eq!(spoken(&world), [bytes, bytes]);
        } else {
            world.run(10 * SECOND);
            assert!(rescues(&world).is_empty());
            assert_eq!(spoken(&world), [bytes]);
            assert_eq!(world.client.status(flow), FlowStatus::Open(Route::Direct));
        }
        // The next one is saved either way.
        let (_, took, route) = opening(&mut world, Kind::Stream, NEXT);
        assert_eq!((took < 20, route), (true, Some(Route::Proxied)), "{}", story(&world.events));
        assert_eq!(world.client.route(Kind::Stream), Route::Direct);
    }
}

#[test]
pub(super) fn rule_9_a_stream_that_is_reset_or_ended_before_a_byte_came_back_is_rescued() {
    for (direct, reason) in [(Direct::Resetting, RescueReason::Reset), (Direct::Ending, RescueReason::Ended)]
    {
        for chunk in [usize::MAX, 7] {
            let mut world = behind_a_port_list(|_| {});
            (world.direct, world.chunk) = (direct, chunk);
            let (flow, ..) = opening(&mut world, Kind::Stream, OTHER);
            let hello = client_hello(b"reset", false);
            let at = world.now;
            say(&mut world, flow, &hello);
            assert!(is_answered(&mut world, flow, &hello), "{}", story(&world.events));
            assert!(world.now.since(at).as_millis() < 50);
            assert_eq!(rescues(&world).first(), Some(&reason));
            assert_eq!(world.client.status(flow), FlowStatus::Open(Route::Proxied));
        }
    }
}

#[test]
pub(super) fn rule_9_what_must_not_be_sent_again_fails_as_it_would_directly_and_the_next_is_saved() {
    let mut world = behind_a_port_list(|_| {});
    world.direct = Direct::Resetting;
    let (flow, ..) = opening(&mut world, Kind::Stream, OTHER);
    world.taken.clear();
    say(&mut world, flow, b"POST / HTTP/1.1\r\n");
    world.run(SECOND);
    assert_eq!(world.client.status(flow), FlowStatus::Failed(FlowError::Reset));
    assert_eq!((rescues(&world), blocks(&world)), (vec![], vec![(Blocked::Port, 60)]));
    let (_, took, route) = opening(&mut world, Kind::Stream, OTHER);
    assert_eq!((took < 20, route), (true, Some(Route::Proxied)));
    assert_eq!(spoken(&world), [b"POST / HTTP/1.1\r\n"]);
}

#[test]
pub(super) fn rule_9_what_an_application_does_in_between_is_done_on_the_new_path() {
    let mut world = behind_a_port_list(|_| {});
    world.direct = Direct::Mute;
    let (flow, ..) = opening(&mut world, Kind::Stream, OTHER);
    let hello = client_hello(b"session", false);
    say(&mut world, flow, &hello);
    assert!(world.run_until(5 * SECOND, |world| !rescues(world).is_empty()));
    assert_eq!(world.client.status(flow), FlowStatus::Open(Route::Direct));
    assert_eq!(world.client.write(world.now, flow, b"later").unwrap(), 0, "there is no room in between");
    world.client.finish(world.now, flow);
    let mut got = Vec::new();
    let ended = world.run_until(SECOND, |world| {
        let (more, ended) = read_all(world, flow);
        got.extend(more);
        ended
    });
    assert!(ended && got == hello, "{got:?} {}", story(&world.events));
}

#[test]
pub(super) fn rule_9_one_host_does_not_block_a_port_on_which_others_are_answered() {
    let mut world = smart();
    let good = connect(&mut world, OTHER);
    say(&mut world, good, b"hello");
    assert!(is_answered(&mut world, good, b"hello"));
    world.direct = Direct::BlackHole;
    let (_, took, route) = opening(&mut world, Kind::Stream, NEXT);
    assert_eq!(((1_000..1_050).contains(&took), route), (true, Some(Route::Proxied)));
    assert_eq!(blocks(&world), [(Blocked::Host, 60)]);
    world.direct = Direct::Open;
    let (again, took, route) = opening(&mut world, Kind::Stream, NEXT);
    assert_eq!((took < 20, route), (true, Some(Route::Proxied)));
    let (good, _, route) = opening(&mut world, Kind::Stream, OTHER);
    assert_eq!(route, Some(Route::Direct));
    // And where nothing was answered since, the next host blocks the port.
    world.client.reset(world.now, again);
    world.client.reset(world.now, good);
    world.direct = Direct::BlackHole;
    opening(&mut world, Kind::Stream, "10.0.0.3:8080");
    assert_eq!(blocks(&world), [(Blocked::Host, 60), (Blocked::Port, 60)]);
}

#[test]
pub(super) fn rule_9_one_in_a_while_tries_direct_again() {
    let mut world = behind_a_port_list(|_| {});
    opening(&mut world, Kind::Stream, OTHER);
    world.run(60 * SECOND);
    // The port is still blocked: one flow pays for knowing, and the pause has grown.
    let (_, took, route) = opening(&mut world, Kind::Stream, OTHER);
    assert_eq!(((1_000..1_050).contains(&took), route), (true, Some(Route::Proxied)));
    let (_, took, _) = opening(&mut world, Kind::Stream, OTHER);
    assert!(took < 20);
    assert_eq!(blocks(&world), [(Blocked::Port, 60), (Blocked::Port, 120)]);
    world.run(121 * SECOND);
    world.direct = Direct::Open;
    for _ in 0..2 {
        let (flow, took, route) = opening(&mut world, Kind::Stream, OTHER);
        assert_eq!((took < 20, route), (true, Some(Route::Direct)), "{}", story(&world.events));
        say(&mut world, flow, b"open again");
        assert!(is_answered(&mut world, flow, b"open again"));
    }
}

#[test]
pub(super) fn rule_9_if_no_relay_serves_it_either_the_direct_failure_is_told() {
    let mut world = behind_a_port_list(|_| {});
    world.crash(0);
    world.crash(1);
    world.direct = Direct::Refusing;
    let (flow, ..) = opening(&mut world, Kind::Stream, OTHER);
    match world.client.status(flow) {
        FlowStatus::Failed(FlowError::Direct(Fault::Io(error))) => {
            assert_eq!(error.failure, IoFailure::ConnectionRefused);
        }
        other => panic!("{other:?}\n{}", story(&world.events)),
    }
    assert!(blocks(&world).is_empty(), "the path is not to blame");
    let closed = |what: &What| matches!(what, What::FlowClosed { reason: CloseReason::Failed(_), .. });
    assert_eq!(world.events.iter().filter(|event| closed(&event.what)).count(), 1);
}

#[test]
pub(super) fn rule_9_a_direct_path_that_no_relay_replaces_is_waited_for() {
    let mut world = behind_a_port_list(|_| {});
    world.refusing.insert(OTHER.parse().unwrap());
    world.direct = Direct::Mute;
    let (flow, ..) = opening(&mut world, Kind::Stream, OTHER);
    let hello = client_hello(b"session", false);
    say(&mut world, flow, &hello);
    world.run(10 * SECOND);
    assert_eq!(rescues(&world), [RescueReason::Unanswered(LENGTH)], "the relay said no, once and for all");
    assert_eq!(world.client.status(flow), FlowStatus::Open(Route::Direct));
    assert!(blocks(&world).is_empty());
}

#[test]
pub(super) fn rule_9_a_flow_that_went_to_the_relay_at_once_and_is_refused_there_is_tried_directly() {
    let mut world = behind_a_port_list(|_| {});
    opening(&mut world, Kind::Stream, OTHER);
    world.refusing.insert(NEXT.parse().unwrap());
    // The relay cannot reach that one, and this network can.
    world.direct = Direct::Only(8080);
    let at = world.now;
    let flow = open(&mut world, Kind::Stream, NEXT);
    world.run(SECOND / 2);
    assert_eq!(rescues(&world).last(), Some(&RescueReason::Blocked));
    match world.client.status(flow) {
        // The world refuses it to everybody: what the direct path said is told.
        FlowStatus::Failed(FlowError::Direct(_)) => {}
        other => panic!("{other:?} {at}\n{}", story(&world.events)),
    }
}

#[test]
pub(super) fn rule_9_what_is_blocked_is_forgotten_with_the_network() {
    let mut world = behind_a_port_list(|_| {});
    opening(&mut world, Kind::Stream, OTHER);
    world.client.handle_network(world.now, Network::up(Link::Ethernet));
    world.direct = Direct::Open;
    let (_, took, route) = opening(&mut world, Kind::Stream, OTHER);
    assert_eq!((took < 20, route), (true, Some(Route::Direct)));
}

#[test]
pub(super) fn rule_9_a_flow_that_is_being_rescued_begins_again_with_the_network() {
    let mut world = behind_a_port_list(|_| {});
    world.crash(0);
    world.crash(1);
    world.refuses_new = true;
    let flow = open(&mut world, Kind::Stream, OTHER);
    world.run(Duration::from_millis(1_001));
    world.direct = Direct::Open;
    world.client.handle_network(world.now, Network::up(Link::Ethernet));
    assert!(world.run_until(SECOND / 10, |world| is_open(world, flow)), "{}", story(&world.events));
    assert_eq!(world.client.status(flow), FlowStatus::Open(Route::Direct));
}

#[test]
pub(super) fn rule_10_silence_where_there_were_answers_begins_a_new_trial() {
    let mut world = smart();
    let flow = open(&mut world, Kind::Datagram, ECHO);
    world.client.send_datagram(world.now, flow, b"first").unwrap();
    assert!(world.run_until(SECOND, |world| !datagrams(world, flow).is_empty()));
    world.direct = Direct::BlackHole;
    world.silence_direct();
    let at = world.now;
    let mut back = None;
    for _ in 0..200 {
        world.client.send_datagram(world.now, flow, b"media").unwrap();
        world.run(SECOND / 10);
        if !datagrams(&mut world, flow).is_empty() {
            back.get_or_insert(world.now.since(at).as_millis());
        }
    }
    let story = story(&world.events);
    assert!(back.is_some_and(|back| (11_000..11_300).contains(&back)), "{back:?}\n{story}");
    assert!(matches!(failures(&world)[..], [(_, Failure::Silent(_))]), "{story}");
    assert_eq!(world.client.route(Kind::Datagram), Route::Proxied);
}

#[test]
pub(super) fn rule_10_what_is_sent_rarely_is_moved_with_its_third_word_into_silence() {
    let mut world = smart();
    let flow = open(&mut world, Kind::Datagram, ECHO);
    world.client.send_datagram(world.now, flow, b"first").unwrap();
    assert!(world.run_until(SECOND, |world| !datagrams(world, flow).is_empty()));
    world.direct = Direct::BlackHole;
    world.silence_direct();
    for _ in 0..2 {
        world.client.send_datagram(world.now, flow, b"word").unwrap();
        world.run(100 * SECOND);
    }
    assert!(failures(&world).is_empty(), "{}", story(&world.events));
    let at = world.now;
    world.client.send_datagram(world.now, flow, b"word").unwrap();
    world.run(2 * SECOND);
    let story = story(&world.events);
    assert_eq!(failures(&world), [(at, Failure::Silent(200 * SECOND))], "{story}");
    assert_eq!(world.client.route(Kind::Datagram), Route::Proxied, "{story}");
}

#[test]
pub(super) fn rule_10_so_is_a_stream_that_is_written_to_rarely() {
    let mut world = smart();
    let flow = connect(&mut world, WEB);
    say(&mut world, flow, b"hello");
    assert!(is_answered(&mut world, flow, b"hello"));
    world.direct = Direct::BlackHole;
    world.silence_direct();
    for _ in 0..2 {
        say(&mut world, flow, b"word");
        world.run(100 * SECOND);
    }
    assert!(failures(&world).is_empty(), "{}", story(&world.events));
    let at = world.now;
    say(&mut world, flow, b"word");
    world.run(SECOND / 10);
    assert_eq!(failures(&world), [(at, Failure::Silent(200 * SECOND))], "{}", story(&world.events));
}

#[test]
pub(super) fn rule_10_several_resets_at_once_begin_a_new_trial() {
    let mut world = smart();
    let flows: Vec<_> = (0..3).map(|_| connect(&mut world, WEB)).collect();
    for flow in &flows {
        say(&mut world, *flow, b"hello");
        assert!(is_answered(&mut world, *flow, b"hello"));
    }
    world.direct = Direct::BlackHole;
    let at = world.now;
    world.reset_targets();
    world.run(SECOND);
    assert_eq!(
        failures(&world).iter().map(|(_, failure)| *failure).collect::<Vec<_>>(),
        [Failure::Broken(3)]
    );
    let (_, took, route) = opening(&mut world, Kind::Stream, WEB);
    assert_eq!(((1_000..1_050).contains(&took), route), (true, Some(Route::Proxied)), "{at}");
    assert_eq!(world.client.route(Kind::Stream), Route::Proxied);
}

#[test]
pub(super) fn rule_10_switched_off_nothing_is_doubted() {
    let mut config = config(Mode::Smart, Link::Wifi);
    config.route.doubt.on = false;
    let mut world = world(config);
    let flow = open(&mut world, Kind::Datagram, ECHO);
    world.client.send_datagram(world.now, flow, b"first").unwrap();
    world.run(SECOND);
    world.silence_direct();
    for _ in 0..600 {
        world.client.send_datagram(world.now, flow, b"media").unwrap();
        world.run(SECOND / 10);
    }
    assert!(failures(&world).is_empty());
    assert_eq!(world.client.status(flow), FlowStatus::Open(Route::Direct));
}

#[test]
pub(super) fn in_mode_normal_nothing_of_this_happens() {
    let mut world = world(config(Mode::Normal, Link::Wifi));
    world.direct = Direct::Mute;
    let flow = connect(&mut world, OTHER);
    say(&mut world, flow, &client_hello(b"session", false));
    world.crash(0);
    world.crash(1);
    let next = open(&mut world, Kind::Stream, OTHER);
    world.run(60 * SECOND);
    assert!(matches!(world.client.status(next), FlowStatus::Failed(_)));
    assert!(RELAYS.iter().all(|relay| world.reached.contains(*relay)), "{:?}", world.reached);
    assert!(world.reached.iter().all(|reached| RELAYS.contains(&reached.as_str())), "{:?}", world.reached);
    assert!(rescues(&world).is_empty());
}
