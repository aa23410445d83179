use proptest::prelude::*;

use super::{Told, address, play, play_pieces, target, with_password};
use crate::codec::socks::SocksError;
use crate::local::{Front, FrontConfig, FrontFault, FrontOutput, Refusal};
use crate::testing::cases;

const CONNECT: &[u8] = b"\x05\x01\x00\x03\x0bweb.example\x01\xbb";
const SUCCESS: &[u8] = &[5, 0, 0, 1, 192, 0, 2, 7, 0x12, 0x34];

fn play_open(bytes: &[u8]) -> Told {
    play(&FrontConfig::default(), bytes, Ok(address("192.0.2.7:4660")))
}

#[test]
fn a_socks_client_gets_its_stream_and_loses_no_byte() {
    let bytes = [&[5, 2, 2, 0], CONNECT, b"client hello"].concat();
    let told = play_open(&bytes);
    assert_eq!(told.written, [&[5, 0], SUCCESS].concat());
    assert_eq!(told.others, [FrontOutput::Open(target("web.example:443"))]);
    assert_eq!(told.left, b"client hello");
}

#[test]
fn an_ipv6_address_may_stand_in_brackets_in_the_place_of_a_name() {
    let ask = |name: &[u8]| {
        let length = u8::try_from(name.len()).unwrap();
        play_open(&[&[5, 1, 0, 5, 1, 0, 3, length], name, &[0, 80]].concat()).others
    };
    assert_eq!(ask(b"[2001:db8::1]"), [FrontOutput::Open(target("[2001:db8::1]:80"))]);
    assert_eq!(ask(b"2001:db8::1"), [FrontOutput::Open(target("[2001:db8::1]:80"))]);
    for name in
        [&b"[192.0.2.1]"[..], b"[web.example]", b"[2001:db8::1", b"2001:db8::1]", b"[]", b"[fe80::1%1]"]
    {
        assert_eq!(ask(name), [FrontOutput::Close(FrontFault::Socks(SocksError::Name))], "{name:?}");
    }
}

#[test]
fn a_socks_client_proves_who_it_is() {
    let bytes = [&[5, 2, 0, 2][..], b"\x01\x05alice\x0bopen:sesame", CONNECT, b"x"].concat();
    let told = play(&with_password(), &bytes, Ok(address("192.0.2.7:4660")));
    assert_eq!(told.written, [&[5, 2, 1, 0], SUCCESS].concat());
    assert_eq!(told.others, [FrontOutput::Open(target("web.example:443"))]);
    assert_eq!(told.left, b"x");
}

#[test]
fn a_socks_client_that_does_not_prove_who_it_is_gets_nothing() {
    for (bytes, written, fault) in [
        (&b"\x05\x01\x02\x01\x05alice\x0bopen:sesamE"[..], &[5, 2, 1, 1][..], FrontFault::Password),
        (b"\x05\x01\x02\x01\x03bob\x0bopen:sesame", &[5, 2, 1, 1], FrontFault::Password),
        (b"\x05\x01\x02\x01\x00\x00", &[5, 2, 1, 1], FrontFault::Password),
        (b"\x05\x01\x02\x01\x05alice\x0aopen:sesam", &[5, 2, 1, 1], FrontFault::Password),
        (b"\x05\x01\x02\x05", &[5, 2], FrontFault::Socks(SocksError::Version(5))),
        (b"\x05\x01\x00", &[5, 0xff], FrontFault::NoMethod),
        (b"\x05\x00", &[5, 0xff], FrontFault::NoMethod),
    ] {
        let told = play(&with_password(), &[bytes, CONNECT].concat(), Ok(address("192.0.2.7:4660")));
        assert_eq!(told.written, written, "{bytes:?}");
        assert_eq!(told.others, [FrontOutput::Close(fault)], "{bytes:?}");
    }
    assert_eq!(play_open(&[5, 1, 2]).written, [5, 0xff], "no password is asked for");
}

#[test]
fn row42_bad_requests_get_their_reply() {
    let refused = |code| vec![5, 0, 5, code, 0, 1, 0, 0, 0, 0, 0, 0];
    let mut long = b"\x05\x01\x00\x03\xff".to_vec();
    long.extend_from_slice(&[b'a'; 255]);
    long.extend_from_slice(&[0, 80]);
    for (request, written, error) in [
        (&b"\x05\x02\x00\x01\xc0\x00\x02\x01\x00\x50"[..], refused(7), SocksError::Command(2)),
        (b"\x05\x09\x00\x01\xc0\x00\x02\x01\x00\x50", refused(7), SocksError::Command(9)),
        (b"\x05\x01\x00\x02\xc0", refused(8), SocksError::AddressType(2)),
        (b"\x05\x01\x00\x01\xc0\x00\x02\x01\x00\x00", refused(1), SocksError::Port),
        (b"\x05\x01\x00\x03\x03a b\x00\x50", refused(1), SocksError::Name),
        (&long, refused(1), SocksError::Name),
        (b"\x04\x01\x00\x01", vec![5, 0], SocksError::Version(4)),
    ] {
        let told = play_open(&[&[5, 1, 0], request, b"more"].concat());
        assert_eq!(told.written, written, "{error}");
        assert_eq!(told.others, [FrontOutput::Close(FrontFault::Socks(error))]);
        assert_eq!(told.left, b"", "what comes behind is dropped");
    }
}

