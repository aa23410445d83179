//! Limits: of connections, tunnels, memory and rates (rows 11, 26 and 28 of the abuse cases).

use super::*;
use crate::policy::Rates;

/// A relay on which an account moves so many bytes a second each way.
fn with_bytes(per_second: u64) -> Rig {
    let rates = Rates { bits_per_second: Some(8 * per_second), ..Rates::default() };
    Rig::with(|config| (config.scope.to_target, config.scope.to_client) = (rates, rates))
}

#[test]
fn connections_are_limited_in_all_and_for_each_source() {
    let mut rig = Rig::with(|config| {
        config.limits.connections = 3;
        config.limits.connections_per_source = 2;
    });
    let first = rig.accept();
    rig.accept();
    assert!(rig.accept_from("192.0.2.1:9").is_none());
    assert!(rig.accept_from("[::ffff:192.0.2.1]:9").is_none(), "the same address in another form");
    rig.accept_from("192.0.2.2:9").unwrap();
    assert!(rig.accept_from("192.0.2.3:9").is_none());
    rig.fin(first.socket);
    rig.accept();
}

fn turned_away(rig: &Rig) -> Vec<(u64, u64, &TurnedAway)> {
    let mut told = Vec::new();
    for event in &rig.events {
        if let What::TurnedAway { count, reason, .. } = &event.what {
            told.push((event.at.as_millis() / 1_000, *count, reason));
        }
    }
    told
}

#[test]
fn who_is_turned_away_is_told_at_once_and_then_counted() {
    let mut rig = Rig::with(|config| {
        config.limits.connections = 2;
        config.limits.connections_per_source = 1;
    });
    let source = TurnedAway::Source { address: "192.0.2.1".parse().unwrap(), most: 1 };
    let all = TurnedAway::All(2);
    rig.accept();
    for _ in 0..50 {
        assert!(rig.accept_from("192.0.2.1:9").is_none());
    }
    rig.pump();
    assert_eq!(turned_away(&rig), [(0, 1, &source)]);
    let first: SocketAddr = "192.0.2.1:9".parse().unwrap();
    assert!(matches!(rig.last(), What::TurnedAway { latest, .. } if *latest == first), "{:?}", rig.last());
    // The other limit is another fact.
    rig.accept_from("192.0.2.2:9").unwrap();
    assert!(rig.accept_from("192.0.2.3:9").is_none());
    rig.pass(59 * SECOND);
    assert_eq!(turned_away(&rig), [(0, 1, &source), (0, 1, &all)]);
    rig.pass(SECOND);
    assert_eq!(turned_away(&rig)[2..], [(60, 49, &source)]);
    assert_eq!(rig.relay.stats().turned_away.total(), 51);
    // Nothing new is said of what is over, and the next one is told at once.
    rig.relay.close(rig.now);
    rig.pump();
    assert_eq!(turned_away(&rig).len(), 3);
    rig.assert_clean();
}

#[test]
fn who_was_turned_away_last_is_told_before_the_relay_ends() {
    let mut rig = Rig::with(|config| config.limits.connections = 1);
    rig.accept();
    for _ in 0..3 {
        assert!(rig.accept_from("192.0.2.3:9").is_none());
    }
    rig.pass(2 * SECOND);
    rig.relay.drain(rig.now);
    assert!(rig.accept_from("192.0.2.3:9").is_none(), "a relay that drains is not full");
    rig.pump();
    let all = TurnedAway::All(1);
    assert_eq!(turned_away(&rig), [(0, 1, &all), (2, 2, &all)]);
}

#[test]
pub(super) fn an_account_has_so_many_tunnels_and_others_are_not_touched() {
    let mut rig = Rig::with(|config| config.limits.tunnels_per_account = 2);
    let (mut first, target) = rig.stream();
    let mut dialling = rig.accept();
    rig.say(&mut dialling, connect(TARGET));
    assert_eq!(rig.dials.len(), 2);
    // A dial counts like a tunnel, and a second token of the same user gains nothing.
    let again = bearer_of(&token_of("alice"));
    let answer = rig.refused(connect_with(TARGET, &again));
    assert_eq!((answer.status, answer.error()), (429, Some("connection_limit_reached")));
    assert_eq!(rig.dials.len(), 2);
    let mut other = rig.accept();
    rig.say(&mut other, connect_with(TARGET, &bearer_of(&token_of("bob"))));
    assert_eq!(rig.dials.len(), 3);
    // What ended makes room: a tunnel, and a dial that failed.
    rig.fin(target);
    rig.end(&mut first);
    let failing = rig.dials[1].0;
    rig.fail(failing, IoFailure::ConnectionRefused);
    for count in 4..6 {
        let mut peer = rig.accept();
        rig.say(&mut peer, connect(TARGET));
        assert_eq!(rig.dials.len(), count);
    }
    assert_eq!(rig.refused(connect(TARGET)).status, 429);
    rig.relay.close(rig.now);
    rig.pump();
    rig.assert_clean();
}

