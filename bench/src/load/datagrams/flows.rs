//! The flows of one run.

use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};

use super::link::Link;
use super::pace::{Pace, Schedule};
use crate::load::door::Entrance;
use crate::load::histogram::Histogram;
use crate::load::poll::Poll;
use crate::stop;
use crate::sys::Batch;

/// Which way datagrams go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// Both, each at the pace that is asked for.
    Both,
    /// From the target to the client.
    Down,
    /// From the client to the target.
    Up,
}

/// What has happened so far.
#[derive(Clone, Debug, Default)]
pub struct Counts {
    /// Datagrams that were due.
    pub sent: u64,
    /// Datagrams that arrived.
    pub arrived: u64,
    /// From the sending of each to its arrival.
    pub latency: Histogram,
}

/// Flows through one relay.
#[derive(Debug)]
pub struct Flows<'a> {
    far: &'a UdpSocket,
    size: usize,
    poll: Poll,
    links: Vec<Link>,
    addresses: Vec<Option<SocketAddr>>,
    heard: Vec<bool>,
    ready: Vec<usize>,
    start: Instant,
    next_up: usize,
    next_down: usize,
    touched: Vec<usize>,
    counts: Counts,
    batch: Batch,
    buffer: Vec<u8>,
    scratch: Vec<u8>,
}

impl<'a> Flows<'a> {
    /// Opens `count` flows of datagrams of `size` bytes to `far`, and has one go each way in each.
    ///
    /// # Errors
    /// They are not all open within `patience`.
    pub fn open(
        entrance: &Entrance,
        far: &'a UdpSocket,
        count: usize,
        size: usize,
        patience: Duration,
    ) -> anyhow::Result<Self> {
        let poll = Poll::new()?;
        poll.add(far, FAR)?;
        let mut flows = Self {
            far,
            size,
            poll,
            links: Vec::with_capacity(count),
            addresses: vec![None; count],
            heard: vec![false; count],
            ready: Vec::new(),
            start: Instant::now(),
            next_up: 0,
            next_down: 0,
            touched: Vec::new(),
            counts: Counts::default(),
            batch: Batch::new(),
            buffer: vec![0; 64 * 1024],
            scratch: Vec::new(),
        };
        // What is left from an earlier run.
        while flows.batch.receive(far).is_ok() {}
        let target = far.local_addr()?;
        let deadline = Instant::now() + patience;
        while flows.links.len() < count {
            for _ in 0..OPENING.min(count - flows.links.len()) {
                let index = flows.links.len();
                let link = Link::open(entrance, target, size)
                    .with_context(|| format!("flow {} of {count}", index + 1))?;
                flows.poll.add(&link, FLOWS + index as u64)?;
                flows.links.push(link);
            }
            flows.greet(deadline)?;
        }
        flows.counts = Counts::default();
        Ok(flows)
    }

    /// Sends a first datagram in every open flow until one has come back.
    fn greet(&mut self, deadline: Instant) -> anyhow::Result<()> {
        let mut again = Instant::now();
        let mut greeted = vec![false; self.links.len()];
        while let Some(first) = self.heard.iter().take(self.links.len()).position(|heard| !heard) {
            if Instant::now() > deadline {
                bail!("flow {} does not answer", first + 1);
            }
            if Instant::now() >= again {
                greeted.fill(false);
                again = Instant::now() + Duration::from_millis(250);
            }
            for (index, greeted) in greeted.iter_mut().enumerate().skip(first) {
                if !self.heard[index] && !*greeted && self.links[index].advance()? {
                    *greeted = true;
                    self.send_up(index)?;
                    self.links[index].flush()?;
                }
            }
            self.turn(Duration::from_millis(2))?;
            for index in first..self.links.len() {
                if !self.heard[index] && self.addresses[index].is_some() {
                    self.send_down(index);
                }
            }
            self.leave();
            stop::check()?;
        }
        Ok(())
    }

    /// How many flows there are.
    pub fn len(&self) -> usize {
        self.links.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.links.is_empty()
    }

    /// Offers datagrams at `pace` for `span`.
    ///
    /// # Errors
    /// The relay is gone, or a signal asks for the end.
    pub fn run(&mut self, way: Way, pace: Pace, span: Duration) -> anyhow::Result<()> {
        let start = Instant::now();
        let end = start + span;
        let mut schedule = Schedule::new(pace, self.links.len(), start);
        loop {
            let now = Instant::now();
            if now >= end {
                break;
            }
            let due = schedule.due(now);
            if due > 0 {
                self.offer(way, due, pace == Pace::Flood)?;
            }
            let next = schedule.next().min(end);
            self.turn(next.saturating_duration_since(Instant::now()))?;
        }
        stop::check()
    }

