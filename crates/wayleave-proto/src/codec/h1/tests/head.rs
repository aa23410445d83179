use proptest::prelude::*;

use crate::codec::h1::{HeadError, HeadFault, HeadLimits, HeadReader};
use crate::testing::cases;

const LIMITS: HeadLimits = HeadLimits { bytes: 200, request_line: 60, fields: 4 };

/// The head that comes out of `pieces`, and how much of them it took; `None` while it is not whole.
fn read<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Result<Option<(Vec<u8>, usize)>, HeadError> {
    let mut reader = HeadReader::new(LIMITS);
    let mut consumed = 0;
    for piece in pieces {
        let progress = reader.push(piece).inspect_err(|error| {
            assert_eq!(reader.push(b"GET"), Err(*error));
            assert!(reader.as_bytes().is_empty(), "a refused head is not kept");
        })?;
        consumed += progress.consumed;
        assert!(reader.as_bytes().len() <= LIMITS.bytes);
        if progress.complete {
            assert_eq!(reader.push(b"more").unwrap().consumed, 0);
            return Ok(Some((reader.take(), consumed)));
        }
        assert_eq!(progress.consumed, piece.len());
    }
    Ok(None)
}

#[test]
fn every_split_gives_the_same_head_and_leaves_what_follows() {
    let head = b"CONNECT a.example:443 HTTP/1.1\r\nHost: a.example:443\r\nX: \tq\xff\r\n\r\n";
    for before in [&b""[..], b"\r\n", b"\r\n\r\n"] {
        let stream = [before, head, b"\r\n\0tunnel"].concat();
        let expected = Ok(Some((head.to_vec(), before.len() + head.len())));
        assert_eq!(read([&stream[..]]), expected);
        assert_eq!(read(stream.chunks(1)), expected, "byte by byte");
        for cut in 0..=stream.len() {
            let (one, two) = stream.split_at(cut);
            assert_eq!(read([one, two]), expected, "cut at {cut}");
        }
        for cut in 0..before.len() + head.len() {
            assert_eq!(read([&stream[..cut]]), Ok(None), "not whole at {cut}");
        }
    }
}

#[test]
fn limits_and_line_ends_are_kept_at_the_byte_where_they_break() {
    let long_line = format!("GET /{}", "a".repeat(56));
    let long_head = format!("GET / HTTP/1.1\r\nA: {}", "a".repeat(200 - 18));
    for (head, fault, status) in [
        (&b"GET / HTTP/1.1\n"[..], HeadFault::BareLf, 400),
        (b"\n", HeadFault::BareLf, 400),
        (b"GET / HTTP/1.1\r\nA: b\n", HeadFault::BareLf, 400),
        (b"GET / HTTP/1.1\rH", HeadFault::BareCr, 400),
        (b"GET / HTTP/1.1\r\nA: b\r\r", HeadFault::BareCr, 400),
        (b"\r\r", HeadFault::BareCr, 400),
        (b"GET / HTTP/1.1\r\nA: b\0", HeadFault::Control, 400),
        (b"GET /\x1b", HeadFault::Control, 400),
        (b"GET /\x7f", HeadFault::Control, 400),
        (b"\r\n\r\n\r\n", HeadFault::LeadingLines, 400),
        (long_line.as_bytes(), HeadFault::LineTooLong, 414),
        (b"GET / HTTP/1.1\r\nA:\r\nA:\r\nA:\r\nA:\r\nA:\r\n", HeadFault::FieldsTooMany, 431),
        (long_head.as_bytes(), HeadFault::HeadTooLong, 431),
    ] {
        let error = Err(HeadError { status, reason: fault });
        let name = String::from_utf8_lossy(head);
        assert_eq!(read([head]), error, "{name:?}");
        assert_eq!(read(head.chunks(1)), error, "{name:?} byte by byte");
        assert_eq!(read([&head[..head.len() - 1]]), Ok(None), "{name:?} one byte less");
    }
}

#[test]
fn an_endless_head_is_refused_within_the_default_limits() {
    for (start, status) in [("GET /", 414), ("GET / HTTP/1.1\r\nA: ", 431)] {
        let mut reader = HeadReader::new(HeadLimits::default());
        reader.push(start.as_bytes()).unwrap();
        let mut pushed = start.len();
        let error = loop {
            assert!(pushed <= 16_384, "no limit");
            pushed += 1;
            if let Err(error) = reader.push(b"a") {
                break error;
            }
        };
        assert_eq!(error.status, status);
    }
    let fields = format!("GET / HTTP/1.1\r\n{}", "A: b\r\n".repeat(2_000));
    assert_eq!(HeadReader::new(HeadLimits::default()).push(fields.as_bytes()).unwrap_err().status, 431);
}

#[test]
fn a_token_does_not_show_in_debug() {
    let mut reader = HeadReader::new(HeadLimits::default());
    reader.push(b"GET / HTTP/1.1\r\nProxy-Authorization: Bearer hunter2").unwrap();
    assert!(!reader.is_empty() && !format!("{reader:?}").contains("hunter2"));
}

proptest! {
    #![proptest_config(cases(64))]

    #[test]
    fn any_bytes_in_any_pieces_end_alike(
        parts in proptest::collection::vec(prop_oneof![Just("\r\n"), Just("GET / "), Just("\r"), Just("a: b\r\n")], 0..12),
        size in 1_usize..9,
    ) {
        let bytes = parts.concat();
        prop_assert_eq!(read(bytes.as_bytes().chunks(size)), read([bytes.as_bytes()]));
    }
}
