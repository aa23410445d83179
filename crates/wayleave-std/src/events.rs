//! What a client tells, for threads.

use std::sync::Arc;
use std::sync::mpsc::RecvTimeoutError;
use std::time::Duration;

use wayleave_drive as drive;
use wayleave_proto::client::Event;

use crate::wait::Waiters;

/// What a client tells its embedder; an iterator that ends with the client. A reader that falls 4,096 events behind loses
/// the oldest.
#[derive(Debug)]
pub struct Events {
    events: drive::Events,
    waiters: Arc<Waiters>,
}

impl Events {
    pub(crate) fn new(events: drive::Events) -> Self {
        Self { events, waiters: Arc::default() }
    }

    /// Waits for the next event; `None` when the client is closed.
    pub fn recv(&mut self) -> Option<Event> {
        self.waiters.wait(None, |cx| self.events.poll_recv(cx)).flatten()
    }

    /// Waits for the next event for no longer than `timeout`; with zero it only looks.
    ///
    /// # Errors
    /// Nothing happened in time, or the client is closed.
    pub fn recv_timeout(&mut self, timeout: Duration) -> Result<Event, RecvTimeoutError> {
        let answer = self.waiters.wait(Some(timeout), |cx| self.events.poll_recv(cx));
        answer.ok_or(RecvTimeoutError::Timeout)?.ok_or(RecvTimeoutError::Disconnected)
    }

    /// How many events were lost because they were not read in time.
    pub fn lost(&self) -> u64 {
        self.events.lost()
    }
}

impl Iterator for Events {
    type Item = Event;

    fn next(&mut self) -> Option<Event> {
        self.recv()
    }
}
