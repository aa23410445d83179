use proptest::prelude::*;

use super::{CapsuleDecoder, CapsuleError, MAX_PAYLOAD, datagram_header};
use crate::codec::varint;
use crate::testing::cases;

/// The datagrams of a stream that comes in `pieces`, and how it ended.
fn decode<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> (Vec<Vec<u8>>, u64, Result<(), CapsuleError>) {
    let mut decoder = CapsuleDecoder::new();
    let mut datagrams = Vec::new();
    for mut piece in pieces {
        while !piece.is_empty() {
            match decoder.decode(piece) {
                Ok(decoded) => {
                    assert!(decoded.consumed > 0, "a step without progress");
                    datagrams.extend(decoded.datagram.map(<[u8]>::to_vec));
                    piece = &piece[decoded.consumed..];
                }
                Err(error) => {
                    assert_eq!(decoder.decode(b"x"), Err(error));
                    assert_eq!(decoder.finish(), Err(error));
                    return (datagrams, decoder.dropped(), Err(error));
                }
            }
        }
    }
    (datagrams, decoder.dropped(), decoder.finish())
}

fn capsule(kind: u64, value: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    varint::encode(kind, &mut out);
    varint::encode(value.len() as u64, &mut out);
    out.extend(value);
    out
}

fn datagram(payload: &[u8]) -> Vec<u8> {
    [datagram_header(payload.len()).as_bytes(), payload].concat()
}

/// A number in the widest form.
fn wide(value: u64) -> [u8; 8] {
    (value | 3 << 62).to_be_bytes()
}

#[test]
fn headers_are_as_short_as_they_can_be() {
    for (len, bytes) in [
        (0, &[0, 1, 0][..]),
        (62, &[0, 63, 0]),
        (63, &[0, 0x40, 64, 0]),
        (1_200, &[0, 0x44, 0xb1, 0]),
        (16_383, &[0, 0x80, 0, 0x40, 0, 0]),
        (MAX_PAYLOAD, &[0, 0x80, 0, 0xff, 0xf8, 0]),
    ] {
        assert_eq!(datagram_header(len).as_bytes(), bytes, "{len}");
    }
    assert_eq!(datagram_header(usize::MAX).as_bytes().len(), 10);
}

#[test]
fn every_split_gives_the_same_datagrams() {
    let mut stream = Vec::new();
    stream.extend(datagram(b"first"));
    stream.extend(capsule(0x1234_5678, b"a capsule that nobody knows"));
    stream.extend(datagram(b""));
    stream.extend(capsule(0x17, b""));
    // An unknown context, a context of eight bytes, and a head in the widest form.
    stream.extend(capsule(0, b"\x02unknown"));
    stream.extend(capsule(0, &[&wide(0)[..], b"wide context"].concat()));
    stream.extend([&wide(0)[..], &wide(12), &wide(0), b"wide"].concat());
    stream.extend(datagram(&[7; 100]));
    let expected = decode([&stream[..]]);
    let payloads = [&b"first"[..], b"", b"wide context", b"wide", &[7; 100]].map(<[u8]>::to_vec).to_vec();
    assert_eq!(expected, (payloads, 1, Ok(())));
    assert_eq!(decode(stream.chunks(1)), expected, "byte by byte");
    for one in 0..=stream.len() {
        for two in one..=stream.len() {
            let pieces = [&stream[..one], &stream[one..two], &stream[two..]];
            assert_eq!(decode(pieces), expected, "cut at {one} and {two}");
        }
    }
}

#[test]
fn every_truncation_is_told_at_the_end() {
    let stream = [capsule(0x99, b"skipped"), datagram(b"payload"), capsule(0, b"\x40\x02dropped")].concat();
    let ends = [0, 10, 20];
    assert_eq!(decode([&stream[..]]).2, Ok(()));
    for end in 0..stream.len() {
        let whole = ends.contains(&end);
        let expected = if whole { Ok(()) } else { Err(CapsuleError::Truncated) };
        assert_eq!(decode([&stream[..end]]).2, expected, "cut at {end}");
    }
}

