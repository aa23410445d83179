//! What a machine cannot know by itself: a secret to begin with, and the date.

use std::time::SystemTime;

use wayleave_proto::base::{Clock, Instant, Seed, UnixTime};

/// Thirty-two bytes that nobody can guess.
///
/// # Panics
/// The operating system gives no random bytes: nothing could be kept secret then.
pub fn seed() -> Seed {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).expect("the operating system gives no random bytes");
    Seed::new(bytes)
}

/// Where `now`, the present, stands on the civil clock.
pub fn clock_at(now: Instant) -> Clock {
    Clock::new(now, unix_now())
}

/// The present on the civil clock; the epoch where that clock stands before it.
pub fn unix_now() -> UnixTime {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    UnixTime::from_millis(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}
