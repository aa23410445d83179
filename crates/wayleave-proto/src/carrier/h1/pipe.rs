//! One HTTP/1.1 connection, seen from either side.

use core::fmt;

use smallvec::SmallVec;

use crate::base::Instant;
use crate::carrier::tls::{Session, TlsError};
use crate::codec::capsule::{CapsuleDecoder, CapsuleError, Header, datagram_header};
use crate::codec::h1::{HeadError, HeadLimits, HeadReader};
use crate::queue::DatagramQueue;

/// One connection: heads first, then the bytes or the datagrams of its one tunnel.
///
/// It takes from the decrypted bytes exactly what belongs to a head, so that whatever came behind the head in the same
/// read is the tunnel's and is not lost.
pub struct Pipe {
    session: Box<dyn Session>,
    head: Option<HeadReader>,
    limits: HeadLimits,
    capsules: CapsuleDecoder,
}

impl Pipe {
    /// A pipe over `session` that will read heads within `limits`.
    pub fn new(session: Box<dyn Session>, limits: HeadLimits) -> Self {
        Self { session, head: None, limits, capsules: CapsuleDecoder::new() }
    }

    /// The encrypted connection.
    pub fn session(&mut self) -> &mut dyn Session {
        &mut *self.session
    }

    /// Bytes that wait to be written.
    pub fn pending_len(&self) -> usize {
        self.session.pending_len()
    }

    /// Bytes that were received and wait to be consumed.
    pub fn plaintext_len(&self) -> usize {
        self.session.plaintext_len()
    }

    /// Memory in buffers now, in bytes.
    pub fn held(&self) -> usize {
        self.session.held()
            + self.capsules.held()
            + self.head.as_ref().map_or(0, |head| head.as_bytes().len())
    }

    /// Reads on until the head is whole, and lends it then. Call [`Self::end_head`] when it has been understood.
    ///
    /// # Errors
    /// The fault in the head, with the status that answers it.
    pub fn read_head(&mut self) -> Result<Option<&[u8]>, HeadError> {
        let reader = self.head.get_or_insert_with(|| HeadReader::new(self.limits));
        let mut complete = false;
        while !complete {
            let plaintext = self.session.plaintext();
            if plaintext.is_empty() {
                break;
            }
            let progress = reader.push(plaintext)?;
            self.session.consume(progress.consumed);
            complete = progress.complete;
            if progress.consumed == 0 {
                break;
            }
        }
        Ok(if complete { self.head.as_ref().map(HeadReader::as_bytes) } else { None })
    }

    /// Whether the first byte of a head has come, but not yet its last.
    pub fn has_begun_head(&self) -> bool {
        self.head.as_ref().is_some_and(|head| !head.as_bytes().is_empty())
    }

    /// Gives back the memory of the head.
    pub fn end_head(&mut self) {
        self.head = None;
    }

    /// Moves every whole datagram that has arrived to `queue`, and skips what is not for us (RFC 9297 §3.2).
    ///
    /// # Errors
    /// The peer broke a rule of the capsule protocol; the tunnel has to end.
    pub fn receive_datagrams(
        &mut self,
        now: Instant,
        queue: &mut DatagramQueue,
    ) -> Result<Moved, CapsuleError> {
        let mut moved = Moved::default();
        loop {
            let plaintext = self.session.plaintext();
            let mut rest = plaintext;
            while !rest.is_empty() {
                let decoded = self.capsules.decode(rest)?;
                if let Some(payload) = decoded.datagram {
                    queue.push(now, payload);
                    moved.datagrams += 1;
                    moved.bytes += payload.len() as u64;
                }
                if decoded.consumed == 0 {
                    break;
                }
                rest = rest.get(decoded.consumed..).unwrap_or_default();
            }
            let used = plaintext.len() - rest.len();
            self.capsules.release();
            if used == 0 {
                return Ok(moved);
            }
            self.session.consume(used);
        }
    }

    /// Whether the peer ended in the middle of a capsule (RFC 9297 §3.3).
    ///
    /// # Errors
    /// The last capsule is truncated.
    pub fn finish_datagrams(&self) -> Result<(), CapsuleError> {
        self.capsules.finish()
    }

    /// Encrypts what waits in `queue`, as many datagrams in one record as are there, as long as little waits to be
    /// written: what waits longer stays in the queue, where it can still grow old and be dropped.
    pub fn send_datagrams(&mut self, now: Instant, queue: &mut DatagramQueue) -> Moved {
        let mut moved = Moved::default();
        while self.session.pending_len() < DATAGRAM_MARK
            && let Some(first) = queue.front(now).map(<[u8]>::len)
        {
            let most = RECORD_BYTES.max(first);
            let headers: SmallVec<[Header; RECORD_DATAGRAMS]> =
                queue.gather(most, RECORD_DATAGRAMS).map(|payload| datagram_header(payload.len())).collect();
            let mut chunks: SmallVec<[&[u8]; 2 * RECORD_DATAGRAMS]> = SmallVec::new();
            for (header, payload) in headers.iter().zip(queue.gather(most, RECORD_DATAGRAMS)) {
                chunks.push(header.as_bytes());
                chunks.push(payload);
                moved.bytes += payload.len() as u64;
            }
            self.session.send(&chunks);
            drop(chunks);
            moved.datagrams += headers.len() as u64;
            for _ in 0..headers.len() {
                queue.pop();
            }
        }
        moved
    }

    /// What to write now.
    pub fn pending(&mut self) -> Option<&[u8]> {
        if self.session.pending_len() == 0 { None } else { Some(self.session.pending()) }
    }

    /// Takes bytes from the network.
    ///
    /// # Errors
    /// The encrypted connection is broken; an alert may be pending.
    pub fn receive(&mut self, bytes: &mut [u8]) -> Result<(), TlsError> {
        self.session.receive(bytes)
    }
}

impl fmt::Debug for Pipe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pipe").field("session", &self.session).finish_non_exhaustive()
    }
}

/// What [`Pipe::receive_datagrams`] or [`Pipe::send_datagrams`] moved.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Moved {
    /// Datagrams.
    pub datagrams: u64,
    /// Bytes of their payload.
    pub bytes: u64,
}

/// Datagrams are encrypted while fewer ciphertext bytes than this wait to be written.
const DATAGRAM_MARK: usize = 16 * 1024;
/// Payload in one TLS record, below its limit of 16,384 bytes with room for the capsule headers. A larger datagram goes alone.
const RECORD_BYTES: usize = 15 * 1024;
/// Datagrams in one TLS record.
const RECORD_DATAGRAMS: usize = 32;
