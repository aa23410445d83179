//! A side that breaks while nobody reads from it (RFC 9293 §3.10.7.4), and a listener that fails.

use super::*;

impl Rig {
    fn breaks(&mut self, id: SocketId) {
        self.relay.handle_broken(self.now, id, IoFailed::new(IoFailure::ConnectionReset));
        self.pump();
    }
}

#[test]
fn who_writes_to_a_target_that_reset_is_told_at_once() {
    // What was to be written already, or comes later: either has nowhere to go.
    for comes_later in [false, true] {
        let mut rig = Rig::new();
        let (mut peer, target) = rig.stream();
        // The client reads nothing, so nothing is read from the target.
        rig.stalled.insert(peer.socket);
        rig.receive(target, &[b'z'; 100_000]);
        assert!(rig.paused.contains(&target));
        if comes_later {
            rig.breaks(target);
            assert!(rig.closed.is_empty(), "the client may still read what the target sent");
            rig.say(&mut peer, b"is anybody there?");
        } else {
            rig.stalled.insert(target);
            rig.say(&mut peer, b"is anybody there?");
            rig.breaks(target);
        }
        assert_eq!(rig.closed.get(&peer.socket), Some(&true));
        assert!(matches!(rig.close_reason(), CloseReason::TargetGone(_)));
        rig.assert_clean();
    }
}

#[test]
fn what_a_target_sent_before_its_reset_still_reaches_the_client() {
    let mut rig = Rig::new();
    let (mut peer, target) = rig.stream();
    rig.stalled.insert(peer.socket);
    rig.receive(target, &[b'z'; 100_000]);
    rig.breaks(target);
    // The client reads again, and so does the relay: the rest, and then the end.
    rig.unstall(peer.socket);
    assert!(!rig.paused.contains(&target));
    rig.receive(target, b"the rest");
    rig.fail(target, IoFailure::ConnectionReset);
    rig.hear(&mut peer);
    assert!(peer.got.ends_with(b"the rest"));
    assert_eq!(peer.take().len(), 100_008);
    assert!(!peer.session.is_finished(), "no close_notify: the client knows that it was no regular end");
    rig.fin(peer.socket);
    rig.assert_clean();
}

#[test]
fn a_target_is_told_of_a_client_that_reset_while_it_was_paused() {
    let mut rig = Rig::new();
    let (mut peer, target) = rig.stream();
    rig.stalled.insert(target);
    rig.say(&mut peer, vec![b'w'; 100_000]);
    assert!(rig.paused.contains(&peer.socket));
    rig.breaks(peer.socket);
    assert!(rig.closed.is_empty(), "what the client sent before goes on to its target");
    rig.receive(target, b"an answer for nobody");
    assert_eq!(rig.closed.get(&target), Some(&true));
    assert_eq!(rig.close_reason(), &CloseReason::ClientGone);
    rig.assert_clean();
}

#[test]
fn a_client_that_breaks_before_its_tunnel_is_open_costs_nothing_more() {
    let mut rig = Rig::new();
    let mut peer = rig.accept();
    rig.say(&mut peer, connect(TARGET));
    rig.say(&mut peer, vec![b'w'; 100_000]);
    assert!(rig.paused.contains(&peer.socket));
    rig.breaks(peer.socket);
    let (target, _) = rig.dials[0];
    assert!(rig.closed.contains_key(&target));
    rig.assert_clean();
}

#[test]
fn what_the_client_ended_regularly_is_not_thrown_away_when_it_goes() {
    let mut rig = Rig::new();
    let (mut peer, target) = rig.stream();
    rig.say(&mut peer, b"farewell");
    peer.session.send_end();
    rig.flush(&mut peer);
    assert!(rig.finished.contains(&target));
    rig.fail(peer.socket, IoFailure::ConnectionReset);
    assert_eq!(
        rig.closed.get(&target),
        Some(&false),
        "a reset would throw away what the system has not sent yet"
    );
    rig.assert_clean();
}

#[test]
fn a_client_that_breaks_off_ends_its_tunnel_at_once_and_loses_nothing() {
    let mut rig = Rig::new();
    let (mut peer, target) = rig.stream();
    rig.say(&mut peer, b"half of it");
    peer.session.send_abort();
    rig.flush(&mut peer);
    assert_eq!(rig.sent(target).concat(), b"half of it");
    assert_eq!((rig.close_reason(), rig.closed.get(&target)), (&CloseReason::ClientGone, Some(&false)));
    rig.assert_clean();
    // What its target has not taken is missing, and a reset says so.
    let mut rig = Rig::new();
    let (mut peer, target) = rig.stream();
    rig.stalled.insert(target);
    rig.say(&mut peer, b"half of it");
    peer.session.send_abort();
    rig.flush(&mut peer);
    assert_eq!(rig.closed.get(&target), Some(&true));
    rig.assert_clean();
}

#[test]
fn a_closed_relay_resets_nothing_and_ends_nothing_regularly() {
    let mut rig = Rig::new();
    let (mut peer, target) = rig.stream();
    rig.relay.close(rig.now);
    rig.pump();
    assert_eq!((rig.closed.get(&peer.socket), rig.closed.get(&target)), (Some(&false), Some(&false)));
    rig.hear(&mut peer);
    assert!(!peer.session.is_finished());
    rig.assert_clean();
}

#[test]
fn a_listener_that_fails_is_told_once_and_so_is_its_recovery() {
    let mut rig = Rig::new();
    let error = IoFailed::new(IoFailure::Exhausted(Resource::Descriptors));
    for _ in 0..100 {
        rig.relay.handle_accept_failed(rig.now, &error, true);
        rig.pass(Duration::from_millis(10));
        // At the edge one in a while is accepted.
        let peer = rig.accept_silent(CLIENT).unwrap();
        rig.fail(peer.socket, IoFailure::ConnectionReset);
    }
    let about_accepting = |event: &&Event| event.connection.is_none();
    assert_eq!(rig.events.iter().filter(about_accepting).count(), 1);
    assert_eq!(rig.relay.stats().unaccepted, 100);
    rig.pass(Duration::from_secs(1));
    let peer = rig.accept_silent(CLIENT).unwrap();
    rig.fail(peer.socket, IoFailure::ConnectionReset);
    let told: Vec<_> = rig.events.iter().filter(about_accepting).map(|event| event.what.clone()).collect();
    let lasted = Duration::from_millis(990);
    assert_eq!(told[1..], [What::AcceptRecovered { error, failures: 100, lasted }]);
}

#[test]
pub(super) fn what_the_relay_lacks_in_the_middle_is_not_its_targets_fault() {
    let mut rig = Rig::new();
    let (peer, target) = rig.stream();
    rig.fail(target, IoFailure::Exhausted(Resource::Memory));
    assert_eq!(rig.close_reason(), &CloseReason::Exhausted(Resource::Memory));
    rig.fin(peer.socket);
    rig.assert_clean();
}

#[test]
pub(super) fn what_the_system_dropped_is_counted() {
    let mut rig = Rig::new();
    let (mut peer, target) = rig.datagrams();
    rig.relay.handle_overflow(rig.now, target, 17);
    assert_eq!(rig.relay.stats().overflowed, 17);
    rig.end(&mut peer);
    assert!(matches!(rig.last(), What::TunnelClosed { dropped: 17, .. }), "{:?}", rig.last());
}
