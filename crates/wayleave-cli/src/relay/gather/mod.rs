//! The runtime of a relay: one thread, which may let packets gather before it looks at them.
//!
//! A relay of many calls wakes up for every packet or two, and a wake-up costs more than to forward what came. While
//! packets come faster than the time to gather, the thread sleeps that long before it asks the system for them, and finds
//! several. The measure is how long it had to wait the last time, so a relay with little to do never sleeps.

#[cfg(test)]
mod tests;

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use tokio::runtime::{Builder, Runtime};

/// A runtime on the calling thread: a relay is one task, and a second thread would only hand it over.
///
/// # Errors
/// The system gives no more descriptors.
pub(super) fn runtime(gather: Duration) -> io::Result<Runtime> {
    let mut builder = Builder::new_current_thread();
    builder.enable_all();
    if !gather.is_zero() {
        let gathering = Arc::new(Gathering::new(gather));
        let waiting = Arc::clone(&gathering);
        builder.on_thread_park(move || waiting.before_wait(thread::sleep));
        builder.on_thread_unpark(move || gathering.after_wait());
    }
    builder.build()
}

struct Gathering {
    time: Duration,
    epoch: Instant,
    /// When the thread began to wait, in nanoseconds since the epoch.
    began: AtomicU64,
    /// How long it waited the last time, in nanoseconds.
    waited: AtomicU64,
}

impl Gathering {
    fn new(time: Duration) -> Self {
        Self { time, epoch: Instant::now(), began: AtomicU64::new(0), waited: AtomicU64::new(u64::MAX) }
    }

    fn before_wait(&self, sleep: impl FnOnce(Duration)) {
        if u128::from(self.waited.load(Ordering::Relaxed)) < self.time.as_nanos() {
            sleep(self.time);
        }
        self.began.store(self.now(), Ordering::Relaxed);
    }

    fn after_wait(&self) {
        let waited = self.now().saturating_sub(self.began.load(Ordering::Relaxed));
        self.waited.store(waited, Ordering::Relaxed);
    }

    fn now(&self) -> u64 {
        u64::try_from(self.epoch.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }
}

/// The longest time that packets may gather.
pub(super) const MOST: Duration = Duration::from_millis(1);
