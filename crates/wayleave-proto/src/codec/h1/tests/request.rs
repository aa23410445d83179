use proptest::prelude::*;

use super::{parse, tunnel, upgrade};
use crate::base::{Kind, Secret, Target, TargetError};
use crate::codec::h1::{HeadFault, encode_ask};
use crate::codec::http::{Ask, EchoWord, Want};
use crate::testing::cases;

fn target(text: &str) -> Target {
    text.parse().unwrap()
}

#[test]
fn connect_is_read_as_clients_send_it() {
    let curl = "CONNECT a.example:443 HTTP/1.1\r\nHost: a.example:443\r\nProxy-Authorization: Bearer abc.def\r\n\
                User-Agent: curl/7.88.1\r\nProxy-Connection: Keep-Alive\r\n\r\n";
    let request = parse(curl).unwrap();
    assert_eq!(tunnel(&request), (Kind::Stream, target("a.example:443")));
    assert_eq!(request.authorization.as_ref().map(|value| value.expose().as_str()), Some("Bearer abc.def"));
    assert_eq!(request.user_agent.as_deref(), Some("curl/7.88.1"));
    assert!(!format!("{request:?}").contains("abc.def"));

    for (value, read) in [("Bearer \u{e4}", "Bearer \u{e4}"), ("Bearer\tx", "Bearer\tx"), ("", "")] {
        let odd = format!("CONNECT a:1 HTTP/1.1\r\nHost: a\r\nProxy-Authorization: {value}\r\n\r\n");
        let authorization = parse(odd).unwrap().authorization.map(|value| value.expose().clone());
        assert_eq!(authorization.as_deref(), Some(read), "for whoever judges it");
    }

    let other_host = "CONNECT [2001:db8::1]:80 HTTP/1.1\r\nhost:\t[::1]: \r\nUser-Agent: a\u{ff}\r\n\r\n";
    let request = parse(other_host).unwrap();
    assert_eq!(tunnel(&request).1, target("[2001:db8::1]:80"));
    assert_eq!(request.user_agent.as_deref(), Some("a\\xc3\\xbf"), "escaped");
    assert!(request.authorization.is_none());

    let long = format!("CONNECT a:1 HTTP/1.1\r\nHost: a\r\nUser-Agent: {}\r\n\r\n", "x".repeat(500));
    assert_eq!(parse(long).unwrap().user_agent.map(|agent| agent.len()), Some(120));
}

/// The request of RFC 9298 §3.2, and its variants that are as good.
#[test]
fn connect_udp_is_read_as_clients_send_it() {
    let lines =
        "Host: example.org\r\nConnection: Upgrade\r\nUpgrade: connect-udp\r\nCapsule-Protocol: ?1\r\n\r\n";
    let loose = "Host: example.org\r\nconnection: keep-alive , UPGRADE\r\nupgrade: Connect-UDP\r\n\r\n";
    for (uri, lines, expected) in [
        ("https://example.org/.well-known/masque/udp/192.0.2.6/443/", lines, "192.0.2.6:443"),
        ("/.well-known/masque/udp/192.0.2.6/443/", loose, "192.0.2.6:443"),
        ("HTTP://[::1]:80/.well-known/masque/udp/A.example/65535/", lines, "a.example:65535"),
        ("/.well-known/masque/udp/2001%3Adb8%3a%3A1/1/", lines, "[2001:db8::1]:1"),
        ("/.well-known/masque/udp/%61.example/%34%343/", lines, "a.example:443"),
    ] {
        let request = parse(format!("GET {uri} HTTP/1.1\r\n{lines}")).unwrap();
        assert_eq!(tunnel(&request), (Kind::Datagram, target(expected)), "{uri}");
    }
}

