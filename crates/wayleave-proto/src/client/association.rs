//! Datagram flows that belong together: on the direct way they share one port, as the application's own socket would.
//!
//! A plain UDP socket has one port for all whom it speaks with, so a NAT gives it one mapping
//! ([RFC 4787 §4.1](https://www.rfc-editor.org/rfc/rfc4787#section-4.1), REQ-1), and whoever learns that port from one
//! server can be told to others: peer-to-peer connections live on it. An association keeps that on the direct way. Its flows
//! are still judged, tried, rescued and moved one by one; each holds on to the shared socket only while it is direct.

use core::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::collections::{BTreeMap, VecDeque};

use super::io::Role;
use super::{Client, FlowError, FlowId, Notice};
use crate::base::{Instant, Kind, Target, key};
use crate::error::IoFailed;
use crate::net::{Family, Packet, Packets, Remote, SocketId, Transmit};
use crate::queue::DatagramQueue;

key! {
    /// Datagram flows that share a port where they are direct, never given out twice in the life of a client.
    pub AssociationId, "a"
}

#[derive(Debug)]
pub(super) struct Association {
    /// Flows that belong to it, in any state.
    flows: usize,
    /// The embedder has given it back.
    released: bool,
    shared: [Option<Shared>; 2],
    /// What came from others than the targets of its flows, each behind its sender.
    strays: DatagramQueue,
}

/// A socket that speaks with everybody of one family.
#[derive(Debug)]
struct Shared {
    socket: SocketId,
    /// The adapter has opened it.
    opened: bool,
    /// The direct flows that use it, with the address of each.
    users: BTreeMap<FlowId, SocketAddr>,
    /// Those that have something to send, in the order of their turns.
    senders: VecDeque<FlowId>,
}

impl Client {
    /// Begins an association: datagram flows that are opened in it with [`Self::open_associated`] share one port, for each
    /// family of addresses, where they are direct. Through a relay each of them has its own
    /// ([RFC 9298](https://www.rfc-editor.org/rfc/rfc9298) knows nothing else).
    ///
    /// # Errors
    /// [`FlowError::TooManyFlows`] where there are as many as flows are allowed, [`FlowError::ClientClosed`] after
    /// [`Self::close`].
    pub fn associate(&mut self, now: Instant) -> Result<AssociationId, FlowError> {
        self.at(now);
        if !self.is_open() {
            return Err(FlowError::ClientClosed);
        }
        if self.associations.len() >= self.io.config.limits.flows {
            return Err(FlowError::TooManyFlows);
        }
        let strays = DatagramQueue::new(self.io.config.limits.datagrams);
        let association = Association { flows: 0, released: false, shared: [None, None], strays };
        Ok(self.associations.insert(association))
    }

    /// Opens a datagram flow to `target` in an association; else like [`Self::open`].
    ///
    /// # Errors
    /// As [`Self::open`]; [`FlowError::Closed`] where the association was given back.
    pub fn open_associated(
        &mut self,
        now: Instant,
        association: AssociationId,
        target: Target,
    ) -> Result<FlowId, FlowError> {
        let known = self.associations.get_mut(association).filter(|association| !association.released);
        known.ok_or(FlowError::Closed)?.flows += 1;
        let opened = self.open_in(now, Kind::Datagram, target, Some(association));
        if opened.is_err() {
            self.leave(association);
        }
        opened
    }

    /// Gives an association back; its flows live on until each is released.
    pub fn dissociate(&mut self, now: Instant, id: AssociationId) {
        self.at(now);
        if let Some(association) = self.associations.get_mut(id) {
            association.released = true;
        }
        self.tidy_association(id);
    }

    /// The oldest datagram that came to the shared port from somebody who is the target of none of the flows, as a plain UDP
    /// socket would deliver it, with its sender; say with [`Self::take_stray`] that it was taken.
    ///
    /// Nothing is filtered ([RFC 4787 §5](https://www.rfc-editor.org/rfc/rfc4787#section-5) calls that endpoint-independent):
    /// an application behind Wayleave hears exactly what it would hear without. Through a relay only targets are heard.
    ///
    /// # Errors
    /// [`FlowError::ClientClosed`] after [`Self::close`], [`FlowError::Closed`] where there is no such association.
    pub fn stray(&mut self, id: AssociationId) -> Result<Option<(SocketAddr, &[u8])>, FlowError> {
        let now = self.io.now;
        if self.is_closed() {
            return Err(FlowError::ClientClosed);
        }
        let association = self.associations.get_mut(id).ok_or(FlowError::Closed)?;
        let joined = association.strays.front(now).and_then(|joined| joined.split_first_chunk::<SENDER>());
        Ok(joined.map(|(from, payload)| (read_sender(*from), payload)))
    }

