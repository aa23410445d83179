//! The frames of the carrier of the tests.

use crate::base::{Kind, Secret};
use crate::codec::http::{Ask, Malformed, Want};

/// One frame, lent from where it was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Frame<'b> {
    pub(crate) tag: u8,
    /// The tunnel, chosen by the client.
    pub(crate) number: u32,
    pub(crate) payload: &'b [u8],
}

/// A client asks: three lines, of what kind, where to, and the value of Proxy-Authorization.
pub(crate) const ASK: u8 = b'a';
/// A relay answers: a status of three digits; 200 opens the tunnel.
pub(crate) const ANSWER: u8 = b'A';
/// Bytes of a stream, or one datagram.
pub(crate) const DATA: u8 = b'd';
/// A half has ended, and what was sent is whole.
pub(crate) const END: u8 = b'e';
/// A tunnel is broken off.
pub(crate) const RESET: u8 = b'r';
/// So many bytes more of a stream may be sent, as a number of four bytes.
pub(crate) const CREDIT: u8 = b'c';
/// The client is gone, and all its tunnels with it.
pub(crate) const GONE: u8 = b'g';

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
        let (Some(kind), Some(target), Some(authorization)) = (lines.next(), lines.next(), lines.next())
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
        Ok(Ask { want, authority: None, authorization, user_agent: None, echo: None })
    }

    /// The number in a [`CREDIT`].
    pub(crate) fn credit(&self) -> usize {
        self.payload.try_into().map_or(0, |bytes| u32::from_be_bytes(bytes) as usize)
    }
}

/// Tag, tunnel and length.
const HEAD: usize = 9;
