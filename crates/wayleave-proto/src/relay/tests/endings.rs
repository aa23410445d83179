//! How things end: in every state, by either side, by draining and by closing (rows 12 and 20 of the abuse cases).

use super::*;
use crate::auth::{Keys, Revoked, TokenError};
use crate::config::Verifier;
use crate::relay::ConnectionFault;

#[test]
fn an_answer_reaches_a_client_that_ended_its_half_before_it_was_written() {
    // Two inputs without a drain between them.
    let mut rig = Rig::new();
    let mut peer = rig.accept();
    peer.session.send(&[connect_with(TARGET, "").as_bytes()]);
    peer.session.send_end();
    let mut bytes = peer.session.pending().to_vec();
    rig.relay.handle_received(rig.now, peer.socket, &mut bytes);
    rig.relay.handle_finished(rig.now, peer.socket);
    rig.pump();
    rig.hear(&mut peer);
    assert_eq!(peer.status(), 407);
    rig.assert_clean();
    // A client that takes nothing for a while.
    let mut peer = rig.accept();
    rig.stalled.insert(peer.socket);
    rig.say(&mut peer, connect_with(TARGET, ""));
    rig.end(&mut peer);
    assert!(!rig.closed.contains_key(&peer.socket));
    rig.unstall(peer.socket);
    rig.hear(&mut peer);
    assert_eq!(peer.status(), 407);
    rig.assert_clean();
    // And one that never does.
    let mut peer = rig.accept();
    rig.stalled.insert(peer.socket);
    rig.say(&mut peer, connect_with(TARGET, ""));
    rig.end(&mut peer);
    rig.pass(5 * SECOND);
    rig.assert_clean();
}

#[test]
fn a_tunnel_of_datagrams_that_both_sides_ended_is_closed_at_once() {
    // With close_notify and FIN, and with FIN alone.
    for is_clean in [true, false] {
        let mut rig = Rig::new();
        let (mut peer, target) = rig.datagrams();
        match is_clean {
            true => rig.end(&mut peer),
            false => rig.fin(peer.socket),
        }
        assert!(rig.closed.contains_key(&target));
        rig.hear(&mut peer);
        assert!(peer.session.is_finished());
        rig.assert_clean();
    }
}

#[test]
fn a_client_that_ends_tls_before_it_asks_is_let_go_at_once() {
    for part in ["", "CONNECT a.exa"] {
        let mut rig = Rig::new();
        let mut peer = rig.accept();
        rig.say(&mut peer, part);
        assert!(!rig.closed.contains_key(&peer.socket));
        peer.session.send_end();
        rig.say(&mut peer, "");
        rig.assert_clean();
    }
}

#[test]
fn a_client_may_leave_in_any_state() {
    for is_reset in [true, false] {
        let leave = |rig: &mut Rig, id| match is_reset {
            true => rig.fail(id, IoFailure::ConnectionReset),
            false => rig.fin(id),
        };
        let mut rig = Rig::new();
        // In the handshake.
        let peer = rig.accept_silent(CLIENT).unwrap();
        leave(&mut rig, peer.socket);
        assert_eq!(rig.last(), &What::ConnectionFailed { reason: ConnectionFault::ClosedEarly });
        rig.assert_clean();
        // Before and in the head.
        for part in ["", "CONNECT a.exa"] {
            let mut peer = rig.accept();
            rig.say(&mut peer, part);
            leave(&mut rig, peer.socket);
            rig.assert_clean();
        }
        // After a refusal.
        let mut peer = rig.accept();
        rig.say(&mut peer, connect_with(TARGET, ""));
        leave(&mut rig, peer.socket);
        rig.assert_clean();
    }
}

#[test]
fn a_refused_client_that_stays_is_closed_after_a_while() {
    let mut rig = Rig::new();
    let mut peer = rig.accept();
    rig.say(&mut peer, connect_with(TARGET, ""));
    for _ in 0..10 {
        rig.say(&mut peer, [0; 10_000]);
        rig.pass(Duration::from_millis(500));
    }
    assert_eq!(rig.closed.get(&peer.socket), Some(&false));
    rig.assert_clean();
}

#[test]
fn draining_closes_what_waits_and_lets_tunnels_finish() {
    let mut rig = Rig::new();
    let silent = rig.accept_silent(CLIENT).unwrap();
    let ready = rig.accept();
    let mut asking = rig.accept();
    rig.say(&mut asking, "CONNECT a.example:443 HT");
    let mut dialling = rig.accept();
    rig.say(&mut dialling, connect("10.0.0.2:443"));
    let dial = rig.dials[0].0;
    let (mut peer, target) = rig.stream();
    let (mut media, remote) = rig.datagrams();

    rig.relay.drain(rig.now);
    rig.pump();
    assert!(rig.closed.contains_key(&silent.socket) && rig.closed.contains_key(&ready.socket));
    assert!(rig.accept_from(CLIENT).is_none());
    assert!(!rig.relay.is_idle());

    rig.say(&mut asking, format!("TP/1.1\r\nHost: a.example:443\r\n{}\r\n", bearer()));
    let answer = rig.answer(&mut asking);
    assert_eq!((answer.status, answer.error()), (503, Some("destination_unavailable")));
    assert!(rig.lookups.is_empty());
    // What was dialled before goes on.
    rig.opened(dial);
    rig.fin(dial);
    rig.end(&mut dialling);

    rig.say(&mut peer, b"still");
    assert_eq!(rig.sent(target).concat(), b"still");
    rig.say(&mut media, capsule(b"too"));
    assert_eq!(rig.sent(remote), [b"too"]);
    rig.end(&mut media);
    rig.fin(target);
    rig.end(&mut peer);
    rig.assert_clean();
}

