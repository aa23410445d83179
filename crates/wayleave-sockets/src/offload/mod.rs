//! Several datagrams with one call to the system, which cuts apart what is sent (generic segmentation offload, GSO) and joins
//! what comes (generic receive offload, GRO), on Linux and Android. Elsewhere they go one by one.

#[cfg(any(target_os = "android", target_os = "linux"))]
mod system;
#[cfg(not(any(target_os = "android", target_os = "linux")))]
#[path = "nothing.rs"]
mod system;

#[cfg(all(test, target_os = "linux"))]
mod tests;

use std::io;
use std::net::SocketAddr;
#[cfg(unix)]
use std::os::fd::AsFd;
#[cfg(windows)]
use std::os::windows::io::AsSocket as AsFd;

use wayleave_proto::net::{Arrival, Remote, Transmit};

use system::System;

/// What one UDP socket uses of that. Most sockets never have two datagrams at once: nothing is set up before one has.
///
/// A socket for which the system refuses to cut something apart goes on one by one for good, and loses nothing by it.
#[derive(Debug)]
pub struct Offload {
    remote: Remote,
    /// It may cut apart what is sent.
    cuts: bool,
    /// It may have the system join what comes.
    joins: Joins,
}

#[derive(Clone, Copy, Debug)]
enum Joins {
    /// Not yet; so many datagrams came since nothing waited.
    After(usize),
    Now,
    Never,
}

/// What one call brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Received {
    /// How many arrivals were noted.
    pub count: usize,
    /// Nothing more waited behind them.
    pub is_all: bool,
}

impl Offload {
    /// As many arrivals one call notes at most.
    pub const MOST_ARRIVALS: usize = 4;

    /// For a socket that [`bind`](crate::bind) opened to speak with `remote`; it goes one by one if it is not `wanted`.
    pub fn new(socket: &impl AsFd, remote: Remote, wanted: bool) -> Self {
        let joins = if wanted { Joins::After(0) } else { Joins::Never };
        let mut offload = Self { remote, cuts: wanted, joins };
        if wanted && matches!(remote, Remote::Every(_)) {
            // Many speak to it, and who hears it may want to know by which address and with which mark.
            offload.join(socket);
        }
        offload
    }

    /// Receives what waits on `socket`, which does not block; `single` receives one datagram.
    ///
    /// # Errors
    /// Nothing waits (`WouldBlock`), or a datagram that was sent earlier was refused.
    pub fn receive<S: AsFd>(
        &mut self,
        socket: &S,
        single: impl FnOnce(&S, &mut [u8]) -> io::Result<(usize, SocketAddr)>,
        buffer: &mut [u8],
        arrivals: &mut [Arrival],
    ) -> io::Result<Received> {
        if let Joins::Now = self.joins
            && let Some(system) = System::here()
        {
            return system.receive(socket, buffer, arrivals);
        }
        let received = single(socket, buffer);
        match (&mut self.joins, &received) {
            (Joins::After(run), Ok(_)) => {
                *run += 1;
                if *run >= BURST {
                    self.join(socket);
                }
            }
            (Joins::After(run), Err(_)) => *run = 0,
            (Joins::Now | Joins::Never, _) => {}
        }
        let (len, from) = received?;
        if let Some(arrival) = arrivals.first_mut() {
            *arrival = Arrival::one(from, len);
        }
        Ok(Received { count: 1, is_all: false })
    }

    /// Sends the first datagram of `transmit` on `socket`, or all of them with one call, and returns how many; `single` sends one
    /// datagram.
    ///
    /// # Errors
    /// The socket takes nothing now (`WouldBlock`), or why the first was not sent.
    pub fn send<S: AsFd>(
        &mut self,
        socket: &S,
        single: impl FnOnce(&S, &[u8], Option<SocketAddr>) -> io::Result<usize>,
        transmit: Transmit<'_>,
    ) -> io::Result<usize> {
        let count = transmit.count();
        if self.cuts
            && (count > 1 || transmit.ecn.is_some())
            && let Some(system) = System::here()
            && (count == 1 || system.cuts())
            && let Some(to) = self.destination(&transmit)
        {
            match system.send(socket, to, transmit) {
                Err(error) if system::cannot_cut(&error) => self.cuts = false,
                sent => return sent.map(|()| count),
            }
        }
        single(socket, transmit.first(), transmit.destination).map(|_| 1)
    }

    fn destination(&self, transmit: &Transmit<'_>) -> Option<SocketAddr> {
        let connected = match self.remote {
            Remote::One(address) => Some(address),
            Remote::Every(_) => None,
        };
        transmit.destination.or(connected)
    }

    fn join(&mut self, socket: &impl AsFd) {
        let joins = System::here().is_some_and(|system| system.join(socket, self.remote));
        self.joins = if joins { Joins::Now } else { Joins::Never };
    }
}

/// So many datagrams in a row make it worth to have them joined.
const BURST: usize = 4;
