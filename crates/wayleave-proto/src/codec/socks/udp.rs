//! The header in front of each datagram, [RFC 1928 §7](https://www.rfc-editor.org/rfc/rfc1928#section-7).

use super::{NAME, SocksError, array, byte, endpoint, put_address};
use crate::base::{Host, Target};

/// Reads a datagram of a client: where it goes, and its payload, which may be empty.
///
/// The reserved bytes are ignored. Fragments are an error, since the standard lets a server without reassembly drop
/// them.
///
/// # Errors
/// Any [`SocksError`] except a version or a command; the datagram is dropped.
pub fn parse_udp(datagram: &[u8]) -> Result<(Target, &[u8]), SocksError> {
    let mut rest = datagram;
    array::<2>(&mut rest)?;
    match byte(&mut rest)? {
        0 => {}
        fragment => return Err(SocksError::Fragment(fragment)),
    }
    let target = endpoint(&mut rest)?.target()?;
    Ok((target, rest))
}

/// Appends the header of a datagram to a client; `source` is where the payload came from, in the words in which the
/// client asked for it. At most 260 bytes.
pub fn udp_header(source: &Target, out: &mut Vec<u8>) {
    out.extend_from_slice(&[0, 0, 0]);
    match &source.host {
        Host::Address(address) => put_address(source.at(*address), out),
        Host::Name(name) => {
            // A name has at most 253 bytes, so its length always fits.
            let name = name.as_str().as_bytes();
            let length = u8::try_from(name.len()).unwrap_or(u8::MAX);
            out.extend_from_slice(&[NAME, length]);
            out.extend(name.iter().take(length.into()));
            out.extend_from_slice(&source.port.get().to_be_bytes());
        }
    }
}
