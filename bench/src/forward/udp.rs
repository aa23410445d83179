//! Datagrams, many in one call.

use std::collections::HashMap;
use std::net::{SocketAddr, UdpSocket};
use std::time::Duration;

use crate::lab::deepen;
use crate::load::poll::Poll;
use crate::sys::Batch;

/// One socket for all clients, and one for each flow to the target.
#[derive(Debug)]
pub(super) struct Forwarder {
    front: UdpSocket,
    target: SocketAddr,
    poll: Poll,
    flows: Vec<Option<(UdpSocket, SocketAddr)>>,
    by_client: HashMap<SocketAddr, usize>,
    received: Batch,
    sent: Batch,
}

impl Forwarder {
    pub(super) fn new(listen: SocketAddr, target: SocketAddr) -> anyhow::Result<Self> {
        let front = UdpSocket::bind(listen)?;
        deepen(&front);
        let poll = Poll::new()?;
        poll.add(&front, FRONT)?;
        Ok(Self {
            front,
            target,
            poll,
            flows: Vec::new(),
            by_client: HashMap::new(),
            received: Batch::new(),
            sent: Batch::new(),
        })
    }

    pub(super) fn run(mut self) -> anyhow::Result<()> {
        let mut ready = Vec::new();
        loop {
            self.poll.wait(Duration::from_secs(60), |event| {
                if event.readable {
                    ready.push(event.token);
                }
            })?;
            for token in ready.drain(..) {
                match token {
                    FRONT => self.up()?,
                    token => self.down(token as usize - 1),
                }
            }
            self.leave();
        }
    }

    fn up(&mut self) -> anyhow::Result<()> {
        while self.received.receive(&self.front).is_ok() {
            let mut last = None;
            for (payload, from) in self.received.iter() {
                let flow = match self.by_client.get(&from) {
                    Some(flow) => *flow,
                    None => {
                        let flow = self.flows.len();
                        self.flows.push(Some((open(&self.poll, self.target, flow)?, from)));
                        self.by_client.insert(from, flow);
                        flow
                    }
                };
                if let Some(last) = last.filter(|last| *last != flow || self.sent.is_full()) {
                    flush(&mut self.sent, &self.flows, last);
                }
                last = Some(flow);
                if payload.is_empty() {
                    // The flow is over.
                    self.by_client.remove(&from);
                    self.flows[flow] = None;
                } else {
                    self.sent.push(None, |bytes| fill(bytes, payload));
                }
            }
            if let Some(flow) = last {
                flush(&mut self.sent, &self.flows, flow);
            }
        }
        Ok(())
    }

    fn down(&mut self, flow: usize) {
        let Some((socket, client)) = &self.flows[flow] else { return };
        while self.received.receive(socket).is_ok() {
            for (payload, _) in self.received.iter() {
                if self.sent.is_full() {
                    self.sent.send(&self.front, true);
                }
                self.sent.push(Some(*client), |bytes| fill(bytes, payload));
            }
        }
    }

    fn leave(&mut self) {
        if !self.sent.is_empty() {
            self.sent.send(&self.front, true);
        }
    }
}

fn open(poll: &Poll, target: SocketAddr, flow: usize) -> anyhow::Result<UdpSocket> {
    let socket = UdpSocket::bind("127.0.0.1:0")?;
    socket.connect(target)?;
    poll.add(&socket, 1 + flow as u64)?;
    Ok(socket)
}

/// Sends what was gathered for `flow`.
fn flush(sent: &mut Batch, flows: &[Option<(UdpSocket, SocketAddr)>], flow: usize) {
    match &flows[flow] {
        Some((socket, _)) => {
            sent.send(socket, false);
        }
        None => sent.clear(),
    }
}

fn fill(bytes: &mut [u8], payload: &[u8]) -> usize {
    bytes[..payload.len()].copy_from_slice(payload);
    payload.len()
}

const FRONT: u64 = 0;
