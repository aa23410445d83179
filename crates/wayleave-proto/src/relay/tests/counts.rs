//! What is counted by kind. That the sums are those of the events is checked wherever a test ends clean.

use super::*;
use crate::auth::Revoked;

/// The kinds that happened, and how often.
fn some(each: impl Iterator<Item = (&'static str, u64)>) -> Vec<(&'static str, u64)> {
    each.filter(|(_, count)| *count > 0).collect()
}

#[test]
fn authentications_and_refusals_are_counted_by_what_came_of_them() {
    let mut rig = Rig::new();
    rig.stream();
    let stale = bearer_of(&token(START, SECOND).unwrap());
    rig.pass(100 * SECOND);
    rig.relay.revoke(rig.now, Revoked::User { user: "mallory".into(), app_id: None }).unwrap();
    for fields in ["", "Proxy-Authorization: Nonsense\r\n", &stale, &bearer_of(&token_of("mallory"))] {
        assert_eq!(rig.refused(connect_with(TARGET, fields)).status, 407, "{fields}");
    }
    let mut guesses = 0;
    while rig.refused(connect_with(TARGET, "Proxy-Authorization: Bearer guess\r\n")).status == 407 {
        guesses += 1;
    }
    let stats = rig.relay.stats();
    let expected = [
        ("accepted", 1),
        ("expired", 1),
        ("malformed", 1 + guesses),
        ("missing", 1),
        ("revoked", 1),
        ("throttled", 1),
    ];
    assert_eq!(some(stats.authentications.each()), expected);
    assert_eq!(some(stats.refused.each()), [("407", 4 + guesses), ("429", 1)]);
}

#[test]
fn targets_that_cannot_be_reached_are_counted_by_the_reason() {
    let mut rig = Rig::new();
    for failure in [
        IoFailure::ConnectionRefused,
        IoFailure::ConnectionReset,
        IoFailure::Exhausted(Resource::Ports),
        IoFailure::Other,
        IoFailure::PermissionDenied,
        IoFailure::TimedOut,
        IoFailure::Unreachable,
    ] {
        let mut peer = rig.accept();
        rig.say(&mut peer, connect(TARGET));
        let (socket, _) = *rig.dials.last().unwrap();
        rig.fail(socket, failure);
    }
    let each = ["exhausted", "not_permitted", "other", "refused", "reset", "timed_out", "unreachable"];
    assert_eq!(some(rig.relay.stats().dial_errors.each()), each.map(|name| (name, 1)));
}

#[test]
fn names_that_lead_nowhere_are_counted_and_those_on_their_way_too() {
    let mut rig = Rig::new();
    for failure in [
        IoFailure::NameEmpty,
        IoFailure::NameFailed,
        IoFailure::NameRefused,
        IoFailure::NameUnanswered,
        IoFailure::NameUnknown,
    ] {
        let mut peer = rig.accept();
        rig.say(&mut peer, connect("good.example:443"));
        assert_eq!(rig.relay.stats().lookups, 1);
        let (id, _) = *rig.lookups.last().unwrap();
        rig.relay.handle_resolved(rig.now, id, Families::Both, Err(IoFailed::new(failure)));
        rig.pump();
        assert_eq!(rig.relay.stats().lookups, 0);
    }
    let each = ["name_empty", "name_failed", "name_refused", "name_unanswered", "name_unknown"];
    assert_eq!(some(rig.relay.stats().dial_errors.each()), each.map(|name| (name, 1)));
}

#[test]
fn payload_is_counted_each_way_and_what_is_dropped_by_the_reason() {
    let mut rig = Rig::with(|config| {
        config.limits.datagrams.count = 2;
        config.scope.to_target.packets_per_second = Some(4);
    });
    let (mut peer, target) = rig.datagrams();
    rig.stalled.insert(target);
    rig.say(&mut peer, [capsule(b"a"), capsule(b"bc")].concat());
    rig.pass(SECOND);
    // The next one finds two that are too old; of three more one has to make room, and the last two are beyond the rate.
    for payload in [b"d", b"e", b"f", b"g", b"h", b"i", b"j"] {
        rig.say(&mut peer, capsule(payload));
    }
    rig.receive(target, &[0; 65_528]);
    rig.receive(target, b"back");
    rig.relay.handle_overflow(rig.now, target, 3);
    let stats = rig.relay.stats();
    assert_eq!((stats.to_target.datagrams, stats.to_target.bytes), (9, 10));
    assert_eq!((stats.to_client.datagrams, stats.to_client.bytes), (2, 65_532));
    assert_eq!(some(stats.dropped.each()), [("aged", 2), ("crowded", 3), ("rate", 2), ("too_long", 1)]);
    assert_eq!(stats.overflowed, 3);
    rig.unstall(target);
    rig.end(&mut peer);
    rig.assert_counted();
}

#[test]
fn what_a_queue_dropped_last_is_counted_when_its_tunnel_is_cut() {
    let mut rig = Rig::new();
    let (mut peer, target) = rig.datagrams();
    rig.stalled.insert(target);
    rig.say(&mut peer, capsule(b"late"));
    rig.pass(SECOND);
    rig.unstall(target);
    rig.relay.close(rig.now);
    rig.pump();
    assert_eq!(some(rig.relay.stats().dropped.each()), [("aged", 1)]);
    rig.assert_counted();
}

#[test]
fn connections_are_counted_by_why_they_were_not_taken_and_machines_add_up() {
    let mut rig = Rig::with(|config| {
        config.limits.connections = 2;
        config.limits.connections_per_source = 1;
    });
    rig.accept_from("192.0.2.1:9").unwrap();
    assert!(rig.accept_from("192.0.2.1:9").is_none());
    rig.accept_from("192.0.2.2:9").unwrap();
    assert!(rig.accept_from("192.0.2.3:9").is_none() && rig.accept_from("192.0.2.4:9").is_none());
    let stats = rig.relay.stats();
    assert_eq!(some(stats.turned_away.each()), [("connections", 2), ("connections_per_source", 1)]);
    let twice = stats.with(stats);
    assert_eq!(some(twice.turned_away.each()), [("connections", 4), ("connections_per_source", 2)]);
    assert_eq!((twice.turned_away.total(), twice.accepted), (6, 4));
}

#[test]
fn a_listener_is_well_that_has_not_failed_for_five_seconds_and_does_not_drain() {
    let mut rig = Rig::new();
    assert!(rig.relay.is_accepting(rig.now));
    let error = IoFailed::new(IoFailure::Exhausted(Resource::Descriptors));
    rig.relay.handle_accept_failed(rig.now, &error, true);
    assert!(!rig.relay.is_accepting(rig.now + Duration::from_millis(4_999)));
    assert!(rig.relay.is_accepting(rig.now + 5 * SECOND));
    rig.pass(5 * SECOND);
    rig.relay.drain(rig.now);
    assert!(!rig.relay.is_accepting(rig.now));
}
