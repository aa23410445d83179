//! Writes what a client asks for.

use crate::base::Target;

/// Appends a request for a stream to `target`, [RFC 9110 §9.3.6](https://www.rfc-editor.org/rfc/rfc9110#section-9.3.6).
///
/// `authorization` is the whole value of Proxy-Authorization. Nothing may follow before the answer has come.
pub fn encode_connect(out: &mut Vec<u8>, target: &Target, authorization: Option<&str>) {
    let target = target.to_string();
    push_request_line(out, "CONNECT", &target);
    push_field(out, "Host", &target);
    push_end(out, authorization);
}

/// Appends a request for datagrams, [RFC 9298 §3.2](https://www.rfc-editor.org/rfc/rfc9298#section-3.2).
///
/// `path` comes from a [`UriTemplate`](crate::codec::template::UriTemplate), `authority` is the host of the relay, with
/// its port where that is not 443. Nothing may follow before the answer has come.
pub fn encode_connect_udp(out: &mut Vec<u8>, path: &str, authority: &str, authorization: Option<&str>) {
    push_request_line(out, "GET", path);
    push_field(out, "Host", authority);
    push_field(out, "Connection", "Upgrade");
    push_field(out, "Upgrade", "connect-udp");
    push_field(out, "Capsule-Protocol", "?1");
    push_end(out, authorization);
}

/// Appends a request that asks for nothing and shows credentials,
/// [RFC 9110 §9.3.7](https://www.rfc-editor.org/rfc/rfc9110#section-9.3.7). It says that no other request follows.
pub fn encode_options(out: &mut Vec<u8>, authority: &str, authorization: Option<&str>) {
    push_request_line(out, "OPTIONS", "*");
    push_field(out, "Host", authority);
    push_field(out, "Connection", "close");
    push_end(out, authorization);
}

/// Appends a field. A control byte in the value becomes a space, so that no value makes a line of its own.
pub(super) fn push_field(out: &mut Vec<u8>, name: &str, value: &str) {
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

fn push_end(out: &mut Vec<u8>, authorization: Option<&str>) {
    if let Some(authorization) = authorization {
        push_field(out, "Proxy-Authorization", authorization);
    }
    out.extend(b"\r\n");
}
