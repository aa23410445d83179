//! Moments in words, and the axis of time, on which quiet stretches are folded.

use core::time::Duration;

use wayleave_proto::base::Instant;

/// A moment, as short as it stays exact to the microsecond.
pub(super) fn moment(at: Instant) -> String {
    span(at.since(Instant::ZERO))
}

/// A span, as short as it stays exact to the microsecond, or to the millisecond where it is longer than ten seconds.
pub(super) fn span(span: Duration) -> String {
    let millis = span.as_nanos() as f64 / 1e6;
    if millis < 10_000.0 {
        return format!("{} ms", trimmed(millis, 3));
    }
    let seconds = millis / 1_000.0;
    if seconds < 120.0 {
        return format!("{} s", trimmed(seconds, 3));
    }
    let whole = (seconds + 0.0005).floor() as u64;
    let (hours, minutes, rest) = (whole / 3_600, whole / 60 % 60, whole % 60);
    let mut parts = Vec::new();
    for (amount, unit) in [(hours, "h"), (minutes, "min"), (rest, "s")] {
        if amount > 0 {
            parts.push(format!("{amount} {unit}"));
        }
    }
    parts.join(" ")
}

/// A number without the zeros at its end.
pub(super) fn trimmed(number: f64, digits: usize) -> String {
    let text = format!("{number:.digits$}");
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

/// Milliseconds since the start.
pub(super) fn millis(at: Instant) -> f64 {
    at.as_nanos() as f64 / 1e6
}

/// Milliseconds since the start, for an attribute or for data.
pub(super) fn number(at: Instant) -> String {
    trimmed(millis(at), 3)
}

/// The axis of time: milliseconds, but for folds, where a long quiet stretch takes the room of [`FOLDED`].
#[derive(Clone, Debug, Default)]
pub(super) struct Axis {
    /// The quiet stretches, in order.
    pub(super) folds: Vec<(Instant, Instant)>,
    pub(super) end: Instant,
}

impl Axis {
    /// The axis for a run in which something happened at `moments`.
    pub(super) fn new(mut moments: Vec<Instant>, end: Instant) -> Self {
        moments.push(Instant::ZERO);
        moments.push(end);
        moments.sort_unstable();
        let folds = moments
            .windows(2)
            .filter_map(|pair| match pair {
                [from, to] if to.since(*from) > LONGEST_QUIET => Some((*from + MARGIN, *to)),
                _ => None,
            })
            .collect();
        Self { folds, end }
    }

    /// Where on the axis a moment is.
    pub(super) fn place(&self, at: Instant) -> f64 {
        let mut place = millis(at);
        for (from, to) in &self.folds {
            let (from, to, at) = (millis(*from), millis(*to), millis(at));
            if at >= to {
                place -= to - from - FOLDED;
            } else if at > from {
                place -= (at - from) * (1.0 - FOLDED / (to - from));
            }
        }
        place
    }

    /// How much time is folded away.
    pub(super) fn folded(&self) -> Duration {
        self.folds.iter().map(|(from, to)| to.since(*from)).sum()
    }
}

/// A stretch in which nothing happens is folded when it lasts longer.
const LONGEST_QUIET: Duration = Duration::from_secs(4);
/// So much of it stays, that the last thing before it can be seen.
const MARGIN: Duration = Duration::from_millis(200);
/// The room of a fold, in milliseconds.
pub(super) const FOLDED: f64 = 600.0;
