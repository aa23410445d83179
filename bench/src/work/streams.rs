//! The rows over stream tunnels.

use std::time::{Duration, Instant};

use anyhow::Context as _;

use super::{Sample, Work};
use crate::lab::Lab;
use crate::load::streams::{Role, Streams};
use crate::peers::Peer;
use crate::sys;

/// One run of `work` at `peer`.
pub(super) fn sample(work: Work, lab: &Lab, peer: &Peer, span: Duration) -> anyhow::Result<Sample> {
    let entrance = peer.streams.as_ref().context("it has no streams")?;
    let new = |role| Streams::new(entrance, &lab.streams, role);
    match work {
        Work::Ask { tunnels } => {
            let mut streams = new(Role::Ask(160))?;
            streams.open(tunnels, PATIENCE)?;
            per_echo(&mut streams, peer, span)
        }
        Work::Bulk { is_up, tunnels } => {
            let mut streams = new(if is_up { Role::Upload } else { Role::Download })?;
            streams.open(tunnels, PATIENCE)?;
            bulk(&mut streams, peer, span)
        }
        Work::Idle { tunnels } => {
            let before = sys::memory(peer.process.id());
            let mut streams = new(Role::Idle)?;
            // Each tunnel has two ends here, and the relay holds two sockets for it too.
            let most = usize::try_from(sys::raise_files().saturating_sub(FILES) / 2).unwrap_or(usize::MAX);
            let tunnels = tunnels.min(most);
            streams.open(tunnels, PATIENCE)?;
            streams.run(Duration::from_millis(300))?;
            let grown = sys::memory(peer.process.id()).saturating_sub(before);
            Ok(Sample {
                cost: grown as f64 / 1024.0 / tunnels as f64,
                rate: tunnels as f64,
                ..Sample::default()
            })
        }
        Work::Reopen { at_once } => {
            let mut streams = new(Role::Reopen)?;
            streams.begin_reopening(at_once)?;
            per_echo(&mut streams, peer, span)
        }
    }
}

fn bulk(streams: &mut Streams<'_>, peer: &Peer, span: Duration) -> anyhow::Result<Sample> {
    streams.run(WARM_UP)?;
    let (start, cpu, before) = (Instant::now(), sys::cpu_time(peer.process.id()), streams.counts());
    streams.run(span)?;
    let used = sys::cpu_time(peer.process.id()).saturating_sub(cpu).as_secs_f64();
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

fn per_echo(streams: &mut Streams<'_>, peer: &Peer, span: Duration) -> anyhow::Result<Sample> {
    streams.run(WARM_UP)?;
    let (start, cpu) = (Instant::now(), sys::cpu_time(peer.process.id()));
    let before = streams.take_counts();
    streams.run(span)?;
    let used = sys::cpu_time(peer.process.id()).saturating_sub(cpu).as_secs_f64();
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
const PATIENCE: Duration = Duration::from_secs(30);

/// Files that are open beside the tunnels.
const FILES: u64 = 200;
