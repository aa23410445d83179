//! Time as an argument: two plain numbers and the one place where they meet.

use core::fmt;
use core::ops::{Add, Sub};
use core::time::Duration;

/// A moment on the monotonic clock of whoever drives the machine, counted from a zero of its choice.
///
/// The resolution is one nanosecond and the range 584 years; arithmetic saturates. Because it is a plain number,
/// traces of two runs compare and no real clock is needed to make one.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Instant(u64);

impl Instant {
    /// The zero of the clock.
    pub const ZERO: Self = Self(0);

    /// The moment `nanos` nanoseconds after the zero of the clock.
    pub const fn from_nanos(nanos: u64) -> Self {
        Self(nanos)
    }

    /// The moment `millis` milliseconds after the zero of the clock.
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis.saturating_mul(1_000_000))
    }

    /// Nanoseconds since the zero of the clock.
    pub const fn as_nanos(self) -> u64 {
        self.0
    }

    /// Whole milliseconds since the zero of the clock.
    pub const fn as_millis(self) -> u64 {
        self.0 / 1_000_000
    }

    /// The time from `earlier` to this moment; zero where `earlier` is later.
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Duration> for Instant {
    type Output = Self;

    fn add(self, span: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)))
    }
}

impl Sub<Duration> for Instant {
    type Output = Self;

    fn sub(self, span: Duration) -> Self {
        Self(self.0.saturating_sub(u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)))
    }
}

impl fmt::Debug for Instant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Instant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:06} ms", self.0 / 1_000_000, self.0 % 1_000_000)
    }
}

/// A moment on the civil clock: milliseconds since 1970-01-01 00:00 UTC.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UnixTime(u64);

impl UnixTime {
    /// The moment `secs` seconds after the epoch.
    pub const fn from_secs(secs: u64) -> Self {
        Self(secs.saturating_mul(1_000))
    }

    /// The moment `millis` milliseconds after the epoch.
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis)
    }

    /// Whole seconds since the epoch.
    pub const fn as_secs(self) -> u64 {
        self.0 / 1_000
    }

    /// Milliseconds since the epoch.
    pub const fn as_millis(self) -> u64 {
        self.0
    }

    /// The time from `earlier` to this moment; zero where `earlier` is later.
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }

    /// The moment `span` after this one, to the millisecond.
    #[must_use]
    pub fn after(self, span: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(span.as_millis()).unwrap_or(u64::MAX)))
    }

    /// The moment `span` before this one, to the millisecond.
    #[must_use]
    pub fn before(self, span: Duration) -> Self {
        Self(self.0.saturating_sub(u64::try_from(span.as_millis()).unwrap_or(u64::MAX)))
    }
}

/// The one anchor between the monotonic and the civil clock.
///
/// The two part: the civil clock is set, and the monotonic one stands still while a machine sleeps. So the anchor is taken
/// anew with [`Self::tie`] whenever an adapter has read both, and a civil moment is waited for in steps
/// ([`Self::look_at`]).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Clock {
    at: Instant,
    unix: UnixTime,
}

impl Clock {
    /// Says that the civil clock showed `unix` at the monotonic moment `at`.
    pub const fn new(at: Instant, unix: UnixTime) -> Self {
        Self { at, unix }
    }

    /// What the civil clock shows at `now`.
    pub const fn unix(&self, now: Instant) -> UnixTime {
        let ahead = now.since(self.at).as_millis();
        UnixTime(self.unix.0.saturating_add(if ahead > u64::MAX as u128 { u64::MAX } else { ahead as u64 }))
    }

    /// The monotonic moment at which the civil clock will show `unix`; `now` where it already has.
    pub fn instant(&self, now: Instant, unix: UnixTime) -> Instant {
        now + unix.since(self.unix(now))
    }

    /// When to ask again whether the civil clock shows `unix`: then, and after at most a minute, since nobody is woken where
    /// the two clocks part meanwhile.
    pub fn look_at(&self, now: Instant, unix: UnixTime) -> Instant {
        self.instant(now, unix).min(now + LONGEST_LOOK)
    }

    /// Takes what the civil clock shows at `now`, and says whether that is something else than was expected: whatever
    /// waits for a civil moment has to be armed anew then.
    ///
    /// Less than 100 ms are a clock that is kept right by small steps; they are not worth that work.
    pub fn tie(&mut self, now: Instant, unix: UnixTime) -> bool {
        let expected = self.unix(now);
        let has_parted = expected.since(unix).max(unix.since(expected)) >= PARTED;
        if has_parted {
            *self = Self::new(now, unix);
        }
        has_parted
    }
}

/// The longest wait for a civil moment without a look at the civil clock.
const LONGEST_LOOK: Duration = Duration::from_secs(60);
/// From when on two clocks have parted.
const PARTED: Duration = Duration::from_millis(100);
