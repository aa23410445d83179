//! What was measured, and how it is shown.

mod progress;
pub mod table;

use std::fmt::Display;

pub use progress::Progress;

use crate::peers::{Kind, Peer};
use crate::work::{Row, Sample, Work};

/// Everything that a run has measured.
#[derive(Clone, Debug, Default)]
pub struct Results {
    /// The rows in the order of the run.
    pub rows: Vec<Measured>,
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

impl Figures {
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
