//! Counts of durations, from which percentiles are read.

use std::time::Duration;

/// Durations in buckets that are at most 1/32 wide.
#[derive(Clone, Debug)]
pub struct Histogram {
    buckets: Vec<u64>,
    count: u64,
}

impl Default for Histogram {
    fn default() -> Self {
        Self { buckets: vec![0; 64 * STEPS], count: 0 }
    }
}

impl Histogram {
    /// Counts one.
    pub fn add(&mut self, value: Duration) {
        let value = u64::try_from(value.as_nanos()).unwrap_or(u64::MAX);
        self.buckets[place(value)] += 1;
        self.count += 1;
    }

    /// How many were counted.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The duration that `share` of all (0 to 1) do not exceed; zero when there are none.
    pub fn percentile(&self, share: f64) -> Duration {
        let wanted = (self.count as f64 * share).ceil().max(1.0);
        let mut seen = 0;
        for (place, count) in self.buckets.iter().enumerate() {
            seen += count;
            if seen as f64 >= wanted {
                return Duration::from_nanos(value(place));
            }
        }
        Duration::ZERO
    }
}

fn place(value: u64) -> usize {
    let shift = (64 - value.leading_zeros()).saturating_sub(STEP_BITS + 1);
    shift as usize * STEPS + (value >> shift) as usize
}

/// The middle of the bucket at `place`.
fn value(place: usize) -> u64 {
    let shift = (place / STEPS).saturating_sub(1);
    let low = ((place - shift * STEPS) as u64) << shift;
    low + (1 << shift) / 2
}

const STEP_BITS: u32 = 5;
const STEPS: usize = 1 << STEP_BITS;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentile_is_exact_to_a_thirtieth() {
        let mut histogram = Histogram::default();
        (1..=10_000).for_each(|micros| histogram.add(Duration::from_micros(micros)));
        for share in [0.001, 0.5, 0.99, 0.999, 1.0] {
            let found = histogram.percentile(share).as_secs_f64() * 1e6;
            assert!((found / (share * 10_000.0) - 1.0).abs() < 0.04, "{share}: {found}");
        }
    }
}
