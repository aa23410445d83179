//! Takes the head of any message apart; what its fields mean is judged by those who know what it is for.

use core::fmt;

use httparse::{EMPTY_HEADER, Header, Status};

use super::fault::HeadFault;
use super::fields::Fields;
use super::head::HeadLimits;
use super::lines;

/// The head of a request, in the words of its client.
pub struct RequestHead<'b> {
    /// The method; its case counts.
    pub method: &'b str,
    /// The target, in any of the forms of [RFC 9112 §3.2](https://www.rfc-editor.org/rfc/rfc9112#section-3.2).
    pub uri: &'b str,
    /// 1 for HTTP/1.1, 0 for HTTP/1.0.
    pub minor: u8,
    fields: Vec<Header<'b>>,
}

/// The head of an answer, in the words of its server.
pub struct ResponseHead<'b> {
    /// Three digits.
    pub status: u16,
    /// The reason phrase, which may be empty.
    pub reason: &'b str,
    /// 1 for HTTP/1.1, 0 for HTTP/1.0.
    pub minor: u8,
    fields: Vec<Header<'b>>,
}

impl<'b> RequestHead<'b> {
    /// Takes a whole head apart, as [`HeadReader`](super::HeadReader) collects it.
    ///
    /// # Errors
    /// It is no head, or not a whole one.
    pub fn parse(head: &'b [u8], limits: &HeadLimits) -> Result<Self, HeadFault> {
        let mut fields = vec![EMPTY_HEADER; lines::check(head, limits)?];
        let mut parsed = httparse::Request::new(&mut fields);
        match parsed.parse(head) {
            Ok(Status::Complete(_)) => {}
            Ok(Status::Partial) => return Err(HeadFault::Incomplete),
            Err(error) => return Err(fault(error, head)),
        }
        let (Some(method), Some(uri), Some(minor)) = (parsed.method, parsed.path, parsed.version) else {
            return Err(HeadFault::StartLine);
        };
        let count = parsed.headers.len();
        fields.truncate(count);
        Ok(Self { method, uri, minor, fields })
    }

    /// Its fields.
    pub fn fields(&self) -> Fields<'_, 'b> {
        Fields(&self.fields)
    }
}

impl<'b> ResponseHead<'b> {
    /// Takes a whole head apart, as [`HeadReader`](super::HeadReader) collects it.
    ///
    /// # Errors
    /// It is no head, or not a whole one.
    pub fn parse(head: &'b [u8]) -> Result<Self, HeadFault> {
        // The reader has kept its own limits.
        let limits = HeadLimits { bytes: usize::MAX, request_line: usize::MAX, fields: usize::MAX };
        let mut fields = vec![EMPTY_HEADER; lines::check(head, &limits)?];
        let mut parsed = httparse::Response::new(&mut fields);
        match parsed.parse(head) {
            Ok(Status::Complete(_)) => {}
            Ok(Status::Partial) => return Err(HeadFault::Incomplete),
            Err(error) => return Err(fault(error, head)),
        }
        let (Some(status), Some(minor)) = (parsed.code, parsed.version) else {
            return Err(HeadFault::StartLine);
        };
        let (reason, count) = (parsed.reason.unwrap_or_default(), parsed.headers.len());
        fields.truncate(count);
        Ok(Self { status, reason, minor, fields })
    }

    /// Its fields.
    pub fn fields(&self) -> Fields<'_, 'b> {
        Fields(&self.fields)
    }
}

impl fmt::Debug for RequestHead<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The rest may hold secrets.
        f.debug_struct("RequestHead").field("method", &self.method).finish_non_exhaustive()
    }
}

impl fmt::Debug for ResponseHead<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The rest may hold secrets.
        f.debug_struct("ResponseHead").field("status", &self.status).finish_non_exhaustive()
    }
}

/// What `httparse` has against a head; only a request line gets as far as [`HeadFault::Version`].
fn fault(error: httparse::Error, head: &[u8]) -> HeadFault {
    match error {
        httparse::Error::HeaderName | httparse::Error::HeaderValue => HeadFault::Field,
        httparse::Error::NewLine | httparse::Error::Status | httparse::Error::Token => HeadFault::StartLine,
        httparse::Error::TooManyHeaders => HeadFault::FieldsTooMany,
        httparse::Error::Version => {
            let line = head.trim_ascii_start().split(|b| *b == b'\r').next().unwrap_or_default();
            let mut words = line.split(|b| *b == b' ').skip(2);
            match (words.next(), words.next()) {
                (Some([b'H', b'T', b'T', b'P', b'/', major, b'.', minor]), None)
                    if major.is_ascii_digit() && minor.is_ascii_digit() =>
                {
                    HeadFault::Version
                }
                _ => HeadFault::StartLine,
            }
        }
    }
}
