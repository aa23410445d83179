//! The way to the target: what fails and how that is said.

use super::*;

#[test]
pub(super) fn a_target_out_of_reach_is_told_by_its_class() {
    use IoFailure as F;
    let cases = [
        (F::ConnectionRefused, 502, "connection_refused"),
        (F::ConnectionReset, 502, "connection_terminated"),
        (F::Exhausted(Resource::Descriptors), 503, "proxy_internal_error"),
        (F::Other, 502, "destination_unavailable"),
        (F::PermissionDenied, 502, "destination_ip_unroutable"),
        (F::TimedOut, 504, "connection_timeout"),
        (F::Unreachable, 502, "destination_ip_unroutable"),
    ];
    for (failure, status, error) in cases {
        for request in [connect(TARGET), connect_udp("10.0.0.1", 443)] {
            let mut rig = Rig::new();
            let mut peer = rig.accept();
            rig.say(&mut peer, request);
            let (target, _) = *rig.dials.iter().chain(&rig.binds).next().unwrap();
            rig.fail(target, failure);
            let answer = rig.answer(&mut peer);
            assert_eq!((answer.status, answer.error()), (status, Some(error)), "{failure:?}");
            assert!(!answer.text.contains("10.0.0.1"), "addresses are not shown to strangers");
            rig.assert_clean();
        }
    }
}

#[test]
pub(super) fn a_name_without_an_answer_is_told_by_its_class() {
    let cases = [
        (IoFailure::NameEmpty, 502, "dns_error", Some("NOERROR")),
        (IoFailure::NameFailed, 502, "dns_error", Some("SERVFAIL")),
        (IoFailure::NameRefused, 502, "dns_error", Some("REFUSED")),
        (IoFailure::NameUnanswered, 504, "dns_timeout", None),
        (IoFailure::NameUnknown, 502, "dns_error", Some("NXDOMAIN")),
    ];
    for (failure, status, error, rcode) in cases {
        let mut rig = Rig::new();
        let mut peer = rig.accept();
        rig.say(&mut peer, connect("a.example:443"));
        let lookup = rig.lookups[0].0;
        rig.relay.handle_resolved(rig.now, lookup, Families::Both, Err(IoFailed::new(failure)));
        rig.pump();
        let answer = rig.answer(&mut peer);
        assert_eq!((answer.status, answer.error()), (status, Some(error)));
        let said = rcode.map(|rcode| format!("; rcode=\"{rcode}\""));
        assert!(said.is_none_or(|said| answer.text.contains(&said)), "{}", answer.text);
        rig.assert_clean();
    }
    let mut rig = Rig::new();
    let mut peer = rig.accept();
    rig.say(&mut peer, connect("a.example:443"));
    let lookup = rig.lookups[0].0;
    rig.resolved(lookup, &[]);
    assert_eq!(rig.answer(&mut peer).error(), Some("dns_error"));
    rig.assert_clean();
}

#[test]
pub(super) fn silence_ends_after_the_timeout() {
    let mut rig = Rig::new();
    let mut peer = rig.accept();
    rig.say(&mut peer, connect("a.example:443"));
    let lookup = rig.lookups[0].0;
    rig.pass(10 * SECOND);
    assert_eq!(rig.answer(&mut peer).error(), Some("dns_timeout"));
    assert!(rig.closed.contains_key(&lookup));
    // An answer that comes too late is ignored.
    rig.resolved(lookup, &["10.0.0.1"]);
    assert!(rig.dials.is_empty());
    rig.assert_clean();

    let mut peer = rig.accept();
    rig.say(&mut peer, connect(TARGET));
    let target = rig.dials[0].0;
    rig.pass(10 * SECOND);
    let answer = rig.answer(&mut peer);
    assert_eq!((answer.status, answer.error()), (504, Some("connection_timeout")));
    assert!(rig.closed.contains_key(&target));
    rig.opened(target);
    assert_eq!(rig.relay.stats().tunnels, 0);
    rig.assert_clean();
}

#[test]
pub(super) fn the_first_of_several_addresses_wins_and_the_others_are_closed() {
    let mut rig = Rig::new();
    let mut peer = rig.accept();
    rig.say(&mut peer, connect("many.example:443"));
    let lookup = rig.lookups[0].0;
    rig.resolved(lookup, &["10.0.0.1", "10.0.0.2", "10.0.0.3"]);
    assert_eq!(rig.dials.len(), 1);
    rig.pass(Duration::from_millis(250));
    assert_eq!(rig.dials.len(), 2);
    let (first, second) = (rig.dials[0].0, rig.dials[1].0);
    rig.opened(second);
    assert!(rig.closed.contains_key(&first) && !rig.closed.contains_key(&second));
    rig.pass(SECOND);
    assert_eq!(rig.dials.len(), 2, "the third is not tried any more");
    rig.opened(first);
    assert_eq!(rig.relay.stats().opened, 1);
    let What::TunnelOpened { address, .. } = &rig.events[0].what else { panic!("{:?}", rig.events) };
    assert_eq!(*address, "10.0.0.2:443".parse().unwrap());
    rig.hear(&mut peer);
    assert_eq!(peer.status(), 200);
}

