//! The little of HTTP/1.1 that the admin interface needs: one request and one answer on a connection.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt as _};
use wayleave_proto::base::Secret;
use wayleave_proto::codec::h1::{HeadLimits, HeadReader};

/// Names and values; a value may be the secret.
type Fields = Vec<(String, Secret<String>)>;

/// A request or an answer.
#[derive(Debug)]
pub(crate) struct Message {
    /// The first line.
    pub(crate) start: String,
    fields: Fields,
    pub(crate) body: String,
}

impl Message {
    /// Reads one whole message from `stream`.
    ///
    /// # Errors
    /// It breaks off, is malformed, or is too long.
    pub(crate) async fn read(stream: &mut (impl AsyncRead + Unpin)) -> Result<Self, Fault> {
        let mut reader = HeadReader::new(LIMITS);
        let mut behind = Vec::new();
        let mut chunk = [0; 2_048];
        loop {
            let count = stream.read(&mut chunk).await?;
            if count == 0 {
                return Err(Fault::Malformed);
            }
            let bytes = chunk.get(..count).unwrap_or_default();
            let progress = reader.push(bytes).map_err(|_| Fault::Malformed)?;
            if progress.complete {
                behind.extend(bytes.iter().skip(progress.consumed));
                break;
            }
        }
        let head = Secret::new(String::from_utf8(reader.take()).map_err(|_| Fault::Malformed)?);
        let (start, fields) = parse(head.expose()).ok_or(Fault::Malformed)?;
        let mut message = Self { start, fields, body: String::new() };
        let length = message.body_length()?;
        while behind.len() < length {
            let count = stream.read(&mut chunk).await?;
            if count == 0 {
                return Err(Fault::Malformed);
            }
            behind.extend(chunk.iter().take(count));
        }
        behind.truncate(length);
        message.body = String::from_utf8(behind).map_err(|_| Fault::Malformed)?;
        Ok(message)
    }

    /// The only field of this name.
    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        let mut found = self.fields.iter().filter(|(other, _)| other.eq_ignore_ascii_case(name));
        match (found.next(), found.next()) {
            (Some((_, value)), None) => Some(value.expose()),
            _ => None,
        }
    }

    /// Nothing that could be framed in two ways is read (RFC 9112 §6.3).
    fn body_length(&self) -> Result<usize, Fault> {
        let named = |name: &str| self.fields.iter().any(|(other, _)| other.eq_ignore_ascii_case(name));
        if named("transfer-encoding") {
            return Err(Fault::Malformed);
        }
        if !named("content-length") {
            return Ok(0);
        }
        let text = self.field("content-length").filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()));
        let length = text.and_then(|text| text.parse().ok()).ok_or(Fault::Malformed)?;
        if length <= LONGEST_BODY { Ok(length) } else { Err(Fault::TooLong) }
    }
}

/// Why there is no message.
#[derive(Debug)]
pub(crate) enum Fault {
    /// The connection broke.
    Broken,
    /// It is no HTTP as it should be.
    Malformed,
    /// The body is longer than any that is expected.
    TooLong,
}

impl From<io::Error> for Fault {
    fn from(_: io::Error) -> Self {
        Self::Broken
    }
}

/// A whole message; the connection ends behind it.
pub(crate) fn encode(start: &str, fields: &[(&str, &str)], body: &str) -> Secret<Vec<u8>> {
    let mut text = format!("{start}\r\nConnection: close\r\nContent-Length: {}\r\n", body.len());
    for (name, value) in fields {
        text += &format!("{name}: {value}\r\n");
    }
    Secret::new((text + "\r\n" + body).into_bytes())
}

/// The first line of a head and its fields. Control bytes and bare line ends were refused before.
fn parse(head: &str) -> Option<(String, Fields)> {
    let mut lines = head.strip_suffix("\r\n\r\n")?.split("\r\n");
    let start = lines.next()?.to_owned();
    let field = |line: &str| {
        let (name, value) = line.split_once(':')?;
        let is_name =
            !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
        is_name.then(|| (name.to_owned(), Secret::new(value.trim_matches([' ', '\t']).to_owned())))
    };
    Some((start, lines.map(field).collect::<Option<_>>()?))
}

const LIMITS: HeadLimits = HeadLimits { bytes: 8_192, request_line: 1_024, fields: 32 };
const LONGEST_BODY: usize = 16_384;
