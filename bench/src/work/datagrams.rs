//! The rows over datagram flows.

use std::time::{Duration, Instant};

use anyhow::Context as _;

use super::Sample;
use crate::lab::Lab;
use crate::load::datagrams::{Flows, Pace, Way};
use crate::peers::Peer;

/// Datagrams of one size through some flows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Datagrams {
    /// How many flows.
    pub flows: usize,
    /// Bytes of payload in each.
    pub size: usize,
    /// Which way.
    pub way: Way,
    /// How they are offered.
    pub pace: Pace,
}

/// One run of `work` at `peer`.
pub(super) fn sample(work: Datagrams, lab: &Lab, peer: &Peer, span: Duration) -> anyhow::Result<Sample> {
    let entrance = peer.datagrams.as_ref().context("it has no datagrams")?;
    let mut flows = Flows::open(entrance, &lab.datagrams, work.flows, work.size, PATIENCE)?;
    flows.run(work.way, work.pace, WARM_UP)?;
    flows.drain(Duration::from_millis(20))?;
    flows.forget();
    let (start, cpu) = (Instant::now(), peer.cpu_time());
    flows.run(work.way, work.pace, span)?;
    let used = peer.cpu_time().saturating_sub(cpu).as_secs_f64();
    let (elapsed, arrived) = (start.elapsed().as_secs_f64(), flows.counts().arrived);
    flows.drain(GRACE)?;
    let counts = flows.counts();
    anyhow::ensure!(arrived > 0, "nothing arrived");
    let loss = 1.0 - (counts.arrived as f64 / counts.sent.max(1) as f64).min(1.0);
    Ok(Sample {
        cost: used * 1e6 / arrived as f64,
        rate: arrived as f64 / elapsed / 1000.0,
        busy: used / elapsed,
        latency: Some([0.5, 0.99, 0.999].map(|share| counts.latency.percentile(share))),
        loss: Some(loss),
    })
}

const WARM_UP: Duration = Duration::from_millis(200);
const PATIENCE: Duration = Duration::from_secs(20);

/// How long what was sent may take to arrive.
const GRACE: Duration = Duration::from_millis(100);
