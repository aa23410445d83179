//! Writes what a relay answers.

use super::encode::push_field;
use crate::base::{Kind, UnixTime};
use crate::codec::date::imf_fixdate;
use crate::codec::http::{Answer, EchoWord, Refusal};

/// Appends the answer to a request for a tunnel of `kind`, or for none, at the moment `now` by the civil clock, which every
/// answer that opens no tunnel tells as its Date ([RFC 9110 §6.6.1](https://www.rfc-editor.org/rfc/rfc9110#section-6.6.1)).
///
/// Behind one that opens a tunnel the tunnel begins: bytes behind the 200 of a stream, capsules behind the 101 of
/// [RFC 9298 §3.3](https://www.rfc-editor.org/rfc/rfc9298#section-3.3). Every other announces the close that has to follow:
/// [RFC 9931](https://www.rfc-editor.org/rfc/rfc9931).
pub fn encode_answer(out: &mut Vec<u8>, kind: Option<Kind>, answer: &Answer, now: UnixTime) {
    let (by, echo) = match answer {
        Answer::Accepted { by, echo } => (by, echo),
        Answer::Refused(refusal) => return push_refusal(out, refusal, now),
    };
    match kind {
        None => {
            out.extend(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n");
            push_field(out, "Allow", ALLOW);
            push_marks(out, echo.as_ref(), now);
        }
        Some(Kind::Datagram) => out.extend(SWITCHING),
        Some(Kind::Stream) => out.extend(b"HTTP/1.1 200 OK\r\n"),
    }
    if let Some(by) = by {
        push_field(out, "Proxy-Status", by);
    }
    out.extend(b"\r\n");
}

/// Appends an answer that opens no tunnel. 405 gets its Allow and 426 its Upgrade by themselves.
fn push_refusal(out: &mut Vec<u8>, refusal: &Refusal, now: UnixTime) {
    out.extend(format!("HTTP/1.1 {:03} {}\r\n", refusal.status, reason_phrase(refusal.status)).bytes());
    push_field(out, "Connection", if refusal.status == 426 { "close, Upgrade" } else { "close" });
    match refusal.status {
        405 => push_field(out, "Allow", ALLOW),
        426 => push_field(out, "Upgrade", "connect-udp"),
        _ => {}
    }
    if let Some(status) = &refusal.proxy_status {
        push_field(out, "Proxy-Status", &status.to_string());
    }
    for challenge in &refusal.challenges {
        push_field(out, "Proxy-Authenticate", challenge);
    }
    if let Some(secs) = refusal.retry_after {
        push_field(out, "Retry-After", &secs.to_string());
    }
    push_marks(out, refusal.echo.as_ref(), now);
    push_field(out, "Content-Type", "text/plain; charset=utf-8");
    push_field(out, "Content-Length", &refusal.body.len().saturating_add(1).to_string());
    out.extend(b"\r\n");
    out.extend(refusal.body.bytes());
    out.push(b'\n');
}

/// What shows that this answer was made now, and for this request.
fn push_marks(out: &mut Vec<u8>, echo: Option<&EchoWord>, now: UnixTime) {
    push_field(out, "Date", &imf_fixdate(now));
    if let Some(echo) = echo {
        push_field(out, "Preference-Applied", &echo.preference());
    }
}

const fn reason_phrase(status: u16) -> &'static str {
    match status {
        400 => "Bad Request",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        407 => "Proxy Authentication Required",
        408 => "Request Timeout",
        414 => "URI Too Long",
        426 => "Upgrade Required",
        429 => "Too Many Requests",
        431 => "Request Header Fields Too Large",
        500 => "Internal Server Error",
        501 => "Not Implemented",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        505 => "HTTP Version Not Supported",
        // The phrase may be empty, RFC 9112 §4.
        _ => "",
    }
}

const ALLOW: &str = "CONNECT, GET, OPTIONS";
const SWITCHING: &[u8] =
    b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: connect-udp\r\nCapsule-Protocol: ?1\r\n";
