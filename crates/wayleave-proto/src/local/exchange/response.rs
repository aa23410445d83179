//! What an origin server answered, in the words that are sent to the client.

use super::fields::{self, put, put_body};
use super::{ExchangeFault, HttpRequest};
use crate::codec::h1::{self, BodyLength, ResponseHead};

/// What a head of an origin server means, each with the head that goes to the client.
#[derive(Debug)]
pub(super) enum Answer {
    /// The answer, and the content that follows; whether the client may ask for more behind it.
    Final { head: Vec<u8>, body: BodyLength, keep: bool },
    /// The final answer is still to come.
    Interim(Vec<u8>),
    /// Every further byte belongs to another protocol.
    Switched(Vec<u8>),
}

/// Reads a whole head. `asked_whole` says whether the whole request has been read.
pub(super) fn read(bytes: &[u8], request: &HttpRequest, asked_whole: bool) -> Result<Answer, ExchangeFault> {
    let head = ResponseHead::parse(bytes).map_err(ExchangeFault::Head)?;
    match head.status {
        101 => switched(&head, request),
        100..=199 => Ok(Answer::Interim(if request.is_modern { interim(&head) } else { Vec::new() })),
        200..=599 => finished(&head, request, asked_whole),
        status => Err(ExchangeFault::Status(status)),
    }
}

/// A change of protocol counts only where the client asked for it, to one that it offered.
fn switched(head: &ResponseHead<'_>, request: &HttpRequest) -> Result<Answer, ExchangeFault> {
    let fields = head.fields();
    let mut protocols = fields.tokens("upgrade").peekable();
    let named = protocols.peek().is_some();
    let offered =
        protocols.all(|protocol| request.upgrade.iter().any(|offer| offer.eq_ignore_ascii_case(protocol)));
    let framed = ["content-length", "transfer-encoding"].iter().any(|name| fields.has(name));
    if head.minor == 0 || !named || !offered || framed || !fields.lists("connection", "upgrade") {
        return Err(ExchangeFault::Upgrade);
    }
    let mut out = start(head);
    put(&mut out, "Connection", b"Upgrade");
    put(&mut out, "Upgrade", &fields.tokens("upgrade").collect::<Vec<_>>().join(&b", "[..]));
    out.extend_from_slice(b"\r\n");
    Ok(Answer::Switched(out))
}

fn interim(head: &ResponseHead<'_>) -> Vec<u8> {
    let mut out = start(head);
    out.extend_from_slice(b"\r\n");
    out
}

fn finished(
    head: &ResponseHead<'_>,
    request: &HttpRequest,
    asked_whole: bool,
) -> Result<Answer, ExchangeFault> {
    let fields = head.fields();
    let body = head.body_length(request.is_head).map_err(ExchangeFault::Head)?;
    let ends_with_connection = match body {
        BodyLength::Chunked => !request.is_modern,
        BodyLength::UntilClose => true,
        BodyLength::Exact(_) | BodyLength::None => false,
    };
    let keep = request.keep && asked_whole && !ends_with_connection;
    let mut out = start(head);
    match body {
        // The length that the content would have had.
        BodyLength::None if request.is_head || head.status == 304 => {
            if let Some(length) = h1::length(fields).map_err(ExchangeFault::Head)? {
                put_body(&mut out, BodyLength::Exact(length));
            }
        }
        BodyLength::Chunked if !request.is_modern => {}
        body => put_body(&mut out, body),
    }
    // RFC 9110 §15.5.22: this answer says what to change to.
    let wants = (head.status == 426).then(|| fields.tokens("upgrade").collect::<Vec<_>>().join(&b", "[..]));
    match (wants.filter(|wants| !wants.is_empty()), keep) {
        (Some(wants), true) => {
            put(&mut out, "Connection", b"Upgrade");
            put(&mut out, "Upgrade", &wants);
        }
        (Some(wants), false) => {
            put(&mut out, "Connection", b"Upgrade, close");
            put(&mut out, "Upgrade", &wants);
        }
        (None, true) => {}
        (None, false) => put(&mut out, "Connection", b"close"),
    }
    out.extend_from_slice(b"\r\n");
    Ok(Answer::Final { head: out, body, keep })
}

/// The status line and the fields that go on.
fn start(head: &ResponseHead<'_>) -> Vec<u8> {
    let mut out = format!("HTTP/1.1 {:03} ", head.status).into_bytes();
    out.extend_from_slice(head.reason.as_bytes());
    out.extend_from_slice(b"\r\n");
    for (name, value) in fields::forwarded(head.fields()) {
        put(&mut out, name, value);
    }
    out
}