#[test]
fn what_breaks_a_rule_is_refused_at_its_head() {
    let longest = [capsule(0, &[0; MAX_PAYLOAD + 1])].concat();
    assert_eq!(decode([&longest[..]]).0, [vec![0; MAX_PAYLOAD]]);
    let wide_context = [&[0, 0x80, 0, 0xff, 0xff][..], &wide(0), &[1; MAX_PAYLOAD]].concat();
    assert_eq!(decode([&wide_context[..]]).0, [vec![1; MAX_PAYLOAD]]);
    for (head, error) in [
        (&[0, 0][..], CapsuleError::NoContext),
        (&[0, 1, 0x40], CapsuleError::NoContext),
        (&[0, 3, 0x80], CapsuleError::NoContext),
        (&[0, 7, 0xc0], CapsuleError::NoContext),
        (&[0, 0x80, 0, 0xff, 0xf9, 0], CapsuleError::PayloadTooLong),
        (&[0, 0x80, 0, 0xff, 0xff, 0x40, 0], CapsuleError::PayloadTooLong),
        (&[0, 0x80, 1, 0, 0], CapsuleError::TooLong),
        (&[0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff], CapsuleError::TooLong),
        (&[0, 0xc0, 0, 0, 0, 0x40, 0, 0, 0], CapsuleError::TooLong),
    ] {
        assert_eq!(decode([head]), (vec![], 0, Err(error)), "{head:x?}");
        assert_eq!(decode(head.chunks(1)), (vec![], 0, Err(error)), "{head:x?} byte by byte");
        assert_eq!(decode([&head[..head.len() - 1]]).2, Err(CapsuleError::Truncated), "{head:x?} not yet");
    }
}

#[test]
fn what_is_skipped_is_not_kept() {
    for head in [&[&wide(0x4242)[..], &wide(varint::MAX)].concat()[..], &[0, 0x80, 0, 0xff, 0xff, 0x02]] {
        let mut decoder = CapsuleDecoder::new();
        assert_eq!(decoder.decode(head).map(|decoded| decoded.consumed), Ok(head.len()));
        for _ in 0..7 {
            assert_eq!(decoder.decode(&[0; 9_000]).map(|decoded| decoded.consumed), Ok(9_000));
            assert_eq!((decoder.held(), decoder.buffer_capacity()), (0, 0));
        }
        assert_eq!(decoder.finish(), Err(CapsuleError::Truncated));
    }
}

#[test]
fn a_cut_payload_is_kept_within_its_length_and_given_back() {
    let stream = datagram(&[5; 40_000]);
    let mut decoder = CapsuleDecoder::new();
    for piece in stream[..39_999].chunks(700) {
        assert_eq!(decoder.decode(piece).map(|decoded| decoded.datagram), Ok(None));
        assert!(decoder.buffer_capacity() <= 40_000, "not more than the capsule needs");
    }
    assert_eq!(decoder.held(), 39_993);
    let last = &stream[39_999..];
    assert_eq!(decoder.decode(last).map(|decoded| decoded.datagram.map(<[u8]>::len)), Ok(Some(40_000)));
    decoder.release();
    assert_eq!((decoder.held(), decoder.buffer_capacity(), decoder.finish()), (0, 0, Ok(())));
}

#[test]
fn a_whole_payload_is_lent_from_the_input() {
    let stream = datagram(b"as it lies");
    let mut decoder = CapsuleDecoder::new();
    let lent = decoder.decode(&stream).unwrap().datagram.unwrap();
    assert_eq!(lent.as_ptr(), stream[3..].as_ptr());
    assert_eq!(decoder.buffer_capacity(), 0);
}

proptest! {
    #![proptest_config(cases(64))]

    #[test]
    fn what_is_written_is_read(
        payloads in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..300), 0..6),
        size in 1_usize..400,
    ) {
        let stream: Vec<u8> = payloads.iter().flat_map(|payload| datagram(payload)).collect();
        prop_assert_eq!(decode(stream.chunks(size)), (payloads, 0, Ok(())));
    }

    #[test]
    fn any_bytes_in_any_pieces_end_alike(
        bytes in proptest::collection::vec(prop_oneof![Just(0), Just(1), Just(0x40), any::<u8>()], 0..200),
        size in 1_usize..50,
    ) {
        prop_assert_eq!(decode(bytes.chunks(size)), decode([&bytes[..]]));
    }
}
