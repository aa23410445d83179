//! Datagram flows that share a port, and block.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use wayleave_drive::{self as drive, IntoTarget};
use wayleave_proto::client::FlowError;

use crate::wait::{Limit, Waiters, took_too_long};
use crate::{DatagramFlow, Std};

/// Datagram flows that share one port for each family of addresses where they are direct, as if one plain UDP socket spoke
/// with all of their targets. Each is judged and routed by itself; one that is proxied has its own port at the relay.
///
/// Dropping it leaves the flows that were opened in it.
///
/// ```
/// # use std::net::UdpSocket;
/// # use wayleave_std::{Client, ClientConfig};
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let (one, two) = (UdpSocket::bind("127.0.0.1:0")?, UdpSocket::bind("127.0.0.1:0")?);
/// let client = Client::new(ClientConfig::direct().build()?)?;
/// let association = client.associate()?;
/// let flow = association.datagrams(one.local_addr()?)?;
/// flow.ready()?;
/// flow.send(b"which port is mine?")?;
/// let (_, mine) = one.recv_from(&mut [0; 64])?;
/// two.send_to(b"from a stranger", mine)?;
/// let (_, from) = association.recv_stray(&mut [0; 64])?;
/// assert_eq!(from, two.local_addr()?);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Association {
    association: drive::Association<Std>,
    readers: Arc<Waiters>,
    read_limit: Limit,
}

impl Association {
    pub(crate) fn new(association: drive::Association<Std>) -> Self {
        Self { association, readers: Arc::default(), read_limit: Limit::default() }
    }

    /// Opens a datagram flow to `target`. Datagrams can be sent at once; they wait a moment while the way is sought.
    ///
    /// # Errors
    /// The target is not one, or the client is at its limit.
    pub fn datagrams(&self, target: impl IntoTarget) -> Result<DatagramFlow, FlowError> {
        self.association.datagrams(target).map(DatagramFlow::new)
    }

    /// Receives one datagram from somebody who is the target of none of its flows; returns its length and who sent it. What
    /// does not fit into `buffer` is cut off. Nothing is filtered, as with a plain socket.
    ///
    /// # Errors
    /// The client is closed; `WouldBlock` (on Windows `TimedOut`) when the read timeout passes.
    pub fn recv_stray(&self, buffer: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        let answer =
            self.readers.wait(self.read_limit.get(), |cx| self.association.poll_recv_stray(cx, buffer));
        Ok(answer.ok_or_else(took_too_long)??)
    }

    /// Sets how long [`Self::recv_stray`] waits; `None` is for ever.
    ///
    /// # Errors
    /// `timeout` is zero.
    pub fn set_read_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        self.read_limit.set(timeout)
    }
}
