//! Streams, through a pipe in the kernel or through a buffer.

use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::time::Duration;

use clap::ValueEnum;
use rustix::pipe::{PipeFlags, SpliceFlags, fcntl_setpipe_size, pipe_with, splice};

use crate::load::poll::Poll;
use crate::load::wire::is_wait;

/// What the bytes go through.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Medium {
    /// A buffer of this process.
    Copy,
    /// A pipe that never leaves the kernel.
    Splice,
}

/// One direction.
#[derive(Debug)]
enum Lane {
    Buffer { bytes: Vec<u8>, start: usize, end: usize },
    Pipe { read: OwnedFd, write: OwnedFd, filled: usize },
}

#[derive(Debug)]
struct Pair {
    client: TcpStream,
    target: TcpStream,
    up: Lane,
    down: Lane,
}

pub(super) fn run(medium: Medium, listen: SocketAddr, target: SocketAddr) -> anyhow::Result<()> {
    let listener = TcpListener::bind(listen)?;
    listener.set_nonblocking(true)?;
    let mut poll = Poll::new()?;
    poll.add(&listener, 0)?;
    let mut pairs: Vec<Option<Pair>> = Vec::new();
    let mut ready = Vec::new();
    loop {
        let mut is_called = false;
        let timeout = if ready.is_empty() { Duration::from_secs(60) } else { Duration::ZERO };
        poll.wait(timeout, |event| match event.token {
            0 => is_called = true,
            token => ready.push((token as usize - 1) / 2),
        })?;
        while let Some((client, _)) = if is_called { listener.accept().ok() } else { None } {
            let Ok(pair) = Pair::new(medium, client, target) else { continue };
            let index = pairs.iter().position(Option::is_none).unwrap_or(pairs.len());
            poll.add(&pair.client, 1 + 2 * index as u64)?;
            poll.add(&pair.target, 2 + 2 * index as u64)?;
            if index == pairs.len() {
                pairs.push(None);
            }
            pairs[index] = Some(pair);
        }
        for index in std::mem::take(&mut ready) {
            let Some(pair) = &mut pairs[index] else { continue };
            match pair.forward() {
                Ok(true) => ready.push(index),
                Ok(false) => {}
                Err(_) => pairs[index] = None,
            }
        }
    }
}

impl Pair {
    fn new(medium: Medium, client: TcpStream, target: SocketAddr) -> io::Result<Self> {
        let target = TcpStream::connect(target)?;
        for socket in [&client, &target] {
            socket.set_nonblocking(true)?;
            socket.set_nodelay(true)?;
        }
        Ok(Self { client, target, up: Lane::new(medium)?, down: Lane::new(medium)? })
    }

    /// Says whether it could go on at once.
    fn forward(&mut self) -> io::Result<bool> {
        let up = self.up.forward(&self.client, &self.target)?;
        Ok(self.down.forward(&self.target, &self.client)? || up)
    }
}

impl Lane {
    fn new(medium: Medium) -> io::Result<Self> {
        Ok(match medium {
            Medium::Copy => Self::Buffer { bytes: vec![0; SIZE], start: 0, end: 0 },
            Medium::Splice => {
                let (read, write) = pipe_with(PipeFlags::NONBLOCK | PipeFlags::CLOEXEC)?;
                // A smaller one serves too.
                let _ = fcntl_setpipe_size(&write, SIZE);
                Self::Pipe { read, write, filled: 0 }
            }
        })
    }

    fn forward(&mut self, from: &TcpStream, to: &TcpStream) -> io::Result<bool> {
        for _ in 0..BUDGET {
            if self.drain(to)? > 0 {
                return Ok(false);
            }
            match self.fill(from) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(_) => {}
                Err(error) if is_wait(&error) => return Ok(false),
                Err(error) => return Err(error),
            }
        }
        Ok(self.drain(to)? == 0)
    }

    fn fill(&mut self, mut from: &TcpStream) -> io::Result<usize> {
        match self {
            Self::Buffer { bytes, start, end } => {
                let count = from.read(bytes)?;
                (*start, *end) = (0, count);
                Ok(count)
            }
            Self::Pipe { write, filled, .. } => {
                *filled = splice(from, None, write, None, SIZE, FLAGS)?;
                Ok(*filled)
            }
        }
    }

    /// How much is left.
    fn drain(&mut self, mut to: &TcpStream) -> io::Result<usize> {
        loop {
            let (left, result) = match self {
                Self::Buffer { start, end, .. } if start == end => return Ok(0),
                Self::Pipe { filled: 0, .. } => return Ok(0),
                Self::Buffer { bytes, start, end } => {
                    let result = to.write(&bytes[*start..*end]);
                    *start += *result.as_ref().unwrap_or(&0);
                    (*end - *start, result)
                }
                Self::Pipe { read, filled, .. } => {
                    let result = splice(read, None, to, None, *filled, FLAGS).map_err(io::Error::from);
                    *filled -= *result.as_ref().unwrap_or(&0);
                    (*filled, result)
                }
            };
            match result {
                Ok(_) => {}
                Err(error) if is_wait(&error) => return Ok(left),
                Err(error) => return Err(error),
            }
        }
    }
}

const FLAGS: SpliceFlags = SpliceFlags::MOVE.union(SpliceFlags::NONBLOCK);
const SIZE: usize = 128 * 1024;

/// How often a direction goes on before the others have their turn.
const BUDGET: usize = 16;
