//! The way of a stream that is open: a connection to its target, or a tunnel through a relay.

use super::clear::Clear;
use super::flow::State;
use super::io::Io;
use super::{Client, FlowId};
use crate::base::Kind;
use crate::carrier::uplink::{TunnelKey, Uplink};
use crate::net::SocketId;

/// Either way, to write to, to read from and to end.
pub(super) enum Path<'a> {
    Direct { socket: SocketId, clear: &'a mut Clear },
    Tunnel { uplink: &'a mut Uplink, key: TunnelKey },
}

impl<'a> Path<'a> {
    pub(super) const fn is_direct(&self) -> bool {
        matches!(self, Self::Direct { .. })
    }

    /// Takes pieces, joined, for the target. The caller keeps [`waiting`](Self::waiting) under its mark.
    pub(super) fn write(&mut self, io: &mut Io, pieces: &[&[u8]]) {
        match self {
            Self::Direct { socket, clear } => {
                clear.send(pieces);
                io.requests.pending(*socket);
            }
            Self::Tunnel { uplink, key } => uplink.write(&mut io.wire(), *key, pieces),
        }
    }

    /// Bytes that were written and have not left.
    pub(super) fn waiting(&self) -> usize {
        match self {
            Self::Direct { clear, .. } => clear.pending().len(),
            Self::Tunnel { uplink, key } => uplink.waiting(*key),
        }
    }

    /// Ends our half, behind everything that was written.
    pub(super) fn finish(&mut self, io: &mut Io) {
        match self {
            Self::Direct { socket, .. } => {
                io.requests.pending(*socket);
                io.requests.finish(*socket);
            }
            Self::Tunnel { uplink, key } => uplink.finish(&mut io.wire(), *key),
        }
    }

    /// Says, behind everything that was written, that there is no regular end, where that can be said.
    pub(super) fn abort(&mut self, io: &mut Io) {
        match self {
            Self::Direct { .. } => {}
            Self::Tunnel { uplink, key } => uplink.abort(&mut io.wire(), *key),
        }
    }

    /// Bytes that came and wait, or some of them.
    pub(super) fn read(self) -> &'a [u8] {
        match self {
            Self::Direct { clear, .. } => clear.received(),
            Self::Tunnel { uplink, key } => uplink.read(key),
        }
    }

    /// Bytes that came and wait.
    pub(super) fn readable(&self) -> usize {
        match self {
            Self::Direct { clear, .. } => clear.received().len(),
            Self::Tunnel { uplink, key } => uplink.readable(*key),
        }
    }

    /// Takes bytes that came away.
    pub(super) fn consume(&mut self, io: &mut Io, amount: usize) {
        match self {
            Self::Direct { clear, .. } => clear.consume(amount),
            Self::Tunnel { uplink, key } => uplink.consume(&mut io.wire(), *key, amount),
        }
    }

    /// Reads what nobody wants any more, so that the other side can end.
    pub(super) fn discard(&mut self, io: &mut Io) {
        let amount = self.readable();
        self.consume(io, amount);
    }

    /// Whether the other side has ended its half, and all of it was taken.
    pub(super) fn is_finished(&mut self) -> bool {
        match self {
            Self::Direct { clear, .. } => clear.is_finished(),
            Self::Tunnel { uplink, key } => uplink.is_finished(*key),
        }
    }

    /// Whether nothing can be written any more.
    pub(super) fn is_broken(&self, io: &mut Io) -> bool {
        match self {
            Self::Direct { socket, .. } => io.requests.is_broken(*socket),
            Self::Tunnel { uplink, key } => uplink.is_broken(&io.wire(), *key),
        }
    }

    /// Whether nothing more will come.
    pub(super) fn is_gone(&self, io: &Io) -> bool {
        match self {
            Self::Direct { socket, .. } => io.requests.role(*socket).is_none(),
            Self::Tunnel { uplink, key } => uplink.is_gone(*key),
        }
    }

    /// Stops or starts taking bytes from the other side.
    pub(super) fn pause(&mut self, io: &mut Io, paused: bool) {
        match self {
            Self::Direct { socket, .. } => io.requests.pause(*socket, paused),
            Self::Tunnel { uplink, key } => uplink.pause(&mut io.wire(), *key, paused),
        }
    }

    /// Lets it end: both halves have, and all that came was taken.
    pub(super) fn close(&mut self, io: &mut Io) {
        match self {
            Self::Direct { socket, .. } => io.requests.close(*socket, false),
            Self::Tunnel { uplink, key } => uplink.settle(&mut io.wire(), *key),
        }
    }
}

impl Client {
    /// The way of a stream that is open.
    pub(super) fn stream(&mut self, id: FlowId) -> Option<(Path<'_>, &mut Io)> {
        let flow = self.flows.get_mut(id)?;
        match &mut flow.state {
            State::DirectStream { socket, clear, .. } => {
                Some((Path::Direct { socket: *socket, clear }, &mut self.io))
            }
            State::Tunnel { tunnel, .. } if flow.kind == Kind::Stream => {
                let (uplink, key) = self.pool.uplink(*tunnel)?;
                Some((Path::Tunnel { uplink, key }, &mut self.io))
            }
            _ => None,
        }
    }
}
