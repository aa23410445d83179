//! What is measured: each row of the table, and one sample of it at one relay.

mod streams;

use std::time::Duration;

use crate::lab::Lab;
use crate::peers::Peer;
use crate::sys;

/// One row of the table.
#[derive(Clone, Debug)]
pub struct Row {
    /// What `--only` finds it by, like `streams/down/8`.
    pub name: String,
    /// What is measured.
    pub work: Work,
}

/// What the load does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Work {
    /// Questions of 160 bytes that are echoed, one at a time in each tunnel.
    Ask {
        /// How many tunnels.
        tunnels: usize,
    },
    /// Bytes as fast as they go.
    Bulk {
        /// From the client to the target.
        is_up: bool,
        /// How many tunnels.
        tunnels: usize,
    },
    /// Tunnels that rest after one byte in each direction.
    Idle {
        /// How many.
        tunnels: usize,
    },
    /// Tunnels that are opened, have one byte echoed and are closed.
    Reopen {
        /// How many are being opened at once.
        at_once: usize,
    },
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
            Self::Ask { .. } => "us/request",
            Self::Bulk { .. } => "s/GB",
            Self::Idle { .. } => "KiB/tunnel",
            Self::Reopen { .. } => "us/tunnel",
        }
    }

    /// The unit of [`Sample::rate`].
    pub fn rate_unit(self) -> &'static str {
        match self {
            Self::Ask { .. } => "requests/s",
            Self::Bulk { .. } => "Gbit/s",
            Self::Idle { .. } => "tunnels",
            Self::Reopen { .. } => "tunnels/s",
        }
    }

    /// Whether `peer` can do it.
    pub fn fits(self, peer: &Peer) -> bool {
        peer.streams.is_some()
    }

    /// Runs it once at `peer` for about `span`, on the core for the load.
    ///
    /// # Errors
    /// What did not work.
    pub fn sample(self, lab: &Lab, peer: &Peer, span: Duration) -> anyhow::Result<Sample> {
        let run = || {
            sys::pin(lab.load_core)?;
            sys::take_priority();
            streams::sample(self, lab, peer, span)
        };
        std::thread::scope(|scope| {
            scope.spawn(run).join().unwrap_or_else(|_| Err(anyhow::anyhow!("the load broke down")))
        })
    }
}

/// Every row of a full run.
pub fn rows() -> Vec<Row> {
    let mut rows = Vec::new();
    for tunnels in [1, 8, 100] {
        for (way, is_up) in [("down", false), ("up", true)] {
            rows.push(Row { name: format!("streams/{way}/{tunnels}"), work: Work::Bulk { is_up, tunnels } });
        }
    }
    for tunnels in [1, 100] {
        rows.push(Row { name: format!("streams/ask/{tunnels}"), work: Work::Ask { tunnels } });
    }
    rows.push(Row { name: "streams/setup".into(), work: Work::Reopen { at_once: 8 } });
    for tunnels in [1_000, 10_000] {
        rows.push(Row { name: format!("streams/idle/{tunnels}"), work: Work::Idle { tunnels } });
    }
    rows
}