    /// The embedder took what [`Self::stray`] lent.
    pub fn take_stray(&mut self, id: AssociationId) {
        if let Some(association) = self.associations.get_mut(id) {
            association.strays.pop();
        }
    }
}

/// What the machine itself does for associations.
impl Client {
    /// A direct datagram flow has found an address that there is a way to, with `socket`: keeps that, or lets go of it where
    /// the flow shares one. Returns the socket to use.
    pub(super) fn share(&mut self, id: FlowId, socket: SocketId, address: SocketAddr) -> SocketId {
        let Some(flow) = self.flows.get(id) else { return socket };
        let waits = flow.queues.as_ref().is_some_and(|queues| !queues.outgoing.is_empty());
        let Some(key) = flow.association else { return socket };
        let Some(association) = self.associations.get_mut(key) else { return socket };
        self.io.requests.close(socket, false);
        let family = Family::of(address.ip());
        let shared = association.shared_mut(family).get_or_insert_with(|| {
            let socket = self.io.requests.bind(Role::Shared(key, family), Remote::Every(family), true);
            Shared { socket, opened: false, users: BTreeMap::new(), senders: VecDeque::new() }
        });
        shared.users.insert(id, plain(address));
        if waits {
            shared.senders.push_back(id);
        }
        shared.socket
    }

    /// A direct datagram flow lets go of its socket.
    pub(super) fn unshare(&mut self, id: FlowId, socket: SocketId) {
        let key = self.flows.get(id).and_then(|flow| flow.association);
        let Some(association) = key.and_then(|key| self.associations.get_mut(key)) else {
            return self.io.requests.close(socket, false);
        };
        for slot in &mut association.shared {
            let Some(shared) = slot.as_mut().filter(|shared| shared.socket == socket) else { continue };
            shared.users.remove(&id);
            shared.senders.retain(|sender| *sender != id);
            if shared.users.is_empty() {
                self.io.requests.close(socket, false);
                *slot = None;
            }
        }
    }

    /// A flow of an association is gone.
    pub(super) fn leave(&mut self, key: AssociationId) {
        if let Some(association) = self.associations.get_mut(key) {
            association.flows = association.flows.saturating_sub(1);
        }
        self.tidy_association(key);
    }

    /// A direct flow has something to send where it had nothing.
    pub(super) fn wants_turn(&mut self, id: FlowId, socket: SocketId) {
        let key = self.flows.get(id).and_then(|flow| flow.association);
        if let Some(shared) = key.and_then(|key| self.associations.get_mut(key)?.by_socket(socket)) {
            shared.senders.push_back(id);
        }
    }

    pub(super) fn on_shared_opened(&mut self, key: AssociationId, family: Family) {
        if let Some(shared) = self.shared(key, family) {
            shared.opened = true;
        }
    }

    /// The shared socket could not be opened: the flows look for their way anew. An open one stays; what a target refused,
    /// its application notices by the silence.
    pub(super) fn on_shared_failed(
        &mut self,
        key: AssociationId,
        family: Family,
        socket: SocketId,
        error: &IoFailed,
    ) {
        let Some(association) = self.associations.get_mut(key) else {
            return self.io.requests.forget(socket);
        };
        let slot = association.shared_mut(family);
        let Some(shared) = slot.take_if(|shared| !shared.opened) else { return };
        self.io.requests.forget(socket);
        for id in shared.users.into_keys() {
            self.on_direct_exhausted(id, Some(error.clone().into()));
        }
    }

    pub(super) fn on_shared_packets(&mut self, key: AssociationId, family: Family, packets: Packets<'_>) {
        for packet in packets {
            self.on_shared_packet(key, family, &packet);
        }
    }

