//! What the operator and the token allow together: targets, rates, volume and tunnels.

use super::*;
use crate::auth::{Keys, KeysConfig};
use crate::policy::{Grantor, HostPattern, Kinds, Rates, Scope, TargetRule, Targets};
use crate::relay::Bound;

/// A relay whose operator allows application 1001 this much.
fn allowing(scope: Scope) -> Rig {
    allowing_within(9, Scope::default(), scope)
}

/// The same, where an account may have so many tunnels by the limits, and everybody may do so much.
fn allowing_within(tunnels: usize, everybody: Scope, scope: Scope) -> Rig {
    Rig::with(|config| {
        config.limits.tunnels_per_account = tunnels;
        config.scope = everybody;
        let mut keys = KeysConfig::from(vec![signing_key().unwrap().verifying()]);
        keys.apps.insert("1001".parse().unwrap(), scope);
        config.verifier = crate::config::Verifier::Keys(Keys::new(keys).unwrap());
    })
}

/// Fields with a token of alice that allows this much.
fn fields(scope: Scope) -> String {
    let claims = Claims {
        app_id: Some("1001".parse().unwrap()),
        subject: Some("alice".into()),
        expires: Some(UnixTime::from_secs(START.as_secs() + 3_600)),
        scope,
        ..Claims::default()
    };
    bearer_of(&signing_key().unwrap().mint(&claims).unwrap())
}

fn to(rules: &[(&str, &str, Kinds)]) -> Scope {
    let rule = |(host, ports, kinds): &(&str, &str, Kinds)| TargetRule {
        hosts: vec![host.parse::<HostPattern>().unwrap()],
        ports: vec![ports.parse().unwrap()],
        kinds: *kinds,
    };
    Scope { targets: Targets::new(rules.iter().map(rule).collect()), ..Scope::default() }
}

const STREAMS: Kinds = Kinds { streams: true, datagrams: false };

#[test]
pub(super) fn a_target_out_of_scope_is_refused_before_any_look_up() {
    let media = to(&[("*.media.example", "5000-5999", STREAMS)]);
    for (operator, token) in [
        (media.clone(), Scope::default()),
        (Scope::default(), media.clone()),
        (media.clone(), to(&[("*", "1-65535", Kinds::BOTH)])),
    ] {
        for (target, datagrams) in [
            ("a.media.example:443", false),
            ("media.example:5000", false),
            ("a.example:5000", false),
            ("10.0.0.1:5000", false),
            ("a.media.example:5000", true),
        ] {
            let mut rig = allowing(operator.clone());
            let fields = fields(token.clone());
            let answer = if datagrams {
                rig.refused(connect_udp_with(&target.replace(':', "/"), &fields))
            } else {
                rig.refused(connect_with(target, &fields))
            };
            assert_eq!((answer.status, answer.error()), (403, Some("http_request_denied")), "{target}");
            assert!(rig.is_untouched(), "{target}");
            let told = rig.refuse_reason().to_string();
            let whose = if token == media { "credential" } else { "[[app]]" };
            assert!(told.contains(whose) && !answer.text.contains(whose), "{told}");
            rig.assert_clean();
        }
        let mut rig = allowing(operator);
        let mut peer = rig.accept();
        rig.say(&mut peer, connect_with("a.media.example:5999", &fields(token)));
        assert_eq!(rig.lookups.len(), 1);
    }
}

#[test]
pub(super) fn a_rule_by_address_is_asked_for_the_address_that_is_dialled() {
    let token = fields(to(&[("10.1.0.0/16", "443", Kinds::BOTH)]));
    let mut rig = Rig::new();
    let mut peer = rig.accept();
    rig.say(&mut peer, connect_with("a.example:443", &token));
    let (lookup, _) = rig.lookups[0];
    rig.resolved(lookup, &["10.2.0.1", "10.1.0.1"]);
    assert_eq!(rig.dials.iter().map(|(_, to)| to.to_string()).collect::<Vec<_>>(), ["10.1.0.1:443"]);

    let mut peer = rig.accept();
    rig.say(&mut peer, connect_with("b.example:443", &token));
    let (lookup, _) = rig.lookups[1];
    rig.resolved(lookup, &["10.2.0.1"]);
    let answer = rig.answer(&mut peer);
    assert_eq!(answer.status, 403);
    assert!(rig.refuse_reason().to_string().contains("credential"));
    assert_eq!(rig.dials.len(), 1);
    // A rule opens nothing that the relay keeps closed for everybody.
    let mut rig = Rig::new();
    let everything = fields(to(&[("*", "1-65535", Kinds::BOTH)]));
    for (target, status) in [("127.0.0.1:443", 403), ("10.0.0.1:25", 403)] {
        assert_eq!(rig.refused(connect_with(target, &everything)).status, status);
    }
    assert!(rig.is_untouched());
}

