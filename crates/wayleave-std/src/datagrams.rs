//! A datagram flow that blocks.

use std::io;
use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use wayleave_drive as drive;

use crate::Std;
use crate::wait::{Limit, Waiters, took_too_long};

/// Datagrams to and from one target.
///
/// `send` and the rest of [`drive::DatagramFlow`] never wait. Threads share a flow by reference.
#[derive(Debug)]
pub struct DatagramFlow {
    flow: drive::DatagramFlow<Std>,
    readers: Arc<Waiters>,
    read_limit: Limit,
}

impl DatagramFlow {
    pub(crate) fn new(flow: drive::DatagramFlow<Std>) -> Self {
        Self { flow, readers: Arc::default(), read_limit: Limit::default() }
    }

    /// Receives one datagram into `buffer`, and returns its length; what does not fit is cut off.
    ///
    /// # Errors
    /// Why the flow has failed; `WouldBlock` (on Windows `TimedOut`) when the read timeout passes.
    pub fn recv(&self, buffer: &mut [u8]) -> io::Result<usize> {
        let answer = self.readers.wait(self.read_limit.get(), |cx| self.flow.poll_recv(cx, buffer));
        Ok(answer.ok_or_else(took_too_long)??)
    }

    /// Sets how long [`Self::recv`] waits; `None` is for ever.
    ///
    /// # Errors
    /// `timeout` is zero.
    pub fn set_read_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        self.read_limit.set(timeout)
    }

    /// How long [`Self::recv`] waits.
    pub fn read_timeout(&self) -> Option<Duration> {
        self.read_limit.get()
    }
}

impl Deref for DatagramFlow {
    type Target = drive::DatagramFlow<Std>;

    fn deref(&self) -> &Self::Target {
        &self.flow
    }
}
