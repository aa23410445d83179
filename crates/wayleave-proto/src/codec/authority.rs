//! The `host[:port]` of a Host field or a URI.

use core::net::Ipv6Addr;

use crate::base::{Host, Target};

/// Whether `text` is a host, with IPv6 in brackets, and maybe a port of at most five digits. User information, zones
/// and percent-encoded names are refused.
pub(crate) fn is_valid(text: &str) -> bool {
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => match rest.split_once(']') {
            Some((address, port)) if address.parse::<Ipv6Addr>().is_ok() => (None, port),
            _ => return false,
        },
        None => match text.find(':') {
            Some(colon) => {
                let (host, port) = text.split_at(colon);
                (Some(host), port)
            }
            None => (Some(text), ""),
        },
    };
    host.is_none_or(|host| host.parse::<Host>().is_ok()) && is_port(port)
}

/// What `text` names, at the port `default` where it names none; `None` where it is not valid or names port zero.
pub(crate) fn target(text: &str, default: u16) -> Option<Target> {
    let bare = text.strip_suffix(':').unwrap_or(text);
    let named = || bare.parse().or_else(|_| format!("{bare}:{default}").parse()).ok();
    is_valid(text).then(named).flatten()
}

/// An empty text, or a colon and at most five digits that make a port; RFC 3986 allows a colon alone.
fn is_port(text: &str) -> bool {
    match text.strip_prefix(':') {
        None => text.is_empty(),
        Some("") => true,
        Some(digits) => {
            digits.len() <= 5 && digits.bytes().all(|b| b.is_ascii_digit()) && digits.parse::<u16>().is_ok()
        }
    }
}
