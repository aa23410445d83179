//! What carriers over TCP have in common: a socket and the TLS on it.

use super::tls::{Session, exported};
use crate::net::{Requests, SocketId};

/// One TCP connection and the TLS on it.
#[derive(Debug)]
pub(crate) struct Transport {
    pub(crate) socket: SocketId,
    pub(crate) session: Box<dyn Session>,
}

impl Transport {
    /// `session` on the connection at `socket`.
    pub(crate) const fn new(socket: SocketId, session: Box<dyn Session>) -> Self {
        Self { socket, session }
    }

    /// Says that something waits to be written.
    pub(crate) fn announce<R: Copy, E>(&self, sockets: &mut Requests<R, E>) {
        sockets.pending(self.socket);
    }

    /// What to write now; `None` when there is nothing.
    pub(crate) fn pending<R: Copy, E>(&mut self, sockets: &mut Requests<R, E>) -> Option<&[u8]> {
        if self.session.pending_len() == 0 {
            sockets.settle(self.socket);
            return None;
        }
        Some(self.session.pending())
    }

    /// Bytes that wait to be written.
    pub(crate) fn pending_len(&self) -> usize {
        self.session.pending_len()
    }

    /// Stops or starts reading.
    pub(crate) fn pause<R: Copy, E>(&self, sockets: &mut Requests<R, E>, paused: bool) {
        sockets.pause(self.socket, paused);
    }

    /// Writes what waits, then ends our half of TCP.
    pub(crate) fn finish<R: Copy, E>(&self, sockets: &mut Requests<R, E>) {
        sockets.pending(self.socket);
        sockets.finish(self.socket);
    }

    /// Ends both halves at once.
    pub(crate) fn close<R: Copy, E>(&self, sockets: &mut Requests<R, E>, reset: bool) {
        sockets.close(self.socket, reset);
    }

    /// Key material that both sides derive alike ([RFC 9729 §3](https://www.rfc-editor.org/rfc/rfc9729#section-3)).
    pub(crate) fn export(&self, label: &[u8], context: &[u8]) -> Option<[u8; 48]> {
        exported(&*self.session, label, context)
    }
}
