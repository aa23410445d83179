//! The network code of a host: TCP and UDP over packets, sans I/O like everything else here.
//!
//! TCP is modelled as far as it matters to whoever uses it: the handshake with lost and unanswered SYNs, sequence and
//! retransmission, a window that fills when the other side does not read, half-close, reset. Its congestion control is a
//! sketch.

mod tcp;
#[cfg(test)]
mod tests;

use core::net::{IpAddr, SocketAddr};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

use wayleave_proto::base::Instant;
use wayleave_proto::config::Liveness;
use wayleave_proto::error::IoFailure;

use crate::network::{Body, Flags, Packet, Segment};
use tcp::{Tcp, Told};

/// A socket of a host; never used again after its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Handle(u64);

impl Handle {
    /// Its number, counted from the start of the host.
    pub const fn number(self) -> u64 {
        self.0
    }
}

/// What happened to a socket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Happened {
    /// A listener has a new connection.
    Accepted(Handle),
    /// A connection stands.
    Connected(Handle),
    /// A datagram came.
    Datagram(Handle, SocketAddr, Vec<u8>),
    /// A connection is over, or a datagram was refused.
    Failed(Handle, IoFailure),
    /// There is something to read, or the other side ended its half.
    Readable(Handle),
    /// There is room to write again.
    Writable(Handle),
}

/// The sockets of a host.
#[derive(Debug)]
pub struct Stack {
    /// The address of new sockets.
    pub address: IpAddr,
    connections: BTreeMap<Handle, Tcp>,
    pairs: BTreeMap<(SocketAddr, SocketAddr), Handle>,
    listeners: BTreeSet<u16>,
    /// Sockets that the process may have.
    room: usize,
    /// Connections that nobody could accept yet, because the process has no room.
    backlog: VecDeque<Handle>,
    datagrams: BTreeMap<Handle, Datagrams>,
    bound: BTreeMap<SocketAddr, Handle>,
    next_port: u16,
    next_handle: u64,
    packets: VecDeque<Packet>,
    happened: VecDeque<Happened>,
}

#[derive(Clone, Copy, Debug)]
struct Datagrams {
    local: SocketAddr,
    remote: Option<SocketAddr>,
}

impl Stack {
    /// A host without sockets.
    pub const fn new(address: IpAddr) -> Self {
        Self {
            address,
            connections: BTreeMap::new(),
            pairs: BTreeMap::new(),
            listeners: BTreeSet::new(),
            room: usize::MAX,
            backlog: VecDeque::new(),
            datagrams: BTreeMap::new(),
            bound: BTreeMap::new(),
            next_port: 32_768,
            next_handle: 0,
            packets: VecDeque::new(),
            happened: VecDeque::new(),
        }
    }

    /// How many sockets there are, those included that only deliver what was written before they were closed.
    pub fn len(&self) -> usize {
        self.connections.len() + self.datagrams.len()
    }

    /// Lets the process have no more than `room` sockets.
    pub const fn limit(&mut self, room: usize) {
        self.room = room;
    }

    /// Whether the process can have no further socket.
    fn is_full(&self) -> bool {
        if self.room == usize::MAX {
            return false;
        }
        let owned = self.connections.values().filter(|tcp| tcp.is_owned()).count();
        owned + self.datagrams.len() >= self.room
    }

    /// Whether there is no socket.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Takes connections at `port`, or no longer.
    pub fn listen(&mut self, port: u16, open: bool) {
        if open {
            self.listeners.insert(port);
        } else {
            self.listeners.remove(&port);
        }
    }

    /// Opens a connection; `None` where there is no room.
    pub fn connect(&mut self, now: Instant, remote: SocketAddr) -> Option<Handle> {
        if self.is_full() {
            return None;
        }
        let local = SocketAddr::new(self.address, self.port());
        let handle = self.handle();
        self.connections.insert(handle, Tcp::connect(now, local, remote));
        self.pairs.insert((local, remote), handle);
        self.flush(now, handle);
        Some(handle)
    }

    /// Opens a socket for datagrams, at `port` or any, to and from `remote` or anybody; `None` where there is no room.
    pub fn bind(&mut self, port: Option<u16>, remote: Option<SocketAddr>) -> Option<Handle> {
        if self.is_full() {
            return None;
        }
        let port = port.unwrap_or_else(|| self.port());
        let local = SocketAddr::new(self.address, port);
        let handle = self.handle();
        self.datagrams.insert(handle, Datagrams { local, remote });
        self.bound.insert(local, handle);
        Some(handle)
    }