/// What http.client of Python up to 3.11, nc, ncat, socat, connect-proxy and `openssl s_client -proxy` send.
#[test]
fn connect_of_http_1_0_is_served_with_and_without_a_host() {
    for fields in ["", "Host: a\r\n", "Proxy-Connection: keep-alive\r\n", "Content-Length: 0\r\n"] {
        let request = parse(format!("CONNECT a.example:443 HTTP/1.0\r\n{fields}\r\n")).unwrap();
        assert_eq!(tunnel(&request), (Kind::Stream, target("a.example:443")), "{fields:?}");
    }
    for (fields, fault) in [
        ("Host: a\r\nHost: a\r\n", HeadFault::HostRepeated),
        ("Host: a b\r\n", HeadFault::HostInvalid),
        ("Transfer-Encoding: chunked\r\n", HeadFault::Body),
    ] {
        let head = format!("CONNECT a:80 HTTP/1.0\r\n{fields}\r\n");
        assert_eq!(parse(head).map(|_| ()), Err(fault), "{fields:?}");
    }
    let datagrams = upgrade("/.well-known/masque/udp/a/443/").replace("HTTP/1.1", "HTTP/1.0");
    assert_eq!(parse(datagrams).map(|_| ()), Err(HeadFault::Version), "it knows no Upgrade");
    assert_eq!(parse("OPTIONS * HTTP/1.0\r\n\r\n").unwrap().want, Want::Options);
}

#[test]
fn a_length_of_nothing_is_no_content() {
    for length in ["0", "00", "0000000000000000000000000000000000000000"] {
        let head = format!("CONNECT a:1 HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n");
        assert_eq!(tunnel(&parse(head).unwrap()), (Kind::Stream, target("a:1")));
        let head = format!("OPTIONS * HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n");
        assert_eq!(parse(head).unwrap().want, Want::Options);
    }
}

#[test]
fn hostile_request_lines_get_their_status() {
    let line = |line: &str| parse(format!("{line}\r\nHost: a\r\n\r\n")).map(|request| tunnel(&request).1);
    for (text, fault) in [
        ("CONNECT a.example HTTP/1.1", HeadFault::Target(TargetError::NoPort)),
        ("CONNECT a.example: HTTP/1.1", HeadFault::Target(TargetError::NoPort)),
        ("CONNECT a.example:0 HTTP/1.1", HeadFault::Target(TargetError::Port)),
        ("CONNECT a.example:65536 HTTP/1.1", HeadFault::Target(TargetError::Port)),
        ("CONNECT a.example:4294967739 HTTP/1.1", HeadFault::Target(TargetError::Port)),
        ("CONNECT a.example:+80 HTTP/1.1", HeadFault::Target(TargetError::Port)),
        ("CONNECT a.example:0x50 HTTP/1.1", HeadFault::Target(TargetError::Port)),
        ("CONNECT http://a.example:80 HTTP/1.1", HeadFault::Target(TargetError::Brackets)),
        ("CONNECT /a HTTP/1.1", HeadFault::Target(TargetError::NoPort)),
        ("CONNECT a.example:80/ HTTP/1.1", HeadFault::Target(TargetError::Port)),
        ("CONNECT me@a.example:80 HTTP/1.1", HeadFault::Target(TargetError::Host)),
        ("CONNECT [fe80::1%eth0]:80 HTTP/1.1", HeadFault::Target(TargetError::Host)),
        ("CONNECT \u{e4}.example:80 HTTP/1.1", HeadFault::Target(TargetError::Host)),
        ("CONNECT a:80 HTTP/2.0", HeadFault::Version),
        ("CONNECT a:80 HTTP/0.9", HeadFault::Version),
        ("PRI * HTTP/2.0", HeadFault::Version),
        ("CONNECT a:80 HTTX/1.1", HeadFault::StartLine),
        ("CONNECT a:80 http/1.1", HeadFault::StartLine),
        ("CONNECT a:80 HTTP/1.10", HeadFault::StartLine),
        ("CONNECT a:80", HeadFault::StartLine),
        ("CONNECT  a:80 HTTP/1.1", HeadFault::StartLine),
        ("CONNECT a:80  HTTP/1.1", HeadFault::StartLine),
        ("CONNECT\ta:80\tHTTP/1.1", HeadFault::StartLine),
        ("CONNECT a:80 HTTP/1.1 ", HeadFault::StartLine),
        (" CONNECT a:80 HTTP/1.1", HeadFault::StartLine),
        ("CONNECT", HeadFault::StartLine),
        ("connect a:80 HTTP/1.1", HeadFault::MethodCase),
        ("Get / HTTP/1.1", HeadFault::MethodCase),
        ("BREW / HTTP/1.1", HeadFault::MethodUnknown),
        ("POST / HTTP/1.1", HeadFault::MethodNotAllowed),
        ("OPTIONS / HTTP/1.1", HeadFault::NotFound),
        ("Options * HTTP/1.1", HeadFault::MethodCase),
        ("HEAD / HTTP/1.1", HeadFault::MethodNotAllowed),
        ("GET / HTTP/1.1", HeadFault::NotFound),
        ("GET / HTTP/1.0", HeadFault::NotFound),
        ("GET http://a.example HTTP/1.1", HeadFault::NoForwarding),
        ("GET http://a.example/x HTTP/1.1", HeadFault::NoForwarding),
        ("GET http://a.example/x HTTP/1.0", HeadFault::NoForwarding),
        ("POST https://a.example/x HTTP/1.1", HeadFault::NoForwarding),
        ("OPTIONS http://a.example HTTP/1.1", HeadFault::NoForwarding),
        ("post http://a.example/ HTTP/1.1", HeadFault::MethodCase),
        ("POST ftp://a.example/ HTTP/1.1", HeadFault::MethodNotAllowed),
        ("GET ftp://a.example/ HTTP/1.1", HeadFault::StartLine),
        ("GET http:/// HTTP/1.1", HeadFault::StartLine),
        ("GET http://me@a/ HTTP/1.1", HeadFault::StartLine),
        ("GET a.example:80 HTTP/1.1", HeadFault::StartLine),
        ("GET * HTTP/1.1", HeadFault::StartLine),
    ] {
        assert_eq!(line(text), Err(fault), "{text}");
    }
}

