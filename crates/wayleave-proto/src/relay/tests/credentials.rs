//! Credentials that are renewed, expire or are revoked under tunnels that run (row 36 of the abuse cases).

use super::*;
use crate::auth::{Algorithm, Keys, KeysConfig, Revoked, SigningKey};
use crate::policy::{OnExpiry, Scope};

/// A relay that closes tunnels so long after the expiry, without leeway.
fn closing(grace: u64) -> Rig {
    Rig::with(|config| {
        config.scope.on_expiry = Some(OnExpiry::CloseAfter(Duration::from_secs(grace)));
        config.rules.leeway = Duration::ZERO;
    })
}

/// Fields with a token of `user` that is good from the start for so long.
fn good_for(user: &str, seconds: u64) -> String {
    fields(user, seconds, |_| {})
}

fn fields(user: &str, seconds: u64, change: impl FnOnce(&mut Claims)) -> String {
    let mut claims = Claims {
        app_id: Some("1001".parse().unwrap()),
        subject: Some(user.into()),
        expires: Some(UnixTime::from_secs(START.as_secs() + seconds)),
        ..Claims::default()
    };
    change(&mut claims);
    bearer_of(&signing_key().unwrap().mint(&claims).unwrap())
}

impl Rig {
    /// An open stream by these fields.
    fn stream_by(&mut self, fields: &str) -> (Peer, SocketId) {
        let mut peer = self.accept();
        self.say(&mut peer, connect_with(TARGET, fields));
        let (target, _) = *self.dials.last().expect("a dial");
        self.opened(target);
        self.hear(&mut peer);
        assert_eq!(peer.status(), 200);
        assert!(peer.take().ends_with(b"\r\n\r\n"));
        (peer, target)
    }

    fn datagrams_by(&mut self, fields: &str) -> (Peer, SocketId) {
        let mut peer = self.accept();
        self.say(&mut peer, connect_udp_with("10.0.0.1/443", fields));
        let (target, _) = *self.binds.last().expect("a bind");
        self.opened(target);
        self.hear(&mut peer);
        assert_eq!(peer.status(), 101);
        peer.take();
        (peer, target)
    }

    fn options(&mut self, fields: &str) -> u16 {
        self.refused(format!("OPTIONS * HTTP/1.1\r\nHost: relay.example\r\n{fields}\r\n")).status
    }

    fn tunnels(&self) -> usize {
        self.relay.stats().tunnels
    }

    fn reasons(&self) -> Vec<&CloseReason> {
        self.events
            .iter()
            .filter_map(|event| match &event.what {
                What::TunnelClosed { reason, .. } => Some(reason),
                _ => None,
            })
            .collect()
    }
}

#[test]
pub(super) fn tunnels_stay_open_unless_the_operator_or_the_token_says_otherwise() {
    let mut rig = Rig::new();
    let (mut peer, target) = rig.stream_by(&good_for("alice", 100));
    rig.pass(1_000 * SECOND);
    rig.say(&mut peer, b"still");
    assert_eq!(rig.sent(target).concat(), b"still");
    let closes = |claims: &mut Claims| claims.scope.on_expiry = Some(OnExpiry::CloseAfter(5 * SECOND));
    rig.stream_by(&fields("bob", 2_000, closes));
    rig.pass(1_034 * SECOND);
    assert_eq!(rig.tunnels(), 2, "30 s of leeway and 5 s of grace");
    rig.pass(2 * SECOND);
    assert_eq!((rig.tunnels(), rig.reasons()), (1, vec![&CloseReason::Expired]));
}

#[test]
fn a_stream_is_reset_and_datagrams_end_cleanly_after_the_grace() {
    let mut rig = closing(5);
    let (stream, target) = rig.stream_by(&good_for("alice", 100));
    let (mut datagrams, _) = rig.datagrams_by(&good_for("alice", 100));
    rig.pass(Duration::from_millis(104_999));
    assert_eq!(rig.tunnels(), 2);
    rig.receive(target, b"the last");
    rig.pass(Duration::from_millis(1));
    assert_eq!(rig.reasons(), [&CloseReason::Expired, &CloseReason::Expired]);
    assert_eq!(rig.closed.get(&stream.socket), Some(&true));
    rig.hear(&mut datagrams);
    assert!(datagrams.session.is_finished());
    rig.end(&mut datagrams);
    rig.assert_clean();
}

