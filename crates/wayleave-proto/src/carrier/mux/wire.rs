//! A connection of the carrier of the tests, as either side sees it: frames in the records of TLS.

use super::frame::Frame;
use crate::carrier::tls::{Session, TlsError};
use crate::carrier::transport::Transport;
use crate::net::SocketId;

/// Frames each way.
#[derive(Debug)]
pub(super) struct Wire {
    pub(super) transport: Transport,
    /// What came of a frame that is not whole.
    partial: Vec<u8>,
    /// Bytes that have left since the beginning.
    left: u64,
}

impl Wire {
    pub(super) const fn new(socket: SocketId, session: Box<dyn Session>) -> Self {
        Self { transport: Transport::new(socket, session), partial: Vec::new(), left: 0 }
    }

    /// Takes what came. The frames are in what is returned; the caller [keeps](Self::keep) what is not a whole one.
    pub(super) fn receive(&mut self, data: &mut [u8]) -> (Vec<u8>, Result<(), TlsError>) {
        let session = &mut self.transport.session;
        let result = session.receive(data);
        let mut frames = core::mem::take(&mut self.partial);
        loop {
            let plaintext = session.plaintext();
            let length = plaintext.len();
            if length == 0 {
                return (frames, result);
            }
            frames.extend_from_slice(plaintext);
            session.consume(length);
        }
    }

    /// Keeps the part of a frame; says how much that is.
    pub(super) fn keep(&mut self, rest: &[u8]) -> usize {
        self.partial = rest.to_vec();
        rest.len()
    }

    /// Puts a frame behind what waits to be written.
    pub(super) fn put(&mut self, tag: u8, number: u32, payload: &[u8]) {
        let mut frame = Vec::new();
        Frame { tag, number, payload }.write(&mut frame);
        self.transport.session.send(&[&frame]);
    }

    /// Whether more may be put into frames.
    pub(super) fn has_room(&self) -> bool {
        self.transport.pending_len() < MARK
    }

    pub(super) fn written(&mut self, amount: usize) {
        self.transport.session.written(amount);
        self.left += amount as u64;
    }

    /// How many bytes will have left when everything has that waits.
    pub(super) fn end(&self) -> u64 {
        self.left + self.transport.pending_len() as u64
    }

    /// How many bytes have still to leave until so many have.
    pub(super) fn until(&self, end: u64) -> usize {
        usize::try_from(end.saturating_sub(self.left)).unwrap_or(usize::MAX)
    }

    pub(super) fn held(&self) -> usize {
        self.partial.len() + self.transport.session.held()
    }
}

/// Nothing more is put into frames where so much waits to be written.
const MARK: usize = 16 * 1024;