#[test]
pub(super) fn the_lesser_number_of_tunnels_counts() {
    let tunnels = |count| Scope { tunnels: Some(count), ..Scope::default() };
    let by = |grantor| Bound::Scope(grantor);
    for (limit, everybody, operator, token, whose) in [
        (9, tunnels(9), tunnels(1), tunnels(9), by(Grantor::Application)),
        (9, tunnels(9), tunnels(9), tunnels(1), by(Grantor::Credential)),
        (9, Scope::default(), Scope::default(), tunnels(1), by(Grantor::Credential)),
        (9, tunnels(1), tunnels(9), tunnels(9), by(Grantor::Operator)),
        (1, Scope::default(), Scope::default(), tunnels(9), Bound::Limits),
    ] {
        let mut rig = allowing_within(limit, everybody, operator);
        let request = connect_with(TARGET, &fields(token));
        let mut peer = rig.accept();
        rig.say(&mut peer, &request);
        let answer = rig.refused(&request);
        assert_eq!((answer.status, answer.error()), (429, Some("connection_limit_reached")));
        assert_eq!(*rig.refuse_reason(), RefuseReason::TooManyTunnels { most: 1, whose });
        assert_eq!(rig.dials.len(), 1);
    }
}

#[test]
fn the_lesser_rate_counts_and_each_way_has_its_own() {
    let bits = |bits| Rates { bits_per_second: Some(bits), ..Rates::default() };
    let operator = Scope { to_client: bits(80_000), to_target: bits(8_000_000), ..Scope::default() };
    let token = Scope { to_client: bits(8_000_000), to_target: bits(80_000), ..Scope::default() };
    let mut rig = allowing(operator);
    let mut peer = rig.accept();
    rig.say(&mut peer, connect_with(TARGET, &fields(token)));
    let (target, _) = rig.dials[0];
    rig.opened(target);
    rig.receive(target, &[1; 11_000]);
    rig.say(&mut peer, [2; 11_000]);
    assert!(rig.paused.contains(&target) && rig.paused.contains(&peer.socket));
    rig.pass(2 * SECOND);
    assert!(rig.paused.is_empty());
}

#[test]
fn a_volume_ends_tunnels_and_is_remembered_until_the_token_ends() {
    let volume = Scope { volume: Some(10_000), ..Scope::default() };
    let token = fields(volume.clone());
    let mut rig = Rig::new();
    let mut peer = rig.accept();
    rig.say(&mut peer, connect_with(TARGET, &token));
    let (target, _) = rig.dials[0];
    rig.opened(target);
    rig.say(&mut peer, [1; 6_000]);
    rig.receive(target, &[2; 3_999]);
    rig.pass(SECOND);
    assert_eq!(rig.relay.stats().tunnels, 1);
    rig.receive(target, b"x");
    rig.pass(Duration::ZERO);
    assert_eq!(*rig.close_reason(), CloseReason::VolumeSpent);
    assert_eq!(rig.closed.get(&peer.socket), Some(&true));
    let answer = rig.refused(connect_with(TARGET, &token));
    assert_eq!(answer.status, 429);
    assert_eq!(
        *rig.refuse_reason(),
        RefuseReason::VolumeSpent { most: 10_000, whose: Bound::Scope(Grantor::Credential) }
    );
    // Another token of the same user does not begin anew, one that allows more goes on.
    assert_eq!(rig.refused(connect_with(TARGET, &fields(Scope { tunnels: Some(5), ..volume }))).status, 429);
    rig.pass(3_700 * SECOND);
    let later = Claims {
        app_id: Some("1001".parse().unwrap()),
        subject: Some("alice".into()),
        expires: Some(UnixTime::from_secs(START.as_secs() + 9_000)),
        scope: Scope { volume: Some(10_000), ..Scope::default() },
        ..Claims::default()
    };
    let later = bearer_of(&signing_key().unwrap().mint(&later).unwrap());
    let mut peer = rig.accept();
    rig.say(&mut peer, connect_with(TARGET, &later));
    assert_eq!(rig.dials.len(), 2);
}

#[test]
pub(super) fn datagrams_beyond_the_volume_are_dropped_and_the_tunnel_ends_cleanly() {
    let mut rig = Rig::with(|config| config.scope.volume = Some(100));
    let (mut peer, target) = rig.datagrams();
    for _ in 0..10 {
        rig.say(&mut peer, capsule(&[0; 30]));
    }
    assert_eq!(rig.sent(target).len(), 4, "120 bytes: the one that passes the volume still goes");
    rig.pass(Duration::ZERO);
    assert_eq!(*rig.close_reason(), CloseReason::VolumeSpent);
    rig.hear(&mut peer);
    assert!(peer.session.is_finished());
}

#[test]
pub(super) fn accounts_that_are_remembered_are_bounded() {
    let mut rig = Rig::with(|config| {
        config.limits.accounts = 10;
        config.scope.volume = Some(1_000);
    });
    for user in 0..50 {
        let mut peer = rig.accept();
        rig.say(&mut peer, connect_with(TARGET, &bearer_of(&token_of(&user.to_string()))));
        let target = rig.dials.last().unwrap().0;
        rig.opened(target);
        rig.receive(target, &[0; 100]);
        rig.fin(target);
        rig.end(&mut peer);
    }
    assert_eq!(rig.relay.stats().accounts, 10);
    assert_eq!(rig.relay.poll_timeout(), None);
}
