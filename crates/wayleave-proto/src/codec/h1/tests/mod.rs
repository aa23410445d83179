//! Heads from the standards and from attackers.

mod chunks;
mod head;
mod request;
mod response;

use super::{HeadFault, HeadLimits, Request, Wish, parse_request};
use crate::base::{Kind, Target};

/// Reads a head with the default limits; the fault instead of the whole error.
fn parse(head: impl AsRef<[u8]>) -> Result<Request, HeadFault> {
    parse_request(head.as_ref(), &HeadLimits::default()).map_err(|error| {
        assert_eq!(error.status, error.reason.status());
        error.reason
    })
}

/// The tunnel that a request asks for.
fn tunnel(request: &Request) -> (Kind, Target) {
    match &request.wish {
        Wish::Tunnel { kind, target } => (*kind, target.clone()),
        Wish::Options => panic!("{request:?}"),
    }
}

/// A request for datagrams with the given path.
fn upgrade(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: r.example\r\nConnection: Upgrade\r\nUpgrade: connect-udp\r\n\r\n")
}
