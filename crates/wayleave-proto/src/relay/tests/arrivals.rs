//! The first words of a connection: balancers that say whose it is, strangers that speak no TLS, and those who only send.

use super::*;
use crate::codec::proxy_protocol::ProxyHeaderError;
use crate::relay::ConnectionFault;

const BALANCER: &str = "198.51.100.7:7000";
const SIGNATURE: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";

fn behind_a_balancer() -> Rig {
    Rig::with(|config| {
        config.balancers = vec!["198.51.100.0/24".parse().unwrap(), "2001:db8:7::/48".parse().unwrap()];
        config.limits.connections_per_source = 2;
    })
}

/// A header about a client at 192.0.2.`last`.
fn header(last: u8) -> Vec<u8> {
    [SIGNATURE, &[0x21, 0x11, 0, 12, 192, 0, 2, last, 203, 0, 113, 9, 0x9c, 0x40, 1, 0xbb]].concat()
}

impl Rig {
    /// A connection from the balancer that begins with `header`.
    fn passed_on(&mut self, header: &[u8]) -> Peer {
        let peer = self.accept_silent(BALANCER).unwrap();
        self.receive(peer.socket, header);
        peer
    }

    fn fault(&self) -> &ConnectionFault {
        match self.last() {
            What::ConnectionFailed { reason } => reason,
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_named_balancer_says_whose_a_connection_is() {
    let mut rig = behind_a_balancer();
    let mut peer = rig.passed_on(&header(5));
    rig.flush(&mut peer);
    rig.say(&mut peer, connect_with(TARGET, ""));
    assert_eq!(peer.status(), 407);
    assert_eq!(rig.events.last().unwrap().client, Some("192.0.2.5:40000".parse().unwrap()));
    // In one piece with the first words of TLS, and in many.
    for chunk in [usize::MAX, 1] {
        let mut peer = rig.accept_silent("[2001:db8:7::1]:9").unwrap();
        let hello = peer.session.pending().to_vec();
        peer.session.written(hello.len());
        let bytes = [header(6), hello].concat();
        for part in bytes.chunks(chunk.min(bytes.len())) {
            rig.receive(peer.socket, part);
        }
        rig.hear(&mut peer);
        assert!(!peer.session.is_handshaking());
        rig.fail(peer.socket, IoFailure::ConnectionReset);
    }
    // A check of the balancer's own, and a connection of which it knows nothing.
    for command in [0x20, 0x21] {
        let mut peer = rig.passed_on(&[SIGNATURE, &[command, 0, 0, 0]].concat());
        rig.flush(&mut peer);
        rig.say(&mut peer, connect_with(TARGET, ""));
        assert_eq!(rig.events.last().unwrap().client, Some(BALANCER.parse().unwrap()));
    }
}

#[test]
fn limits_of_a_source_are_those_of_the_client_behind_the_balancer() {
    let mut rig = behind_a_balancer();
    let kept = [rig.passed_on(&header(5)), rig.passed_on(&header(5)), rig.passed_on(&header(6))];
    let third = rig.passed_on(&header(5));
    assert_eq!(rig.closed.get(&third.socket), Some(&true));
    assert!(kept.iter().all(|peer| !rig.closed.contains_key(&peer.socket)));
    rig.fail(kept[0].socket, IoFailure::ConnectionReset);
    let again = rig.passed_on(&header(5));
    assert!(!rig.closed.contains_key(&again.socket));
    // Guesses are counted for him who guesses.
    let bad = connect_with(TARGET, "Proxy-Authorization: Bearer guess\r\n");
    let mut last = 0;
    for _ in 0..40 {
        let mut peer = rig.passed_on(&header(9));
        rig.flush(&mut peer);
        rig.say(&mut peer, &bad);
        last = rig.answer(&mut peer).status;
    }
    assert_eq!(last, 429);
    let mut other = rig.passed_on(&header(10));
    rig.flush(&mut other);
    rig.say(&mut other, &bad);
    assert_eq!(other.status(), 407);
    rig.relay.close(rig.now);
    rig.pump();
    rig.assert_clean();
}

#[test]
fn a_balancer_without_a_header_and_a_header_without_a_balancer_are_refused() {
    let mut rig = behind_a_balancer();
    for (bytes, error) in [
        (b"\x16\x03\x01\x00\x05".to_vec(), ProxyHeaderError::Missing),
        ([SIGNATURE, &[0x21, 0x12, 0, 12]].concat(), ProxyHeaderError::Family),
        ([SIGNATURE, &[0x21, 0x11, 0xff, 0xff]].concat(), ProxyHeaderError::TooLong { length: 65_535 }),
    ] {
        let peer = rig.passed_on(&bytes);
        assert_eq!(
            (rig.fault(), rig.closed.get(&peer.socket)),
            (&ConnectionFault::ProxyHeader(error), Some(&true))
        );
        rig.assert_clean();
    }
    for bytes in [header(5), b"PROXY TCP4 192.0.2.1 192.0.2.2 5 443\r\n".to_vec()] {
        let peer = rig.accept_silent(CLIENT).unwrap();
        rig.receive(peer.socket, &bytes);
        assert_eq!(rig.fault(), &ConnectionFault::ProxyHeaderUnwanted);
        assert!(rig.closed.contains_key(&peer.socket) && rig.sent(peer.socket).is_empty());
        rig.assert_clean();
    }
}

#[test]
fn a_header_has_the_deadline_of_the_handshake() {
    let mut rig = behind_a_balancer();
    rig.passed_on(&header(5)[..20]);
    rig.pass(9 * SECOND);
    assert_eq!(rig.relay.stats().connections, 1);
    rig.pass(SECOND);
    assert_eq!(rig.fault(), &ConnectionFault::TooSlow("PROXY header"));
    rig.assert_clean();
    // Whoever ends or breaks off before is no more trouble, and a relay that drains waits for none.
    let peer = rig.passed_on(&header(5)[..20]);
    rig.fin(peer.socket);
    assert_eq!(rig.fault(), &ConnectionFault::ClosedEarly);
    rig.passed_on(&header(5)[..20]);
    rig.relay.drain(rig.now);
    rig.pump();
    rig.assert_clean();
}

#[test]
fn http_without_tls_is_answered_in_words_that_it_understands() {
    for request in ["GET / HTTP/1.1\r\nHost: x\r\n\r\n", "CONNECT a.example:443 HTTP/1.1\r\n\r\n", "g"] {
        let mut rig = Rig::new();
        let peer = rig.accept_silent(CLIENT).unwrap();
        rig.receive(peer.socket, request.as_bytes());
        let answer = Answer::of(&rig.sent(peer.socket).concat());
        assert_eq!((answer.status, answer.field("Connection")), (400, Some("close")));
        assert!(answer.text.contains("speaks TLS") && answer.text.contains("https://"), "{}", answer.text);
        assert_eq!(rig.fault(), &ConnectionFault::NotEncrypted);
        assert!(rig.finished.contains(&peer.socket) && rig.is_untouched());
        // What comes behind it is thrown away.
        rig.receive(peer.socket, connect(TARGET).as_bytes());
        rig.fin(peer.socket);
        assert_eq!(rig.closed.get(&peer.socket), Some(&false));
        assert!(rig.sent(peer.socket).is_empty());
        rig.assert_clean();
    }
}

#[test]
fn strangers_never_fill_the_memory_of_those_who_are_allowed() {
    let mut rig = Rig::with(|config| config.limits.memory = 1 << 20);
    let mut crowd = Vec::new();
    // Heads that begin and do not end, from everywhere.
    for number in 0..200 {
        let mut peer = rig.accept_from(&format!("198.51.100.{number}:1")).unwrap();
        rig.say(&mut peer, format!("CONNECT {}", "a".repeat(8_000)));
        crowd.push(peer);
    }
    let stats = rig.relay.stats();
    assert!(stats.held <= (1 << 18) + 64 * 1024, "{} bytes held", stats.held);
    assert_eq!(rig.fault(), &ConnectionFault::Crowded(1 << 18));
    // Who asks is served, although the crowd is still there.
    assert!(stats.connections > 10);
    let (mut peer, target) = rig.stream();
    rig.say(&mut peer, b"x");
    assert_eq!(rig.sent(target).concat(), b"x");
    rig.relay.close(rig.now);
    rig.pump();
    assert_eq!(rig.relay.buffers.strange, 0);
    rig.assert_clean();
}

#[test]
fn who_only_sends_is_read_up_to_a_bound() {
    let flood = |rig: &mut Rig, socket| {
        let mut taken = 0;
        while !rig.closed.contains_key(&socket) && taken < 8 << 20 {
            rig.receive(socket, &[0; 64 * 1024]);
            taken += 64 * 1024;
        }
        taken
    };
    // After a refusal.
    let mut rig = Rig::new();
    let mut peer = rig.accept();
    rig.say(&mut peer, format!("CONNECT {}", "a".repeat(20_000)));
    assert_eq!(peer.status(), 414);
    let taken = flood(&mut rig, peer.socket);
    assert!((1 << 20..=(1 << 20) + 64 * 1024).contains(&taken), "{taken}");
    rig.assert_clean();
    // In front of a request: records that carry nothing, for as long as the head may take.
    let peer = rig.accept();
    for _ in 0..1_000 {
        rig.receive(peer.socket, &[1, 0, 0].repeat(1_000));
    }
    assert_eq!(rig.fault(), &ConnectionFault::TooMuch(1 << 20));
    rig.assert_clean();
    // After a tunnel that the relay ended.
    let (peer, target) = rig.stream();
    rig.fail(target, IoFailure::ConnectionReset);
    let taken = flood(&mut rig, peer.socket);
    assert!(taken <= (1 << 20) + 64 * 1024, "{taken}");
    rig.assert_clean();
    // Inside of a tunnel nothing of the kind counts, nor does what an allowed client sends before it.
    let (mut peer, target) = rig.stream();
    for _ in 0..200 {
        rig.say(&mut peer, [1; 16_000]);
    }
    assert_eq!(rig.sent(target).concat().len(), 3_200_000);
}