#[test]
fn hostile_fields_get_their_status() {
    let connect = |fields: &str| {
        parse(format!("CONNECT a:80 HTTP/1.1\r\n{fields}\r\n")).map(|request| tunnel(&request).1)
    };
    for (fields, fault) in [
        ("", HeadFault::HostMissing),
        ("Host: a\r\nHost: a\r\n", HeadFault::HostRepeated),
        ("Host: a\r\nHOST: b\r\n", HeadFault::HostRepeated),
        ("Host:\r\n", HeadFault::HostInvalid),
        ("Host: a, b\r\n", HeadFault::HostInvalid),
        ("Host: a b\r\n", HeadFault::HostInvalid),
        ("Host: me@a\r\n", HeadFault::HostInvalid),
        ("Host: a:x\r\n", HeadFault::HostInvalid),
        ("Host: a:65536\r\n", HeadFault::HostInvalid),
        ("Host: ::1\r\n", HeadFault::HostInvalid),
        ("Host: [::1\r\n", HeadFault::HostInvalid),
        ("Host: \u{e4}\r\n", HeadFault::HostInvalid),
        ("Host : a\r\n", HeadFault::Field),
        ("Host\t: a\r\n", HeadFault::Field),
        ("Host: a\r\n folded\r\n", HeadFault::Field),
        ("Host: a\r\n\tfolded\r\n", HeadFault::Field),
        (" Host: a\r\n", HeadFault::Field),
        ("Host: a\r\n: empty name\r\n", HeadFault::Field),
        ("Host: a\r\nno colon\r\n", HeadFault::Field),
        ("Host: a\r\nX\u{e4}: b\r\n", HeadFault::Field),
        ("Host: a\r\nX: a\0b\r\n", HeadFault::Control),
        ("Host: a\r\nX: a\rb\r\n", HeadFault::BareCr),
        ("Host: a\nX: b\r\n", HeadFault::BareLf),
        ("Host: a\r\nContent-Length: 1\r\n", HeadFault::Body),
        ("Host: a\r\nContent-Length:\r\n", HeadFault::Body),
        ("Host: a\r\nContent-Length: 0, 0\r\n", HeadFault::Body),
        ("Host: a\r\nContent-Length: -1\r\n", HeadFault::Body),
        ("Host: a\r\nTransfer-Encoding: chunked\r\n", HeadFault::Body),
        ("Host: a\r\nTRANSFER-ENCODING: xchunked\r\n", HeadFault::Body),
        ("Host: a\r\nTransfer-Encoding:\r\n", HeadFault::Body),
        ("Host: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 4\r\n", HeadFault::Body),
        (
            "Host: a\r\nProxy-Authorization: Bearer good\r\nproxy-authorization: Bearer bad\r\n",
            HeadFault::CredentialsRepeated,
        ),
    ] {
        assert_eq!(connect(fields), Err(fault), "{fields:?}");
        assert_eq!(fault.status(), 400, "{fields:?}");
    }
    for fields in ["Content-Length: 1\r\nContent-Length: 1", "Content-Length: 1, 1", "Content-Length: +1"] {
        let fault = parse(format!("POST / HTTP/1.1\r\nHost: a\r\n{fields}\r\n\r\n"))
            .map(|request| tunnel(&request).1);
        assert_eq!(fault, Err(HeadFault::Body), "{fields}");
    }
    let many = format!("CONNECT a:80 HTTP/1.1\r\nHost: a\r\n{}\r\n", "X: y\r\n".repeat(64));
    assert_eq!(parse(many).map(|request| tunnel(&request).1), Err(HeadFault::FieldsTooMany));
}

