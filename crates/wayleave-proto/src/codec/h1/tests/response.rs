use proptest::prelude::*;

use crate::base::{Kind, UnixTime};
use crate::codec::h1::{HeadError, HeadFault, encode_answer, parse_answer};
use crate::codec::http::{Answer, EchoWord, Refusal};
use crate::codec::proxy_status::{ProxyError, ProxyStatus};
use crate::testing::cases;

fn accepted() -> Option<Answer> {
    Some(Answer::Accepted { by: None, echo: None })
}

fn refused(status: u16) -> Option<Answer> {
    Some(Answer::Refused(Refusal { status, ..Refusal::default() }))
}

fn refusal(out: &mut Vec<u8>, refusal: &Refusal) {
    encode_answer(out, Some(Kind::Datagram), &Answer::Refused(refusal.clone()), NOW);
}

/// What is read of a refusal.
fn read_refusal(head: &[u8], kind: Kind) -> Refusal {
    match parse_answer(head, Some(kind)) {
        Ok(Some(Answer::Refused(refusal))) => refusal,
        other => panic!("{other:?} is no refusal"),
    }
}

#[test]
fn what_opens_a_tunnel_is_written_and_read() {
    let said = Answer::Accepted { by: Some("relay-7".into()), echo: None };
    let switching = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: connect-udp\r\nCapsule-Protocol: ?1\r\n";
    let name = "Proxy-Status: relay-7\r\n";
    for (kind, expected) in [
        (Some(Kind::Stream), format!("HTTP/1.1 200 OK\r\n{name}\r\n")),
        (
            None,
            format!(
                "HTTP/1.1 204 No Content\r\nConnection: close\r\nAllow: CONNECT, GET, OPTIONS\r\n{DATE}{name}\r\n"
            ),
        ),
        (Some(Kind::Datagram), format!("{switching}{name}\r\n")),
    ] {
        let mut head = Vec::new();
        encode_answer(&mut head, kind, &said, NOW);
        assert_eq!(String::from_utf8_lossy(&head), expected);
        assert_eq!(parse_answer(&head, kind).as_ref(), Ok(&Some(said.clone())));
        for end in 0..head.len() {
            assert_eq!(
                parse_answer(&head[..end], kind),
                Err(HeadError { status: 502, reason: HeadFault::Incomplete })
            );
        }
    }
}

#[test]
fn a_refusal_is_written_and_read() {
    let mut out = Vec::new();
    let status = ProxyStatus::failed(ProxyError::ConnectionLimitReached).with_details("too many\u{1b}");
    let body = "come back later";
    let said = Refusal {
        status: 503,
        proxy_status: Some(status),
        challenges: Vec::new(),
        retry_after: Some(30),
        echo: EchoWord::new("k3"),
        body: body.into(),
    };
    refusal(&mut out, &said);
    let (head, behind) = out.split_at(out.len() - body.len() - 1);
    let expected = format!(
        "HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\n\
        Proxy-Status: wayleave; error=connection_limit_reached; details=\"too many\\\\x1b\"\r\n\
        Retry-After: 30\r\n{DATE}Preference-Applied: wayleave-echo=k3\r\n\
        Content-Type: text/plain; charset=utf-8\r\nContent-Length: 16\r\n\r\n"
    );
    assert_eq!(
        (String::from_utf8_lossy(head), behind),
        (expected.as_str().into(), &b"come back later\n"[..])
    );
    // Escaped once by the relay that wrote it, and once by the client that shows it.
    let details = "too many\\\\x1b";
    let status = ProxyStatus::failed(ProxyError::ConnectionLimitReached).with_details(details);
    let echo = EchoWord::new("k3");
    let read = Refusal {
        status: 503,
        proxy_status: Some(status),
        retry_after: Some(30),
        echo,
        ..Refusal::default()
    };
    for kind in [Kind::Stream, Kind::Datagram] {
        assert_eq!(read_refusal(head, kind), read);
    }
}

#[test]
fn a_refusal_carries_what_its_status_demands() {
    for (status, challenge, field) in [
        (405, None, "Connection: close\r\nAllow: CONNECT, GET, OPTIONS\r\n"),
        (407, Some("Bearer realm=\"wayleave\""), "\r\nProxy-Authenticate: Bearer realm=\"wayleave\"\r\n"),
        (407, Some("Bearer realm=\"a\r\nX: y\""), "\r\nProxy-Authenticate: Bearer realm=\"a  X: y\"\r\n"),
        (426, None, "Connection: close, Upgrade\r\nUpgrade: connect-udp\r\n"),
        (299, None, "HTTP/1.1 299 \r\nConnection: close\r\n"),
    ] {
        let challenges: Vec<String> = challenge.into_iter().map(String::from).collect();
        let mut out = Vec::new();
        refusal(&mut out, &Refusal { status, challenges, ..Refusal::default() });
        assert!(String::from_utf8_lossy(&out).contains(field), "{status}");
        assert!(out.ends_with(b"Content-Length: 1\r\n\r\n\n"));
    }
}

