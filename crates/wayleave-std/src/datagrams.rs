//! A datagram flow that blocks.

use std::io::{self, IoSlice, IoSliceMut};
use std::sync::Arc;
use std::time::Duration;

use wayleave_drive as drive;
use wayleave_proto::base::{Route, Target};
use wayleave_proto::client::DatagramStats;

use crate::Std;
use crate::wait::{Limit, Waiters, took_too_long};

/// Datagrams to and from one target.
///
/// Threads share a flow by reference or by [`Self::try_clone`]; when the last clone is dropped the flow is closed. What an error
/// means [`FlowError::of`](crate::FlowError::of) tells.
///
/// ```
/// # use std::net::UdpSocket;
/// # use wayleave_std::{Client, ClientConfig};
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let target = UdpSocket::bind("127.0.0.1:0")?;
/// let client = Client::new(ClientConfig::direct().build()?)?;
/// let flow = client.datagrams(target.local_addr()?)?;
/// println!("it goes {}", flow.ready()?);
/// flow.send(b"never waits")?;
/// flow.send_wait(b"waits for room")?;
/// let mut buffer = [0; 64];
/// let (length, from) = target.recv_from(&mut buffer)?;
/// target.send_to(&buffer[..length], from)?;
/// assert_eq!(flow.recv(&mut buffer)?, 11);
/// assert_eq!(flow.stats().unsent.total(), 0);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
#[must_use = "a flow that is dropped is closed"]
pub struct DatagramFlow(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    flow: drive::DatagramFlow<Std>,
    openers: Arc<Waiters>,
    readers: Arc<Waiters>,
    writers: Arc<Waiters>,
    read_limit: Limit,
    write_limit: Limit,
}

impl DatagramFlow {
    pub(crate) fn new(flow: drive::DatagramFlow<Std>) -> Self {
        Self(Arc::new(Shared {
            flow,
            openers: Arc::default(),
            readers: Arc::default(),
            writers: Arc::default(),
            read_limit: Limit::default(),
            write_limit: Limit::default(),
        }))
    }

    /// Another handle of the same flow; timeouts are common to both.
    ///
    /// # Errors
    /// None; [`std::net::UdpSocket::try_clone`] has some.
    pub fn try_clone(&self) -> io::Result<Self> {
        Ok(Self(Arc::clone(&self.0)))
    }

    /// Sends one datagram of at most [`Self::largest`] bytes. It never waits: where the path is slower than the sender, the
    /// oldest datagrams that wait are dropped, as the newest is worth most to a call. [`Self::stats`] counts them, and
    /// [`Self::send_wait`] waits instead.
    ///
    /// # Errors
    /// The datagram is too large, or the flow has failed.
    pub fn send(&self, payload: &[u8]) -> io::Result<()> {
        Ok(self.0.flow.send(payload)?)
    }

    /// Sends several datagrams in one go, which costs less than one after the other; else as [`Self::send`]. Returns how many
    /// were taken.
    ///
    /// # Errors
    /// The first datagram is too large, or the flow has failed. Where a later one is too large, those before it are taken.
    pub fn send_many(&self, payloads: &[IoSlice<'_>]) -> io::Result<usize> {
        Ok(self.0.flow.send_many(payloads)?)
    }

    /// Sends one datagram when it finds room: none that waits is dropped for it. Those that wait for longer than their age
    /// allows are dropped all the same.
    ///
    /// # Errors
    /// As [`Self::send`]; `WouldBlock` (on Windows `TimedOut`) when the write timeout passes.
    pub fn send_wait(&self, payload: &[u8]) -> io::Result<()> {
        let Shared { flow, writers, write_limit, .. } = &*self.0;
        let answer = writers.wait(write_limit.get(), |cx| flow.poll_send(cx, payload));
        Ok(answer.ok_or_else(took_too_long)??)
    }

    /// Receives one datagram into `buffer`, and returns its length; what does not fit is cut off.
    ///
    /// It waits for as long as nothing comes. That a target refuses datagrams (nobody listens at its port) is no error here:
    /// somebody may listen later, and a rescue or a new network may lead there on another way. Who has to know sets a read
    /// timeout.
    ///
    /// # Errors
    /// Why the flow has failed; `WouldBlock` (on Windows `TimedOut`) when the read timeout passes.
    pub fn recv(&self, buffer: &mut [u8]) -> io::Result<usize> {
        let Shared { flow, readers, read_limit, .. } = &*self.0;
        let answer = readers.wait(read_limit.get(), |cx| flow.poll_recv(cx, buffer));
        Ok(answer.ok_or_else(took_too_long)??)
    }

    /// Receives one datagram that is there already, as [`Self::recv`] does; `None` where none is.
    ///
    /// # Errors
    /// Why the flow has failed.
    pub fn try_recv(&self, buffer: &mut [u8]) -> io::Result<Option<usize>> {
        Ok(self.0.flow.try_recv(buffer)?)
    }

    /// Receives what there is, at least one datagram, each into a buffer of its own; their lengths go to `lengths`. Returns how
    /// many that were, at most as many as there are of both. Else as [`Self::recv`].
    ///
    /// # Errors
    /// As [`Self::recv`].
    pub fn recv_many(&self, buffers: &mut [IoSliceMut<'_>], lengths: &mut [usize]) -> io::Result<usize> {
        let Shared { flow, readers, read_limit, .. } = &*self.0;
        let answer = readers.wait(read_limit.get(), |cx| flow.poll_recv_many(cx, buffers, lengths));
        Ok(answer.ok_or_else(took_too_long)??)
    }

    /// Waits until the flow is open, and says which way it goes: an address is known on the direct way, which need not mean
    /// that anybody answers there, or a relay has opened a tunnel.
    ///
    /// # Errors
    /// Why the flow has failed; `WouldBlock` (on Windows `TimedOut`) when the read timeout passes.
    pub fn ready(&self) -> io::Result<Route> {
        let Shared { flow, openers, read_limit, .. } = &*self.0;
        let answer = openers.wait(read_limit.get(), |cx| flow.poll_ready(cx));
        Ok(answer.ok_or_else(took_too_long)??)
    }

    /// How large a datagram may be, in bytes: 65,507 over IPv4, and 65,527 where the target is an IPv6 address.
    pub fn largest(&self) -> usize {
        self.0.flow.largest()
    }

    /// Where the flow goes.
    pub fn target(&self) -> &Target {
        self.0.flow.target()
    }

    /// Which way the flow goes; `None` while it is looking, and when it has failed.
    pub fn route(&self) -> Option<Route> {
        self.0.flow.route()
    }

    /// What became of its datagrams: how many wait, and how many were dropped for which reason.
    pub fn stats(&self) -> DatagramStats {
        self.0.flow.stats()
    }

    /// Sets how long [`Self::recv`] and [`Self::ready`] wait; `None` is for ever.
    ///
    /// # Errors
    /// `timeout` is zero.
    pub fn set_read_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        self.0.read_limit.set(timeout)
    }

    /// Sets how long [`Self::send_wait`] waits; `None` is for ever.
    ///
    /// # Errors
    /// `timeout` is zero.
    pub fn set_write_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        self.0.write_limit.set(timeout)
    }

    /// How long [`Self::recv`] and [`Self::ready`] wait.
    pub fn read_timeout(&self) -> Option<Duration> {
        self.0.read_limit.get()
    }

    /// How long [`Self::send_wait`] waits.
    pub fn write_timeout(&self) -> Option<Duration> {
        self.0.write_limit.get()
    }
}
