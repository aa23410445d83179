//! Streams: halves, resets, pacing (rows 20 and 27 of the abuse cases).

use super::*;
use crate::config::Truncation;

#[test]
pub(super) fn bytes_run_both_ways() {
    let mut rig = Rig::new();
    let (mut peer, target) = rig.stream();
    rig.say(&mut peer, b"ping");
    assert_eq!(rig.sent(target).concat(), b"ping");
    rig.receive(target, b"pong!");
    rig.hear(&mut peer);
    assert_eq!(peer.take(), b"pong!");
    rig.fin(target);
    rig.end(&mut peer);
    let What::TunnelClosed { sent, received, dropped, reason, .. } = rig.last() else { panic!() };
    assert_eq!((*sent, *received, *dropped, reason), (4, 5, 0, &CloseReason::Finished));
    rig.assert_clean();
}

#[test]
pub(super) fn the_client_may_end_first() {
    let mut rig = Rig::new();
    let (mut peer, target) = rig.stream();
    rig.say(&mut peer, b"question");
    rig.end(&mut peer);
    assert_eq!(rig.sent(target).concat(), b"question");
    assert!(rig.finished.contains(&target) && !rig.finished.contains(&peer.socket));
    rig.receive(target, b"answer");
    rig.fin(target);
    rig.hear(&mut peer);
    assert_eq!(peer.take(), b"answer");
    assert!(peer.session.is_finished());
    assert_eq!(rig.close_reason(), &CloseReason::Finished);
    assert_eq!(rig.closed.get(&target), Some(&false));
    rig.assert_clean();
}

#[test]
fn the_target_may_end_first() {
    let mut rig = Rig::new();
    let (mut peer, target) = rig.stream();
    rig.receive(target, b"greeting");
    rig.fin(target);
    rig.hear(&mut peer);
    assert_eq!(peer.take(), b"greeting");
    assert!(peer.session.is_finished());
    assert!(rig.finished.contains(&peer.socket) && !rig.finished.contains(&target));
    rig.say(&mut peer, b"more");
    assert_eq!(rig.sent(target).concat(), b"more");
    rig.end(&mut peer);
    assert_eq!(rig.close_reason(), &CloseReason::Finished);
    rig.assert_clean();
}

#[test]
pub(super) fn nothing_is_lost_when_a_slow_side_ends_last() {
    // The client's bytes wait for the target when both ends have been said.
    let mut rig = Rig::new();
    let (mut peer, target) = rig.stream();
    rig.stalled.insert(target);
    rig.say(&mut peer, b"slow");
    rig.fin(target);
    rig.end(&mut peer);
    assert!(!rig.finished.contains(&target));
    rig.unstall(target);
    assert_eq!(rig.sent(target).concat(), b"slow");
    rig.assert_clean();
    // And the other way round.
    let (mut peer, target) = rig.stream();
    rig.stalled.insert(peer.socket);
    rig.receive(target, b"slow");
    rig.fin(target);
    rig.end(&mut peer);
    assert!(!rig.closed.contains_key(&peer.socket));
    rig.unstall(peer.socket);
    rig.hear(&mut peer);
    assert_eq!(peer.take(), b"slow");
    assert!(peer.session.is_finished());
    rig.assert_clean();
}

#[test]
fn a_client_without_close_notify_is_delivered_all_the_same() {
    let mut rig = Rig::new();
    let (mut peer, target) = rig.stream();
    rig.say(&mut peer, b"all");
    rig.fin(peer.socket);
    assert_eq!(rig.sent(target).concat(), b"all");
    assert!(rig.finished.contains(&target));
    rig.fin(target);
    assert_eq!(rig.close_reason(), &CloseReason::Truncated);
    assert!(rig.close_reason().to_string().contains("without close_notify"));
    rig.assert_clean();
}

#[test]
fn a_client_without_close_notify_is_broken_off_where_the_operator_says_so() {
    let mut rig = Rig::with(|config| config.truncation = Truncation::Reset);
    let (mut peer, target) = rig.stream();
    rig.say(&mut peer, b"some of it");
    rig.fin(peer.socket);
    assert_eq!((rig.closed.get(&target), rig.close_reason()), (Some(&true), &CloseReason::Truncated));
    rig.assert_clean();
    // With a close_notify it is as ever.
    let (mut peer, target) = rig.stream();
    rig.end(&mut peer);
    assert!(rig.finished.contains(&target) && !rig.closed.contains_key(&target));
    rig.fin(target);
    assert_eq!(rig.close_reason(), &CloseReason::Finished);
}

