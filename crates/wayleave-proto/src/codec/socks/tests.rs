use core::net::SocketAddr;

use proptest::prelude::*;

use super::{
    Method, Reply, Request, SocksError, credentials_answer, method_answer, parse_credentials, parse_greeting,
    parse_request, parse_udp, reply, udp_header,
};
use crate::base::{Host, Target};
use crate::testing::cases;

fn target(text: &str) -> Target {
    text.parse().unwrap()
}

/// An address type, an address and a port.
fn named(name: &str, port: u16) -> Vec<u8> {
    let mut bytes = vec![3, u8::try_from(name.len()).unwrap()];
    bytes.extend_from_slice(name.as_bytes());
    bytes.extend_from_slice(&port.to_be_bytes());
    bytes
}

fn request(command: u8, endpoint: &[u8]) -> Vec<u8> {
    [&[5, command, 0], endpoint].concat()
}

fn datagram(endpoint: &[u8], payload: &[u8]) -> Vec<u8> {
    [&[0, 0, 0], endpoint, payload].concat()
}

#[test]
fn rfc1928_s3_greetings_are_read_and_answered() {
    assert_eq!(parse_greeting(&[5, 2, 0, 2, 9]), Ok((&[0, 2][..], &[9][..])));
    assert_eq!(parse_greeting(&[5, 0]), Ok((&[][..], &[][..])));
    assert_eq!(parse_greeting(&[4, 1]), Err(SocksError::Version(4)));
    assert_eq!(method_answer(Some(Method::None)), [5, 0]);
    assert_eq!(method_answer(Some(Method::Password)), [5, 2]);
    assert_eq!(method_answer(None), [5, 0xff]);
}

#[test]
fn rfc1929_s2_credentials_are_read_and_answered_and_hidden() {
    let (credentials, rest) = parse_credentials(b"\x01\x05alice\x06secret!").unwrap();
    assert_eq!((credentials.user, credentials.password, rest), (&b"alice"[..], &b"secret"[..], &b"!"[..]));
    assert_eq!(format!("{credentials:?}"), "Credentials([secret])");
    assert_eq!(parse_credentials(&[5]), Err(SocksError::Version(5)));
    assert_eq!((credentials_answer(true), credentials_answer(false)), ([1, 0], [1, 1]));
}

#[test]
fn rfc1928_s4_requests_are_read() {
    let v6 = [&[4][..], &[0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1], &[0, 80]].concat();
    for (bytes, expected) in [
        (request(1, &[1, 192, 0, 2, 1, 1, 0xbb]), Request::Connect(target("192.0.2.1:443"))),
        (request(1, &v6), Request::Connect(target("[2001:db8::1]:80"))),
        (request(1, &named("Web.Example", 80)), Request::Connect(target("web.example:80"))),
        (request(1, &named("192.0.2.1", 80)), Request::Connect(target("192.0.2.1:80"))),
        (request(1, &named("2001:db8::1", 80)), Request::Connect(target("[2001:db8::1]:80"))),
        (request(3, &[1, 0, 0, 0, 0, 0, 0]), Request::Associate("0.0.0.0:0".parse().unwrap())),
        (request(3, &[1, 127, 0, 0, 1, 0, 9]), Request::Associate("127.0.0.1:9".parse().unwrap())),
        (request(3, &named("me.example", 9)), Request::Associate("0.0.0.0:9".parse().unwrap())),
    ] {
        for end in 0..bytes.len() {
            assert_eq!(parse_request(&bytes[..end]), Err(SocksError::Truncated), "{expected:?} cut at {end}");
        }
        assert_eq!(parse_request(&bytes), Ok((expected.clone(), &[][..])));
        let longer = [&bytes[..], b"behind"].concat();
        assert_eq!(parse_request(&longer), Ok((expected, &b"behind"[..])));
    }
}

#[test]
fn bad_requests_are_told_apart_and_answered() {
    let long = "a".repeat(255);
    for (bytes, error, answer) in [
        (vec![4], SocksError::Version(4), None),
        (vec![5, 2], SocksError::Command(2), Some(7)),
        (vec![5, 0], SocksError::Command(0), Some(7)),
        (vec![5, 1, 0, 2], SocksError::AddressType(2), Some(8)),
        (vec![5, 3, 0, 0], SocksError::AddressType(0), Some(8)),
        (request(1, &[1, 192, 0, 2, 1, 0, 0]), SocksError::Port, Some(1)),
        (request(1, &named("", 80)), SocksError::Name, Some(1)),
        (request(1, &named(&long, 80)), SocksError::Name, Some(1)),
        (request(1, &named("a b", 80)), SocksError::Name, Some(1)),
        (request(1, &named("a\0b", 80)), SocksError::Name, Some(1)),
        (request(1, &named("b\u{fc}cher.example", 80)), SocksError::Name, Some(1)),
        (request(1, &[3, 1, 0xff, 0, 80]), SocksError::Name, Some(1)),
    ] {
        assert_eq!(parse_request(&bytes), Err(error), "{bytes:?}");
        assert_eq!(error.reply().map(Reply::code), answer, "{error:?}");
    }
}

