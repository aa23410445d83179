//! A datagram flow that blocks.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use wayleave_drive as drive;
use wayleave_proto::base::{Route, Target};
use wayleave_proto::client::FlowError;

use crate::Std;
use crate::wait::{Limit, Waiters, took_too_long};

/// Datagrams to and from one target.
///
/// All but `recv` never wait. Threads share a flow by reference.
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

    /// Sends one datagram of at most [`Self::largest`] bytes. It never waits: where the path is slower than the sender, the
    /// oldest datagrams that wait are dropped.
    ///
    /// # Errors
    /// The datagram is too large, or the flow has failed; [`FlowError::of`] tells why.
    pub fn send(&self, payload: &[u8]) -> io::Result<()> {
        Ok(self.flow.send(payload)?)
    }

    /// How large a datagram may be, in bytes: 65,507 over IPv4, and 65,527 where the target is an IPv6 address.
    pub fn largest(&self) -> usize {
        self.flow.largest()
    }

    /// Where the flow goes.
    pub const fn target(&self) -> &Target {
        self.flow.target()
    }

    /// Which way the flow goes; `None` while it is looking, and when it has failed.
    pub fn route(&self) -> Option<Route> {
        self.flow.route()
    }

    /// Receives one datagram into `buffer`, and returns its length; what does not fit is cut off.
    ///
    /// # Errors
    /// Why the flow has failed, by [`FlowError::of`]; `WouldBlock` (on Windows `TimedOut`) when the read timeout passes.
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