#[test]
pub(super) fn what_comes_behind_an_accepted_request_is_delivered_in_order() {
    let mut rig = Rig::new();
    let mut peer = rig.accept();
    rig.say(&mut peer, format!("{}first,", connect("a.example:443")));
    rig.say(&mut peer, b"second,");
    let lookup = rig.lookups[0].0;
    rig.resolved(lookup, &["10.0.0.1"]);
    rig.say(&mut peer, b"third,");
    let target = rig.dials[0].0;
    assert_eq!(rig.sent(target), Vec::<Vec<u8>>::new());
    rig.opened(target);
    rig.say(&mut peer, b"fourth");
    assert_eq!(rig.sent(target).concat(), b"first,second,third,fourth");
}

#[test]
fn early_datagrams_are_delivered_too() {
    let mut rig = Rig::new();
    let mut peer = rig.accept();
    let early = [connect_udp("10.0.0.1", 443).into_bytes(), capsule(b"one"), capsule(b"two")].concat();
    rig.say(&mut peer, early);
    let target = rig.binds[0].0;
    rig.opened(target);
    assert_eq!(rig.sent(target), [b"one", b"two"]);
}

#[test]
fn too_much_behind_a_request_pauses_the_client_until_the_tunnel_is_open() {
    for request in [connect(TARGET), connect_udp("10.0.0.1", 443)] {
        let mut rig = Rig::new();
        let mut peer = rig.accept();
        rig.say(&mut peer, &request);
        let (target, _) = *rig.dials.iter().chain(&rig.binds).next().unwrap();
        let early = capsule(&[7; 1_000]).repeat(100);
        rig.say(&mut peer, &early);
        assert!(rig.paused.contains(&peer.socket));
        rig.opened(target);
        rig.hear(&mut peer);
        assert!(rig.paused.is_empty(), "a client is read again once its tunnel is open: {request}");
        rig.say(&mut peer, capsule(b"late"));
        assert!(rig.sent(target).concat().ends_with(b"late"));
    }
}

#[test]
fn a_client_that_breaks_off_while_its_target_is_dialled_leaves_nothing() {
    for answered in [true, false] {
        let mut rig = Rig::new();
        let mut peer = rig.accept();
        rig.say(&mut peer, connect("a.example:443"));
        let mut open = rig.lookups[0].0;
        if answered {
            rig.resolved(open, &["10.0.0.1"]);
            open = rig.dials[0].0;
        }
        rig.fail(peer.socket, IoFailure::ConnectionReset);
        assert!(rig.closed.contains_key(&open));
        rig.opened(open);
        rig.resolved(open, &["10.0.0.2"]);
        rig.assert_clean();
    }
}

/// A bare FIN, as many programs end their half, right behind the request and without a byte of the tunnel's.
#[test]
fn a_half_that_ends_behind_the_request_without_close_notify_is_a_half_all_the_same() {
    let mut rig = Rig::new();
    let mut peer = rig.accept();
    rig.say(&mut peer, connect(TARGET));
    rig.fin(peer.socket);
    let target = rig.dials[0].0;
    rig.opened(target);
    assert!(rig.finished.contains(&target), "the target hears of the end");
    rig.receive(target, b"answer");
    rig.fin(target);
    rig.hear(&mut peer);
    assert!(peer.take().ends_with(b"\r\n\r\nanswer"));
    assert_eq!(rig.close_reason(), &CloseReason::Truncated);
    rig.assert_clean();
    // And one of datagrams has nothing to wait for.
    let mut peer = rig.accept();
    rig.say(&mut peer, connect_udp("10.0.0.1", 443));
    rig.fin(peer.socket);
    rig.opened(rig.binds[0].0);
    assert_eq!(rig.close_reason(), &CloseReason::Truncated);
    rig.assert_clean();
}

#[test]
fn a_client_that_has_said_everything_may_end_its_half_while_dialling() {
    let mut rig = Rig::new();
    let mut peer = rig.accept();
    rig.say(&mut peer, format!("{}all", connect(TARGET)));
    rig.end(&mut peer);
    let target = rig.dials[0].0;
    rig.opened(target);
    assert_eq!(rig.sent(target).concat(), b"all");
    assert!(rig.finished.contains(&target));
    rig.receive(target, b"answer");
    rig.fin(target);
    rig.hear(&mut peer);
    assert!(peer.take().ends_with(b"\r\n\r\nanswer"));
    rig.assert_clean();
}

#[test]
fn a_half_that_ended_while_dialling_still_gets_its_refusal() {
    let mut rig = Rig::new();
    let mut peer = rig.accept();
    rig.say(&mut peer, connect(TARGET));
    rig.end(&mut peer);
    let target = rig.dials[0].0;
    rig.fail(target, IoFailure::ConnectionRefused);
    rig.hear(&mut peer);
    assert_eq!(peer.status(), 502);
    // Both halves have ended, so there is nothing to wait for.
    rig.assert_clean();
}

#[test]
pub(super) fn names_are_looked_up_absolutely_whatever_they_look_like() {
    for target in ["a.example:443", "a.example.:443", "printer:443"] {
        let mut rig = Rig::new();
        let mut peer = rig.accept();
        rig.say(&mut peer, connect(target));
        let asked: Vec<_> = rig.lookups.iter().map(|(_, name)| name.is_absolute()).collect();
        assert_eq!(asked, [true], "{target}: nobody knows what the relay's search list would make of it");
    }
}