    fn on_shared_packet(&mut self, key: AssociationId, family: Family, packet: &Packet<'_>) {
        let (now, from) = (self.io.now, plain(packet.from));
        let Some(shared) = self.shared(key, family) else { return };
        let asked = shared.users.iter().find(|(_, address)| **address == from).map(|(id, _)| *id);
        if let Some(id) = asked {
            self.take_in(id, packet.payload);
            self.io.nudge(id);
            return self.on_flow_answered(id);
        }
        // Another port of a target answers for it: what was sent got there.
        let of_host = shared.users.iter().filter(|(_, address)| address.ip() == from.ip());
        let answered: Vec<FlowId> = of_host.map(|(id, _)| *id).collect();
        answered.into_iter().for_each(|id| self.on_flow_answered(id));
        let Some(association) = self.associations.get_mut(key).filter(|association| !association.released)
        else {
            return;
        };
        association.strays.push_joined(now, [&write_sender(from), packet.payload]);
        self.io.requests.event(Notice::Association(key));
    }

    pub(super) fn transmit_of_shared(
        &mut self,
        key: AssociationId,
        family: Family,
        socket: SocketId,
    ) -> Option<Transmit<'_>> {
        let now = self.io.now;
        let shared =
            self.associations.get_mut(key).and_then(|association| association.shared_mut(family).as_mut());
        let sender = shared.and_then(|shared| {
            while let Some(id) = shared.senders.front() {
                let queues = self.flows.get_mut(*id).and_then(|flow| flow.queues.as_mut());
                if queues.is_some_and(|queues| queues.outgoing.front(now).is_some()) {
                    return Some((*id, *shared.users.get(id)?));
                }
                // What it had has become too old.
                shared.senders.pop_front();
            }
            None
        });
        let Some((id, destination)) = sender else {
            self.io.requests.settle(socket);
            return None;
        };
        let queues = self.flows.get_mut(id)?.queues.as_mut()?;
        Some(Transmit::of(&mut queues.outgoing, now)?.to(destination))
    }

    /// Datagrams of one flow are gone: the next has its turn.
    pub(super) fn on_shared_sent(&mut self, key: AssociationId, family: Family, count: usize) {
        let Some(association) = self.associations.get_mut(key) else { return };
        let Some(shared) = association.shared_mut(family) else { return };
        let Some(id) = shared.senders.pop_front() else { return };
        let Some(queues) = self.flows.get_mut(id).and_then(|flow| flow.queues.as_mut()) else { return };
        (0..count).for_each(|_| queues.outgoing.pop());
        if !queues.outgoing.is_empty() {
            shared.senders.push_back(id);
        }
        self.on_datagrams_sent(id);
    }

    fn shared(&mut self, key: AssociationId, family: Family) -> Option<&mut Shared> {
        self.associations.get_mut(key)?.shared_mut(family).as_mut()
    }

    fn tidy_association(&mut self, key: AssociationId) {
        let is_over = |association: &Association| association.released && association.flows == 0;
        if self.associations.get(key).is_some_and(is_over) {
            self.associations.remove(key);
        }
    }
}

impl Association {
    const fn shared_mut(&mut self, family: Family) -> &mut Option<Shared> {
        let [v4, v6] = &mut self.shared;
        match family {
            Family::V4 => v4,
            Family::V6 => v6,
        }
    }

    fn by_socket(&mut self, socket: SocketId) -> Option<&mut Shared> {
        self.shared.iter_mut().flatten().find(|shared| shared.socket == socket)
    }
}

/// The address and the port alone; a scope is the platform's business.
const fn plain(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip(), address.port())
}

fn write_sender(from: SocketAddr) -> [u8; SENDER] {
    let address = match from.ip() {
        IpAddr::V4(address) => address.to_ipv6_mapped(),
        IpAddr::V6(address) => address,
    };
    let mut bytes = [0; SENDER];
    let (host, port) = bytes.split_at_mut(16);
    host.copy_from_slice(&address.octets());
    port.copy_from_slice(&from.port().to_be_bytes());
    bytes
}

fn read_sender([host @ .., high, low]: [u8; SENDER]) -> SocketAddr {
    SocketAddr::new(Ipv6Addr::from(host).to_canonical(), u16::from_be_bytes([high, low]))
}

/// Bytes of a sender before what it sent.
const SENDER: usize = 18;
