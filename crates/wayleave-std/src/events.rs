//! What a client tells, for threads.

use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, TryRecvError};
use std::time::Duration;

use wayleave_drive as drive;
use wayleave_proto::client;

use crate::wait::Waiters;

/// What a client tells its embedder, or a relay its operator; an iterator that ends with it. A reader of a client that falls 4,096
/// events behind loses the oldest, one of a relay when it falls 65,536 behind.
#[derive(Debug)]
#[must_use = "events that nobody reads are kept until there are too many"]
pub struct Events<E = client::Event> {
    events: drive::Events<E>,
    waiters: Arc<Waiters>,
}

impl<E> Events<E> {
    pub(crate) fn new(events: drive::Events<E>) -> Self {
        Self { events, waiters: Arc::default() }
    }

    /// Waits for the next event; `None` when the client is closed, or the relay serves no more.
    pub fn recv(&mut self) -> Option<E> {
        self.waiters.wait(None, |cx| self.events.poll_recv(cx)).flatten()
    }

    /// Waits for the next event for no longer than `timeout`.
    ///
    /// # Errors
    /// Nothing happened in time, or nothing will any more.
    pub fn recv_timeout(&mut self, timeout: Duration) -> Result<E, RecvTimeoutError> {
        let answer = self.waiters.wait(Some(timeout), |cx| self.events.poll_recv(cx));
        answer.ok_or(RecvTimeoutError::Timeout)?.ok_or(RecvTimeoutError::Disconnected)
    }

    /// The next event, where it has happened already.
    ///
    /// # Errors
    /// Nothing has happened yet, or nothing will any more.
    pub fn try_recv(&mut self) -> Result<E, TryRecvError> {
        self.events.try_recv()
    }

    /// How many events were lost because they were not read in time.
    pub fn lost(&self) -> u64 {
        self.events.lost()
    }
}

impl<E> Iterator for Events<E> {
    type Item = E;

    fn next(&mut self) -> Option<E> {
        self.recv()
    }
}