#[test]
fn near_the_memory_limit_new_tunnels_wait_and_old_ones_go_on() {
    let mut rig = Rig::with(|config| config.limits.memory = 1 << 20);
    let mut slow = Vec::new();
    while rig.relay.stats().held < 1 << 20 {
        let (peer, target) = rig.stream();
        rig.stalled.insert(peer.socket);
        rig.receive(target, &[0; 60 * 1024]);
        slow.push((peer, target));
        assert!(slow.len() < 50);
    }
    let dials = rig.dials.len();
    let answer = rig.refused(connect(TARGET));
    assert_eq!((answer.status, answer.error()), (503, Some("connection_limit_reached")));
    assert!(answer.field("Retry-After").is_some());
    assert_eq!(rig.dials.len(), dials);
    // Who has no token learns nothing of the load.
    assert_eq!(rig.refused(connect_with(TARGET, "")).status, 407);
    for (mut peer, target) in slow {
        rig.unstall(peer.socket);
        rig.hear(&mut peer);
        assert_eq!(peer.take().len(), 60 * 1024);
        rig.fin(target);
        rig.end(&mut peer);
    }
    rig.assert_clean();
    rig.stream();
}

#[test]
fn a_stream_over_its_rate_is_slowed_and_loses_nothing() {
    let mut rig = with_bytes(10_000);
    let (mut peer, target) = rig.stream();
    let (mut got, mut sent) = (0, 0);
    for _ in 0..100 {
        if !rig.paused.contains(&target) {
            rig.receive(target, &[1; 1_000]);
            sent += 1_000;
        }
        rig.pass(Duration::from_millis(50));
        rig.hear(&mut peer);
        got += peer.take().len();
    }
    assert_eq!(got, sent);
    // Five seconds at the rate, and the burst; one write beyond is allowed.
    assert!((58_000..=61_000).contains(&sent), "{sent}");
    // The other direction has a rate of its own.
    rig.receive(target, &[1; 12_000]);
    assert!(rig.paused.contains(&target));
    rig.say(&mut peer, [2; 9_000]);
    assert!(!rig.paused.contains(&peer.socket));
    rig.pass(10 * SECOND);
    rig.hear(&mut peer);
    assert_eq!(rig.sent(target).concat().len(), 9_000);
    rig.say(&mut peer, [2; 12_000]);
    assert!(rig.paused.contains(&peer.socket) && !rig.paused.contains(&target));
    assert_eq!(rig.sent(target).concat().len(), 12_000);
    rig.pass(SECOND);
    assert!(rig.paused.is_empty());
    rig.fin(target);
    rig.end(&mut peer);
    assert_eq!(rig.relay.stats().tunnels, 0);
}

#[test]
pub(super) fn datagrams_over_their_rate_are_dropped_and_counted() {
    let rates = Rates { packets_per_second: Some(10), ..Rates::default() };
    let mut rig = Rig::with(|config| (config.scope.to_target, config.scope.to_client) = (rates, rates));
    let (mut peer, target) = rig.datagrams();
    for _ in 0..50 {
        rig.say(&mut peer, capsule(b"x"));
    }
    let through = rig.sent(target).len();
    assert!((10..=11).contains(&through), "{through}");
    rig.pass(10 * SECOND);
    for _ in 0..50 {
        rig.receive(target, b"y");
        rig.hear(&mut peer);
    }
    let back = payloads(&peer.take()).len();
    assert!((10..=11).contains(&back), "{back}");
    rig.end(&mut peer);
    let What::TunnelClosed { dropped, .. } = rig.last() else { panic!() };
    assert_eq!(usize::try_from(*dropped).unwrap(), 100 - through - back);
}

#[test]
pub(super) fn a_rate_belongs_to_the_account_and_reconnecting_gains_nothing() {
    let mut rig = with_bytes(1_000);
    let (mut peer, target) = rig.stream();
    rig.receive(target, &[1; 5_000]);
    rig.fin(target);
    rig.end(&mut peer);
    let (_peer, target) = rig.stream();
    rig.receive(target, b"x");
    assert!(rig.paused.contains(&target), "the new tunnel begins where the old one ended");
}

#[test]
pub(super) fn accounts_that_are_at_rest_are_forgotten() {
    let mut rig = with_bytes(1_000);
    for user in 0..1_000 {
        let mut peer = rig.accept();
        rig.say(&mut peer, connect_with(TARGET, &bearer_of(&token_of(&user.to_string()))));
        let target = rig.dials.last().unwrap().0;
        rig.opened(target);
        rig.receive(target, &[0; 100]);
        rig.fin(target);
        rig.end(&mut peer);
        rig.pass(SECOND);
    }
    let accounts = rig.relay.stats().accounts;
    assert!(accounts < 200, "{accounts} accounts");
}

