//! Capsules and HTTP datagrams in a stream: [RFC 9297 §3.2](https://www.rfc-editor.org/rfc/rfc9297#section-3.2),
//! [RFC 9298 §4](https://www.rfc-editor.org/rfc/rfc9298#section-4) and
//! [RFC 9298 §5](https://www.rfc-editor.org/rfc/rfc9298#section-5).

mod decoder;

#[cfg(test)]
mod tests;

pub use decoder::{CapsuleDecoder, Decoded};

use super::varint;

/// The longest payload of a UDP datagram that a capsule may carry, in bytes.
pub const MAX_PAYLOAD: usize = 65_527;

/// What stands before a UDP payload in its DATAGRAM capsule: the type, the length and the context 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    bytes: [u8; HEADER_LEN],
    len: usize,
}

impl Header {
    /// The bytes to send before the payload.
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or(&self.bytes)
    }
}

/// The header of a payload of `payload_len` bytes.
///
/// The receiver has to end the tunnel on more than [`MAX_PAYLOAD`] bytes, so the caller drops such a payload instead.
pub fn datagram_header(payload_len: usize) -> Header {
    let length = u64::try_from(payload_len).unwrap_or(varint::MAX).saturating_add(1);
    let (encoded, width) = varint::to_bytes(length);
    let mut header = Header { bytes: [0; HEADER_LEN], len: width.saturating_add(2) };
    // The type DATAGRAM and the context 0 are the zeroes around the length.
    for (to, from) in header.bytes.iter_mut().skip(1).zip(encoded.iter().take(width)) {
        *to = *from;
    }
    header
}

/// Why a capsule stream has to be ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CapsuleError {
    /// A DATAGRAM capsule ends before its context id does, [RFC 9298 §4](https://www.rfc-editor.org/rfc/rfc9298#section-4).
    #[error("a DATAGRAM capsule carries no whole context id")]
    NoContext,
    /// A payload is longer than a UDP datagram can be, [RFC 9298 §5](https://www.rfc-editor.org/rfc/rfc9298#section-5).
    #[error("a UDP payload is longer than 65527 bytes")]
    PayloadTooLong,
    /// A DATAGRAM capsule is longer than any datagram, whatever its context.
    #[error("a DATAGRAM capsule is longer than 65535 bytes")]
    TooLong,
    /// The stream ended inside a capsule, [RFC 9297 §3.3](https://www.rfc-editor.org/rfc/rfc9297#section-3.3).
    #[error("the stream ended inside a capsule")]
    Truncated,
}

/// A type, a length of any width, and a context id.
const HEADER_LEN: usize = 10;