#[test]
fn an_association_is_bound_and_its_connection_is_ignored() {
    let bytes = b"\x05\x01\x00\x05\x03\x00\x01\x00\x00\x00\x00\x00\x00noise";
    let told = play_open(bytes);
    assert_eq!(told.written, [&[5, 0], SUCCESS].concat());
    assert_eq!(told.others, [FrontOutput::Associate(address("0.0.0.0:0"))]);
    assert_eq!(told.left, b"");
    let told = play(&FrontConfig::default(), bytes, Err(Refusal::GeneralFailure));
    assert_eq!(told.written, [5, 0, 5, 1, 0, 1, 0, 0, 0, 0, 0, 0]);
    assert_eq!(told.others.len(), 2);

    let mut front = Front::new(&FrontConfig::default());
    front.handle_received(b"\x05\x01\x00\x05\x03\x00\x04");
    front.handle_received(&[&[0; 15][..], &[1, 0, 9]].concat());
    assert_eq!(front.poll_output(), Some(FrontOutput::Write(vec![5, 0])));
    assert_eq!(front.poll_output(), Some(FrontOutput::Associate(address("[::1]:9"))));
    front.answer(Ok(address("192.0.2.7:1")));
    assert_eq!(front.poll_output(), None, "a stream is no answer to an association");
    front.associated(address("[::1]:2"));
    assert!(front.is_association() && !front.is_tunnel());
}

#[test]
fn row42_what_is_neither_socks5_nor_http_is_closed() {
    for byte in [0, 1, 3, 6, 0x16, b'@', b'[', b'\n', b' ', 0xff] {
        let told = play_open(&[byte, 1, 0]);
        assert_eq!(told.written, b"");
        assert_eq!(told.others, [FrontOutput::Close(FrontFault::FirstByte(byte))]);
    }
    let told = play_open(b"\x04\x01\x00\x50\xc0\x00\x02\x01me\x00");
    assert_eq!(told.written, [0, 0x5b, 0, 0, 0, 0, 0, 0]);
    assert_eq!(told.others, [FrontOutput::Close(FrontFault::Socks4)]);
}

#[test]
fn nothing_is_used_while_the_answer_is_awaited() {
    let mut front = Front::new(&FrontConfig::default());
    assert_eq!(front.handle_received(&[&[5, 1, 0], CONNECT, b"early"].concat()), 3 + CONNECT.len());
    assert_eq!(front.handle_received(b"early"), 0);
    front.associated(address("192.0.2.7:1"));
    assert!(!front.is_tunnel(), "an association is no answer to a stream");
    front.answer(Ok(address("192.0.2.7:1")));
    assert!(front.is_tunnel());
    assert_eq!(front.handle_received(b"early"), 0);
    assert_eq!(core::iter::from_fn(|| front.poll_output()).count(), 3);
    front.answer(Err(Refusal::TimedOut));
    assert_eq!(front.poll_output(), None, "a second answer is ignored");
}

#[test]
fn a_password_does_not_show() {
    let mut front = Front::new(&with_password());
    front.handle_received(b"\x05\x01\x02\x01\x05alice\x0bopen:sesa");
    assert_eq!(format!("{front:?}"), "Front { state: Password, .. }");
    assert!(!format!("{:?}", with_password()).contains("sesame"));
}

proptest! {
    #![proptest_config(cases(300))]

    #[test]
    fn any_bytes_end_in_few_outputs_and_at_any_split(
        start in prop_oneof![
            Just(&b""[..]),
            Just(&b"\x05\x01\x00"[..]),
            Just(&b"\x05\x01\x00\x05\x01\x00\x03"[..]),
            Just(&b"\x05\x01\x02\x01"[..]),
            Just(&b"CONNECT "[..]),
            Just(&b"CONNECT a:1 HTTP/1.1\r\nHost: a\r\n"[..]),
        ],
        rest in proptest::collection::vec(prop_oneof![0_u8..6, Just(b'\r'), Just(b'\n'), any::<u8>()], 0..400),
        cut: proptest::sample::Index,
        password: bool,
    ) {
        let config = if password { with_password() } else { FrontConfig::default() };
        let config = FrontConfig { head_limit: 300, ..config };
        let bytes = [start, &rest].concat();
        let (head, tail) = bytes.split_at(cut.index(bytes.len() + 1));
        let whole = play_pieces(&config, &[&bytes], Ok(address("192.0.2.7:1")));
        prop_assert_eq!(&play_pieces(&config, &[head, tail], Ok(address("192.0.2.7:1"))), &whole);
        prop_assert!(whole.others.len() <= 2 && whole.written.len() <= 600);
    }
}