#[test]
pub(super) fn a_newer_token_on_any_connection_carries_every_tunnel_of_its_account_on() {
    let mut rig = closing(5);
    let (mut first, target) = rig.stream_by(&good_for("alice", 100));
    rig.datagrams_by(&good_for("alice", 100));
    rig.stream_by(&good_for("bob", 100));
    rig.pass(90 * SECOND);
    // An older token changes nothing, nor does one of somebody else.
    assert_eq!(rig.options(&good_for("alice", 95)), 204);
    assert_eq!(rig.options(&good_for("carol", 900)), 204);
    assert_eq!(rig.options(&good_for("alice", 200)), 204);
    rig.pass(20 * SECOND);
    assert_eq!((rig.tunnels(), rig.reasons()), (2, vec![&CloseReason::Expired]), "bob's ended");
    // A tunnel shows it as well as a bare request.
    rig.stream_by(&good_for("alice", 300));
    rig.pass(150 * SECOND);
    rig.say(&mut first, b"still");
    assert_eq!(rig.sent(target).concat(), b"still");
    rig.pass(60 * SECOND);
    assert_eq!(rig.tunnels(), 0);
    rig.assert_clean();
}

#[test]
pub(super) fn a_renewal_by_the_next_key_is_one_of_the_same_account() {
    let mut rig = closing(5);
    rig.stream_by(&good_for("alice", 100));
    let next = SigningKey::generate(Algorithm::EdDsa, "next", &[8; 32]).unwrap();
    rig.relay.renew_keys(rig.now, Keys::new(vec![next.verifying()]).unwrap());
    let claims = Claims {
        app_id: Some("1001".parse().unwrap()),
        subject: Some("alice".into()),
        expires: Some(UnixTime::from_secs(START.as_secs() + 300)),
        ..Claims::default()
    };
    assert_eq!(rig.options(&bearer_of(&next.mint(&claims).unwrap())), 204);
    rig.pass(200 * SECOND);
    assert_eq!(rig.tunnels(), 1);
}

#[test]
pub(super) fn within_the_grace_a_renewal_still_helps() {
    let mut rig = closing(30);
    rig.stream_by(&good_for("alice", 100));
    rig.pass(120 * SECOND);
    assert_eq!(rig.options(&good_for("alice", 110)), 407, "expired itself");
    assert_eq!(rig.tunnels(), 1);
    assert_eq!(rig.options(&good_for("alice", 200)), 204);
    rig.pass(100 * SECOND);
    assert_eq!(rig.tunnels(), 1);
    rig.pass(20 * SECOND);
    assert_eq!(rig.tunnels(), 0);
}

#[test]
pub(super) fn a_clock_that_is_wrong_by_minutes_is_forgiven_as_far_as_the_leeway() {
    let mut rig = Rig::with(|config| {
        config.rules.leeway = Duration::from_secs(180);
        config.scope.on_expiry = Some(OnExpiry::CloseAfter(Duration::ZERO));
    });
    rig.stream_by(&good_for("alice", 100));
    let early = fields("bob", 900, |claims| {
        claims.not_before = Some(UnixTime::from_secs(START.as_secs() + 170));
    });
    rig.stream_by(&early);
    rig.pass(279 * SECOND);
    rig.stream_by(&good_for("alice", 100));
    assert_eq!(rig.tunnels(), 3);
    rig.pass(SECOND);
    assert_eq!(rig.refused(connect_with(TARGET, &good_for("alice", 100))).status, 407);
    assert_eq!(rig.tunnels(), 1);
}

