//! A relay of several machines: a limit is granted once, and what happens on one is heard on the others.

use super::*;
use crate::auth::{Keys, KeysConfig, Revoked};
use crate::config::Verifier;
use crate::policy::{OnExpiry, Rates, Scope};
use crate::relay::{ConnectionId, TunnelId};

/// The machines of one relay.
fn machines(count: usize, change: impl FnOnce(&mut RelayConfig)) -> Vec<Rig> {
    let mut config = relay_config().unwrap();
    change(&mut config);
    Rig::several(count, config)
}

/// Every machine hears what it has to.
fn hear_news(rigs: &mut [Rig]) {
    for shard in rigs[0].relay.ledger.write(Books::take_called).iter() {
        let rig = &mut rigs[shard];
        rig.relay.handle_news(rig.now);
        rig.pump();
    }
}

/// Fields with a token that allows this much, for an hour.
fn scoped(scope: Scope) -> String {
    let claims = Claims {
        app_id: Some("1001".parse().unwrap()),
        subject: Some("alice".into()),
        expires: Some(UnixTime::from_secs(START.as_secs() + 3_600)),
        scope,
        ..Claims::default()
    };
    bearer_of(&signing_key().unwrap().mint(&claims).unwrap())
}

#[test]
fn connections_are_counted_together_for_all_and_for_a_source() {
    let mut rigs = machines(3, |config| {
        (config.limits.connections, config.limits.connections_per_source) = (4, 2);
    });
    let first = rigs[0].accept_from("192.0.2.1:1").unwrap();
    rigs[1].accept_from("192.0.2.1:2").unwrap();
    for rig in &mut rigs {
        assert!(rig.accept_silent("192.0.2.1:3").is_none(), "of one source");
    }
    rigs[2].accept_from("192.0.2.2:1").unwrap();
    rigs[2].accept_from("192.0.2.3:1").unwrap();
    for rig in &mut rigs {
        assert!(rig.accept_silent("192.0.2.4:1").is_none(), "of all");
    }
    rigs[0].fail(first.socket, IoFailure::TimedOut);
    assert!(rigs[1].accept_silent("192.0.2.1:4").is_some());
    assert!(rigs[2].accept_silent("192.0.2.4:1").is_none());
}

#[test]
fn an_account_gets_its_tunnels_once_and_its_clients_are_asked_everywhere() {
    let mut rigs = machines(3, |config| config.limits.tunnels_per_account = 2);
    let (first, _) = rigs[0].stream();
    let (second, _) = rigs[1].stream();
    let usual = rigs[0].watched[&first.socket];
    for rig in &mut rigs {
        assert_eq!(rig.refused(connect(TARGET)).status, 429);
    }
    hear_news(&mut rigs);
    for (shard, socket) in [(0, first.socket), (1, second.socket)] {
        assert!(rigs[shard].watched[&socket].idle < usual.idle, "machine {shard} asks its client");
    }
    rigs[0].fail(first.socket, IoFailure::TimedOut);
    rigs[2].stream();
    assert_eq!(rigs[0].refused(connect(TARGET)).status, 429);
}

#[test]
fn guesses_are_counted_wherever_they_come_from_and_good_tokens_are_known_everywhere() {
    let mut rigs = machines(2, |config| {
        config.limits.failures = crate::policy::RateLimit { per_second: 1, burst: 4 };
        config.limits.suspects = crate::policy::RateLimit { per_second: 1, burst: 1 };
    });
    rigs[0].stream();
    let guess = connect_with(TARGET, "Proxy-Authorization: Bearer a.b.c\r\n");
    let statuses: Vec<u16> = (0..6).map(|turn| rigs[turn % 2].refused(&guess).status).collect();
    assert_eq!(statuses, [407, 407, 407, 407, 407, 429]);
    // What the other machine has found good needs no judgement.
    rigs[1].stream();
    assert_eq!(rigs[1].refused(connect_with(TARGET, &bearer_of(&token_of("bob")))).status, 429);
}

#[test]
fn what_is_revoked_ends_on_every_machine_and_is_noted_once() {
    let mut rigs = machines(3, |config| config.limits.revocations = 1);
    for rig in &mut rigs {
        rig.stream();
    }
    let revoked = Revoked::App("1001".parse().unwrap());
    let ended: usize = rigs.iter_mut().map(|rig| rig.relay.revoke(rig.now, revoked.clone()).unwrap()).sum();
    assert_eq!(ended, 3);
    for rig in &mut rigs {
        rig.pump();
        assert_eq!((rig.relay.stats().tunnels, rig.relay.stats().revocations), (0, 1));
        assert_eq!(rig.refused(connect(TARGET)).status, 407);
        assert!(rig.relay.revoke(rig.now, Revoked::Token("x".into())).is_err(), "the limit is one for all");
    }
}

