//! What stands between clients and their relay, and notes when the first byte of each client passes after a moment.

use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::{Duration, Instant};

use super::poll::Poll;
use super::target;
use super::wire::is_wait;

/// The taps of some clients, on one thread.
#[derive(Debug)]
pub struct Taps {
    relay: SocketAddr,
    poll: Poll,
    taps: Vec<Tap>,
    lanes: Vec<Lane>,
}

#[derive(Debug)]
struct Tap {
    listener: TcpListener,
    /// Bytes count from then on.
    after: Option<Instant>,
    first: Option<Instant>,
}

/// One direction of one connection.
#[derive(Debug)]
struct Lane {
    from: TcpStream,
    to: TcpStream,
    /// The tap, of the direction to the relay.
    tap: Option<usize>,
}

impl Taps {
    /// In front of `relay`, none yet.
    ///
    /// # Errors
    /// The kernel gives no more files.
    pub fn new(relay: SocketAddr) -> io::Result<Self> {
        Ok(Self { relay, poll: Poll::new()?, taps: Vec::new(), lanes: Vec::new() })
    }

    /// Adds a tap, and returns where its client finds the relay.
    ///
    /// # Errors
    /// No port is free.
    pub fn add(&mut self) -> io::Result<SocketAddr> {
        let listener = target::listen()?;
        let address = listener.local_addr()?;
        self.poll.add(&listener, self.taps.len() as u64)?;
        self.taps.push(Tap { listener, after: None, first: None });
        Ok(address)
    }

    /// Lets the bytes of the last tap count from `after` on.
    pub fn count_from(&mut self, after: Instant) {
        if let Some(tap) = self.taps.last_mut() {
            tap.after = Some(after);
        }
    }

    /// Passes bytes on until `end`, or until each tap has had its first byte.
    ///
    /// # Errors
    /// The relay is gone.
    pub fn run(&mut self, end: Instant) -> io::Result<()> {
        let mut buffer = vec![0; 64 * 1024];
        let mut ready = Vec::new();
        while let Some(left) = end.checked_duration_since(Instant::now()) {
            if self.taps.iter().all(|tap| tap.first.is_some()) {
                return Ok(());
            }
            self.poll.wait(left, |event| ready.push(event.token))?;
            for token in ready.drain(..) {
                match token.checked_sub(LANES) {
                    None => self.accept(token as usize)?,
                    Some(place) => self.pass(place as usize, &mut buffer)?,
                }
            }
        }
        Ok(())
    }

    /// From the moment of each tap to its first byte; `None` where none came.
    pub fn delays(&self) -> impl Iterator<Item = Option<Duration>> {
        self.taps.iter().map(|tap| Some(tap.first?.saturating_duration_since(tap.after?)))
    }

    fn accept(&mut self, tap: usize) -> io::Result<()> {
        loop {
            let client = match self.taps[tap].listener.accept() {
                Ok((client, _)) => client,
                Err(error) if is_wait(&error) => return Ok(()),
                Err(error) => return Err(error),
            };
            let relay = TcpStream::connect(self.relay)?;
            for socket in [&client, &relay] {
                socket.set_nonblocking(true)?;
                socket.set_nodelay(true)?;
            }
            let (up, down) = (client.try_clone()?, relay.try_clone()?);
            for (from, to, tap) in [(up, relay, Some(tap)), (down, client, None)] {
                self.poll.add(&from, LANES + self.lanes.len() as u64)?;
                self.lanes.push(Lane { from, to, tap });
            }
        }
    }

    fn pass(&mut self, place: usize, buffer: &mut [u8]) -> io::Result<()> {
        let Some(lane) = self.lanes.get_mut(place) else { return Ok(()) };
        loop {
            let count = match lane.from.read(buffer) {
                Ok(count) if count > 0 => count,
                Err(error) if is_wait(&error) => return Ok(()),
                // One end is gone; the other learns it when all of this is dropped.
                _ => return Ok(()),
            };
            let now = Instant::now();
            if let Some(tap) = lane.tap.map(|tap| &mut self.taps[tap])
                && tap.after.is_some_and(|after| now >= after)
            {
                tap.first.get_or_insert(now);
            }
            // Heads and handshakes: they fit into any socket.
            lane.to.write_all(&buffer[..count])?;
        }
    }
}

const LANES: u64 = 1 << 32;
