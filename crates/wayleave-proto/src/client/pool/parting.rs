//! The last word to a proxy that broke a rule of TLS: the alert goes out before its connection ends
//! ([RFC 8446 §6.2](https://www.rfc-editor.org/rfc/rfc8446#section-6.2)).

use core::time::Duration;

use super::Pool;
use crate::base::key;
use crate::carrier::tls::Session;
use crate::client::io::{Io, Role, Timer};
use crate::net::SocketId;
use crate::queue::ByteQueue;

key! {
    /// A connection that ends as soon as its alert is written.
    pub(in crate::client) PartingId, "e"
}

/// What is left of a connection that nobody else knows any more.
#[derive(Debug)]
pub(super) struct Parting {
    socket: SocketId,
    alert: ByteQueue,
    /// Bytes that came meanwhile, and were thrown away: unread they would turn the end into a reset, which can overtake the
    /// alert.
    ignored: usize,
}

/// What an encrypted connection that broke has still to say.
pub(in crate::client) fn last_word(session: &mut dyn Session) -> ByteQueue {
    let mut alert = ByteQueue::new();
    let pending = session.pending();
    if pending.len() <= MOST_BYTES {
        alert.push(pending);
        session.written(session.pending_len());
    }
    alert
}

impl Pool {
    /// Ends a connection behind its `alert`; at once where there is none.
    pub(in crate::client) fn part(&mut self, io: &mut Io, socket: SocketId, alert: ByteQueue, reset: bool) {
        if alert.is_empty() || self.partings.len() >= MOST {
            return io.requests.close(socket, reset);
        }
        let id = self.partings.insert(Parting { socket, alert, ignored: 0 });
        io.requests.reassign(socket, Role::Parting(id));
        io.requests.pause(socket, false);
        io.requests.pending(socket);
        io.requests.finish(socket);
        io.timers.set(Timer::Parting(id), Some(io.now + PATIENCE));
    }

    pub(in crate::client) fn pending_of_parting(&mut self, io: &mut Io, id: PartingId) -> Option<&[u8]> {
        let parting = self.partings.get_mut(id)?;
        if parting.alert.is_empty() {
            io.requests.settle(parting.socket);
            return None;
        }
        Some(parting.alert.as_slice())
    }

    pub(in crate::client) fn on_parting_written(&mut self, id: PartingId, written: usize) {
        if let Some(parting) = self.partings.get_mut(id) {
            parting.alert.consume(written);
        }
    }

    pub(in crate::client) fn on_parting_received(&mut self, io: &mut Io, id: PartingId, length: usize) {
        let Some(parting) = self.partings.get_mut(id) else { return };
        parting.ignored = parting.ignored.saturating_add(length);
        if parting.ignored > MOST_BYTES {
            self.end_parting(io, id);
        }
    }

    /// The proxy ended too, or had its time.
    pub(in crate::client) fn end_parting(&mut self, io: &mut Io, id: PartingId) {
        io.timers.set(Timer::Parting(id), None);
        if let Some(parting) = self.partings.remove(id) {
            io.requests.close(parting.socket, false);
        }
    }

    pub(super) fn end_partings(&mut self, io: &mut Io) {
        for id in self.partings.keys() {
            self.end_parting(io, id);
        }
    }
}

/// Connections that may end so at once; one more ends without a word.
const MOST: usize = 16;
/// An alert is short, but payload may wait before it; and a proxy may say this much more.
const MOST_BYTES: usize = 64 * 1024;
/// How long the proxy has to take the alert.
const PATIENCE: Duration = Duration::from_secs(1);
