//! The relays that are compared: where each comes from, how it is started, and the door to it.

mod adapters;
mod install;
mod others;
pub mod ours;
mod plain;
mod process;

pub use process::Process;

use std::time::Duration;

use crate::adapter::Runtime;
use crate::forward::Medium;
use crate::lab::Lab;
use crate::load::door::Entrance;
use crate::sys;

/// What a relay is in the comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// This project's, on one of its adapters.
    Adapter,
    /// Somebody else's, without TLS: it does less.
    Clear,
    /// This project's, which lets packets gather.
    Gathering,
    /// What no relay can undercut: it only forwards.
    Limit,
    /// No relay.
    Nothing,
    /// This project's.
    Ours,
    /// Somebody else's.
    Peer,
}

/// A relay that runs.
#[derive(Debug)]
pub struct Peer {
    /// What it is called in the table.
    pub name: String,
    /// What it is in the comparison.
    pub kind: Kind,
    /// Where streams are opened, if it has them.
    pub streams: Option<Entrance>,
    /// Where datagram flows are opened, if it has them.
    pub datagrams: Option<Entrance>,
    process: Option<Process>,
    fresh: u64,
}

impl Peer {
    /// A relay that has not done anything yet.
    fn new(
        name: &str,
        kind: Kind,
        streams: Option<Entrance>,
        datagrams: Option<Entrance>,
        process: Option<Process>,
    ) -> Self {
        let fresh = process.as_ref().map_or(0, |process| sys::memory(process.id()));
        Self { name: name.to_owned(), kind, streams, datagrams, process, fresh }
    }

    /// The processor time that it has had.
    pub fn cpu_time(&self) -> Duration {
        self.process.as_ref().map_or(Duration::ZERO, |process| sys::cpu_time(process.id()))
    }

    /// The bytes of memory that it holds beyond what it held when it had done nothing yet.
    pub fn grown(&self) -> u64 {
        self.process.as_ref().map_or(0, |process| sys::memory(process.id()).saturating_sub(self.fresh))
    }
}

/// Starts every relay whose name is `wanted`; what could not be started says why.
pub fn start_all(
    lab: &Lab,
    ours: &[ours::Binary],
    wanted: impl Fn(&str) -> bool,
) -> Vec<(String, anyhow::Result<Peer>)> {
    let mut started = Vec::new();
    for binary in ours.iter().filter(|binary| wanted(&binary.name)) {
        started.push((binary.name.clone(), ours::start(lab, &binary.name, &binary.path, Kind::Ours)));
    }
    // Revisions to compare with need not know how.
    for binary in ours.iter().filter(|binary| wanted(&binary.name)).take(1) {
        let name = format!("{}, gathering", binary.name);
        let peer = ours::start(lab, &name, &binary.path, Kind::Gathering);
        started.push((name, peer));
    }
    for (name, start) in PEERS.iter().filter(|(name, _)| wanted(name)) {
        eprintln!("starting {name}");
        started.push(((*name).to_owned(), start(lab)));
    }
    started
}

/// The names of the relays that are compared with ours.
pub fn names() -> impl Iterator<Item = &'static str> {
    PEERS.iter().map(|(name, _)| *name)
}

type Start = fn(&Lab) -> anyhow::Result<Peer>;

const PEERS: &[(&str, Start)] = &[
    ("plain tokio, aws-lc-rs", |lab| plain::start(lab, "aws-lc-rs")),
    ("plain tokio, ring", |lab| plain::start(lab, "ring")),
    ("envoy", others::envoy),
    ("haproxy (TLS only)", others::haproxy),
    ("h2o", others::h2o),
    ("coturn (TURN, UDP)", others::coturn),
    ("dante (SOCKS5)", others::dante),
    ("limit: splice, mmsg", |lab| others::forward(lab, Medium::Splice)),
    ("limit: copy", |lab| others::forward(lab, Medium::Copy)),
    ("no relay", others::none),
    ("adapter: tokio", |lab| adapters::start(lab, Runtime::Tokio)),
    ("adapter: async-io", |lab| adapters::start(lab, Runtime::AsyncIo)),
    ("adapter: std", |lab| adapters::start(lab, Runtime::Std)),
];