#[test]
pub(super) fn what_was_asked_before_the_expiry_and_answered_after_it_is_opened_only_where_all_is_kept() {
    for (on_expiry, opens) in [
        (OnExpiry::Keep, true),
        (OnExpiry::RefuseNew, false),
        (OnExpiry::CloseAfter(Duration::from_secs(60)), false),
    ] {
        let mut rig = Rig::with(|config| {
            config.scope.on_expiry = Some(on_expiry);
            config.rules.leeway = Duration::ZERO;
        });
        let (mut running, _) = rig.stream_by(&good_for("alice", 5));
        let mut peer = rig.accept();
        rig.say(&mut peer, connect_with(TARGET, &good_for("alice", 5)));
        let (target, _) = *rig.dials.last().unwrap();
        rig.pass(6 * SECOND);
        rig.opened(target);
        rig.hear(&mut peer);
        assert_eq!(peer.status(), if opens { 200 } else { 407 }, "{on_expiry:?}");
        assert_eq!(rig.tunnels(), if opens { 2 } else { 1 });
        rig.end(&mut peer);
        rig.fin(target);
        rig.end(&mut running);
    }
}

#[test]
pub(super) fn a_revocation_ends_what_it_means_before_it_returns() {
    for (revoked, left) in [
        (Revoked::Token("one".into()), vec!["bob", "carol", "alice2"]),
        (Revoked::User { user: "alice".into(), app_id: None }, vec!["bob", "carol"]),
        (
            Revoked::User { user: "alice".into(), app_id: Some("2".parse().unwrap()) },
            vec!["bob", "carol", "alice", "alice2"],
        ),
        (Revoked::App("1001".parse().unwrap()), vec!["carol"]),
        (Revoked::App("7".parse().unwrap()), vec!["bob", "carol", "alice", "alice2"]),
    ] {
        let mut rig = Rig::new();
        let named = |id: &'static str| move |claims: &mut Claims| claims.token_id = Some(id.into());
        rig.stream_by(&fields("alice", 900, named("one")));
        rig.datagrams_by(&fields("alice", 900, named("two")));
        rig.stream_by(&fields("bob", 900, |_| {}));
        rig.stream_by(&fields("carol", 900, |claims| claims.app_id = Some("3".parse().unwrap())));
        let mut dialling = rig.accept();
        rig.say(&mut dialling, connect_with(TARGET, &fields("alice", 900, named("one"))));
        let ended = rig.relay.revoke(rig.now, revoked.clone()).unwrap();
        rig.pump();
        assert_eq!(rig.tunnels(), left.len(), "{revoked:?}");
        let closed = rig.reasons().iter().filter(|reason| ***reason == CloseReason::Revoked).count();
        assert_eq!(closed, 4 - left.len());
        let is_refused = ended > closed;
        assert_eq!(is_refused, !left.contains(&"alice"), "the dial of alice's first token");
        // And nothing new opens, known token or not.
        let status = rig.refused(connect_with("10.0.0.1:25", &fields("alice", 900, named("one")))).status;
        assert_eq!(status, if is_refused { 407 } else { 403 }, "{revoked:?}");
    }
}

#[test]
pub(super) fn revocations_come_with_the_keys_and_those_made_by_hand_outlive_them() {
    let mut rig = Rig::new();
    rig.stream_by(&good_for("alice", 900));
    rig.stream_by(&good_for("bob", 900));
    let keys = |users: &[&str]| {
        let mut config = KeysConfig::from(vec![signing_key().unwrap().verifying()]);
        config
            .revocations
            .extend(users.iter().map(|user| Revoked::User { user: (*user).into(), app_id: None }));
        Keys::new(config).unwrap()
    };
    rig.relay.renew_keys(rig.now, keys(&["alice"]));
    rig.pump();
    assert_eq!((rig.tunnels(), rig.relay.stats().revocations), (1, 1));
    rig.relay.revoke(rig.now, Revoked::User { user: "bob".into(), app_id: None }).unwrap();
    rig.relay.renew_keys(rig.now, keys(&[]));
    rig.pump();
    assert_eq!((rig.tunnels(), rig.relay.stats().revocations), (0, 1));
    assert_eq!(rig.refused(connect_with(TARGET, &good_for("bob", 900))).status, 407);
    rig.stream_by(&good_for("alice", 900));
}

