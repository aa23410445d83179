//! The world behind the relay.

use wayleave_proto::base::Kind;
use wayleave_proto::net::SocketId;

use super::Play;
use super::clients::LARGEST_READ;
use crate::play::Asked;

/// The other end of a socket that the relay asked for.
#[derive(Debug)]
pub(super) struct Side {
    /// The client on whose behalf, where that can be told.
    pub(super) client: Option<usize>,
    pub(super) outgoing: Vec<u8>,
}

impl Play<'_> {
    /// Carries what the relay has to send to a target.
    pub(super) fn flush_target(&mut self, id: SocketId, most: usize) -> bool {
        let is_datagram =
            matches!(self.rig.sockets.get(&id).map(|socket| &socket.asked), Some(Asked::Udp(_)));
        let number = self.sides.get(&id).and_then(|side| side.client);
        self.causes.extend(number);
        let Some(bytes) = self.rig.written(id, most) else { return false };
        let Some(client) = number.and_then(|number| self.clients.get_mut(number)) else { return true };
        assert!(client.has_shown, "bytes of a client without a token");
        if is_datagram {
            client.expect_datagram(number.unwrap_or_default(), &bytes);
        } else if !client.is_garbled {
            client.arrived.expect(&bytes);
        }
        true
    }

    /// A target sends `size` bytes.
    pub(super) fn send_back(&mut self, id: SocketId, size: usize) {
        let Some(socket) = self.rig.sockets.get(&id).filter(|socket| socket.is_open && !socket.is_ended)
        else {
            return;
        };
        let is_read = socket.is_read();
        let Some(side) = self.sides.get_mut(&id) else { return };
        match &socket.asked {
            Asked::Udp(_) if is_read => {
                self.causes.extend(side.client);
                self.rig.received(id, &vec![PAYLOAD; size.min(65_507)]);
            }
            Asked::Tcp(_) => {
                let Some(client) = side.client.and_then(|number| self.clients.get_mut(number)) else {
                    return;
                };
                side.outgoing.extend(client.returned.lend(size));
                client.returned.advance(size);
            }
            _ => {}
        }
    }

    /// Carries what a target has to send, at most `most` bytes, as long as the relay wants to read.
    pub(super) fn deliver_back(&mut self, id: SocketId, most: usize) {
        let mut left = most;
        while left > 0 && self.rig.sockets.get(&id).is_some_and(|socket| socket.is_read()) {
            let Some(side) = self.sides.get_mut(&id) else { return };
            let now = left.min(LARGEST_READ).min(side.outgoing.len());
            let bytes: Vec<u8> = side.outgoing.drain(..now).collect();
            if bytes.is_empty() {
                return;
            }
            left -= bytes.len();
            self.causes.extend(side.client);
            self.rig.received(id, &bytes);
        }
    }

    /// What the client behind a socket of a target asked for.
    pub(super) fn kind_of(&self, id: SocketId) -> Option<Kind> {
        match self.rig.sockets.get(&id)?.asked {
            Asked::Tcp(_) => Some(Kind::Stream),
            Asked::Udp(_) => Some(Kind::Datagram),
            Asked::Accepted | Asked::Lookup(_) => None,
        }
    }
}

/// What every datagram of a target is made of.
pub(super) const PAYLOAD: u8 = 7;
