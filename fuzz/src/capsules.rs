//! Capsules mean the same however the stream is cut.

use wayleave_proto::codec::capsule::{CapsuleDecoder, CapsuleError};

/// Reads a stream of capsules whole and byte by byte.
pub(crate) fn run(data: &[u8]) {
    assert_eq!(decode(data, data.len().max(1)), decode(data, 1));
}

/// The datagrams of the stream, how many were dropped, and how it ended.
fn decode(data: &[u8], chunk: usize) -> (Vec<Vec<u8>>, u64, Result<(), CapsuleError>) {
    let mut decoder = CapsuleDecoder::new();
    let mut datagrams = Vec::new();
    for mut rest in data.chunks(chunk) {
        while !rest.is_empty() {
            let consumed = match decoder.decode(rest) {
                Ok(decoded) => {
                    datagrams.extend(decoded.datagram.map(<[u8]>::to_vec));
                    decoded.consumed
                }
                Err(error) => return (datagrams, decoder.dropped(), Err(error)),
            };
            assert!((1..=rest.len()).contains(&consumed), "{consumed} of {}", rest.len());
            rest = &rest[consumed..];
            decoder.release();
            assert!(decoder.held() <= data.len());
        }
    }
    (datagrams, decoder.dropped(), decoder.finish())
}
