//! Writes what a client asks for.

use crate::base::{Kind, Target};
use crate::codec::http::{Ask, Want};
use crate::codec::template::UriTemplate;

/// Appends a request: CONNECT for a stream ([RFC 9110 §9.3.6](https://www.rfc-editor.org/rfc/rfc9110#section-9.3.6)), GET with
/// an upgrade at the well-known path for datagrams ([RFC 9298 §3.2](https://www.rfc-editor.org/rfc/rfc9298#section-3.2)), or
/// OPTIONS ([RFC 9110 §9.3.7](https://www.rfc-editor.org/rfc/rfc9110#section-9.3.7)), which says that no other request
/// follows. Nothing may follow any of them before the answer has come.
pub fn encode_ask(out: &mut Vec<u8>, ask: &Ask) {
    // RFC 9112 §3.2: without an authority the field is empty.
    let authority = ask.authority.as_ref().map(Target::to_string).unwrap_or_default();
    match &ask.want {
        Want::Options => {
            push_request_line(out, "OPTIONS", "*");
            push_field(out, "Host", &authority);
            push_field(out, "Connection", "close");
        }
        Want::Tunnel { kind: Kind::Datagram, target } => {
            push_request_line(out, "GET", &UriTemplate::well_known().expand_path(target));
            push_field(out, "Host", &authority);
            push_field(out, "Connection", "Upgrade");
            push_field(out, "Upgrade", "connect-udp");
            push_field(out, "Capsule-Protocol", "?1");
        }
        Want::Tunnel { kind: Kind::Stream, target } => {
            let target = target.to_string();
            push_request_line(out, "CONNECT", &target);
            push_field(out, "Host", &target);
        }
    }
    if let Some(echo) = &ask.echo {
        push_field(out, "Prefer", &echo.preference());
    }
    if let Some(user_agent) = &ask.user_agent {
        push_field(out, "User-Agent", user_agent);
    }
    if let Some(authorization) = &ask.authorization {
        push_field(out, "Proxy-Authorization", authorization.expose());
    }
    out.extend(b"\r\n");
}

/// Appends a field. A control byte in the value becomes a space, so that no value makes a line of its own.
pub(crate) fn push_field(out: &mut Vec<u8>, name: &str, value: &str) {
    out.extend(name.bytes());
    out.extend(b": ");
    out.extend(value.bytes().map(|b| if b.is_ascii_control() { b' ' } else { b }));
    out.extend(b"\r\n");
}

fn push_request_line(out: &mut Vec<u8>, method: &str, uri: &str) {
    out.extend(method.bytes());
    out.push(b' ');
    out.extend(uri.bytes().filter(u8::is_ascii_graphic));
    out.extend(b" HTTP/1.1\r\n");
}
