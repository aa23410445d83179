//! The frames of the carrier of the tests.

use crate::base::{Kind, Secret};
use crate::codec::http::{Answer, Ask, Malformed, Refusal, Want};
use crate::codec::proxy_status::ProxyStatus;

/// One frame, lent from where it was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Frame<'b> {
    pub(crate) tag: u8,
    /// The tunnel, chosen by the client.
    pub(crate) number: u32,
    pub(crate) payload: &'b [u8],
}

/// A client asks: four lines, of what kind, where to, the authority, and the value of Proxy-Authorization.
pub(crate) const ASK: u8 = b'a';
/// A relay answers, in three lines: a status, 200 where it accepts; behind that what it calls itself, else what went wrong
/// (Proxy-Status); and after how many seconds another attempt makes sense.
pub(crate) const ANSWER: u8 = b'A';
/// Bytes of a stream, or one datagram.
pub(crate) const DATA: u8 = b'd';
/// A half has ended, and what was sent is whole.
pub(crate) const END: u8 = b'e';
/// A client breaks a stream off behind what it has sent.
pub(crate) const ABORT: u8 = b'b';
/// A tunnel is given up at once.
pub(crate) const RESET: u8 = b'r';
/// So many bytes more of a stream may be sent, as a number of four bytes.
pub(crate) const CREDIT: u8 = b'c';
/// The client is gone, and all its tunnels with it.
pub(crate) const GONE: u8 = b'g';
/// The relay leaves: nothing more should be asked for.
pub(crate) const LEAVING: u8 = b'l';

impl<'b> Frame<'b> {
    /// Appends it.
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        out.push(self.tag);
        out.extend(self.number.to_be_bytes());
        out.extend(u32::try_from(self.payload.len()).unwrap_or(u32::MAX).to_be_bytes());
        out.extend(self.payload);
    }

    /// The frame at the beginning of `bytes` and its length; `None` where it is not whole.
    pub(crate) fn read(bytes: &'b [u8]) -> Option<(Self, usize)> {
        let (head, rest) = bytes.split_first_chunk::<HEAD>()?;
        let [tag, a, b, c, d, e, f, g, h] = *head;
        let length = u32::from_be_bytes([e, f, g, h]) as usize;
        let payload = rest.get(..length)?;
        Some((Self { tag, number: u32::from_be_bytes([a, b, c, d]), payload }, HEAD + length))
    }

    /// What an [`ASK`] asks for.
    pub(crate) fn ask(&self) -> Result<Ask, Malformed> {
        let malformed = || Malformed { status: 400, detail: "this is no question".into() };
        let text = core::str::from_utf8(self.payload).map_err(|_| malformed())?;
        let mut lines = text.split('\n');
        let (Some(kind), Some(target), Some(authority), Some(authorization)) =
            (lines.next(), lines.next(), lines.next(), lines.next())
        else {
            return Err(malformed());
        };
        let want = match kind {
            "options" => Want::Options,
            kind => Want::Tunnel {
                kind: if kind == "stream" { Kind::Stream } else { Kind::Datagram },
                target: target.parse().map_err(|_| malformed())?,
            },
        };
        let authorization = (!authorization.is_empty()).then(|| Secret::new(authorization.to_owned()));
        Ok(Ask { want, authority: authority.parse().ok(), authorization, user_agent: None, echo: None })
    }

    /// What an [`ANSWER`] says.
    pub(crate) fn answer(&self) -> Result<Answer, Malformed> {
        let malformed = || Malformed { status: 502, detail: "this is no answer".into() };
        let text = core::str::from_utf8(self.payload).map_err(|_| malformed())?;
        let mut lines = text.split('\n');
        let (Some(status), Some(said), Some(again)) = (lines.next(), lines.next(), lines.next()) else {
            return Err(malformed());
        };
        let said = Some(said).filter(|said| !said.is_empty());
        match status.parse().map_err(|_| malformed())? {
            200 => Ok(Answer::Accepted { by: said.map(str::to_owned), echo: None }),
            status => Ok(Answer::Refused(Refusal {
                status,
                proxy_status: said.map(ProxyStatus::parse),
                retry_after: again.parse().ok(),
                ..Refusal::default()
            })),
        }
    }

    /// The number in a [`CREDIT`].
    pub(crate) fn credit(&self) -> usize {
        self.payload.try_into().map_or(0, |bytes| u32::from_be_bytes(bytes) as usize)
    }
}

/// The payload of an [`ASK`].
pub(crate) fn asking(ask: &Ask) -> String {
    let authorization = ask.authorization.as_ref().map_or("", |value| value.expose().as_str());
    let authority = ask.authority.as_ref().map(ToString::to_string).unwrap_or_default();
    match &ask.want {
        Want::Options => format!("options\n\n{authority}\n{authorization}"),
        Want::Tunnel { kind: Kind::Stream, target } => {
            format!("stream\n{target}\n{authority}\n{authorization}")
        }
        Want::Tunnel { target, .. } => format!("datagrams\n{target}\n{authority}\n{authorization}"),
    }
}

/// What somebody sends on the carrier of the tests who asks for a stream to `good.example` and shows no token.
pub fn stranger() -> Vec<u8> {
    let mut frame = Vec::new();
    Frame { tag: ASK, number: 0, payload: b"stream\ngood.example:443\ngood.example:443\n" }.write(&mut frame);
    frame
}

/// The payload of an [`ANSWER`].
pub(crate) fn answering(answer: &Answer) -> String {
    match answer {
        Answer::Accepted { by, .. } => format!("200\n{}\n", by.as_deref().unwrap_or_default()),
        Answer::Refused(refusal) => {
            let proxy_status = refusal.proxy_status.as_ref().map(ToString::to_string).unwrap_or_default();
            let retry_after = refusal.retry_after.map(|secs| secs.to_string()).unwrap_or_default();
            format!("{}\n{proxy_status}\n{retry_after}", refusal.status)
        }
    }
}

/// Tag, tunnel and length.
const HEAD: usize = 9;
