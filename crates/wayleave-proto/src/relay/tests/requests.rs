//! What is refused for what it says (rows 8, 12, 16 to 19 and 29 of the abuse cases).

use super::*;
use crate::relay::ConnectionFault;

#[test]
fn a_head_at_fault_gets_one_answer_and_nothing_is_dialled() {
    let good = bearer();
    let line = |line: &str| format!("{line}\r\nHost: a.example\r\n{good}\r\n");
    let field = |field: &str| connect_with("a.example:443", &format!("{good}{field}\r\n"));
    let udp = |target: &str| connect_udp_with(target, &good);
    let cases: Vec<(u16, String)> = vec![
        // Ports.
        (400, connect("a.example")),
        (400, connect("a.example:")),
        (400, connect("a.example:0")),
        (400, connect("a.example:65536")),
        (400, connect("a.example:4294967739")),
        (400, connect("a.example:+80")),
        (400, connect("a.example:0x50")),
        (400, line("CONNECT 2001:db8::1:443 HTTP/1.1")),
        // Two ways to frame.
        (400, field("Transfer-Encoding: chunked")),
        (400, field("TRANSFER-ENCODING: xchunked")),
        (400, field("Content-Length: 5")),
        (400, field("Content-Length: -1")),
        (400, field("Content-Length: 0\r\nContent-Length: 0")),
        (400, field("Transfer-Encoding: chunked\r\nContent-Length: 0")),
        // Lines.
        (400, format!("CONNECT a.example:443 HTTP/1.1\r\n{good}\r\n")),
        (400, field("Host: b.example:443")),
        (400, field("X: a\r\n b")),
        (400, field("X : a")),
        (400, field(": a")),
        (400, field("X: a\rb")),
        (400, field("X: a\0b")),
        (400, format!("CONNECT a.example:443 HTTP/1.1\nHost: a.example:443\n{good}\n")),
        (400, line("connect a.example:443 HTTP/1.1")),
        (400, line("CONNECT\ta.example:443\tHTTP/1.1")),
        (400, line("CONNECT a.example:443")),
        // Methods, paths, versions.
        (405, line("POST / HTTP/1.1")),
        (501, line("BREW / HTTP/1.1")),
        (505, line("CONNECT a.example:443 HTTP/2.0")),
        (404, line("GET / HTTP/1.1")),
        (501, line("GET http://a.example/ HTTP/1.1")),
        (426, line("GET /.well-known/masque/udp/a.example/443/ HTTP/1.1")),
        // Targets of CONNECT-UDP.
        (400, udp("a.example/0")),
        (400, udp("a.example/65536")),
        (400, udp("a%00b/443")),
        (400, udp("a%0d%0ab/443")),
        (400, udp("a%2fb/443")),
        (400, udp("a%zz/443")),
        (400, udp("%ff/443")),
        (400, udp("user%40a.example/443")),
        (400, udp("fe80%3A%3A1%25eth0/443")),
        (400, udp(&format!("{}/443", "a".repeat(300)))),
        (400, udp("2001:db8::1/443")),
    ];
    for (status, request) in cases {
        let mut rig = Rig::new();
        let answer = rig.refused(&request);
        assert_eq!(answer.status, status, "{request:?}");
        assert_eq!(answer.error(), Some("http_request_error"), "{request:?}");
        assert_eq!(answer.field("Connection").map(|it| it.starts_with("close")), Some(true));
        assert!(rig.is_untouched(), "{request:?}");
        assert!(matches!(rig.refuse_reason(), RefuseReason::Malformed(_)), "{request:?}");
        rig.assert_clean();
    }
}

#[test]
fn a_head_without_end_is_refused_within_its_limit() {
    let cases = [
        (414, format!("CONNECT {}", "a".repeat(100_000))),
        (431, format!("CONNECT a.example:443 HTTP/1.1\r\nX: {}", "a".repeat(100_000))),
        (431, format!("CONNECT a.example:443 HTTP/1.1\r\n{}", "X: a\r\n".repeat(2_000))),
    ];
    for (status, head) in cases {
        let mut rig = Rig::new();
        let mut peer = rig.accept();
        let mut most = 0;
        for part in head.as_bytes().chunks(1_000) {
            peer.session.send(&[part]);
            let bytes = peer.session.pending().to_vec();
            peer.session.written(bytes.len());
            rig.receive(peer.socket, &bytes);
            most = most.max(rig.relay.stats().held);
        }
        assert_eq!(rig.answer(&mut peer).status, status);
        assert!(most < 64 * 1024, "{most} bytes held");
        assert!(rig.is_untouched());
        rig.assert_clean();
    }
}

