//! A connection without a carrier: the direct route.

use core::ops::Range;

use super::tls::{Session, TlsError};
use crate::queue::ByteQueue;

/// A TCP connection to a target, seen as the same kind of pipe that a carrier gives.
///
/// It lets the client treat a direct stream and a proxied one alike. The end of the connection is the end of its
/// bytes; there is no handshake, no protocol and no key.
#[derive(Debug, Default)]
pub struct Clear {
    received: ByteQueue,
    pending: ByteQueue,
    ended: bool,
}

impl Session for Clear {
    fn decrypt(&mut self, bytes: &mut [u8]) -> (Range<usize>, Result<(), TlsError>) {
        (0..bytes.len(), Ok(()))
    }

    fn keep(&mut self, bytes: &[u8]) {
        self.received.push(bytes);
    }

    fn receive_end(&mut self) -> Result<(), TlsError> {
        self.ended = true;
        Ok(())
    }

    fn excuse_end(&mut self) {
        self.ended = true;
    }

    fn plaintext(&mut self) -> &[u8] {
        self.received.as_slice()
    }

    fn consume(&mut self, amount: usize) {
        self.received.consume(amount);
    }

    fn plaintext_len(&self) -> usize {
        self.received.len()
    }

    fn is_finished(&mut self) -> bool {
        self.ended && self.received.is_empty()
    }

    fn send(&mut self, chunks: &[&[u8]]) {
        for chunk in chunks {
            self.pending.push(chunk);
        }
    }

    fn send_end(&mut self) {}

    fn send_abort(&mut self) {}

    fn pending(&mut self) -> &[u8] {
        self.pending.as_slice()
    }

    fn written(&mut self, amount: usize) {
        self.pending.consume(amount);
    }

    fn pending_len(&self) -> usize {
        self.pending.len()
    }

    fn is_handshaking(&self) -> bool {
        false
    }

    fn alpn(&self) -> Option<&[u8]> {
        None
    }

    fn export_keying_material(&self, _: &mut [u8], _: &[u8], _: Option<&[u8]>) -> Result<(), TlsError> {
        Err(TlsError::Protocol { detail: "a direct connection has no keys".into() })
    }

    fn held(&self) -> usize {
        self.received.len() + self.pending.len()
    }
}
