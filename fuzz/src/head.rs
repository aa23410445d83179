//! HTTP heads mean the same however the stream is cut, and reading them never panics.

use wayleave_proto::base::Kind;
use wayleave_proto::codec::h1::{HeadError, HeadLimits, HeadReader, parse_answer, parse_ask};
use wayleave_proto::codec::http::Want;

/// Reads a request head whole and byte by byte, and parses it.
pub(crate) fn request(data: &[u8]) {
    let limits = HeadLimits::default();
    if let Some(head) = read(data) {
        let parsed = parse_ask(&head, &limits);
        if let Ok(Want::Tunnel { target, .. }) = parsed.map(|ask| ask.want) {
            let text = target.to_string();
            assert_eq!(text.parse().as_ref(), Ok(&target), "{text}");
        }
    }
    // A caller may hand over anything, a head that no reader has seen too.
    let _ = parse_ask(data, &limits);
}

/// Reads a response head whole and byte by byte, and parses it.
pub(crate) fn response(data: &[u8]) {
    if let Some(head) = read(data) {
        for kind in KINDS {
            let _ = parse_answer(&head, kind);
        }
    }
    for kind in KINDS {
        let _ = parse_answer(data, kind);
    }
}

/// The head at the beginning of `data`, if it is whole and right.
fn read(data: &[u8]) -> Option<Vec<u8>> {
    let whole = read_pieces(data, data.len().max(1));
    assert_eq!(whole, read_pieces(data, 1));
    whole.ok().flatten().map(|(head, _)| head)
}

/// The head and how many bytes it took, `None` where more is to come.
fn read_pieces(data: &[u8], chunk: usize) -> Result<Option<(Vec<u8>, usize)>, HeadError> {
    let mut reader = HeadReader::new(HeadLimits::default());
    let mut consumed = 0;
    for piece in data.chunks(chunk) {
        let progress = reader.push(piece)?;
        consumed += progress.consumed;
        if progress.complete {
            return Ok(Some((reader.take(), consumed)));
        }
        assert_eq!(progress.consumed, piece.len());
    }
    Ok(None)
}

const KINDS: [Option<Kind>; 3] = [None, Some(Kind::Stream), Some(Kind::Datagram)];
