//! How good a way is for a call, from the round trips of a few datagrams.

use std::fmt;
use std::time::Duration;

/// What was measured.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Quality {
    /// The median of the round trips.
    pub(crate) round_trip: Duration,
    /// The mean difference between one round trip and the next.
    pub(crate) jitter: Duration,
    /// The part that did not come back in time, from 0 to 1.
    pub(crate) loss: f64,
    /// The mean opinion score that this way would allow a call, from 1 to 4.5.
    pub(crate) mos: f64,
}

impl Quality {
    /// From the round trips of datagrams in the order in which they were sent; `None` for one that did not come back, and as a
    /// whole where none did.
    pub(crate) fn of(round_trips: &[Option<Duration>]) -> Option<Self> {
        let back: Vec<Duration> = round_trips.iter().flatten().copied().collect();
        let mut sorted = back.clone();
        sorted.sort_unstable();
        let round_trip = *sorted.get(sorted.len() / 2)?;
        let steps: Vec<Duration> = back.windows(2).map(|pair| pair[1].abs_diff(pair[0])).collect();
        let jitter = match u32::try_from(steps.len()) {
            Ok(count) if count > 0 => steps.iter().sum::<Duration>() / count,
            _ => Duration::ZERO,
        };
        let loss = 1.0 - ratio(back.len(), round_trips.len());
        Some(Self { round_trip, jitter, loss, mos: mos(round_trip, jitter, loss) })
    }
}

impl fmt::Display for Quality {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { round_trip, jitter, loss, mos } = self;
        write!(
            f,
            "round trip {:.1} ms, jitter {:.1} ms, loss {:.0} %, MOS {mos:.1}",
            millis(*round_trip),
            millis(*jitter),
            loss * 100.0
        )
    }
}

pub(crate) fn millis(span: Duration) -> f64 {
    span.as_secs_f64() * 1_000.0
}

/// The E-model of ITU-T G.107, with G.711 and concealment of losses (G.113, appendix I), where one direction takes half of the
/// round trip, the receiver waits for twice the jitter, and coding takes 10 ms.
fn mos(round_trip: Duration, jitter: Duration, loss: f64) -> f64 {
    let delay = millis(round_trip) / 2.0 + 2.0 * millis(jitter) + 10.0;
    let by_delay = 0.024 * delay + if delay > 177.3 { 0.11 * (delay - 177.3) } else { 0.0 };
    let percent = loss * 100.0;
    let by_loss = 95.0 * percent / (percent + 25.1);
    let r = (93.2 - by_delay - by_loss).clamp(0.0, 100.0);
    (1.0 + 0.035 * r + r * (r - 60.0) * (100.0 - r) * 7.0e-6).clamp(1.0, 4.5)
}

fn ratio(part: usize, whole: usize) -> f64 {
    let number = |count: usize| f64::from(u32::try_from(count).unwrap_or(u32::MAX));
    number(part) / number(whole.max(1))
}