#[test]
pub(super) fn a_revoked_renewal_no_longer_carries_what_an_older_token_opened() {
    let mut rig = closing(5);
    rig.stream_by(&good_for("alice", 100));
    let newer = fields("alice", 900, |claims| claims.token_id = Some("newer".into()));
    assert_eq!(rig.options(&newer), 204);
    rig.pass(50 * SECOND);
    rig.relay.revoke(rig.now, Revoked::Token("newer".into())).unwrap();
    rig.pump();
    assert_eq!(rig.tunnels(), 1);
    rig.pass(60 * SECOND);
    assert_eq!((rig.tunnels(), rig.reasons()), (0, vec![&CloseReason::Expired]));
}

#[test]
fn revocations_are_bounded() {
    let mut rig = Rig::with(|config| config.limits.revocations = 2);
    for id in ["a", "b", "b"] {
        rig.relay.revoke(rig.now, Revoked::Token(id.into())).unwrap();
    }
    let error = rig.relay.revoke(rig.now, Revoked::Token("c".into())).unwrap_err();
    assert!(error.to_string().contains("key file"));
}

#[test]
pub(super) fn other_keys_bring_other_scopes_to_what_runs() {
    let mut rig = Rig::new();
    let (mut peer, target) = rig.stream_by(&good_for("alice", 900));
    rig.say(&mut peer, [1; 1_000]);
    assert_eq!(rig.sent(target).concat().len(), 1_000);
    let mut config = KeysConfig::from(vec![signing_key().unwrap().verifying()]);
    config.apps.insert("1001".parse().unwrap(), Scope { volume: Some(500), ..Scope::default() });
    rig.relay.renew_keys(rig.now, Keys::new(config).unwrap());
    rig.pass(Duration::ZERO);
    assert_eq!(rig.reasons(), [&CloseReason::VolumeSpent]);
}

/// Keys with an entry about application 1001.
fn keys_allowing(scope: Scope) -> Keys {
    let mut config = KeysConfig::from(vec![signing_key().unwrap().verifying()]);
    config.apps.insert("1001".parse().unwrap(), scope);
    Keys::new(config).unwrap()
}

#[test]
pub(super) fn what_falls_back_to_an_older_token_obeys_the_keys_of_today() {
    let mut rig = Rig::new();
    let (mut peer, _) = rig.stream_by(&good_for("alice", 900));
    let newer = fields("alice", 1_800, |claims| claims.token_id = Some("newer".into()));
    assert_eq!(rig.options(&newer), 204);
    rig.relay.renew_keys(rig.now, keys_allowing(Scope { volume: Some(500), ..Scope::default() }));
    rig.relay.revoke(rig.now, Revoked::Token("newer".into())).unwrap();
    rig.say(&mut peer, [1; 1_000]);
    rig.pass(Duration::ZERO);
    assert_eq!(rig.reasons(), [&CloseReason::VolumeSpent]);
}

#[test]
pub(super) fn what_was_on_its_way_when_the_keys_changed_obeys_the_new_ones() {
    let mut rig = Rig::new();
    let mut peer = rig.accept();
    rig.say(&mut peer, connect_with("media.example:443", &good_for("alice", 900)));
    let rule = r#"{"targets": [{"hosts": ["192.0.2.0/24"]}]}"#;
    rig.relay.renew_keys(rig.now, keys_allowing(serde_json::from_str(rule).unwrap()));
    let lookup = rig.lookups[0].0;
    rig.resolved(lookup, &["10.0.0.1"]);
    rig.hear(&mut peer);
    assert_eq!(peer.status(), 403);
    assert!(rig.dials.is_empty());
}