    /// The own and the other address of a connection.
    pub fn addresses(&self, handle: Handle) -> Option<(SocketAddr, SocketAddr)> {
        self.connections.get(&handle).map(|tcp| (tcp.local, tcp.remote))
    }

    /// The own address of a socket.
    pub fn local(&self, handle: Handle) -> Option<SocketAddr> {
        let of_datagrams = || self.datagrams.get(&handle).map(|socket| socket.local);
        self.addresses(handle).map(|(local, _)| local).or_else(of_datagrams)
    }

    /// Writes to a connection what fits; returns how much that is.
    pub fn write(&mut self, now: Instant, handle: Handle, bytes: &[u8]) -> usize {
        let Some(tcp) = self.connections.get_mut(&handle) else { return 0 };
        let taken = tcp.write(bytes);
        self.flush(now, handle);
        taken
    }

    /// Reads up to `most` bytes.
    pub fn read(&mut self, now: Instant, handle: Handle, most: usize) -> Vec<u8> {
        let Some(tcp) = self.connections.get_mut(&handle) else { return Vec::new() };
        let bytes = tcp.read(most);
        // Who looks and finds nothing winds up no timer.
        if !bytes.is_empty() {
            self.flush(now, handle);
        }
        bytes
    }

    /// Whether the other side ended its half and everything before that was read.
    pub fn is_finished(&self, handle: Handle) -> bool {
        self.connections.get(&handle).is_some_and(Tcp::is_finished)
    }

    /// Ends the own half of a connection, behind everything that was written.
    pub fn finish(&mut self, now: Instant, handle: Handle) {
        if let Some(tcp) = self.connections.get_mut(&handle) {
            tcp.finish();
            self.flush(now, handle);
        }
    }

    /// Watches over a connection.
    pub fn watch(&mut self, now: Instant, handle: Handle, liveness: Liveness) {
        if let Some(tcp) = self.connections.get_mut(&handle) {
            tcp.watch(liveness);
            self.flush(now, handle);
        }
    }

    /// Gives a socket back. What was written is still delivered, unless the connection is broken off with `reset`.
    pub fn close(&mut self, now: Instant, handle: Handle, reset: bool) {
        if let Some(socket) = self.datagrams.remove(&handle) {
            self.bound.remove(&socket.local);
        }
        if let Some(tcp) = self.connections.get_mut(&handle) {
            tcp.close(reset);
            self.flush(now, handle);
        }
    }

    /// Sends a datagram: to `to`, or to whom the socket is connected to.
    pub fn send(&mut self, handle: Handle, to: Option<SocketAddr>, bytes: Vec<u8>) {
        let Some(socket) = self.datagrams.get(&handle) else { return };
        if let Some(destination) = socket.remote.or(to) {
            self.packets.push_back(Packet { source: socket.local, destination, body: Body::Udp(bytes) });
        }
    }

    /// Takes a packet from the network.
    pub fn handle_packet(&mut self, now: Instant, packet: Packet) {
        let Packet { source, destination, body } = packet;
        match body {
            Body::Tcp(segment) => self.on_segment(now, source, destination, segment),
            Body::Udp(bytes) => self.on_datagram(source, destination, bytes),
            Body::Unreachable => {
                let Some(handle) = self.bound.get(&destination) else { return };
                if self.datagrams.get(handle).is_some_and(|socket| socket.remote == Some(source)) {
                    self.happened.push_back(Happened::Failed(*handle, IoFailure::ConnectionRefused));
                }
            }
        }
    }