#[test]
fn hostile_upgrades_get_their_status() {
    let prefix = "/.well-known/masque/udp";
    let long = format!("{prefix}/{}/443/", "a".repeat(300));
    for (path, fault) in [
        (format!("{prefix}/a/0/"), HeadFault::Target(TargetError::Port)),
        (format!("{prefix}/a/65536/"), HeadFault::Target(TargetError::Port)),
        (format!("{prefix}/a/4294967739/"), HeadFault::Target(TargetError::Port)),
        (format!("{prefix}/a/+80/"), HeadFault::Target(TargetError::Port)),
        (format!("{prefix}/a//"), HeadFault::Target(TargetError::Port)),
        (format!("{prefix}//443/"), HeadFault::Target(TargetError::Host)),
        (format!("{prefix}/a%00/443/"), HeadFault::Target(TargetError::Host)),
        (format!("{prefix}/a%0d%0aX%3A%20y/443/"), HeadFault::Target(TargetError::Host)),
        (format!("{prefix}/a%2fb/443/"), HeadFault::Target(TargetError::Host)),
        (format!("{prefix}/a%2Fb/443/"), HeadFault::Target(TargetError::Host)),
        (format!("{prefix}/me@a/443/"), HeadFault::Target(TargetError::Host)),
        (format!("{prefix}/me%40a/443/"), HeadFault::Target(TargetError::Host)),
        (format!("{prefix}/fe80%3A%3A1%25eth0/443/"), HeadFault::Target(TargetError::Host)),
        (format!("{prefix}/%5B%3A%3A1%5D/443/"), HeadFault::Target(TargetError::Host)),
        (format!("{prefix}/[%3A%3A1]/443/"), HeadFault::Target(TargetError::Host)),
        (format!("{prefix}/a%2561/443/"), HeadFault::Target(TargetError::Host)),
        (long, HeadFault::Target(TargetError::Host)),
        (format!("{prefix}/::1/443/"), HeadFault::Encoding),
        (format!("{prefix}/a%/443/"), HeadFault::Encoding),
        (format!("{prefix}/a%4/443/"), HeadFault::Encoding),
        (format!("{prefix}/a%zz/443/"), HeadFault::Encoding),
        (format!("{prefix}/%ff/443/"), HeadFault::Encoding),
        (format!("{prefix}/a/%+1/"), HeadFault::Encoding),
        (format!("{prefix}/a/443"), HeadFault::NotFound),
        (format!("{prefix}/a/443/x"), HeadFault::NotFound),
        (format!("{prefix}/a/443/?x"), HeadFault::NotFound),
        (format!("{prefix}/"), HeadFault::NotFound),
        ("/.well-known/masque/ip/a/17/".into(), HeadFault::NotFound),
    ] {
        assert_eq!(parse(upgrade(&path)).map(|request| tunnel(&request).1), Err(fault), "{path}");
    }
    for (fields, fault) in [
        ("", HeadFault::UpgradeRequired),
        ("Connection: keep-alive\r\n", HeadFault::UpgradeRequired),
        ("Connection: upgrade\r\nUpgrade: websocket\r\n", HeadFault::UpgradeRequired),
        ("Upgrade: connect-udp\r\n", HeadFault::Upgrade),
        ("Connection: upgrade\r\n", HeadFault::Upgrade),
        ("Connection: close\r\nUpgrade: connect-udp\r\n", HeadFault::Upgrade),
        ("Connection: upgraded\r\nUpgrade: connect-udp\r\n", HeadFault::Upgrade),
        ("Connection: upgrade\r\nUpgrade: connect-udp, websocket\r\n", HeadFault::Upgrade),
        ("Connection: upgrade\r\nUpgrade: connect-udp\r\nUpgrade: connect-udp\r\n", HeadFault::Upgrade),
        ("Connection: upgrade\r\nUpgrade: connect-udp\r\nUpgrade:\r\n", HeadFault::Upgrade),
        ("Connection: upgrade\r\nUpgrade: connect-udp\r\nContent-Length: 5\r\n", HeadFault::Body),
        ("Connection: upgrade\r\nUpgrade: connect-udp\r\nContent-Length: 0\r\n", HeadFault::Body),
    ] {
        let head = format!("GET {prefix}/a/443/ HTTP/1.1\r\nHost: a\r\n{fields}\r\n");
        assert_eq!(parse(head).map(|request| tunnel(&request).1), Err(fault), "{fields:?}");
    }
}

