//! A connection whose client spoke in the clear, for the answer in its own words.

use core::ops::Range;

use crate::carrier::tls::{Session, TlsError};
use crate::queue::ByteQueue;

/// What is sent goes out as it is, and what comes is thrown away.
#[derive(Debug, Default)]
pub(super) struct Clear {
    pending: ByteQueue,
    ended: bool,
}

impl Session for Clear {
    fn decrypt(&mut self, _: &mut [u8]) -> (Range<usize>, Result<(), TlsError>) {
        (0..0, Ok(()))
    }

    fn keep(&mut self, _: &[u8]) {}

    fn receive_end(&mut self) -> Result<(), TlsError> {
        self.ended = true;
        Ok(())
    }

    fn excuse_end(&mut self) {
        self.ended = true;
    }

    fn plaintext(&mut self) -> &[u8] {
        &[]
    }

    fn consume(&mut self, _: usize) {}

    fn plaintext_len(&self) -> usize {
        0
    }

    fn is_finished(&mut self) -> bool {
        self.ended
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
        Err(TlsError::Protocol { detail: "a connection in the clear has no keys".into() })
    }

    fn held(&self) -> usize {
        self.pending.len()
    }
}
