use proptest::prelude::*;

use super::{MAX_LENGTH, ProxyHeader, ProxyHeaderError as E};
use crate::testing::cases;

const SIGNATURE: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";
const V4: &[u8] = &[192, 0, 2, 1, 203, 0, 113, 9, 0x9c, 0x40, 0x01, 0xbb];

fn header(command: u8, family: u8, body: &[u8]) -> Vec<u8> {
    let length = u16::try_from(body.len()).unwrap().to_be_bytes();
    [SIGNATURE, &[command, family], &length, body].concat()
}

fn v6() -> Vec<u8> {
    let mut body = vec![0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7];
    body.extend([0; 16]);
    body.extend([0, 1, 0, 2]);
    body
}

#[test]
fn headers_are_read_as_balancers_send_them() {
    // An addition as AWS sends it, and padding (PP2_TYPE_NOOP).
    let additions = [0xea, 0, 3, 1, b'v', b'p', 4, 0, 2, 0, 0];
    for (bytes, client) in [
        (header(0x21, 0x11, V4), Some("192.0.2.1:40000")),
        (header(0x21, 0x11, &[V4, &additions].concat()), Some("192.0.2.1:40000")),
        (header(0x21, 0x21, &v6()), Some("[2001:db8::7]:1")),
        (header(0x21, 0x00, &[]), None),
        (header(0x21, 0x00, &additions), None),
        (header(0x20, 0x00, &[]), None),
        (header(0x20, 0x11, V4), None),
    ] {
        let expected = ProxyHeader { client: client.map(|it| it.parse().unwrap()), length: bytes.len() };
        assert_eq!(ProxyHeader::read(&bytes), Ok(Some(expected)), "{bytes:?}");
        let more = [&bytes[..], b"\x16\x03\x01"].concat();
        assert_eq!(ProxyHeader::read(&more), Ok(Some(expected)), "what follows is not touched");
        for end in 0..bytes.len() {
            assert_eq!(ProxyHeader::read(&bytes[..end]), Ok(None), "cut at {end}");
        }
    }
}

#[test]
fn what_is_no_header_is_refused_at_its_first_wrong_byte() {
    let long = vec![0; MAX_LENGTH + 1];
    for (bytes, error) in [
        (b"\x16\x03\x01".to_vec(), E::Missing),
        (b"GET / HTTP/1.1\r\n".to_vec(), E::Missing),
        (b"PROXY TCP4 192.0.2.1 192.0.2.2 5 443\r\n".to_vec(), E::Missing),
        (b"\r\n\r\n\0\r\nQUIT\r".to_vec(), E::Missing),
        (header(0x11, 0x11, V4), E::Version),
        (header(0x22, 0x11, V4), E::Version),
        (header(0x31, 0x11, V4), E::Version),
        (header(0x21, 0x12, V4), E::Family),
        (header(0x21, 0x22, &v6()), E::Family),
        (header(0x21, 0x31, &[0; 216]), E::Family),
        (header(0x21, 0x01, V4), E::Family),
        (header(0x21, 0x11, &V4[..11]), E::Truncated),
        (header(0x21, 0x21, V4), E::Truncated),
        (header(0x21, 0x11, &[V4, &[1]].concat()), E::Truncated),
        (header(0x21, 0x11, &[V4, &[1, 0, 2, 0]].concat()), E::Truncated),
        (header(0x21, 0x00, &long), E::TooLong { length: long.len() }),
    ] {
        assert_eq!(ProxyHeader::read(&bytes), Err(error), "{bytes:?}");
    }
    // A length that is too much is said before so much has come.
    let begun = [SIGNATURE, &[0x21, 0x11, 0xff, 0xff]].concat();
    assert_eq!(ProxyHeader::read(&begun), Err(E::TooLong { length: 65_535 }));
}

#[test]
fn either_version_is_known_by_its_beginning() {
    assert!(ProxyHeader::begins(&header(0x21, 0x11, V4)) && ProxyHeader::begins(b"PROXY UNKNOWN\r\n"));
    for other in [&b"\x16\x03\x01"[..], b"PROPFIND / HTTP/1.1\r\n", b"\r\n", b""] {
        assert!(!ProxyHeader::begins(other), "{other:?}");
    }
}

proptest! {
    #![proptest_config(cases(256))]

    #[test]
    fn any_bytes_mean_the_same_however_they_come(body in prop::collection::vec(any::<u8>(), 0..80), command in 0x1f_u8..0x23, family in prop::sample::select(vec![0, 0x11, 0x21, 0x12])) {
        let bytes = header(command, family, &body);
        let whole = ProxyHeader::read(&bytes);
        let by_byte = (0..=bytes.len()).map(|end| ProxyHeader::read(&bytes[..end])).find(|read| *read != Ok(None));
        prop_assert_eq!(by_byte.unwrap_or(Ok(None)), whole);
    }
}
