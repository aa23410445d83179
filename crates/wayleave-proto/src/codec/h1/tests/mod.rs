//! Heads from the standards and from attackers.

mod chunks;
mod head;
mod request;
mod response;

use super::{HeadFault, HeadLimits, parse_ask};
use crate::base::{Kind, Target};
use crate::codec::http::{Ask, Want};

/// Reads a head with the default limits; the fault instead of the whole error.
fn parse(head: impl AsRef<[u8]>) -> Result<Ask, HeadFault> {
    parse_ask(head.as_ref(), &HeadLimits::default()).map_err(|error| {
        assert_eq!(error.status, error.reason.status());
        error.reason
    })
}

/// The tunnel that a request asks for.
fn tunnel(ask: &Ask) -> (Kind, Target) {
    match &ask.want {
        Want::Tunnel { kind, target } => (*kind, target.clone()),
        Want::Options => panic!("{ask:?}"),
    }
}

/// A request for datagrams with the given path.
fn upgrade(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: r.example\r\nConnection: Upgrade\r\nUpgrade: connect-udp\r\n\r\n")
}