#[test]
fn a_reset_is_passed_on() {
    let mut rig = Rig::new();
    let (peer, target) = rig.stream();
    rig.fail(peer.socket, IoFailure::ConnectionReset);
    assert_eq!(rig.closed.get(&target), Some(&true));
    assert_eq!(rig.close_reason(), &CloseReason::ClientGone);
    rig.assert_clean();
    // Behind what the target sent before: a FIN without a close_notify says that more is missing.
    let (mut peer, target) = rig.stream();
    rig.receive(target, b"before the break");
    rig.fail(target, IoFailure::ConnectionReset);
    assert!(matches!(rig.close_reason(), CloseReason::TargetGone(_)));
    rig.hear(&mut peer);
    assert_eq!(peer.take(), b"before the break");
    assert!(rig.finished.contains(&peer.socket));
    assert!(peer.session.receive_end().is_err(), "the end is not a regular one");
    rig.end(&mut peer);
    rig.assert_clean();
}

#[test]
fn a_broken_record_ends_the_tunnel() {
    let mut rig = Rig::new();
    let (peer, target) = rig.stream();
    rig.receive(peer.socket, &[9, 9, 9]);
    assert_eq!(rig.closed.get(&target), Some(&true));
    assert_eq!(rig.close_reason(), &CloseReason::ClientGone);
    rig.assert_clean();
}

#[test]
fn a_client_that_never_reads_pauses_its_target() {
    let mut rig = Rig::new();
    let (mut peer, target) = rig.stream();
    rig.stalled.insert(peer.socket);
    let mut sent = 0;
    while !rig.paused.contains(&target) {
        rig.receive(target, &[1; 16 * 1024]);
        sent += 16 * 1024;
        assert!(sent < 128 * 1024, "never paused");
    }
    assert!(rig.relay.stats().held < 256 * 1024, "{}", rig.relay.stats().held);
    rig.unstall(peer.socket);
    assert!(!rig.paused.contains(&target));
    rig.hear(&mut peer);
    assert_eq!(peer.take().len(), sent);
}

#[test]
fn a_target_that_never_reads_pauses_its_client() {
    let mut rig = Rig::new();
    let (mut peer, target) = rig.stream();
    rig.stalled.insert(target);
    let mut sent = 0;
    while !rig.paused.contains(&peer.socket) {
        rig.say(&mut peer, [1; 8 * 1024]);
        sent += 8 * 1024;
        assert!(sent < 128 * 1024, "never paused");
    }
    assert!(rig.relay.stats().held < 256 * 1024, "{}", rig.relay.stats().held);
    rig.unstall(target);
    assert!(!rig.paused.contains(&peer.socket));
    assert_eq!(rig.sent(target).concat().len(), sent);
}

#[test]
fn a_stream_is_idle_after_two_hours_in_which_nothing_moved() {
    let mut rig = Rig::new();
    let (mut peer, target) = rig.stream();
    rig.pass(7_000 * SECOND);
    rig.say(&mut peer, b"x");
    rig.pass(7_000 * SECOND);
    rig.receive(target, b"y");
    rig.pass(7_199 * SECOND);
    assert_eq!(rig.relay.stats().tunnels, 1);
    rig.pass(SECOND);
    assert_eq!(rig.close_reason(), &CloseReason::Idle);
    assert_eq!((rig.closed[&peer.socket], rig.closed[&target]), (true, true));
    rig.assert_clean();
}

#[test]
fn what_comes_after_the_end_of_a_socket_is_ignored() {
    let mut rig = Rig::new();
    let (mut peer, target) = rig.stream();
    rig.fin(target);
    rig.end(&mut peer);
    let events = rig.events.len();
    for socket in [peer.socket, target] {
        rig.receive(socket, b"late");
        rig.fin(socket);
        rig.fail(socket, IoFailure::ConnectionReset);
        rig.opened(socket);
        assert_eq!(rig.relay.pending(rig.now, socket), None);
        rig.relay.handle_written(rig.now, socket, 4);
    }
    assert_eq!(rig.events.len(), events);
    rig.assert_clean();
}
