//! The kernel's word that something of the network changed: `rtnetlink(7)`.

use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::net::netlink::SocketAddrNetlink;
use rustix::net::{AddressFamily, RecvFlags, SocketFlags, SocketType, bind, recv, socket_with};

/// What a watching thread waits for.
pub(crate) struct Bell {
    /// Links, addresses and routes; `None` where the system does not tell of them.
    changes: Option<OwnedFd>,
    stop: UnixStream,
}

/// The end of it stops the thread.
#[derive(Debug)]
pub(crate) struct Stop(#[expect(dead_code, reason = "its end is the signal")] UnixStream);

/// Why a wait is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rung {
    /// Something changed, or the time for a look has come.
    Look,
    /// Nobody wants to know any more.
    Stop,
}

impl Bell {
    pub(crate) fn new() -> io::Result<(Self, Stop)> {
        let (stop, end) = UnixStream::pair()?;
        stop.set_nonblocking(true)?;
        // Some sandboxes, and Android since its version 11 for some groups, do not let a process listen.
        Ok((Self { changes: listen().ok(), stop }, Stop(end)))
    }

    /// Waits until it is time to look.
    pub(crate) fn wait(&mut self) -> Rung {
        let every = if self.changes.is_some() { EVERY_WITH_CHANGES } else { EVERY };
        if self.sleep(every, true) == Rung::Stop {
            return Rung::Stop;
        }
        // One change of the network is a burst of messages; the looks of others would see half of it.
        if self.drain() && self.sleep(SETTLING, false) == Rung::Stop {
            return Rung::Stop;
        }
        self.drain();
        Rung::Look
    }

    fn sleep(&mut self, span: Duration, until_change: bool) -> Rung {
        let changes = self.changes.as_ref().filter(|_| until_change).map(AsFd::as_fd);
        let fds: Vec<BorrowedFd<'_>> = [self.stop.as_fd()].into_iter().chain(changes).collect();
        let mut polled: Vec<PollFd<'_>> = fds.iter().map(|fd| PollFd::new(fd, PollFlags::IN)).collect();
        let timeout = Timespec::try_from(span).ok();
        // A signal ends the wait early, which costs a look.
        let _ = poll(&mut polled, timeout.as_ref());
        match (&self.stop).read(&mut [0]) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Rung::Look,
            Ok(_) | Err(_) => Rung::Stop,
        }
    }

    /// Takes what the kernel said, whatever it was; `true` where it said something. An overflow says as much.
    fn drain(&mut self) -> bool {
        let Some(changes) = &self.changes else { return false };
        let mut said = false;
        let mut buffer = [0; 8_192];
        for _ in 0..MESSAGES {
            match recv(changes, buffer.as_mut_slice(), RecvFlags::DONTWAIT) {
                Ok(_) | Err(Errno::NOBUFS) => said = true,
                Err(_) => break,
            }
        }
        said
    }
}

fn listen() -> io::Result<OwnedFd> {
    // Without a protocol it is that of routes (NETLINK_ROUTE).
    let socket = socket_with(AddressFamily::NETLINK, SocketType::RAW, SocketFlags::CLOEXEC, None)?;
    bind(&socket, &SocketAddrNetlink::new(0, GROUPS))?;
    Ok(socket)
}

/// `RTMGRP_LINK`, `RTMGRP_IPV4_IFADDR`, `RTMGRP_IPV4_ROUTE`, `RTMGRP_IPV6_IFADDR` and `RTMGRP_IPV6_ROUTE` of
/// `linux/rtnetlink.h`.
const GROUPS: u32 = 0x1 | 0x10 | 0x40 | 0x100 | 0x400;
/// How often the network is looked at where the kernel does not tell: a handful of small files.
const EVERY: Duration = Duration::from_secs(2);
/// The same where it does, in case it told of something when it had no room to.
const EVERY_WITH_CHANGES: Duration = Duration::from_secs(60);
/// How long a burst of messages may take.
const SETTLING: Duration = Duration::from_millis(50);
/// Messages taken before a look.
const MESSAGES: usize = 4_096;