#[test]
fn closing_ends_everything_at_once() {
    let mut rig = Rig::new();
    rig.accept_silent(CLIENT).unwrap();
    rig.accept();
    let mut asking = rig.accept();
    rig.say(&mut asking, "CONNECT a.example:443 HT");
    let mut looking = rig.accept();
    rig.say(&mut looking, connect("a.example:443"));
    let mut dialling = rig.accept();
    rig.say(&mut dialling, connect("10.0.0.2:443"));
    let mut refused = rig.accept();
    rig.say(&mut refused, connect_with(TARGET, ""));
    let (peer, target) = rig.stream();
    let (media, remote) = rig.datagrams();
    rig.relay.close(rig.now);
    rig.pump();
    rig.assert_clean();
    for socket in [peer.socket, target, media.socket, remote] {
        // What the system has taken is still sent.
        assert_eq!(rig.closed.get(&socket), Some(&false), "{socket}");
    }
    let closed = rig
        .events
        .iter()
        .filter(|event| matches!(event.what, What::TunnelClosed { reason: CloseReason::Stopped, .. }));
    assert_eq!(closed.count(), 2);
    rig.relay.close(rig.now);
    rig.pump();
    rig.assert_clean();
}

#[test]
fn after_close_there_is_silence_whatever_comes() {
    let mut rig = Rig::with(|config| config.verifier = Verifier::Embedder);
    let mut asking = rig.accept();
    rig.say(&mut asking, connect(TARGET));
    let question = rig.events.last().unwrap().tunnel;
    rig.accept_silent(CLIENT).unwrap();
    rig.relay.close(rig.now);
    rig.pump();
    rig.assert_clean();
    let (now, relay) = (rig.now, &mut rig.relay);
    let user = Revoked::User { user: "alice".into(), app_id: None };
    for id in 0..64 {
        let id = SocketId::from_u64(id);
        let address = "192.0.2.1:1".parse().unwrap();
        assert_eq!(relay.handle_accepted(now, address, address), None);
        assert_eq!(relay.revoke(now, user.clone()), Ok(0));
        relay.renew_keys(now, Keys::new(vec![signing_key().unwrap().verifying()]).unwrap());
        relay.handle_verified(now, question.unwrap(), Err(TokenError::BadSignature));
        relay.handle_clock(now, START.after(9_000 * SECOND));
        relay.handle_resolved(now, id, Families::Both, Ok(&["10.0.0.1".parse().unwrap()]));
        relay.handle_opened(now, id, address);
        relay.handle_failed(now, id, IoFailed::new(IoFailure::ConnectionReset));
        relay.handle_received(now, id, &mut [0, 0, 0]);
        relay.handle_finished(now, id);
        assert_eq!(relay.pending(now, id), None);
        relay.handle_written(now, id, 1);
        relay.handle_timeout(now + 7_200 * SECOND);
        relay.drain(now);
        relay.close(now);
        assert_eq!((relay.poll_output(), relay.poll_timeout()), (None, None));
    }
    rig.assert_clean();
}

#[test]
pub(super) fn every_tunnel_has_one_opening_and_one_end() {
    let mut rig = Rig::new();
    for _ in 0..3 {
        let (mut peer, target) = rig.stream();
        rig.fin(target);
        rig.end(&mut peer);
        let (mut peer, _) = rig.datagrams();
        rig.end(&mut peer);
    }
    let count = |wanted: fn(&What) -> bool| rig.events.iter().filter(|event| wanted(&event.what)).count();
    assert_eq!(count(|what| matches!(what, What::TunnelOpened { .. })), 6);
    assert_eq!(count(|what| matches!(what, What::TunnelClosed { .. })), 6);
    let stats = rig.relay.stats();
    assert_eq!((stats.accepted, stats.opened, stats.refused.total()), (6, 6, 0));
}

#[test]
fn a_moment_of_the_past_counts_as_the_latest() {
    let mut rig = Rig::new();
    rig.pass(100 * SECOND);
    let (mut peer, target) = rig.stream();
    rig.now = Instant::ZERO;
    rig.say(&mut peer, b"x");
    rig.fin(target);
    rig.end(&mut peer);
    assert_eq!(rig.events.last().unwrap().at, Instant::ZERO + 100 * SECOND);
    rig.assert_clean();
}
