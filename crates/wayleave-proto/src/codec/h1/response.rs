//! Reads the head of an answer to a request for a tunnel.

use super::fault::{HeadError, HeadFault};
use super::fields::{Fields, Upgrade};
use super::message::ResponseHead;
use crate::base::Kind;
use crate::codec::http::{Answer, EchoWord, Refusal};
use crate::codec::proxy_status::{ProxyStatus, nearest};
use crate::codec::text;

/// Reads a whole head, as [`HeadReader`](super::HeadReader) collects it, that answers a request for a tunnel of `kind`, or for
/// none. `None` is an interim answer: the next head follows.
///
/// Any 2xx opens a stream, [RFC 9110 §9.3.6](https://www.rfc-editor.org/rfc/rfc9110#section-9.3.6). Datagrams need the
/// 101 of [RFC 9298 §3.3](https://www.rfc-editor.org/rfc/rfc9298#section-3.3): a 200 has not changed the protocol and
/// counts as a refusal. An answer to OPTIONS is read like one to a stream.
///
/// # Errors
/// What is wrong with the head, or with a 101 that changes to something else; the connection is of no more use.
pub fn parse_answer(head: &[u8], kind: Option<Kind>) -> Result<Option<Answer>, HeadError> {
    let head = ResponseHead::parse(head).map_err(HeadError::of_answer)?;
    let fields = head.fields();
    match (head.status, kind) {
        (101, Some(Kind::Datagram)) => {
            if head.minor == 0 {
                return Err(HeadError::of_answer(HeadFault::Version));
            }
            check_upgrade(fields).map_err(HeadError::of_answer)?;
            Ok(Some(accepted(fields)))
        }
        (status @ 100..=199, _) if status != 101 => Ok(None),
        (200..=299, None | Some(Kind::Stream)) => Ok(Some(accepted(fields))),
        (status @ 100..=599, _) => Ok(Some(refused(status, fields))),
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

fn accepted(fields: Fields<'_, '_>) -> Answer {
    let said = fields.all("proxy-status").last().map(String::from_utf8_lossy);
    let echo = EchoWord::among(fields.tokens("preference-applied"));
    Answer::Accepted { by: said.and_then(|value| nearest(&value)), echo }
}

fn refused(status: u16, fields: Fields<'_, '_>) -> Answer {
    let said = fields.all("proxy-status").last().map(String::from_utf8_lossy);
    let proxy_status = said.map(|value| {
        let said = ProxyStatus::parse(&value);
        let details = said.details.as_ref().map(|details| text::escaped(details.as_bytes(), MAX_DETAILS));
        ProxyStatus { details, ..said }
    });
    let retry_after = fields.all("retry-after").next().and_then(|value| core::str::from_utf8(value).ok());
    Answer::Refused(Refusal {
        status,
        proxy_status,
        // A date is legal too, but this side knows no civil time.
        retry_after: retry_after.and_then(|value| value.parse().ok()),
        echo: EchoWord::among(fields.tokens("preference-applied")),
        ..Refusal::default()
    })
}

const MAX_DETAILS: usize = 200;
