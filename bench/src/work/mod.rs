//! What is measured: each row of the table, and one sample of it at one relay.

mod datagrams;
mod rows;
mod streams;
mod switches;

pub use datagrams::Datagrams;
pub use rows::rows;
pub use streams::Streams;

use std::time::Duration;

use crate::adapter::Runtime;
use crate::lab::Lab;
use crate::load::datagrams::Pace;
use crate::peers::{Kind, Peer};
use crate::sys;

/// One row of the table.
#[derive(Clone, Debug)]
pub struct Row {
    /// What `--only` finds it by, like `streams/down/8`.
    pub name: String,
    /// What is measured.
    pub work: Work,
    /// Who takes part.
    pub group: Group,
    /// Whether it runs only when it is asked for by name.
    pub is_extra: bool,
}

/// Who takes part in a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Group {
    /// Our relay on each adapter.
    Adapters,
    /// Our relay alone: what only it can do, and how its cost grows.
    Ours,
    /// Every relay, but for the adapters.
    Relays,
}

impl Row {
    /// Whether `peer` takes part and can do it.
    pub fn fits(&self, peer: &Peer) -> bool {
        let is_in = match self.group {
            Group::Adapters => peer.kind == Kind::Adapter,
            Group::Ours => peer.kind == Kind::Ours,
            Group::Relays if peer.kind == Kind::Gathering => self.work.is_paced(),
            Group::Relays => peer.kind != Kind::Adapter,
        };
        is_in && self.work.is_possible(peer)
    }

    /// How often it is run; memory only grows, so that it is looked at once.
    pub fn rounds(&self, usual: usize) -> usize {
        if matches!(self.work, Work::Streams(Streams::Idle { .. })) { 1 } else { usual }
    }
}

/// What the load does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Work {
    /// Datagrams through flows.
    Datagrams(Datagrams),
    /// Bytes through stream tunnels.
    Streams(Streams),
    /// Clients on an adapter whose trial ends with the relay: from its deadline to their first byte to the relay.
    Switches(Runtime),
}

/// What one run at one relay gave.
#[derive(Clone, Debug, Default)]
pub struct Sample {
    /// What a unit of the row costs the relay, in the unit of [`Work::cost_unit`].
    pub cost: f64,
    /// How much went through, in the unit of [`Work::rate_unit`].
    pub rate: f64,
    /// The share of the relay's core that was used.
    pub busy: f64,
    /// The median and the 99th and 99.9th percentile, where it was timed.
    pub latency: Option<[Duration; 3]>,
    /// The share of datagrams that did not arrive, of datagram rows.
    pub loss: Option<f64>,
}

impl Work {
    /// The unit of [`Sample::cost`].
    pub fn cost_unit(self) -> &'static str {
        match self {
            Self::Datagrams(_) => "us/datagram",
            Self::Streams(work) => work.cost_unit(),
            Self::Switches(_) => "us/switch",
        }
    }

    /// The unit of [`Sample::rate`].
    pub fn rate_unit(self) -> &'static str {
        match self {
            Self::Datagrams(_) => "1,000/s",
            Self::Streams(work) => work.rate_unit(),
            Self::Switches(_) => "switches",
        }
    }

    fn is_possible(self, peer: &Peer) -> bool {
        match self {
            Self::Datagrams(_) => peer.datagrams.is_some(),
            // What only forwards holds nothing, and its pipes are too many for the files that it may open.
            Self::Streams(Streams::Idle { .. }) => {
                peer.streams.is_some() && !matches!(peer.kind, Kind::Limit | Kind::Nothing)
            }
            Self::Streams(_) | Self::Switches(_) => peer.streams.is_some(),
        }
    }

    /// Whether the load is that of calls, of which each has a datagram now and then.
    fn is_paced(self) -> bool {
        matches!(self, Self::Datagrams(Datagrams { pace: Pace::Steady { .. }, .. }))
    }

    /// Runs it once at `peer` for about `span`, on the core for the load.
    ///
    /// # Errors
    /// What did not work.
    pub fn sample(self, lab: &Lab, peer: &Peer, span: Duration) -> anyhow::Result<Sample> {
        let run = || {
            sys::pin(lab.load_core)?;
            sys::take_priority();
            match self {
                Self::Datagrams(work) => datagrams::sample(work, lab, peer, span),
                Self::Streams(work) => streams::sample(work, lab, peer, span),
                Self::Switches(runtime) => switches::sample(runtime, lab, peer),
            }
        };
        std::thread::scope(|scope| {
            scope.spawn(run).join().unwrap_or_else(|_| Err(anyhow::anyhow!("the load broke down")))
        })
    }
}
