//! What was measured, and how it is shown.

pub mod json;
mod progress;
pub mod svg;
pub mod table;

use std::fmt::Display;
use std::time::Duration;

pub use progress::Progress;

use crate::machines::Cost;
use crate::peers::{Kind, Peer};
use crate::work::{Row, Sample, Work};

/// Everything that a run has measured.
#[derive(Clone, Debug, Default)]
pub struct Results {
    /// The rows in the order of the run.
    pub rows: Vec<Measured>,
    /// The machines alone.
    pub machines: Vec<Cost>,
    /// How the run was made, a sentence each.
    pub conditions: Vec<String>,
    /// The relays that could not take part, and why.
    pub absent: Vec<(String, String)>,
}

/// One row.
#[derive(Clone, Debug)]
pub struct Measured {
    /// Its name.
    pub name: String,
    /// What was done.
    pub work: Work,
    /// Each relay that took part.
    pub relays: Vec<Figures>,
}

/// The samples of one relay in one row.
#[derive(Clone, Debug)]
pub struct Figures {
    /// The relay.
    pub relay: String,
    /// What it is in the comparison.
    pub kind: Kind,
    /// What its runs gave.
    pub samples: Vec<Sample>,
    /// Why a run of it failed.
    pub failure: Option<String>,
}

impl Results {
    /// Notes that a relay cannot take part.
    pub fn absent(&mut self, name: &str, reason: &impl Display) {
        self.absent.push((name.to_owned(), format!("{reason:#}")));
    }

    /// Whether a run of `row`, the last one that was added to, has failed at `peer`.
    pub fn has_failed(&self, row: &Row, peer: &Peer) -> bool {
        let last = self.rows.last().filter(|last| last.name == row.name);
        last.is_some_and(|last| {
            last.relays.iter().any(|figures| figures.relay == peer.name && figures.failure.is_some())
        })
    }

    /// Adds what one run gave.
    pub fn add(&mut self, row: &Row, peer: &Peer, sample: anyhow::Result<Sample>) {
        if self.rows.last().is_none_or(|last| last.name != row.name) {
            self.rows.push(Measured { name: row.name.clone(), work: row.work, relays: Vec::new() });
        }
        let Some(last) = self.rows.last_mut() else { return };
        let place = last.relays.iter().position(|figures| figures.relay == peer.name);
        let place = place.unwrap_or_else(|| {
            let relay = peer.name.clone();
            last.relays.push(Figures { relay, kind: peer.kind, samples: Vec::new(), failure: None });
            last.relays.len() - 1
        });
        match sample {
            Ok(sample) => last.relays[place].samples.push(sample),
            Err(error) => last.relays[place].failure = Some(format!("{error:#}")),
        }
    }
}

impl Measured {
    /// The least median cost among relays of `kind`.
    pub fn best(&self, kind: Kind) -> Option<f64> {
        let costs = self.relays.iter().filter(|figures| figures.kind == kind);
        costs.filter_map(|figures| Some(figures.cost()?.median)).min_by(f64::total_cmp)
    }

    /// The latencies without a relay, in microseconds, where they were timed.
    pub fn without(&self) -> Option<[f64; 3]> {
        self.relays.iter().find(|figures| figures.kind == Kind::Nothing)?.latency()
    }

    /// What the costs of this row are compared with: the best relay of others that does the same work. Adapters are
    /// compared with the first of them.
    pub fn mark(&self) -> Option<f64> {
        let first = self.relays.first().filter(|figures| figures.kind == Kind::Adapter);
        first.map_or_else(|| self.best(Kind::Peer), |first| Some(first.cost()?.median))
    }
}

impl Figures {
    /// What a unit of the row costs.
    pub fn cost(&self) -> Option<Spread> {
        self.spread(|sample| sample.cost)
    }

    /// The medians of the median, the 99th and the 99.9th percentile in microseconds, where it was timed.
    pub fn latency(&self) -> Option<[f64; 3]> {
        self.samples.first()?.latency?;
        let micros = |sample: &Sample, place: usize| {
            sample.latency.map_or(0.0, |all: [Duration; 3]| all[place].as_secs_f64() * 1e6)
        };
        let median = |place| self.spread(|sample| micros(sample, place)).map_or(0.0, |spread| spread.median);
        Some([median(0), median(1), median(2)])
    }

    /// The median of a figure over the runs, its least and its greatest value; `None` without a run.
    pub fn spread(&self, figure: impl Fn(&Sample) -> f64) -> Option<Spread> {
        let mut values: Vec<f64> = self.samples.iter().map(figure).collect();
        values.sort_by(f64::total_cmp);
        let middle = values.len() / 2;
        let median = if values.len() % 2 == 1 {
            values[middle]
        } else {
            (values.get(middle - 1)? + values[middle]) / 2.0
        };
        Some(Spread { median, least: *values.first()?, greatest: *values.last()? })
    }
}

/// A figure over several runs.
#[derive(Clone, Copy, Debug)]
pub struct Spread {
    /// The median.
    pub median: f64,
    /// The least.
    pub least: f64,
    /// The greatest.
    pub greatest: f64,
}
