//! One HTTP/1.1 connection, seen from either side.

use core::fmt;

use smallvec::SmallVec;

use crate::base::Instant;
use crate::carrier::tls::{Session, TlsError};
use crate::carrier::transport::Transport;
use crate::codec::capsule::{CapsuleDecoder, CapsuleError, Header, datagram_header};
use crate::codec::h1::{HeadError, HeadLimits, HeadReader};
use crate::queue::DatagramQueue;

/// One connection: heads first, then the bytes or the datagrams of its one tunnel.
///
/// It takes from the decrypted bytes exactly what belongs to a head, so that whatever came behind the head in the same
/// read is the tunnel's and is not lost.
pub(crate) struct Pipe {
    pub(super) transport: Transport,
    head: Option<HeadReader>,
    limits: HeadLimits,
    capsules: CapsuleDecoder,
}

impl Pipe {
    /// A pipe over `transport` that will read heads within `limits`.
    pub(super) const fn new(transport: Transport, limits: HeadLimits) -> Self {
        Self { transport, head: None, limits, capsules: CapsuleDecoder::new() }
    }

    /// The encrypted connection.
    pub(super) fn session(&mut self) -> &mut dyn Session {
        &mut *self.transport.session
    }

    /// Bytes that were received and wait to be consumed.
    pub(super) fn plaintext_len(&self) -> usize {
        self.transport.session.plaintext_len()
    }

    /// Memory in buffers now, in bytes.
    pub(super) fn held(&self) -> usize {
        self.transport.session.held()
            + self.capsules.held()
            + self.head.as_ref().map_or(0, |head| head.as_bytes().len())
    }

    /// Reads on until the head is whole, and lends it then. Call [`Self::end_head`] when it has been understood.
    ///
    /// # Errors
    /// The fault in the head, with the status that answers it.
    pub(super) fn read_head(&mut self) -> Result<Option<&[u8]>, HeadError> {
        let reader = self.head.get_or_insert_with(|| HeadReader::new(self.limits));
        let mut complete = false;
        while !complete {
            let plaintext = self.transport.session.plaintext();
            if plaintext.is_empty() {
                break;
            }
            let progress = reader.push(plaintext)?;
            self.transport.session.consume(progress.consumed);
            complete = progress.complete;
            if progress.consumed == 0 {
                break;
            }
        }
        Ok(if complete { self.head.as_ref().map(HeadReader::as_bytes) } else { None })
    }

    /// Whether the first byte of a head has come, but not yet its last.
    pub(super) fn has_begun_head(&self) -> bool {
        self.head.as_ref().is_some_and(|head| !head.as_bytes().is_empty())
    }

    /// Gives back the memory of the head.
    pub(super) fn end_head(&mut self) {
        self.head = None;
    }

    /// Decrypts `ciphertext` in place and hands every whole datagram to `take`, those that came before it first; skips
    /// what is not for us (RFC 9297 §3.2).
    ///
    /// # Errors
    /// The tunnel has to end. What came before the fault was handed over.
    pub(super) fn receive_datagrams(
        &mut self,
        ciphertext: &mut [u8],
        mut take: impl FnMut(&[u8]),
    ) -> Result<Moved, DatagramError> {
        let mut moved = Moved::default();
        let mut deliver = |payload: &[u8]| {
            moved.datagrams += 1;
            moved.bytes += payload.len() as u64;
            take(payload);
        };
        let (lent, result) = self.transport.session.decrypt(ciphertext);
        // A record that was begun in an earlier read waits inside, before what is lent.
        loop {
            let waiting = self.transport.session.plaintext();
            let length = waiting.len();
            if length == 0 {
                break;
            }
            decode(&mut self.capsules, waiting, &mut deliver)?;
            self.transport.session.consume(length);
        }
        decode(&mut self.capsules, ciphertext.get(lent).unwrap_or_default(), &mut deliver)?;
        self.capsules.release();
        result?;
        Ok(moved)
    }

    /// Whether the peer ended in the middle of a capsule (RFC 9297 §3.3).
    ///
    /// # Errors
    /// The last capsule is truncated.
    pub(super) fn finish_datagrams(&self) -> Result<(), CapsuleError> {
        self.capsules.finish()
    }

    /// Encrypts what waits in `queue`, as many datagrams in one record as are there, as long as little waits to be
    /// written: what waits longer stays in the queue, where it can still grow old and be dropped.
    pub(super) fn send_datagrams(&mut self, now: Instant, queue: &mut DatagramQueue) -> Moved {
        let mut moved = Moved::default();
        while self.transport.session.pending_len() < DATAGRAM_MARK
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
            self.transport.session.send(&chunks);
            drop(chunks);
            moved.datagrams += headers.len() as u64;
            for _ in 0..headers.len() {
                queue.pop();
            }
        }
        moved
    }

    /// Takes bytes from the network.
    ///
    /// # Errors
    /// The encrypted connection is broken; an alert may be pending.
    pub(super) fn receive(&mut self, bytes: &mut [u8]) -> Result<(), TlsError> {
        self.transport.session.receive(bytes)
    }
}

/// Takes every datagram out of `bytes`; of one that is cut the decoder keeps the part.
fn decode(
    capsules: &mut CapsuleDecoder,
    mut bytes: &[u8],
    deliver: &mut impl FnMut(&[u8]),
) -> Result<(), CapsuleError> {
    while !bytes.is_empty() {
        let decoded = capsules.decode(bytes)?;
        if let Some(payload) = decoded.datagram {
            deliver(payload);
        }
        bytes = bytes.get(decoded.consumed.max(1)..).unwrap_or_default();
    }
    Ok(())
}

impl fmt::Debug for Pipe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pipe").field("session", &self.transport.session).finish_non_exhaustive()
    }
}

/// Why a tunnel of datagrams has to end.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum DatagramError {
    /// The peer broke a rule of the capsule protocol.
    #[error(transparent)]
    Capsule(#[from] CapsuleError),
    /// The encrypted connection is broken; an alert may be pending.
    #[error(transparent)]
    Tls(#[from] TlsError),
}

/// What [`Pipe::receive_datagrams`] or [`Pipe::send_datagrams`] moved.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Moved {
    /// Datagrams.
    pub(crate) datagrams: u64,
    /// Bytes of their payload.
    pub(crate) bytes: u64,
}

/// Datagrams are encrypted while fewer ciphertext bytes than this wait to be written.
const DATAGRAM_MARK: usize = 16 * 1024;
/// Payload in one TLS record, below its limit of 16,384 bytes with room for the capsule headers. A larger datagram goes alone.
const RECORD_BYTES: usize = 15 * 1024;
/// Datagrams in one TLS record.
const RECORD_DATAGRAMS: usize = 32;