    /// When to call [`Self::handle_timeout`].
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.connections.values().filter_map(|tcp| tcp.due).min()
    }

    /// Lets time pass.
    pub fn handle_timeout(&mut self, now: Instant) {
        let due = |(_, tcp): &(&Handle, &Tcp)| tcp.due.is_some_and(|due| due <= now);
        let handles: Vec<Handle> = self.connections.iter().filter(due).map(|(handle, _)| *handle).collect();
        for handle in handles {
            if let Some(tcp) = self.connections.get_mut(&handle) {
                tcp.on_timeout(now);
                self.flush(now, handle);
            }
        }
    }

    /// The next packet to send.
    pub fn poll_packet(&mut self) -> Option<Packet> {
        self.packets.pop_front()
    }

    /// What happened next; whoever comes is accepted.
    pub fn poll_happened(&mut self) -> Option<Happened> {
        if let Some(happened) = self.poll_news() {
            return Some(happened);
        }
        let waiting = self.waiting().next()?;
        let handle = self.accept(waiting)?;
        // Bytes may have come before.
        self.happened.push_back(Happened::Readable(handle));
        Some(Happened::Accepted(handle))
    }

    /// What happened next to sockets that there are.
    pub fn poll_news(&mut self) -> Option<Happened> {
        self.happened.pop_front()
    }

    /// The connections that wait to be accepted, in the order of their coming.
    pub fn waiting(&self) -> impl Iterator<Item = Handle> {
        self.backlog.iter().copied()
    }

    /// Accepts a connection that waits; `None` where there is no room for it.
    pub fn accept(&mut self, waiting: Handle) -> Option<Handle> {
        if self.is_full() {
            return None;
        }
        self.backlog.retain(|other| *other != waiting);
        if let Some(tcp) = self.connections.get_mut(&waiting) {
            tcp.accepted();
        }
        Some(waiting)
    }

    /// Closes a connection that waits.
    pub fn refuse(&mut self, now: Instant, waiting: Handle) {
        self.backlog.retain(|other| *other != waiting);
        self.close(now, waiting, true);
    }

    /// Forgets everything without a word, as a crash does. Who still sends gets a reset.
    pub fn crash(&mut self) {
        self.connections.clear();
        self.pairs.clear();
        self.datagrams.clear();
        self.bound.clear();
        self.backlog.clear();
        self.packets.clear();
        self.happened.clear();
    }

    fn on_segment(&mut self, now: Instant, source: SocketAddr, destination: SocketAddr, segment: Segment) {
        if let Some(handle) = self.pairs.get(&(destination, source)).copied() {
            if let Some(tcp) = self.connections.get_mut(&handle) {
                tcp.on_segment(now, segment);
            }
            self.flush(now, handle);
            return;
        }
        let flags = segment.flags;
        if flags.syn && !flags.ack && self.listeners.contains(&destination.port()) {
            let handle = self.handle();
            self.connections.insert(handle, Tcp::accept(now, destination, source, segment.window));
            self.pairs.insert((destination, source), handle);
            self.flush(now, handle);
        } else if !flags.rst {
            let answer = Segment {
                flags: Flags { rst: true, ack: true, ..Flags::default() },
                position: segment.expected,
                expected: segment.position,
                window: 0,
                bytes: Vec::new(),
            };
            self.packets.push_back(Packet {
                source: destination,
                destination: source,
                body: Body::Tcp(answer),
            });
        }
    }

    fn on_datagram(&mut self, source: SocketAddr, destination: SocketAddr, bytes: Vec<u8>) {
        let handle = self.bound.get(&destination).copied();
        let fits = |socket: &Datagrams| socket.remote.is_none_or(|remote| remote == source);
        match handle.filter(|handle| self.datagrams.get(handle).is_some_and(fits)) {
            Some(handle) => self.happened.push_back(Happened::Datagram(handle, source, bytes)),
            None => {
                let packet = Packet { source: destination, destination: source, body: Body::Unreachable };
                self.packets.push_back(packet);
            }
        }
    }

    /// Sends what a connection has to send, and says what it has to say.
    fn flush(&mut self, now: Instant, handle: Handle) {
        let Some(tcp) = self.connections.get_mut(&handle) else { return };
        tcp.poll_segments(now, &mut self.packets);
        let (is_owned, is_orphan) = (tcp.is_owned(), tcp.is_orphan());
        for told in tcp.told.drain(..) {
            let happened = match told {
                Told::Accepted => Happened::Accepted(handle),
                Told::Connected => Happened::Connected(handle),
                Told::Failed(failure) => Happened::Failed(handle, failure),
                Told::Readable => Happened::Readable(handle),
                Told::Writable => Happened::Writable(handle),
            };
            match happened {
                Happened::Accepted(handle) if !is_orphan => self.backlog.push_back(handle),
                // What nobody has accepted, nobody hears of.
                _ if !is_owned => {}
                _ => self.happened.push_back(happened),
            }
        }
        if tcp.is_over() {
            let pair = (tcp.local, tcp.remote);
            if self.pairs.get(&pair) == Some(&handle) {
                self.pairs.remove(&pair);
            }
            self.backlog.retain(|waiting| *waiting != handle);
            // Its owner may still read what came before, and has the descriptor until he gives it back.
            if !is_owned {
                self.connections.remove(&handle);
            }
        }
    }

    fn handle(&mut self) -> Handle {
        self.next_handle += 1;
        Handle(self.next_handle)
    }

    fn port(&mut self) -> u16 {
        self.next_port = self.next_port.checked_add(1).unwrap_or(32_768);
        self.next_port
    }
}