#[test]
fn only_one_whole_head_is_read() {
    let head = upgrade("/.well-known/masque/udp/a/443/");
    assert!(parse(&head).is_ok());
    for end in 0..head.len() {
        assert_eq!(parse(&head[..end]).map(|_| ()), Err(HeadFault::Incomplete), "cut at {end}");
    }
    assert_eq!(parse(format!("{head}x")).map(|_| ()), Err(HeadFault::Incomplete));
    assert_eq!(parse(format!("{head}{head}")).map(|_| ()), Err(HeadFault::Incomplete));
}

#[test]
fn each_fault_has_its_status() {
    for (fault, status) in [
        (HeadFault::Upgrade, 400),
        (HeadFault::NotFound, 404),
        (HeadFault::MethodNotAllowed, 405),
        (HeadFault::LineTooLong, 414),
        (HeadFault::UpgradeRequired, 426),
        (HeadFault::HeadTooLong, 431),
        (HeadFault::FieldsTooMany, 431),
        (HeadFault::MethodUnknown, 501),
        (HeadFault::NoForwarding, 501),
        (HeadFault::Version, 505),
    ] {
        assert_eq!(fault.status(), status, "{fault}");
    }
}

/// The head of a request that asks `authority` for `want`.
fn written(want: Want, authority: Option<&str>, authorization: Option<&str>) -> String {
    let ask = Ask {
        want,
        authority: authority.map(target),
        authorization: authorization.map(|value| Secret::new(value.into())),
        user_agent: None,
        echo: None,
    };
    let mut out = Vec::new();
    encode_ask(&mut out, &ask);
    String::from_utf8(out).unwrap()
}

fn wanted(kind: Kind, text: &str) -> Want {
    Want::Tunnel { kind, target: target(text) }
}

#[test]
fn requests_are_written_for_any_relay() {
    let stream = wanted(Kind::Stream, "[2001:db8::1]:443");
    assert_eq!(
        written(stream, None, Some("Bearer x")),
        "CONNECT [2001:db8::1]:443 HTTP/1.1\r\nHost: [2001:db8::1]:443\r\nProxy-Authorization: Bearer x\r\n\r\n"
    );
    let datagrams = wanted(Kind::Datagram, "[2001:db8::1]:5004");
    assert_eq!(
        written(datagrams.clone(), Some("r.example:443"), Some("Bearer x\r\nX: y")),
        "GET /.well-known/masque/udp/2001%3Adb8%3A%3A1/5004/ HTTP/1.1\r\nHost: r.example:443\r\nConnection: Upgrade\r\n\
         Upgrade: connect-udp\r\nCapsule-Protocol: ?1\r\nProxy-Authorization: Bearer x  X: y\r\n\r\n",
        "no value makes a line of its own"
    );
    assert!(written(datagrams, None, None).contains("\r\nHost: \r\n"), "RFC 9112 §3.2");
}

#[test]
fn a_client_says_what_it_calls_itself() {
    let ask = Ask {
        want: wanted(Kind::Stream, "a:1"),
        authority: None,
        authorization: None,
        user_agent: Some("x/1\r\nX: y".into()),
        echo: None,
    };
    let mut out = Vec::new();
    encode_ask(&mut out, &ask);
    assert_eq!(out, b"CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\nUser-Agent: x/1  X: y\r\n\r\n");
}

