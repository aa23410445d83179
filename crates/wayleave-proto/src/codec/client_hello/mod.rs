//! The first message of a TLS connection, [RFC 8446 §4.1.2](https://www.rfc-editor.org/rfc/rfc8446#section-4.1.2), as far
//! as it says whether it may be sent again.
//!
//! A ClientHello asks for a connection and does nothing else: a server that gets two of them makes two connections, of
//! which the application uses one. Only early data can have an effect of its own
//! ([RFC 8446 §8](https://www.rfc-editor.org/rfc/rfc8446#section-8)), and who sends some has to announce it here.

use std::collections::BTreeSet;

/// What stands at the beginning of a TLS connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ClientHello {
    /// Its bytes, the headers of its records included.
    pub length: usize,
    /// Early data follows it ([RFC 8446 §4.2.10](https://www.rfc-editor.org/rfc/rfc8446#section-4.2.10)).
    pub early_data: bool,
}

/// Why bytes are no ClientHello.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HelloError {
    /// They may be the beginning of one.
    #[error("the ClientHello is not whole yet")]
    Incomplete,
    /// They are something else, whatever follows.
    #[error("this is no ClientHello")]
    Other,
    /// It is longer than [`MOST`] bytes.
    #[error("the ClientHello is longer than {MOST} bytes")]
    TooLong,
}

/// Reads the ClientHello at the front of `bytes`; it fills its records to their last byte
/// ([RFC 8446 §5.1](https://www.rfc-editor.org/rfc/rfc8446#section-5.1)), and more records may follow.
///
/// # Errors
/// [`HelloError::Incomplete`] where more bytes can still make one.
pub fn decode(bytes: &[u8]) -> Result<ClientHello, HelloError> {
    let mut message = Vec::new();
    let mut rest = bytes;
    loop {
        message.extend_from_slice(record(&mut rest)?);
        let length = bytes.len().saturating_sub(rest.len());
        if length > MOST {
            return Err(HelloError::TooLong);
        }
        match whole(&message)? {
            None if rest.is_empty() => return Err(HelloError::Incomplete),
            None => {}
            Some(body) => {
                let early_data = body_early_data(body).ok_or(HelloError::Other)?;
                return Ok(ClientHello { length, early_data });
            }
        }
    }
}

/// The fragment of the next record.
fn record<'a>(rest: &mut &'a [u8]) -> Result<&'a [u8], HelloError> {
    let expected = [|byte: u8| byte == HANDSHAKE, |byte| byte == LEGACY_MAJOR];
    if rest.iter().zip(expected).any(|(byte, is_right)| !is_right(*byte)) {
        return Err(HelloError::Other);
    }
    let (header, after) = rest.split_first_chunk::<5>().ok_or(HelloError::Incomplete)?;
    let [_, _, _, high, low] = *header;
    let length = usize::from(u16::from_be_bytes([high, low]));
    if !(1..=FRAGMENT_MOST).contains(&length) {
        return Err(HelloError::Other);
    }
    let (fragment, after) = after.split_at_checked(length).ok_or(HelloError::Incomplete)?;
    *rest = after;
    Ok(fragment)
}

/// The body of the message once it is whole; nothing may follow it in its last record.
fn whole(message: &[u8]) -> Result<Option<&[u8]>, HelloError> {
    if message.first().is_some_and(|kind| *kind != CLIENT_HELLO) {
        return Err(HelloError::Other);
    }
    let Some((&[_, high, middle, low], body)) = message.split_first_chunk::<4>() else { return Ok(None) };
    let length = u32::from_be_bytes([0, high, middle, low]) as usize;
    if length > MOST {
        return Err(HelloError::TooLong);
    }
    match body.len() {
        have if have > length => Err(HelloError::Other),
        have if have < length => Ok(None),
        _ => Ok(Some(body)),
    }
}

/// Reads a body, and says whether it announces early data; `None` where it breaks a rule.
fn body_early_data(mut body: &[u8]) -> Option<bool> {
    let body = &mut body;
    let version = take(body, 2)?;
    take(body, 32)?;
    let session = vector::<1>(body)?;
    let ciphers = vector::<2>(body)?;
    let compressions = vector::<1>(body)?;
    let is_right = version.first() == Some(&LEGACY_MAJOR)
        && session.len() <= 32
        && ciphers.len() >= 2
        && ciphers.len().is_multiple_of(2)
        && !compressions.is_empty();
    if !is_right {
        return None;
    }
    // Before TLS 1.3 the list of extensions may be missing.
    if body.is_empty() {
        return Some(false);
    }
    let mut extensions = vector::<2>(body)?;
    let mut seen = BTreeSet::new();
    while !extensions.is_empty() {
        let kind = u16::from_be_bytes(*take(&mut extensions, 2)?.first_chunk()?);
        vector::<2>(&mut extensions)?;
        if !seen.insert(kind) {
            return None;
        }
    }
    body.is_empty().then(|| seen.contains(&EARLY_DATA))
}

fn take<'a>(rest: &mut &'a [u8], amount: usize) -> Option<&'a [u8]> {
    let (taken, after) = rest.split_at_checked(amount)?;
    *rest = after;
    Some(taken)
}

/// A vector whose length takes `WIDTH` bytes.
fn vector<'a, const WIDTH: usize>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let length = take(rest, WIDTH)?.iter().fold(0, |length, byte| length << 8 | usize::from(*byte));
    take(rest, length)
}

/// Bytes of the longest ClientHello that is read: far more than any client sends, its share of a post-quantum key
/// exchange and an encrypted inner ClientHello included.
pub const MOST: usize = 16 * 1024;

/// The type of a record with handshake messages.
pub const HANDSHAKE: u8 = 22;
/// Every version of TLS is written as 3.x where a version stands.
const LEGACY_MAJOR: u8 = 3;
/// The type of the message.
const CLIENT_HELLO: u8 = 1;
/// The type of the extension that announces early data.
const EARLY_DATA: u16 = 42;
/// Bytes of the longest fragment of a record.
const FRAGMENT_MOST: usize = 1 << 14;

#[cfg(test)]
mod tests;
