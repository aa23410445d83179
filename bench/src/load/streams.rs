//! Many stream tunnels at once, and their far end, on one thread.

use std::collections::VecDeque;
use std::io;
use std::net::TcpListener;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};

use super::door::Entrance;
use super::histogram::Histogram;
use super::poll::Poll;
use super::target::{self, Connection, DOWNLOAD, ECHO, Served, UPLOAD};
use super::tunnel::Tunnel;
use super::wire::Received;
use crate::stop;

/// What every tunnel does once it is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Sends this many bytes and waits for them to come back, again and again.
    Ask(usize),
    /// Receives as fast as it can.
    Download,
    /// Has one byte echoed and then rests.
    Idle,
    /// Has one byte echoed, closes and opens anew.
    Reopen,
    /// Sends as fast as it can.
    Upload,
}

/// What has happened so far.
#[derive(Clone, Debug, Default)]
pub struct Counts {
    /// Payload that arrived, in the direction of the role.
    pub bytes: u64,
    /// Echoes that arrived whole.
    pub echoes: u64,
    /// From the question (for [`Role::Reopen`]: from the first packet of the tunnel) to the answer.
    pub latency: Histogram,
    /// Tunnels that broke, and why the last one did.
    pub failures: u64,
    /// Why the last tunnel broke.
    pub failure: Option<String>,
}

/// The tunnels of one run.
#[derive(Debug)]
pub struct Streams<'a> {
    entrance: &'a Entrance,
    listener: &'a TcpListener,
    role: Role,
    poll: Poll,
    tunnels: Vec<Slot>,
    connections: Vec<Option<Connection>>,
    free: Vec<usize>,
    work: VecDeque<Place>,
    opened: usize,
    counts: Counts,
    buffer: Vec<u8>,
}

#[derive(Debug)]
struct Slot {
    tunnel: Option<Tunnel>,
    is_running: bool,
    is_queued: bool,
    awaited: usize,
    since: Instant,
}

#[derive(Clone, Copy, Debug)]
enum Place {
    Connection(usize),
    Tunnel(usize),
}

impl<'a> Streams<'a> {
    /// No tunnel yet; they lead to `listener`.
    ///
    /// # Errors
    /// The kernel gives no more files.
    pub fn new(entrance: &'a Entrance, listener: &'a TcpListener, role: Role) -> io::Result<Self> {
        let poll = Poll::new()?;
        poll.add(listener, LISTENER)?;
        Ok(Self {
            entrance,
            listener,
            role,
            poll,
            tunnels: Vec::new(),
            connections: Vec::new(),
            free: Vec::new(),
            work: VecDeque::new(),
            opened: 0,
            counts: Counts::default(),
            buffer: vec![0; 256 * 1024],
        })
    }

    /// Opens tunnels until there are `count`, at most `OPENING` at a time, and waits until all of them run.
    ///
    /// # Errors
    /// They are not all open within `patience`, or one broke.
    pub fn open(&mut self, count: usize, patience: Duration) -> anyhow::Result<()> {
        let deadline = Instant::now() + patience;
        while self.opened < count {
            while self.tunnels.len() < count && self.tunnels.len() - self.opened < OPENING {
                self.add()?;
            }
            self.turn(Duration::from_millis(20))?;
            if let Some(failure) = &self.counts.failure {
                bail!("tunnel {} of {count}: {failure}", self.opened + 1);
            }
            if Instant::now() > deadline {
                bail!("only {} of {count} tunnels opened within {patience:?}", self.opened);
            }
        }
        Ok(())
    }

    /// Lets the tunnels do what they do for `span`.
    ///
    /// # Errors
    /// The kernel refuses, or a signal asks for the end.
    pub fn run(&mut self, span: Duration) -> anyhow::Result<()> {
        let end = Instant::now() + span;
        while let Some(left) = end.checked_duration_since(Instant::now()) {
            self.turn(left.min(Duration::from_millis(20)))?;
        }
        stop::check()
    }

    /// What has happened so far.
    pub fn counts(&mut self) -> Counts {
        if self.role == Role::Upload {
            self.counts.bytes = self.connections.iter().flatten().map(Connection::received).sum();
        }
        self.counts.clone()
    }

    /// What has happened since the last time this was asked.
    pub fn take_counts(&mut self) -> Counts {
        std::mem::take(&mut self.counts)
    }

    fn add(&mut self) -> anyhow::Result<()> {
        let index = self.tunnels.len();
        self.tunnels.push(Slot {
            tunnel: None,
            is_running: false,
            is_queued: false,
            awaited: 0,
            since: Instant::now(),
        });
        self.begin(index)
    }

    fn begin(&mut self, index: usize) -> anyhow::Result<()> {
        let target = self.listener.local_addr()?;
        let tunnel = Tunnel::open(self.entrance, target).context("a tunnel could not be begun")?;
        self.poll.add(&tunnel, TUNNELS + index as u64)?;
        let slot = &mut self.tunnels[index];
        slot.since = Instant::now();
        slot.is_running = false;
        slot.tunnel = Some(tunnel);
        Ok(())
    }