#[test]
fn nothing_behind_a_refused_request_is_processed() {
    let refused =
        [connect_with(TARGET, ""), connect("10.0.0.1:25"), connect("127.0.0.1:80"), "?\r\n\r\n".into()];
    for first in refused {
        let mut rig = Rig::new();
        let mut peer = rig.accept();
        rig.say(&mut peer, format!("{first}{}", connect(TARGET)));
        rig.say(&mut peer, connect(TARGET));
        rig.answer(&mut peer);
        assert!(rig.is_untouched(), "{first:?}");
        assert_eq!(rig.relay.stats().refused.total(), 1);
        rig.assert_clean();
    }
}

#[test]
fn a_dripping_head_has_one_deadline() {
    let mut rig = Rig::new();
    let mut peer = rig.accept();
    for byte in connect(TARGET).bytes().take(35) {
        rig.say(&mut peer, [byte]);
        rig.pass(SECOND);
    }
    assert_eq!(rig.answer(&mut peer).status, 408);
    assert!(rig.now <= Instant::ZERO + 40 * SECOND);
    assert!(rig.is_untouched());
    assert_eq!(rig.last(), &What::ConnectionFailed { reason: ConnectionFault::TooSlow("request") });
    rig.assert_clean();
}

#[test]
fn a_dripping_handshake_has_one_deadline() {
    for hello in [0, 1, 9] {
        let mut rig = Rig::new();
        let mut peer = rig.accept_silent(CLIENT).unwrap();
        let bytes = peer.session.pending().to_vec();
        for byte in bytes.iter().take(hello) {
            rig.pass(SECOND);
            rig.receive(peer.socket, &[*byte]);
        }
        rig.pass(11 * SECOND);
        let reason = ConnectionFault::TooSlow("TLS handshake");
        assert_eq!(rig.events[0].what, What::ConnectionFailed { reason });
        assert_eq!(rig.events[0].at, Instant::ZERO + 10 * SECOND);
        rig.assert_clean();
    }
}

#[test]
fn a_connection_kept_ready_is_closed_without_a_fault() {
    let mut rig = Rig::new();
    let peer = rig.accept();
    rig.pass(30 * SECOND);
    assert_eq!(rig.closed.get(&peer.socket), Some(&false));
    assert_eq!(rig.events, []);
    rig.assert_clean();
}

#[test]
fn what_is_not_tls_is_told_and_closed() {
    let mut rig = Rig::new();
    let peer = rig.accept_silent(CLIENT).unwrap();
    rig.receive(peer.socket, b"\x80\x2e\x01\x03\x01");
    assert!(matches!(rig.last(), What::ConnectionFailed { reason: ConnectionFault::Tls(_) }));
    rig.pass(5 * SECOND);
    rig.assert_clean();
}

#[test]
fn a_connect_of_http_1_0_is_served_and_its_connection_ends_behind_it() {
    for fields in ["", "Host: 10.0.0.1:443\r\n", "Content-Length: 0\r\n"] {
        let mut rig = Rig::new();
        let mut peer = rig.accept();
        rig.say(&mut peer, format!("CONNECT {TARGET} HTTP/1.0\r\n{fields}{}\r\n", bearer()));
        let (target, _) = rig.dials[0];
        rig.opened(target);
        rig.hear(&mut peer);
        assert_eq!(peer.status(), 200, "{fields:?}");
        rig.say(&mut peer, b"x");
        assert_eq!(rig.sent(target).concat(), b"x");
        rig.fin(target);
        rig.end(&mut peer);
        rig.assert_clean();
    }
    // A refusal ends it as well, without a word about a Host.
    let answer = Rig::new().refused(format!("CONNECT {TARGET} HTTP/1.0\r\n\r\n"));
    assert_eq!((answer.status, answer.field("Connection")), (407, Some("close")));
}

#[test]
fn a_head_may_come_in_any_pieces() {
    let head = connect(TARGET);
    for split in 1..head.len() {
        let mut rig = Rig::new();
        let mut peer = rig.accept();
        rig.say(&mut peer, &head[..split]);
        assert!(rig.dials.is_empty());
        rig.say(&mut peer, &head[split..]);
        assert_eq!(rig.dials.len(), 1, "cut at {split}");
    }
}
