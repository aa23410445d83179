//! The little of HTTP/1.1 that the admin interface needs: one request and one answer on a connection.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt as _};
use wayleave_proto::base::Secret;
use wayleave_proto::codec::h1::{BodyLength, HeadFault, HeadLimits, HeadReader, RequestHead, ResponseHead};

/// What an operator asks.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) path: String,
    /// The value of the only `Authorization`.
    pub(crate) authorization: Option<Secret<String>>,
    /// The value of the only `Accept`.
    pub(crate) accept: Option<String>,
    pub(crate) body: String,
}

impl Request {
    /// Reads one whole request from `stream`.
    ///
    /// # Errors
    /// It breaks off, is malformed, or is too long.
    pub(crate) async fn read(stream: &mut (impl AsyncRead + Unpin)) -> Result<Self, Fault> {
        let (head, behind) = head(stream).await?;
        let head = RequestHead::parse(head.expose(), &LIMITS)?;
        if head.minor != 1 {
            return Err(Fault::Malformed);
        }
        let body = body(stream, behind, head.body_length()?, LONGEST_BODY).await?;
        let authorization = head.fields().only("authorization");
        let authorization = authorization.and_then(|value| str::from_utf8(value).ok());
        let authorization = authorization.map(|value| Secret::new(value.to_owned()));
        let accept = head.fields().only("accept").and_then(|value| str::from_utf8(value).ok());
        Ok(Self {
            method: head.method.to_owned(),
            path: head.uri.to_owned(),
            authorization,
            accept: accept.map(str::to_owned),
            body,
        })
    }
}

/// Reads one whole answer from `stream`: its status and its body.
///
/// # Errors
/// It breaks off, is malformed, or is too long.
pub(crate) async fn read_answer(stream: &mut (impl AsyncRead + Unpin)) -> Result<(u16, String), Fault> {
    let (head, behind) = head(stream).await?;
    let head = ResponseHead::parse(head.expose())?;
    let body = body(stream, behind, head.body_length(false)?, LONGEST_ANSWER).await?;
    Ok((head.status, body))
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

impl From<HeadFault> for Fault {
    fn from(_: HeadFault) -> Self {
        Self::Malformed
    }
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

/// A whole head, and what came behind it.
async fn head(stream: &mut (impl AsyncRead + Unpin)) -> Result<(Secret<Vec<u8>>, Vec<u8>), Fault> {
    let mut reader = HeadReader::new(LIMITS);
    let mut chunk = [0; CHUNK];
    loop {
        let count = stream.read(&mut chunk).await?;
        if count == 0 {
            return Err(Fault::Malformed);
        }
        let bytes = chunk.get(..count).unwrap_or_default();
        let progress = reader.push(bytes).map_err(|_| Fault::Malformed)?;
        if progress.complete {
            let behind = bytes.get(progress.consumed..).unwrap_or_default();
            return Ok((Secret::new(reader.take()), behind.to_vec()));
        }
    }
}

/// The body of this length, at most `longest`, of which `begun` came with the head. Nothing that has no length is read.
async fn body(
    stream: &mut (impl AsyncRead + Unpin),
    begun: Vec<u8>,
    length: BodyLength,
    longest: usize,
) -> Result<String, Fault> {
    let length = match length {
        BodyLength::None => 0,
        BodyLength::Exact(length) => {
            usize::try_from(length).ok().filter(|length| *length <= longest).ok_or(Fault::TooLong)?
        }
        _ => return Err(Fault::Malformed),
    };
    let mut body = begun;
    let mut chunk = [0; CHUNK];
    while body.len() < length {
        let count = stream.read(&mut chunk).await?;
        if count == 0 {
            return Err(Fault::Malformed);
        }
        body.extend(chunk.iter().take(count));
    }
    body.truncate(length);
    String::from_utf8(body).map_err(|_| Fault::Malformed)
}

const LIMITS: HeadLimits = HeadLimits { bytes: 8_192, request_line: 1_024, fields: 32 };
const LONGEST_BODY: usize = 16_384;
/// A list of what is open.
const LONGEST_ANSWER: usize = 8 << 20;
const CHUNK: usize = 4_096;
