//! A TCP connection to a target, without anything around its bytes: the direct route of a stream.

use crate::queue::ByteQueue;

/// What waits on a direct connection, each way. The end of the connection is the end of its bytes.
#[derive(Debug, Default)]
pub(super) struct Clear {
    received: ByteQueue,
    pending: ByteQueue,
    ended: bool,
}

impl Clear {
    /// Bytes came.
    pub(super) fn receive(&mut self, bytes: &[u8]) {
        self.received.push(bytes);
    }

    /// The target ended its half.
    pub(super) const fn receive_end(&mut self) {
        self.ended = true;
    }

    /// Bytes that came and wait.
    pub(super) fn received(&self) -> &[u8] {
        self.received.as_slice()
    }

    /// Takes bytes that came away.
    pub(super) fn consume(&mut self, amount: usize) {
        self.received.consume(amount);
    }

    /// Whether the target has ended its half, and all of it was taken.
    pub(super) fn is_finished(&self) -> bool {
        self.ended && self.received.is_empty()
    }

    /// Takes pieces, joined, for the target.
    pub(super) fn send(&mut self, pieces: &[&[u8]]) {
        pieces.iter().for_each(|piece| self.pending.push(piece));
    }

    /// Bytes that wait to be written.
    pub(super) fn pending(&self) -> &[u8] {
        self.pending.as_slice()
    }

    /// So many of them were written.
    pub(super) fn written(&mut self, amount: usize) {
        self.pending.consume(amount);
    }

    /// Bytes in both buffers.
    pub(super) fn held(&self) -> usize {
        self.received.len() + self.pending.len()
    }
}