#[test]
fn only_a_true_101_opens_datagrams() {
    let answer = |status: &str, fields: &str, kind| {
        parse_answer(format!("{status}\r\n{fields}\r\n").as_bytes(), Some(kind))
    };
    let upgraded = "connection: upgrade\r\nupgrade: Connect-UDP\r\n";
    let malformed = |reason| Err(HeadError { status: 502, reason });
    for (status, fields, expected) in [
        ("HTTP/1.1 101 ", upgraded, Ok(accepted())),
        ("HTTP/1.1 101", upgraded, Ok(accepted())),
        ("HTTP/1.1 100 Continue", "", Ok(None)),
        ("HTTP/1.1 103 Early Hints", upgraded, Ok(None)),
        ("HTTP/1.1 200 OK", "", Ok(refused(200))),
        ("HTTP/1.1 200 OK", upgraded, Ok(refused(200))),
        ("HTTP/1.1 200 OK", "Transfer-Encoding: chunked\r\n", Ok(refused(200))),
        ("HTTP/1.1 302 Found", "Location: /\r\n", Ok(refused(302))),
        ("HTTP/1.0 101 ", upgraded, malformed(HeadFault::Version)),
        ("HTTP/1.1 101 ", "", malformed(HeadFault::Upgrade)),
        ("HTTP/1.1 101 ", "Upgrade: connect-udp\r\n", malformed(HeadFault::Upgrade)),
        ("HTTP/1.1 101 ", "Connection: upgrade\r\nUpgrade: websocket\r\n", malformed(HeadFault::Upgrade)),
        ("HTTP/1.1 101 ", &format!("{upgraded}Upgrade: connect-udp\r\n"), malformed(HeadFault::Upgrade)),
        ("HTTP/1.1 101 ", &format!("{upgraded}Content-Length: 0\r\n"), malformed(HeadFault::Body)),
        ("HTTP/1.1 101 ", &format!("{upgraded}Content-Type: a/b\r\n"), malformed(HeadFault::Body)),
        ("HTTP/1.1 101 ", &format!("{upgraded}Transfer-Encoding: chunked\r\n"), malformed(HeadFault::Body)),
    ] {
        assert_eq!(answer(status, fields, Kind::Datagram), expected, "{status} {fields:?}");
    }
    for (status, fields, expected) in [
        ("HTTP/1.1 200 OK", "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", Ok(accepted())),
        ("HTTP/1.0 200 Connection established", "", Ok(accepted())),
        ("HTTP/1.1 299 ", "", Ok(accepted())),
        ("HTTP/1.1 100 Continue", "", Ok(None)),
        ("HTTP/1.1 101 ", upgraded, Ok(refused(101))),
        ("HTTP/1.1 407 ", "Retry-After: Wed, 21 Oct 2026 07:28:00 GMT\r\n", Ok(refused(407))),
        ("HTTP/1.1 099 ", "", malformed(HeadFault::StartLine)),
        ("HTTP/1.1 600 ", "", malformed(HeadFault::StartLine)),
        ("HTTP/1.1 20 OK", "", malformed(HeadFault::StartLine)),
        ("HTTP/2 200 OK", "", malformed(HeadFault::StartLine)),
        ("HTTP/2.0 200 OK", "", malformed(HeadFault::StartLine)),
        ("ICY 200 OK", "", malformed(HeadFault::StartLine)),
        ("HTTP/1.1 200 OK", "A : b\r\n", malformed(HeadFault::Field)),
        ("HTTP/1.1 200 OK", "A: b\r\n folded\r\n", malformed(HeadFault::Field)),
    ] {
        assert_eq!(answer(status, fields, Kind::Stream), expected, "{status} {fields:?}");
    }
}

#[test]
fn the_nearest_proxy_is_heard() {
    let head = "HTTP/1.1 502 \r\nProxy-Status: origin; error=dns_error\r\n\
                Proxy-Status: far; error=dns_error, near; error=connection_refused\r\n\r\n";
    let said = ProxyStatus::failed(ProxyError::ConnectionRefused);
    assert_eq!(read_refusal(head.as_bytes(), Kind::Stream).proxy_status, Some(said));
}

#[test]
fn what_a_name_server_said_is_read() {
    use crate::error::IoFailure as F;
    for (rcode, expected) in
        [("NXDOMAIN", Some(F::NameUnknown)), ("SERVFAIL", Some(F::NameFailed)), ("nonsense", None)]
    {
        let head = format!("HTTP/1.1 502 x\r\nProxy-Status: a; error=dns_error; rcode=\"{rcode}\"\r\n\r\n");
        assert_eq!(read_refusal(head.as_bytes(), Kind::Stream).lookup(), expected, "{rcode}");
    }
}

proptest! {
    #![proptest_config(cases(64))]

    #[test]
    fn what_a_relay_answers_is_read(status in 400_u16..600, index in 0_usize..32, body in "[ -~]{0,40}", seconds in proptest::option::of(0_u32..100_000)) {
        let error = ProxyError::ALL[index % ProxyError::ALL.len()];
        let mut out = Vec::new();
        let proxy_status = Some(ProxyStatus::failed(error));
        refusal(&mut out, &Refusal { status, proxy_status, retry_after: seconds, body: body.into(), ..Refusal::default() });
        let end = out.windows(4).position(|window| window == b"\r\n\r\n").unwrap();
        for kind in [Kind::Stream, Kind::Datagram] {
            let read = read_refusal(&out[..end + 4], kind);
            prop_assert_eq!((read.status, read.error(), read.retry_after), (status, Some(error), seconds));
        }
    }

    #[test]
    fn any_bytes_are_answered(bytes in proptest::collection::vec(any::<u8>(), 0..60)) {
        for kind in [Kind::Stream, Kind::Datagram] {
            let head = [b"HTTP/1.1 502 \r\nProxy-Status: ", &bytes[..], b"\r\n\r\n"].concat();
            let _ = parse_answer(&head, Some(kind));
            let _ = parse_answer(&bytes, Some(kind));
        }
    }
}

const NOW: UnixTime = UnixTime::from_secs(784_111_777);
const DATE: &str = "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n";