/// Two machines with a tunnel of alice each, opened for 60 s and for 70 s, and a credential for 100 s that she showed on the
/// first.
fn renewed() -> Vec<Rig> {
    let mut rigs = machines(2, |config| {
        config.scope.on_expiry = Some(OnExpiry::CloseAfter(Duration::ZERO));
        config.rules.leeway = Duration::ZERO;
    });
    let good_for = |seconds, id: &str| {
        let claims = Claims {
            app_id: Some("1001".parse().unwrap()),
            subject: Some("alice".into()),
            token_id: Some(id.into()),
            expires: Some(UnixTime::from_secs(START.as_secs() + seconds)),
            ..Claims::default()
        };
        bearer_of(&signing_key().unwrap().mint(&claims).unwrap())
    };
    for (rig, seconds) in rigs.iter_mut().zip([60, 70]) {
        let mut peer = rig.accept();
        rig.say(&mut peer, connect_with(TARGET, &good_for(seconds, "short")));
        let (target, _) = *rig.dials.last().unwrap();
        rig.opened(target);
    }
    hear_news(&mut rigs);
    let renewal = good_for(100, "long");
    let options = format!("OPTIONS * HTTP/1.1\r\nHost: relay.example\r\n{renewal}\r\n");
    assert_eq!(rigs[0].refused(options).status, 204);
    hear_news(&mut rigs);
    rigs
}

#[test]
fn a_renewed_credential_reaches_the_tunnels_on_other_machines() {
    let mut rigs = renewed();
    for rig in &mut rigs {
        rig.pass(80 * SECOND);
        assert_eq!(rig.relay.stats().tunnels, 1);
        rig.pass(30 * SECOND);
        assert_eq!(rig.close_reason(), &CloseReason::Expired);
        rig.assert_gone();
    }
}

#[test]
fn where_it_is_revoked_all_go_on_by_the_best_that_opened_any_of_them() {
    let mut rigs = renewed();
    for rig in &mut rigs {
        assert_eq!(rig.relay.revoke(rig.now, Revoked::Token("long".into())).unwrap(), 0);
    }
    hear_news(&mut rigs);
    for rig in &mut rigs {
        rig.pass(65 * SECOND);
        assert_eq!(rig.relay.stats().tunnels, 1, "one of them was opened for 70 s");
        rig.pass(10 * SECOND);
        assert_eq!(rig.close_reason(), &CloseReason::Expired);
    }
}

#[test]
fn other_keys_narrow_what_is_open_on_every_machine() {
    let mut rigs = machines(2, |_| {});
    for rig in &mut rigs {
        let (mut peer, _) = rig.stream();
        rig.say(&mut peer, [b'x'; 600]);
    }
    let mut keys = KeysConfig::from(vec![signing_key().unwrap().verifying()]);
    keys.apps.insert("1001".parse().unwrap(), Scope { volume: Some(1_000), ..Scope::default() });
    let keys = Keys::new(keys).unwrap();
    for rig in &mut rigs {
        let now = rig.now;
        rig.relay.renew_keys(now, keys.clone());
    }
    hear_news(&mut rigs);
    for rig in &mut rigs {
        assert_eq!(rig.refused(connect(TARGET)).status, 429, "1,200 bytes were moved on two machines");
    }
}

/// Lets each machine in turn send as much as it may, for so long in all, and returns how many bytes went to targets.
fn flood(rigs: &mut [Rig], scope: Scope, span: Duration) -> u64 {
    let mut flows: Vec<_> = rigs
        .iter_mut()
        .map(|rig| {
            let mut peer = rig.accept();
            rig.say(&mut peer, connect_udp_with("10.0.0.1/443", &scoped(scope.clone())));
            let (target, _) = *rig.binds.last().unwrap();
            rig.opened(target);
            rig.hear(&mut peer);
            peer.take();
            (peer, target)
        })
        .collect();
    let (mut bytes, step) = (0, Duration::from_millis(1));
    for _ in 0..span.as_millis() {
        for (rig, (peer, target)) in rigs.iter_mut().zip(&mut flows) {
            if !rig.closed.contains_key(&peer.socket) && !rig.finished.contains(&peer.socket) {
                rig.say(peer, capsule(&[1; 100]));
                rig.say(peer, capsule(&[1; 100]));
            }
            bytes += rig.sent(*target).concat().len() as u64;
            rig.pass(step);
        }
    }
    bytes
}