#[test]
fn tunnels_opened_and_dropped_give_their_sockets_back_at_once() {
    let mut rig = Rig::new();
    for number in 0..200 {
        let (mut peer, target) = if number % 2 == 0 { rig.stream() } else { rig.datagrams() };
        match number % 3 {
            0 => rig.fail(peer.socket, IoFailure::ConnectionReset),
            1 => rig.end(&mut peer),
            _ => {
                rig.fail(target, IoFailure::ConnectionReset);
                rig.end(&mut peer);
            }
        }
        if !rig.closed.contains_key(&target) {
            rig.fin(target);
        }
        rig.assert_clean();
    }
}

#[test]
fn memory_that_a_tunnel_gave_back_no_longer_counts() {
    let mut rig = Rig::new();
    let (mut peer, target) = rig.datagrams();
    rig.stalled.insert(target);
    rig.stalled.insert(peer.socket);
    for _ in 0..100 {
        rig.say(&mut peer, capsule(&[0; 1_000]));
    }
    assert!(rig.relay.stats().held > 100_000);
    rig.fin(peer.socket);
    // What it sent last is given the time that a datagram may wait.
    rig.pass(SECOND);
    assert!(rig.relay.stats().held < 1_000, "{}", rig.relay.stats().held);
}

#[test]
pub(super) fn a_stream_with_one_half_is_idle_sooner() {
    let mut rig = Rig::new();
    let (mut peer, target) = rig.stream();
    rig.end(&mut peer);
    assert!(rig.finished.contains(&target));
    rig.pass(299 * SECOND);
    assert_eq!(rig.relay.stats().tunnels, 1);
    rig.receive(target, b"still here");
    rig.pass(299 * SECOND);
    assert_eq!(rig.relay.stats().tunnels, 1);
    rig.pass(2 * SECOND);
    assert_eq!(*rig.close_reason(), CloseReason::Idle);
    rig.assert_clean();
}

#[test]
pub(super) fn one_account_has_so_many_names_looked_up_and_others_are_not_touched() {
    let mut rig = Rig::with(|config| {
        config.limits.lookups_per_account = 2;
        config.limits.lookups = 3;
    });
    let bob = bearer_of(&token_of("bob"));
    let mut slow: Vec<_> = (0..2).map(|_| rig.accept()).collect();
    for (number, peer) in slow.iter_mut().enumerate() {
        rig.say(peer, connect(&format!("slow{number}.example:443")));
    }
    assert_eq!(rig.lookups.len(), 2);
    let answer = rig.refused(connect("slow.example:443"));
    assert_eq!((answer.status, answer.error()), (429, Some("proxy_internal_response")));
    assert!(answer.field("Retry-After").is_some());
    assert_eq!(rig.lookups.len(), 2, "it is not even begun");
    // What needs no look-up is served all the same.
    let mut direct = rig.accept();
    rig.say(&mut direct, connect(TARGET));
    assert_eq!(rig.dials.len(), 1);
    let mut other = rig.accept();
    rig.say(&mut other, connect_with("good.example:443", &bob));
    assert_eq!(rig.lookups.len(), 3);
    assert_eq!(rig.refused(connect_with("more.example:443", &bob)).status, 503, "so many in all");
    // One that was answered, and one that was given up, make room.
    rig.resolved(rig.lookups[2].0, &["10.0.0.7"]);
    rig.fail(slow[0].socket, IoFailure::ConnectionReset);
    assert!(rig.closed.contains_key(&rig.lookups[0].0), "a look-up that nobody waits for is given up");
    let mut again = rig.accept();
    rig.say(&mut again, connect("slow.example:443"));
    assert_eq!(rig.lookups.len(), 4);
    rig.relay.close(rig.now);
    rig.pump();
    assert_eq!(rig.relay.ledger.read(Books::lookups), 0, "every look-up is counted off");
    rig.assert_clean();
}

#[test]
fn a_family_that_is_never_answered_is_given_up_when_the_other_was_reached() {
    let mut rig = Rig::new();
    let mut peer = rig.accept();
    rig.say(&mut peer, connect("half.example:443"));
    let lookup = rig.lookups[0].0;
    rig.relay.handle_resolved(rig.now, lookup, Families::V4, Ok(&["10.0.0.7".parse().unwrap()]));
    rig.pump();
    assert_eq!(rig.dials, []);
    rig.pass(Duration::from_millis(50));
    let target = rig.dials[0].0;
    rig.opened(target);
    rig.hear(&mut peer);
    assert!(peer.take().starts_with(b"HTTP/1.1 200 "));
    assert!(rig.closed.contains_key(&lookup));
    assert_eq!(rig.relay.ledger.read(Books::lookups), 0);
}
