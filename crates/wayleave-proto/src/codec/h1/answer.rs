//! Writes what a relay answers.

use super::encode::push_field;
use crate::codec::proxy_status::ProxyStatus;

/// An answer that opens no tunnel.
///
/// 405 gets its Allow and 426 its Upgrade by themselves. A 407 needs a `challenge`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Refusal<'a> {
    /// The status.
    pub status: u16,
    /// What went wrong, for programs.
    pub proxy_status: Option<ProxyStatus>,
    /// The values of Proxy-Authenticate, a line for each.
    pub challenges: &'a [String],
    /// After how many seconds another attempt makes sense.
    pub retry_after: Option<u32>,
    /// What went wrong, one line for a human.
    pub body: &'a str,
}

/// Appends the answer that opens a stream; the tunnel begins behind it. `name` is what the machine calls itself
/// ([RFC 9209 §2](https://www.rfc-editor.org/rfc/rfc9209#section-2)), a token of that section.
pub fn connect_ok(out: &mut Vec<u8>, name: &str) {
    out.extend(b"HTTP/1.1 200 OK\r\n");
    push_field(out, "Proxy-Status", name);
    out.extend(b"\r\n");
}

/// Appends the answer that opens a tunnel for datagrams,
/// [RFC 9298 §3.3](https://www.rfc-editor.org/rfc/rfc9298#section-3.3), by the machine `name`; capsules begin behind it.
pub fn connect_udp_ok(out: &mut Vec<u8>, name: &str) {
    out.extend(SWITCHING);
    push_field(out, "Proxy-Status", name);
    out.extend(b"\r\n");
}

/// Appends the answer of the machine `name` to OPTIONS,
/// [RFC 9110 §9.3.7](https://www.rfc-editor.org/rfc/rfc9110#section-9.3.7): the credentials are good. It announces the
/// close that has to follow.
pub fn options_ok(out: &mut Vec<u8>, name: &str) {
    out.extend(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n");
    push_field(out, "Allow", ALLOW);
    push_field(out, "Proxy-Status", name);
    out.extend(b"\r\n");
}

/// Appends an answer that opens no tunnel. It announces the close that has to follow:
/// [RFC 9931](https://www.rfc-editor.org/rfc/rfc9931).
pub fn refusal(out: &mut Vec<u8>, refusal: &Refusal<'_>) {
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
    for challenge in refusal.challenges {
        push_field(out, "Proxy-Authenticate", challenge);
    }
    if let Some(secs) = refusal.retry_after {
        push_field(out, "Retry-After", &secs.to_string());
    }
    push_field(out, "Content-Type", "text/plain; charset=utf-8");
    push_field(out, "Content-Length", &refusal.body.len().saturating_add(1).to_string());
    out.extend(b"\r\n");
    out.extend(refusal.body.bytes());
    out.push(b'\n');
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