#[test]
fn rfc1928_s6_replies_have_the_bytes_of_the_standard() {
    let written = |code, bound: &str| {
        let mut out = Vec::new();
        reply(code, bound.parse::<SocketAddr>().unwrap(), &mut out);
        out
    };
    assert_eq!(written(Reply::Succeeded, "0.0.0.0:0"), [5, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
    assert_eq!(written(Reply::TtlExpired, "192.0.2.1:258"), [5, 6, 0, 1, 192, 0, 2, 1, 1, 2]);
    let v6 = written(Reply::AddressTypeNotSupported, "[::1]:1");
    assert_eq!((&v6[..4], v6.len(), &v6[19..]), (&[5, 8, 0, 4][..], 22, &[1, 0, 1][..]));
}

#[test]
fn rfc1928_s7_datagrams_are_read() {
    for (bytes, to, payload) in [
        (datagram(&[1, 192, 0, 2, 1, 0, 53], b"hi"), "192.0.2.1:53", &b"hi"[..]),
        (datagram(&named("media.example", 5004), b""), "media.example:5004", b""),
        (datagram(&named(&format!("{}x.", "abcdef.".repeat(36)), 1), b"z"), "", b"z"),
    ] {
        let (read, rest) = parse_udp(&bytes).unwrap();
        assert!(to.is_empty() || read == target(to));
        assert_eq!(rest, payload);
        for end in 0..bytes.len() - payload.len() {
            assert_eq!(parse_udp(&bytes[..end]), Err(SocksError::Truncated), "{to} cut at {end}");
        }
    }
}

#[test]
fn row42_bad_datagrams_are_errors() {
    let whole = datagram(&[1, 192, 0, 2, 1, 0, 53], b"");
    for length in 0..10 {
        assert!(parse_udp(&whole[..length]).is_err(), "{length} bytes");
        for fill in [0, 1, 3, 4, 0xff] {
            assert!(parse_udp(&vec![fill; length]).is_err(), "{length} bytes of {fill}");
        }
    }
    for fragment in [1, 0x7f, 0x80, 0xff] {
        assert_eq!(
            parse_udp(&[0, 0, fragment, 1, 192, 0, 2, 1, 0, 53, 7]),
            Err(SocksError::Fragment(fragment))
        );
    }
    assert_eq!(parse_udp(&datagram(&named(&"a".repeat(255), 53), b"x")), Err(SocksError::Name));
    assert_eq!(parse_udp(&datagram(&named("a", 0), b"x")), Err(SocksError::Port));
    assert_eq!(parse_udp(&[0, 0, 0, 9, 0, 0, 0, 0, 0, 0]), Err(SocksError::AddressType(9)));
}

fn any_host() -> impl Strategy<Value = Host> {
    prop_oneof![
        any::<[u8; 4]>().prop_map(|octets| Host::Address(octets.into())),
        any::<[u8; 16]>().prop_map(|octets| Host::Address(octets.into())),
        "[a-z_-]{1,63}(\\.[a-z][a-z0-9-]{0,40}){0,4}".prop_map(|name| Host::Name(name.parse().unwrap())),
    ]
}

proptest! {
    #![proptest_config(cases(200))]

    #[test]
    fn a_header_reads_as_it_was_written(host in any_host(), port in 1_u16.., payload: Vec<u8>) {
        let target = Target::new(host, port).unwrap();
        let mut bytes = Vec::new();
        udp_header(&target, &mut bytes);
        prop_assert!(bytes.len() <= 260);
        bytes.extend_from_slice(&payload);
        prop_assert_eq!(parse_udp(&bytes), Ok((target, &payload[..])));
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(prop_oneof![0_u8..6, any::<u8>()], 0..300)) {
        let _ = (parse_greeting(&bytes), parse_credentials(&bytes));
        if let Ok((Request::Connect(target), _)) = parse_request(&bytes) {
            prop_assert!(target.to_string().parse::<Target>().is_ok());
        }
        if let Ok((target, payload)) = parse_udp(&bytes) {
            prop_assert!(bytes.ends_with(payload));
            prop_assert!(target.to_string().parse::<Target>().is_ok());
        }
    }
}
