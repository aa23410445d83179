//! What is permitted, in no firewall's language.

use std::fmt;
use std::net::IpAddr;

use wayleave_proto::policy::{Cidr, PortRange};

/// Everything that is permitted, and what is to be said beside it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct List {
    /// For what it is.
    pub(super) title: String,
    pub(super) entries: Vec<Entry>,
    pub(super) notes: Vec<String>,
}

/// One thing that is permitted. Answers to it always are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) direction: Direction,
    pub(super) protocol: Protocol,
    /// The other side, as its user calls it.
    pub(super) host: String,
    pub(super) addresses: Addresses,
    /// The ports of the other side, or of this one for what comes in.
    pub(super) ports: PortRange,
    /// What it is for.
    pub(super) why: &'static str,
}

/// Who begins, as seen from the machine that the list is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Direction {
    In,
    Out,
}

impl fmt::Display for Direction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(if *self == Self::In { "in" } else { "out" })
    }
}

/// What carries it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Protocol {
    Tcp,
    Udp,
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(if *self == Self::Tcp { "tcp" } else { "udp" })
    }
}

/// The addresses of the other side.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Addresses {
    Any,
    These(Vec<Cidr>),
    /// None can be said, and why.
    Unknown(String),
}

impl Addresses {
    /// One address each; `None` for what cannot be written as a range of one.
    pub(super) fn of(addresses: &[IpAddr]) -> Self {
        let one = |address: &IpAddr| Cidr::new(*address, if address.is_ipv4() { 32 } else { 128 }).ok();
        Self::These(addresses.iter().filter_map(one).collect())
    }
}

/// A range as firewalls write it: one address without its length.
pub(super) fn shown(range: &Cidr) -> String {
    let whole = if range.address().is_ipv4() { 32 } else { 128 };
    if range.length() == whole { range.address().to_string() } else { range.to_string() }
}

/// The only port, as a range.
pub(super) fn port(port: u16) -> Option<PortRange> {
    PortRange::new(port, port).ok()
}
