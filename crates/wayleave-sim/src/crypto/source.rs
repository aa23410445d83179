//! The randomness and the civil clock of the run on this thread.

use core::cell::{Cell, RefCell};
use core::time::Duration;

use rustls::crypto::{GetRandomFailed, SecureRandom};
use rustls::pki_types::UnixTime as TlsTime;
use rustls::time_provider::TimeProvider;
use wayleave_proto::base::{Rng, Seed, UnixTime};

thread_local! {
    static STREAM: RefCell<Rng> = RefCell::new(Seed::new([0; 32]).stream("tls"));
    static NOW: Cell<UnixTime> = const { Cell::new(UnixTime::from_secs(0)) };
}

/// Starts the stream of a new run.
pub(crate) fn begin(seed: &Seed) {
    STREAM.set(seed.stream("tls"));
}

/// Sets the civil clock, which is that of the host that is about to act.
pub(crate) fn show(now: UnixTime) {
    NOW.set(now);
}

/// Fills `bytes` from the stream.
pub(crate) fn draw(bytes: &mut [u8]) {
    STREAM.with_borrow_mut(|stream| stream.fill(bytes));
}

#[derive(Debug)]
pub(super) struct SeededRandom;

impl SecureRandom for SeededRandom {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), GetRandomFailed> {
        draw(bytes);
        Ok(())
    }
}

#[derive(Debug)]
pub(super) struct WorldClock;

impl TimeProvider for WorldClock {
    fn current_time(&self) -> Option<TlsTime> {
        Some(TlsTime::since_unix_epoch(Duration::from_millis(NOW.get().as_millis())))
    }
}