    /// Receives for `span` and sends nothing.
    ///
    /// # Errors
    /// The relay is gone.
    pub fn drain(&mut self, span: Duration) -> anyhow::Result<()> {
        let end = Instant::now() + span;
        while let Some(left) = end.checked_duration_since(Instant::now()) {
            self.turn(left)?;
        }
        Ok(())
    }

    /// What has happened so far.
    pub fn counts(&self) -> &Counts {
        &self.counts
    }

    /// Begins to count anew.
    pub fn forget(&mut self) {
        self.counts = Counts::default();
    }

    fn offer(&mut self, way: Way, count: u32, is_flood: bool) -> anyhow::Result<()> {
        for _ in 0..count {
            if way != Way::Down {
                let index = self.next_up;
                self.next_up = (index + 1) % self.links.len();
                let taken = self.send_up(index)?;
                self.counts.sent += u64::from(taken || !is_flood);
                if !self.touched.contains(&index) {
                    self.touched.push(index);
                }
            }
            if way != Way::Up {
                let index = self.next_down;
                self.next_down = (index + 1) % self.links.len();
                self.send_down(index);
                self.counts.sent += 1;
            }
        }
        while let Some(index) = self.touched.pop() {
            self.links[index].flush()?;
        }
        self.leave();
        Ok(())
    }

    fn send_up(&mut self, index: usize) -> io::Result<bool> {
        let mut payload = [b'x'; 1500];
        let payload = &mut payload[..self.size];
        stamp(payload, index, self.start.elapsed());
        self.links[index].send(payload, &mut self.scratch)
    }

    fn send_down(&mut self, index: usize) {
        if self.batch.is_full() {
            self.leave();
        }
        let (size, elapsed) = (self.size, self.start.elapsed());
        self.batch.push(self.addresses[index], |payload| {
            payload[..size].fill(b'x');
            stamp(payload, index, elapsed);
            size
        });
    }

    /// Sends what [`Self::send_down`] gathered.
    fn leave(&mut self) {
        if !self.batch.is_empty() {
            self.batch.send(self.far, true);
        }
    }

    fn turn(&mut self, timeout: Duration) -> anyhow::Result<()> {
        let ready = &mut self.ready;
        let mut is_far = false;
        self.poll.wait(timeout, |event| match event.token {
            FAR => is_far = true,
            token => ready.push((token - FLOWS) as usize),
        })?;
        if is_far {
            self.receive_far();
        }
        let (start, counts, heard) = (self.start, &mut self.counts, &mut self.heard);
        for index in self.ready.drain(..) {
            let link = &mut self.links[index];
            link.advance()?;
            link.receive(&mut self.buffer, |payload| {
                count(counts, start, payload);
                heard[index] = true;
            })?;
            link.advance()?;
        }
        Ok(())
    }

    fn receive_far(&mut self) {
        while self.batch.receive(self.far).is_ok() {
            for (payload, from) in self.batch.iter() {
                if let Some(flow) = count(&mut self.counts, self.start, payload)
                    && let Some(address) = self.addresses.get_mut(flow)
                {
                    *address = Some(from);
                }
            }
        }
        self.batch.clear();
    }
}

fn stamp(payload: &mut [u8], flow: usize, elapsed: Duration) {
    payload[..4].copy_from_slice(&(flow as u32).to_be_bytes());
    payload[4..12].copy_from_slice(&(elapsed.as_nanos() as u64).to_be_bytes());
}

/// Counts a payload and says which flow it is of.
fn count(counts: &mut Counts, start: Instant, payload: &[u8]) -> Option<usize> {
    let (flow, rest) = payload.split_first_chunk::<4>()?;
    let sent = Duration::from_nanos(u64::from_be_bytes(*rest.first_chunk::<8>()?));
    counts.arrived += 1;
    counts.latency.add(start.elapsed().saturating_sub(sent));
    Some(u32::from_be_bytes(*flow) as usize)
}

/// Flows that are being opened at once.
const OPENING: usize = 50;

const FAR: u64 = 0;
const FLOWS: u64 = 1;