    fn turn(&mut self, timeout: Duration) -> anyhow::Result<()> {
        let timeout = if self.work.is_empty() { timeout } else { Duration::ZERO };
        let (work, tunnels) = (&mut self.work, &mut self.tunnels);
        let mut is_called = false;
        self.poll.wait(timeout, |ready| match ready.token {
            LISTENER => is_called = true,
            token if token < TUNNELS => work.push_back(Place::Connection((token - CONNECTIONS) as usize)),
            token => {
                let index = (token - TUNNELS) as usize;
                if !std::mem::replace(&mut tunnels[index].is_queued, true) {
                    work.push_back(Place::Tunnel(index));
                }
            }
        })?;
        if is_called {
            self.accept()?;
        }
        for _ in 0..self.work.len() {
            match self.work.pop_front() {
                Some(Place::Connection(index)) => self.serve(index),
                Some(Place::Tunnel(index)) => self.tend(index)?,
                None => break,
            }
        }
        Ok(())
    }

    fn accept(&mut self) -> anyhow::Result<()> {
        while let Some(connection) = target::accept(self.listener)? {
            let index = self.free.pop().unwrap_or(self.connections.len());
            self.poll.add(connection.socket(), CONNECTIONS + index as u64)?;
            if index == self.connections.len() {
                self.connections.push(None);
            }
            self.connections[index] = Some(connection);
        }
        Ok(())
    }

    fn serve(&mut self, index: usize) {
        let Some(connection) = &mut self.connections[index] else { return };
        match connection.serve(&mut self.buffer) {
            Served::End => {
                self.connections[index] = None;
                self.free.push(index);
            }
            Served::More => self.work.push_back(Place::Connection(index)),
            Served::Wait => {}
        }
    }

    fn tend(&mut self, index: usize) -> anyhow::Result<()> {
        self.tunnels[index].is_queued = false;
        match self.tend_tunnel(index) {
            Ok(true) => {
                self.tunnels[index].is_queued = true;
                self.work.push_back(Place::Tunnel(index));
                Ok(())
            }
            Ok(false) => self.reopen(index),
            Err(error) => {
                self.counts.failures += 1;
                self.counts.failure = Some(error.to_string());
                self.tunnels[index].tunnel = None;
                if self.role == Role::Reopen { self.begin(index) } else { Ok(()) }
            }
        }
    }

    /// Says whether the tunnel could go on at once.
    fn tend_tunnel(&mut self, index: usize) -> io::Result<bool> {
        let slot = &mut self.tunnels[index];
        let Some(tunnel) = &mut slot.tunnel else { return Ok(false) };
        tunnel.advance()?;
        let mut arrived = 0;
        let received = tunnel.receive(&mut self.buffer, BUDGET, |bytes| arrived += bytes.len())?;
        if received == Received::End {
            return Err(io::Error::other("the relay ended the tunnel"));
        }
        if !slot.is_running {
            // What TLS had to say in answer to what arrived.
            tunnel.advance()?;
        }
        if !slot.is_running && tunnel.is_open() {
            slot.is_running = true;
            if self.role != Role::Reopen {
                self.opened += usize::from(self.role != Role::Idle);
                slot.since = Instant::now();
            }
            let first = match self.role {
                Role::Ask(size) => vec![ECHO; size],
                Role::Download => vec![DOWNLOAD],
                Role::Idle | Role::Reopen => vec![ECHO],
                Role::Upload => vec![UPLOAD],
            };
            slot.awaited = first.len();
            tunnel.wire.send(&first)?;
        }
        let mut more = received == Received::More;
        if !slot.is_running {
            return Ok(more);
        }
        match self.role {
            Role::Download => self.counts.bytes += arrived as u64,
            Role::Upload => more |= upload(tunnel)?,
            Role::Ask(_) | Role::Idle | Role::Reopen if arrived > 0 => {
                slot.awaited = slot.awaited.saturating_sub(arrived);
                if slot.awaited == 0 {
                    self.counts.echoes += 1;
                    self.counts.latency.add(slot.since.elapsed());
                    match self.role {
                        Role::Ask(size) => {
                            slot.since = Instant::now();
                            slot.awaited = size;
                            tunnel.wire.send(&vec![ECHO; size])?;
                        }
                        Role::Idle => self.opened += 1,
                        _ => {}
                    }
                }
            }
            _ => {}
        }
        Ok(more)
    }

    /// Where every echo closes its tunnel, opens the next one.
    fn reopen(&mut self, index: usize) -> anyhow::Result<()> {
        let slot = &mut self.tunnels[index];
        if self.role != Role::Reopen || !slot.is_running || slot.awaited > 0 {
            return Ok(());
        }
        if let Some(tunnel) = slot.tunnel.take() {
            tunnel.wire.close();
        }
        self.begin(index)
    }

    /// Begins `count` tunnels that open anew again and again.
    ///
    /// # Errors
    /// One cannot be begun.
    pub fn begin_reopening(&mut self, count: usize) -> anyhow::Result<()> {
        (0..count).try_for_each(|_| self.add())
    }
}

/// Sends a few buffers; says whether more would fit.
fn upload(tunnel: &mut Tunnel) -> io::Result<bool> {
    for _ in 0..BUDGET {
        if !tunnel.wire.flush()? {
            return Ok(false);
        }
        tunnel.wire.send(&UPLOADED)?;
    }
    tunnel.wire.flush()
}

/// How often a tunnel may read, and write, before the others have their turn.
const BUDGET: usize = 4;

/// Tunnels that are being opened at once.
const OPENING: usize = 64;

/// What an upload consists of.
static UPLOADED: [u8; 64 * 1024] = [UPLOAD; 64 * 1024];

const LISTENER: u64 = 0;
const CONNECTIONS: u64 = 1;
const TUNNELS: u64 = 1 << 32;
