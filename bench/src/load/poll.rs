//! Waits for sockets, each edge once.

use std::fmt;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use rustix::buffer::spare_capacity;
use rustix::event::epoll::{self, CreateFlags, Event, EventData, EventFlags};
use rustix::time::Timespec;

/// The sockets of one run, by numbers that the caller chose.
pub struct Poll {
    epoll: OwnedFd,
    events: Vec<Event>,
}

/// What became of a socket.
#[derive(Clone, Copy, Debug)]
pub struct Ready {
    /// The number of the socket.
    pub token: u64,
    /// Something can be read, the end or an error too.
    pub readable: bool,
    /// Something can be written.
    pub writable: bool,
}

impl Poll {
    /// # Errors
    /// The kernel gives no more of them.
    pub fn new() -> io::Result<Self> {
        Ok(Self { epoll: epoll::create(CreateFlags::CLOEXEC)?, events: Vec::with_capacity(256) })
    }

    /// Watches `socket` until it is closed.
    ///
    /// # Errors
    /// The kernel refuses.
    pub fn add(&self, socket: impl AsFd, token: u64) -> io::Result<()> {
        let flags = EventFlags::IN | EventFlags::OUT | EventFlags::RDHUP | EventFlags::ET;
        epoll::add(&self.epoll, socket, EventData::new_u64(token), flags).map_err(io::Error::from)
    }

    /// Waits at most `timeout` and gives what has become ready to `each`.
    ///
    /// # Errors
    /// The kernel refuses.
    pub fn wait(&mut self, timeout: Duration, mut each: impl FnMut(Ready)) -> io::Result<()> {
        let timeout = Timespec::try_from(timeout).map_err(io::Error::other)?;
        self.events.clear();
        match epoll::wait(&self.epoll, spare_capacity(&mut self.events), Some(&timeout)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        for event in &self.events {
            let flags = event.flags;
            each(Ready {
                token: event.data.u64(),
                readable: flags
                    .intersects(EventFlags::IN | EventFlags::RDHUP | EventFlags::HUP | EventFlags::ERR),
                writable: flags.intersects(EventFlags::OUT | EventFlags::HUP | EventFlags::ERR),
            });
        }
        Ok(())
    }
}

impl fmt::Debug for Poll {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Poll").field("epoll", &self.epoll).finish_non_exhaustive()
    }
}
