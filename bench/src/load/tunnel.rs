//! One tunnel through a relay, from the first packet to the payload.

use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd};

use super::door::{Entrance, Step};
use super::wire::{Received, Wire};

/// A tunnel that opens by itself as the relay answers.
#[derive(Debug)]
pub struct Tunnel {
    /// The connection below.
    pub wire: Wire,
    steps: Vec<Step>,
    inbox: Vec<u8>,
    asked: bool,
}

impl Tunnel {
    /// Begins to open a tunnel to `target`.
    ///
    /// # Errors
    /// No connection can be begun.
    pub fn open(entrance: &Entrance, target: SocketAddr) -> io::Result<Self> {
        let wire = Wire::connect(entrance.address, entrance.tls.as_ref())?;
        let mut steps = entrance.door.steps(target);
        steps.reverse();
        Ok(Self { wire, steps, inbox: Vec::new(), asked: false })
    }

    /// Whether payload can be sent.
    pub fn is_open(&self) -> bool {
        self.steps.is_empty() && self.wire.is_ready()
    }

    /// Says the next thing to the relay when it is time. To be called whenever the socket may have become writable, and
    /// after [`Self::receive`].
    ///
    /// # Errors
    /// The connection broke.
    pub fn advance(&mut self) -> io::Result<()> {
        self.wire.flush()?;
        if self.asked || !self.wire.is_ready() {
            return Ok(());
        }
        if let Some(step) = self.steps.last() {
            self.wire.send(&step.sends)?;
            self.asked = true;
        }
        Ok(())
    }

    /// Reads at most `budget` times; what belongs to the tunnel goes to `sink`.
    ///
    /// # Errors
    /// The connection broke, or the relay refused.
    pub fn receive(
        &mut self,
        buffer: &mut [u8],
        budget: usize,
        mut sink: impl FnMut(&[u8]),
    ) -> io::Result<Received> {
        if self.steps.is_empty() {
            return self.wire.receive(buffer, budget, sink);
        }
        let inbox = &mut self.inbox;
        let received = self.wire.receive(buffer, budget, |bytes| inbox.extend_from_slice(bytes))?;
        while let Some(step) = self.steps.last().filter(|_| self.asked) {
            let Some(end) = step.expects.end(&self.inbox).map_err(io::Error::other)? else { break };
            self.inbox.drain(..end);
            self.steps.pop();
            self.asked = false;
            self.advance()?;
        }
        if self.steps.is_empty() && !self.inbox.is_empty() {
            sink(&std::mem::take(&mut self.inbox));
        }
        Ok(received)
    }
}

impl AsFd for Tunnel {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.wire.as_fd()
    }
}