#[test]
fn options_show_credentials_and_ask_for_nothing() {
    let head = written(Want::Options, Some("r.example:8443"), Some("Bearer x"));
    let expected = "OPTIONS * HTTP/1.1\r\nHost: r.example:8443\r\nConnection: close\r\nProxy-Authorization: Bearer x\r\n\r\n";
    assert_eq!(head, expected);
    let request = parse(&head).unwrap();
    assert_eq!(request.want, Want::Options);
    assert_eq!(request.authorization.as_ref().map(|value| value.expose().as_str()), Some("Bearer x"));
}

#[test]
fn a_word_to_echo_is_one_short_word_behind_its_name() {
    let echo = |fields: &str| {
        let ask = parse(format!("OPTIONS * HTTP/1.1\r\nHost: r\r\n{fields}\r\n")).unwrap();
        ask.echo.map(|word| word.as_str().to_owned())
    };
    let long = "a".repeat(64);
    for (fields, word) in [
        ("Prefer: wayleave-echo=k3-T9\r\n", Some("k3-T9")),
        ("prefer: return=minimal , Wayleave-Echo = x\r\n", Some("x")),
        ("Prefer: respond-async\r\nPrefer: wayleave-echo=1\r\n", Some("1")),
        (&format!("Prefer: wayleave-echo={long}\r\n"), Some(&*long)),
        (&format!("Prefer: wayleave-echo={long}a\r\n"), None),
        ("Prefer: wayleave-echo=\r\n", None),
        ("Prefer: wayleave-echo\r\n", None),
        ("Prefer: wayleave-echo=\"x\"\r\n", None),
        ("Prefer: wayleave-echo=a b\r\n", None),
        ("Prefer: wayleave-echo=a;b\r\n", None),
        ("Prefer: wayleave-echo=\u{e9}\r\n", None),
        ("", None),
    ] {
        assert_eq!(echo(fields).as_deref(), word, "{fields:?}");
    }
    let tunnel = parse("CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\nPrefer: wayleave-echo=x\r\n\r\n").unwrap();
    assert_eq!(tunnel.echo, None);

    let ask = Ask {
        want: Want::Options,
        authority: Some(target("r.example:443")),
        authorization: None,
        user_agent: None,
        echo: EchoWord::new("x"),
    };
    let mut out = Vec::new();
    encode_ask(&mut out, &ask);
    assert_eq!(parse(core::str::from_utf8(&out).unwrap()).unwrap().echo, EchoWord::new("x"));
}

/// Names, IPv4 and IPv6 addresses with a port.
fn targets() -> impl Strategy<Value = Target> {
    let v4 = any::<[u8; 4]>().prop_map(|address| core::net::Ipv4Addr::from(address).to_string());
    let v6 = any::<[u16; 8]>().prop_map(|address| format!("[{}]", core::net::Ipv6Addr::from(address)));
    let host = prop_oneof!["[a-z][a-z0-9_-]{0,9}(\\.[a-z]{1,9}){0,3}", v4, v6];
    (host, 1..=u16::MAX).prop_map(|(host, port)| target(&format!("{host}:{port}")))
}

proptest! {
    #![proptest_config(cases(64))]

    #[test]
    fn what_is_asked_is_read(wanted in targets(), token in "[A-Za-z0-9._~+/-]{1,40}=?") {
        let bearer = format!("Bearer {token}");
        for kind in [Kind::Stream, Kind::Datagram] {
            let want = Want::Tunnel { kind, target: wanted.clone() };
            let head = written(want, Some("r:8443"), Some(&bearer));
            let request = parse(&head).unwrap();
            prop_assert_eq!(tunnel(&request), (kind, wanted.clone()));
            prop_assert_eq!(request.authorization.as_ref().map(|value| value.expose()), Some(&bearer));
        }
    }

    #[test]
    fn any_path_is_answered(path in "[a-z0-9%:@./\\[\\]]{0,30}") {
        let _ = parse(upgrade(&format!("/.well-known/masque/udp/{path}/443/")));
    }

    #[test]
    fn any_bytes_are_answered(bytes in proptest::collection::vec(any::<u8>(), 0..60)) {
        let _ = parse([b"GET / HTTP/1.1\r\n", &bytes[..], b"\r\n\r\n"].concat());
        let _ = parse(bytes);
    }
}
