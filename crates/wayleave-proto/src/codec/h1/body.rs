//! How long the content of a message is, [RFC 9112 §6.3](https://www.rfc-editor.org/rfc/rfc9112#section-6.3).

use super::fault::HeadFault;
use super::fields::Fields;
use super::message::{RequestHead, ResponseHead};

/// How the end of a message's content is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BodyLength {
    /// By chunks, the last of which is empty.
    Chunked,
    /// After so many bytes.
    Exact(u64),
    /// There is none, and no field speaks of one.
    None,
    /// With the connection.
    UntilClose,
}

impl RequestHead<'_> {
    /// How long the content of this request is.
    ///
    /// # Errors
    /// [`HeadFault::Body`] where two readers could differ: a Content-Length that is repeated or is no plain number, one
    /// beside Transfer-Encoding, a coding other than chunked alone, or any coding in HTTP/1.0.
    pub fn body_length(&self) -> Result<BodyLength, HeadFault> {
        Ok(match (coding(self.fields(), self.minor)?, length(self.fields())?) {
            (true, None) => BodyLength::Chunked,
            (true, Some(_)) => return Err(HeadFault::Body),
            (false, Some(length)) => BodyLength::Exact(length),
            (false, None) => BodyLength::None,
        })
    }
}

impl ResponseHead<'_> {
    /// How long the content of this answer is, to a request of HEAD or of something else.
    ///
    /// # Errors
    /// As of [`RequestHead::body_length`], except where there can be no content whatever the fields say.
    pub fn body_length(&self, to_head: bool) -> Result<BodyLength, HeadFault> {
        if to_head || matches!(self.status, 100..=199 | 204 | 304) {
            return Ok(BodyLength::None);
        }
        Ok(match (coding(self.fields(), self.minor)?, length(self.fields())?) {
            (true, None) => BodyLength::Chunked,
            (true, Some(_)) => return Err(HeadFault::Body),
            (false, Some(length)) => BodyLength::Exact(length),
            (false, None) => BodyLength::UntilClose,
        })
    }
}

/// The value of the only Content-Length; `None` where there is none.
pub(crate) fn length(fields: Fields<'_, '_>) -> Result<Option<u64>, HeadFault> {
    let mut lengths = fields.all("content-length");
    match (lengths.next(), lengths.next()) {
        (None, _) => Ok(None),
        (Some(value), None) if !value.is_empty() && value.iter().all(u8::is_ascii_digit) => {
            let digits = core::str::from_utf8(value).map_err(|_| HeadFault::Body)?;
            digits.parse().map(Some).map_err(|_| HeadFault::Body)
        }
        _ => Err(HeadFault::Body),
    }
}

/// Whether the content comes in chunks.
fn coding(fields: Fields<'_, '_>, minor: u8) -> Result<bool, HeadFault> {
    let mut codings = fields.all("transfer-encoding");
    match (codings.next(), codings.next()) {
        (None, _) => Ok(false),
        // RFC 9112 §6.1: HTTP/1.0 has no codings, so whoever sent one there frames in another way than it says.
        (Some(value), None) if minor == 1 && value.eq_ignore_ascii_case(b"chunked") => Ok(true),
        _ => Err(HeadFault::Body),
    }
}
