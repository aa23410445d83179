//! One request over HTTP/1.1, and the head of its answer.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use wayleave_proto::base::{Kind, UnixTime};
use wayleave_proto::codec::date::parse_imf_fixdate;
use wayleave_proto::codec::h1::{encode_ask, parse_answer};
use wayleave_proto::codec::http::{Answer, Ask};
use wayleave_proto::codec::text::escaped;

/// The head of an answer, and what came behind it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) status: u16,
    fields: Vec<(String, String)>,
    whole: Vec<u8>,
    pub(super) behind: Vec<u8>,
}

impl Head {
    /// What stands in `bytes`, where that is a whole head.
    pub(super) fn parse(bytes: &[u8]) -> Option<Self> {
        let end = bytes.windows(4).position(|four| four == b"\r\n\r\n")? + 4;
        let (whole, behind) = bytes.split_at(end);
        let mut space = [httparse::EMPTY_HEADER; MOST_FIELDS];
        let mut response = httparse::Response::new(&mut space);
        response.parse(whole).ok()?;
        let fields = response
            .headers
            .iter()
            .map(|field| (field.name.to_ascii_lowercase(), escaped(field.value, LONGEST_VALUE)));
        Some(Self {
            status: response.code?,
            fields: fields.collect(),
            whole: whole.to_vec(),
            behind: behind.to_vec(),
        })
    }

    /// The first value of this field, its name in small letters; escaped.
    pub(super) fn field(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// What it says as an answer of a relay to a request for a tunnel of `kind`, or for none.
    pub(super) fn answer(&self, kind: Option<Kind>) -> Option<Answer> {
        parse_answer(&self.whole, kind).ok().flatten()
    }

    /// The moment at which it was made, by whoever made it.
    pub(super) fn date(&self) -> Option<UnixTime> {
        parse_imf_fixdate(self.field("date")?)
    }

    /// The status, and who says it.
    pub(super) fn shown(&self) -> String {
        let said =
            |name: &str| self.field(name).map(|value| format!(", {name}: {value}")).unwrap_or_default();
        format!("{}{}{}{}", self.status, said("proxy-status"), said("server"), said("location"))
    }
}

/// Asks, and reads the head of the last answer; interim ones are skipped.
///
/// # Errors
/// The connection failed or ended before, or what came is no head of HTTP/1.1 (`InvalidData`).
pub(super) async fn ask<S: AsyncRead + AsyncWrite + Unpin>(stream: &mut S, ask: &Ask) -> io::Result<Head> {
    let mut request = Vec::new();
    encode_ask(&mut request, ask);
    stream.write_all(&request).await?;
    stream.flush().await?;
    read_head(stream).await
}

/// Reads the head of an answer.
///
/// # Errors
/// As [`ask`].
pub(super) async fn read_head<S: AsyncRead + Unpin>(stream: &mut S) -> io::Result<Head> {
    let mut bytes = Vec::new();
    loop {
        match Head::parse(&bytes) {
            Some(head) if (100..=199).contains(&head.status) && head.status != 101 => bytes = head.behind,
            Some(head) => return Ok(head),
            None if !b"HTTP/1.".starts_with(bytes.get(..7).unwrap_or(&bytes))
                || bytes.len() > LONGEST_HEAD =>
            {
                return Err(io::ErrorKind::InvalidData.into());
            }
            None => {
                if stream.read_buf(&mut bytes).await? == 0 {
                    let is_nothing = bytes.is_empty();
                    let kind =
                        if is_nothing { io::ErrorKind::UnexpectedEof } else { io::ErrorKind::InvalidData };
                    return Err(kind.into());
                }
            }
        }
    }
}

const MOST_FIELDS: usize = 64;
const LONGEST_HEAD: usize = 16 * 1024;
const LONGEST_VALUE: usize = 200;
