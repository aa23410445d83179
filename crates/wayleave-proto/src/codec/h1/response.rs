//! Reads the head of an answer to a request for a tunnel.

use super::fault::{HeadError, HeadFault};
use super::fields::{Fields, Upgrade};
use super::message::ResponseHead;
use crate::base::Kind;
use crate::codec::proxy_status::{ProxyError, ProxyStatus, nearest};
use crate::codec::text;
use crate::error::IoFailure;

/// What a relay said to a request for a tunnel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Response {
    /// The tunnel is open: every byte behind the head belongs to it.
    Accepted {
        /// What the nearest proxy calls itself, where it does.
        by: Option<String>,
    },
    /// An interim answer; the next head follows.
    Interim,
    /// There is no tunnel, and the connection is of no more use.
    Refused {
        /// The status.
        status: u16,
        /// The error of the nearest proxy.
        proxy_status: Option<ProxyError>,
        /// What the name server of the nearest proxy said, where the name of the target was at fault and it tells.
        lookup: Option<IoFailure>,
        /// What the nearest proxy adds for a human: escaped, at most 200 characters.
        details: Option<String>,
        /// How many seconds to wait before the next attempt.
        retry_after: Option<u32>,
    },
}

/// Reads a whole head, as [`HeadReader`](super::HeadReader) collects it, that answers a request for `kind`.
///
/// Any 2xx opens a stream, [RFC 9110 §9.3.6](https://www.rfc-editor.org/rfc/rfc9110#section-9.3.6). Datagrams need the
/// 101 of [RFC 9298 §3.3](https://www.rfc-editor.org/rfc/rfc9298#section-3.3): a 200 has not changed the protocol and
/// counts as a refusal. An answer to OPTIONS is read like one to a stream.
///
/// # Errors
/// What is wrong with the head, or with a 101 that changes to something else; the connection is of no more use.
pub fn parse_response(head: &[u8], kind: Kind) -> Result<Response, HeadError> {
    let head = ResponseHead::parse(head).map_err(HeadError::of_answer)?;
    let fields = head.fields();
    match (head.status, kind) {
        (101, Kind::Datagram) => {
            if head.minor == 0 {
                return Err(HeadError::of_answer(HeadFault::Version));
            }
            check_upgrade(fields).map_err(HeadError::of_answer)?;
            Ok(accepted(fields))
        }
        (status @ 100..=199, _) if status != 101 => Ok(Response::Interim),
        (200..=299, Kind::Stream) => Ok(accepted(fields)),
        (status @ 100..=599, _) => Ok(refused(status, fields)),
        (_, _) => Err(HeadError::of_answer(HeadFault::StartLine)),
    }
}

fn check_upgrade(fields: Fields<'_, '_>) -> Result<(), HeadFault> {
    if fields.upgrade() != Upgrade::ConnectUdp {
        return Err(HeadFault::Upgrade);
    }
    // RFC 9297 §3.2: the capsules are no message body.
    let body = ["content-length", "content-type", "transfer-encoding"];
    if body.iter().any(|name| fields.has(name)) { Err(HeadFault::Body) } else { Ok(()) }
}

fn accepted(fields: Fields<'_, '_>) -> Response {
    let said = fields.all("proxy-status").last().map(String::from_utf8_lossy);
    Response::Accepted { by: said.and_then(|value| nearest(&value)) }
}

fn refused(status: u16, fields: Fields<'_, '_>) -> Response {
    let said = fields.all("proxy-status").last().map(String::from_utf8_lossy);
    let said = said.map(|value| ProxyStatus::parse(&value)).unwrap_or_default();
    let retry_after = fields.all("retry-after").next().and_then(|value| core::str::from_utf8(value).ok());
    Response::Refused {
        status,
        proxy_status: said.error,
        lookup: said.rcode.as_deref().and_then(IoFailure::of_rcode),
        details: said.details.map(|details| text::escaped(details.as_bytes(), MAX_DETAILS)),
        // A date is legal too, but this side knows no civil time.
        retry_after: retry_after.and_then(|value| value.parse().ok()),
    }
}

const MAX_DETAILS: usize = 200;
