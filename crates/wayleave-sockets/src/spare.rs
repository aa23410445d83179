//! A descriptor for the moment when there is none left.

use std::fmt;
use std::io;
#[cfg(unix)]
use std::os::fd::AsFd;
#[cfg(windows)]
use std::os::windows::io::AsSocket as AsFd;

use socket2::{Domain, SockRef, Socket, Type};

/// A descriptor that a listener keeps back. Where the system has none left to accept with, it is given up for as long as it
/// takes to accept one connection and to close it: its client hears at once that nobody serves it, and does not wait in a queue.
pub struct Spare(Option<Socket>);

impl Spare {
    /// Keeps a descriptor back, as soon as there is one.
    pub fn new() -> Self {
        Self(socket())
    }

    /// Accepts a connection of `listener` and closes it.
    ///
    /// # Errors
    /// None waits (`WouldBlock`); or the descriptor was lost to somebody else in between, and not even that can be done.
    pub fn refuse(&mut self, listener: &impl AsFd) -> io::Result<()> {
        self.0 = None;
        let accepted = SockRef::from(listener).accept().map(drop);
        self.0 = socket();
        accepted
    }
}

impl Default for Spare {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Spare {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Spare").field(&self.0.is_some()).finish()
    }
}

/// The cheapest descriptor that every platform has.
fn socket() -> Option<Socket> {
    Socket::new(Domain::IPV4, Type::DGRAM, None).ok()
}
