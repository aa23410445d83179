//! The rows over stream tunnels.

use std::time::{Duration, Instant};

use anyhow::Context as _;

use super::Sample;
use crate::lab::Lab;
use crate::load::streams::{self, Role};
use crate::peers::Peer;
use crate::sys;

/// What the load does with stream tunnels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Streams {
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

impl Streams {
    pub(super) fn cost_unit(self) -> &'static str {
        match self {
            Self::Ask { .. } => "us/request",
            Self::Bulk { .. } => "s/GB",
            Self::Idle { .. } => "KiB/tunnel",
            Self::Reopen { .. } => "us/tunnel",
        }
    }

    pub(super) fn rate_unit(self) -> &'static str {
        match self {
            Self::Ask { .. } => "requests/s",
            Self::Bulk { .. } => "Gbit/s",
            Self::Idle { .. } => "tunnels",
            Self::Reopen { .. } => "tunnels/s",
        }
    }
}

/// One run of `work` at `peer`.
pub(super) fn sample(work: Streams, lab: &Lab, peer: &Peer, span: Duration) -> anyhow::Result<Sample> {
    let entrance = peer.streams.as_ref().context("it has no streams")?;
    let new = |role| streams::Streams::new(entrance, &lab.streams, role);
    match work {
        Streams::Ask { tunnels } => {
            let mut streams = new(Role::Ask(160))?;
            streams.open(tunnels, PATIENCE)?;
            per_echo(&mut streams, peer, span)
        }
        Streams::Bulk { is_up, tunnels } => {
            let mut streams = new(if is_up { Role::Upload } else { Role::Download })?;
            streams.open(tunnels, PATIENCE)?;
            bulk(&mut streams, peer, span)
        }
        Streams::Idle { tunnels } => {
            let mut streams = new(Role::Idle)?;
            // Each tunnel has two ends here, and the relay holds two sockets for it too.
            let most = usize::try_from(sys::raise_files().saturating_sub(FILES) / 2).unwrap_or(usize::MAX);
            let tunnels = tunnels.min(most);
            // They can be ten thousand.
            streams.open(tunnels, 4 * PATIENCE)?;
            streams.run(Duration::from_millis(300))?;
            let grown = peer.grown();
            Ok(Sample {
                cost: grown as f64 / 1024.0 / tunnels as f64,
                rate: tunnels as f64,
                ..Sample::default()
            })
        }
        Streams::Reopen { at_once } => {
            let mut streams = new(Role::Reopen)?;
            streams.begin_reopening(at_once)?;
            per_echo(&mut streams, peer, span)
        }
    }
}

fn bulk(streams: &mut streams::Streams<'_>, peer: &Peer, span: Duration) -> anyhow::Result<Sample> {
    streams.run(WARM_UP)?;
    let (start, cpu, before) = (Instant::now(), peer.cpu_time(), streams.counts());
    streams.run(span)?;
    let used = peer.cpu_time().saturating_sub(cpu).as_secs_f64();
    let (elapsed, after) = (start.elapsed().as_secs_f64(), streams.counts());
    anyhow::ensure!(after.failures == 0, "a tunnel broke: {}", after.failure.unwrap_or_default());
    let gigabytes = (after.bytes - before.bytes) as f64 / 1e9;
    anyhow::ensure!(gigabytes > 0.0, "nothing arrived");
    Ok(Sample {
        cost: used / gigabytes,
        rate: gigabytes * 8.0 / elapsed,
        busy: used / elapsed,
        ..Sample::default()
    })
}

fn per_echo(streams: &mut streams::Streams<'_>, peer: &Peer, span: Duration) -> anyhow::Result<Sample> {
    streams.run(WARM_UP)?;
    let (start, cpu) = (Instant::now(), peer.cpu_time());
    let before = streams.take_counts();
    streams.run(span)?;
    let used = peer.cpu_time().saturating_sub(cpu).as_secs_f64();
    let (elapsed, after) = (start.elapsed().as_secs_f64(), streams.take_counts());
    let failures = before.failures + after.failures;
    anyhow::ensure!(failures == 0, "{failures} tunnels broke: {}", after.failure.unwrap_or_default());
    anyhow::ensure!(after.echoes > 0, "nothing was answered");
    let latency = [0.5, 0.99, 0.999].map(|share| after.latency.percentile(share));
    Ok(Sample {
        cost: used * 1e6 / after.echoes as f64,
        rate: after.echoes as f64 / elapsed,
        busy: used / elapsed,
        latency: Some(latency),
        loss: None,
    })
}

const WARM_UP: Duration = Duration::from_millis(200);
const PATIENCE: Duration = Duration::from_secs(10);

/// Files that are open beside the tunnels.
const FILES: u64 = 200;
