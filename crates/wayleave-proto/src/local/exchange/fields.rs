//! Which fields go on, and how they are written.

use crate::codec::h1::{BodyLength, Fields};

/// The fields that concern more than this connection, [RFC 9110 §7.6.1](https://www.rfc-editor.org/rfc/rfc9110#section-7.6.1):
/// without those that Connection names, and without what frames the content, which is written anew.
pub(super) fn forwarded<'h, 'b>(
    fields: Fields<'h, 'b>,
) -> impl Iterator<Item = (&'b str, &'b [u8])> + use<'h, 'b> {
    fields.iter().filter(move |(name, _)| !is_of_hop(name) && !fields.lists("connection", name))
}

/// Whether a field behind content in chunks may go on: one that frames, routes or proves does not belong there
/// ([RFC 9110 §6.5.1](https://www.rfc-editor.org/rfc/rfc9110#section-6.5.1)).
pub(super) fn may_trail(name: &str) -> bool {
    !is_of_hop(name) && !NOT_TRAILING.iter().any(|other| name.eq_ignore_ascii_case(other))
}

/// Appends a field; its value came out of a parser.
pub(super) fn put(out: &mut Vec<u8>, name: &str, value: &[u8]) {
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b": ");
    out.extend_from_slice(value);
    out.extend_from_slice(b"\r\n");
}

/// Appends what says how long the content is.
pub(super) fn put_body(out: &mut Vec<u8>, body: BodyLength) {
    match body {
        BodyLength::Chunked => put(out, "Transfer-Encoding", b"chunked"),
        BodyLength::Exact(length) => put(out, "Content-Length", length.to_string().as_bytes()),
        BodyLength::None | BodyLength::UntilClose => {}
    }
}

fn is_of_hop(name: &str) -> bool {
    OF_HOP.iter().any(|other| name.eq_ignore_ascii_case(other))
}

const OF_HOP: &[&str] = &[
    "connection",
    "content-length",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authentication-info",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "transfer-encoding",
    "upgrade",
];
const NOT_TRAILING: &[&str] = &[
    "authorization",
    "cache-control",
    "content-encoding",
    "content-range",
    "content-type",
    "cookie",
    "expect",
    "host",
    "max-forwards",
    "range",
    "set-cookie",
    "trailer",
    "www-authenticate",
];