#[test]
fn rates_are_granted_once_and_nearly_all_of_them_can_be_used() {
    let rates = Rates { bits_per_second: Some(8 * 20_000), packets_per_second: None };
    for count in [1, 2, 3] {
        let mut rigs = machines(count, |_| {});
        let bytes = flood(&mut rigs, Scope { to_target: rates, ..Scope::default() }, 3 * SECOND);
        // What a second allows at once, and three seconds of it after that.
        assert!((78_000..=80_000 + 100 * count as u64).contains(&bytes), "{count} machines: {bytes}");
    }
    let packets = Rates { bits_per_second: None, packets_per_second: Some(200) };
    let mut rigs = machines(3, |_| {});
    let bytes = flood(&mut rigs, Scope { to_target: packets, ..Scope::default() }, 2 * SECOND);
    assert!((58_000..=60_300).contains(&bytes), "{bytes}");
}

#[test]
fn a_volume_is_granted_once_and_what_was_lent_comes_back() {
    let scope = || Scope { volume: Some(50_000), ..Scope::default() };
    for count in [1, 3] {
        let mut rigs = machines(count, |_| {});
        let bytes = flood(&mut rigs, scope(), SECOND);
        assert!((50_000..=50_000 + 100 * count as u64).contains(&bytes), "{count} machines: {bytes}");
        for rig in &mut rigs {
            let again = connect_udp_with("10.0.0.1/443", &scoped(scope()));
            assert_eq!(rig.refused(again).status, 429);
        }
    }
    let mut rigs = machines(2, |_| {});
    for turn in 0..40 {
        let rig = &mut rigs[turn % 2];
        let bytes = flood(core::slice::from_mut(rig), scope(), Duration::from_millis(5));
        assert_eq!(bytes, 1_000, "turn {turn}: what was lent and not used is there again");
        rig.relay.close(rig.now);
        rig.pump();
        rig.relay.draining = false;
    }
}

#[test]
fn memory_is_counted_together() {
    let mut rigs = machines(2, |config| config.limits.memory = 1 << 20);
    // Targets send more than the clients of the first machine read.
    while rigs[0].relay.stats().held < 1 << 20 {
        let (peer, target) = rigs[0].stream();
        rigs[0].stalled.insert(peer.socket);
        rigs[0].receive(target, &[0; 64 * 1024]);
    }
    let mut peer = rigs[1].accept();
    rigs[1].say(&mut peer, connect(TARGET));
    assert_eq!(rigs[1].answer(&mut peer).status, 503);
}

#[test]
fn names_are_looked_up_together_as_often_as_they_may_be() {
    let mut rigs = machines(2, |config| config.limits.lookups = 2);
    for shard in [0, 1] {
        let mut peer = rigs[shard].accept();
        rigs[shard].say(&mut peer, connect("a.example:443"));
    }
    for rig in &mut rigs {
        assert_eq!(rig.refused(connect("b.example:443")).status, 503);
    }
    let (lookup, _) = rigs[0].lookups[0];
    rigs[0].resolved(lookup, &["10.0.0.1"]);
    let mut peer = rigs[1].accept();
    rigs[1].say(&mut peer, connect("c.example:443"));
    assert_eq!(rigs[1].lookups.len(), 2);
}

#[test]
fn no_two_machines_name_anything_alike_and_all_have_one_name() {
    let mut rigs = machines(3, |_| {});
    let mut connections: Vec<ConnectionId> = Vec::new();
    let mut tunnels: Vec<TunnelId> = Vec::new();
    for _ in 0..3 {
        for rig in &mut rigs {
            rig.stream();
            let event = rig.events.last().unwrap();
            connections.extend(event.connection);
            tunnels.extend(event.tunnel);
        }
    }
    let (all, own): (BTreeSet<_>, BTreeSet<_>) = (connections.iter().collect(), tunnels.iter().collect());
    assert_eq!((all.len(), own.len()), (9, 9), "{connections:?} {tunnels:?}");
    assert_eq!(rigs[0].relay.name, rigs[2].relay.name);
    // An id of another machine leads to nothing.
    rigs[1].relay.handle_verified(Instant::ZERO, tunnels[0], Err(crate::auth::TokenError::Expired));
    assert!(matches!(rigs[0].relay.verifier, Verifier::Keys(_)));
}
