//! One connection of either side.

use core::fmt;
use std::io::{self, BufRead, IoSlice, Read, Write};

use ::rustls::Connection;
use smallvec::SmallVec;

use super::failure;
use super::records::Records;
use crate::carrier::tls::{Session, TlsError};
use crate::queue::ByteQueue;

/// A buffered connection of rustls behind our seam.
pub(super) struct RustlsSession {
    tls: Connection,
    /// Ciphertext to write.
    out: ByteQueue,
    /// Plaintext that rustls had no room for any more: older than what is inside.
    aside: ByteQueue,
    /// Bytes of plaintext that wait inside rustls.
    inside: usize,
    /// Bytes of plaintext that wait inside rustls for the end of the handshake.
    early: usize,
    records: Records,
    /// Whether the buffer for incomplete records may have grown.
    grown: bool,
    end: End,
    /// Whether close_notify came.
    closed: bool,
    failure: Option<TlsError>,
}

/// How far the sending half is with its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Open,
    /// Asked for during the handshake: close_notify may not overtake what waits for the handshake.
    Wanted,
    Sent,
}

impl RustlsSession {
    /// A session over a new connection; the first flight of a client is pending at once.
    pub(super) fn new(mut tls: Connection) -> Self {
        // The caller bounds what it sends by what is pending; a limit inside would cut records short.
        tls.set_buffer_limit(None);
        let mut session = Self {
            tls,
            out: ByteQueue::new(),
            aside: ByteQueue::new(),
            inside: 0,
            early: 0,
            records: Records::default(),
            grown: false,
            end: End::Open,
            closed: false,
            failure: None,
        };
        session.collect();
        session
    }

    /// Feeds what rustls takes at once: a few kilobytes.
    fn feed(&mut self, ciphertext: &mut &[u8]) -> Result<(), TlsError> {
        let before = *ciphertext;
        match self.tls.read_tls(ciphertext) {
            Ok(_) => {}
            // Full: it takes no ciphertext while more than one record's worth of plaintext waits.
            Err(_) if self.inside > 0 => {
                self.set_aside();
                return Ok(());
            }
            Err(error) => return Err(failure::protocol(error)),
        }
        let taken = before.len().saturating_sub(ciphertext.len());
        self.records.advance(before.get(..taken).unwrap_or_default());
        self.grown |= self.records.incomplete() > 0;

        let greeted = self.tls.protocol_version().is_some();
        let state = self.tls.process_new_packets().map_err(|error| failure::connection(&error, greeted))?;
        self.inside = state.plaintext_bytes_to_read();
        self.closed = state.peer_has_closed();
        if self.closed {
            // What came behind close_notify is already forgotten.
            self.records = Records::default();
        }
        if taken == 0 && !self.closed {
            return Err(failure::protocol("a record is too large"));
        }
        Ok(())
    }

    /// Moves the plaintext that waits inside rustls to our own queue.
    fn set_aside(&mut self) {
        let mut reader = self.tls.reader();
        while let Ok(chunk) = reader.fill_buf() {
            let len = chunk.len();
            if len == 0 {
                break;
            }
            self.aside.push(chunk);
            reader.consume(len);
        }
        self.inside = 0;
    }

    /// Does what waited for the end of the handshake.
    fn after_handshake(&mut self) {
        if self.tls.is_handshaking() {
            return;
        }
        self.early = 0;
        if self.end == End::Wanted {
            self.tls.send_close_notify();
            self.end = End::Sent;
        }
    }

    /// Collects the ciphertext that rustls has made.
    fn collect(&mut self) {
        while self.tls.wants_write() {
            // The sink takes everything and has no errors; the check keeps a surprise from becoming a loop.
            if !matches!(self.tls.write_tls(&mut Sink(&mut self.out)), Ok(1..)) {
                break;
            }
        }
    }

    /// Lets rustls give back the room of a large record. It does so only when asked to read, before it reads, and it
    /// lets itself be asked only when little plaintext waits.
    fn trim(&mut self) {
        if self.grown && self.inside == 0 && self.records.incomplete() == 0 {
            let asked = self.tls.read_tls(&mut Nothing);
            self.grown = !matches!(asked, Err(error) if error.kind() == io::ErrorKind::WouldBlock);
        }
    }

    fn fail(&mut self, error: TlsError) -> TlsError {
        // After an error rustls does not say how much waits inside, so count it by taking it.
        self.set_aside();
        self.records = Records::default();
        self.failure = Some(error.clone());
        error
    }
}

impl Session for RustlsSession {
    fn receive(&mut self, ciphertext: &mut [u8]) -> Result<(), TlsError> {
        if let Some(error) = &self.failure {
            return Err(error.clone());
        }
        let mut rest: &[u8] = ciphertext;
        let mut result = Ok(());
        while !rest.is_empty() && !self.closed && result.is_ok() {
            result = self.feed(&mut rest).map_err(|error| self.fail(error));
        }
        if result.is_ok() {
            self.after_handshake();
            self.trim();
        }
        self.collect();
        result
    }

    fn receive_end(&mut self) -> Result<(), TlsError> {
        match &self.failure {
            Some(error) => Err(error.clone()),
            None if self.closed => Ok(()),
            None => Err(TlsError::Truncated),
        }
    }

    fn plaintext(&mut self) -> &[u8] {
        if !self.aside.is_empty() {
            return self.aside.as_slice();
        }
        if self.inside == 0 {
            return &[];
        }
        self.tls.reader().into_first_chunk().unwrap_or_default()
    }

    fn consume(&mut self, amount: usize) {
        let from_aside = amount.min(self.aside.len());
        self.aside.consume(from_aside);
        let mut left = amount.saturating_sub(from_aside).min(self.inside);
        self.inside = self.inside.saturating_sub(left);
        let mut reader = self.tls.reader();
        while left > 0 {
            let chunk = reader.fill_buf().map_or(0, <[u8]>::len).min(left);
            if chunk == 0 {
                break;
            }
            reader.consume(chunk);
            left = left.saturating_sub(chunk);
        }
        self.trim();
    }

    fn plaintext_len(&self) -> usize {
        self.aside.len().saturating_add(self.inside)
    }

    fn is_finished(&mut self) -> bool {
        self.closed && self.plaintext_len() == 0
    }

    fn send(&mut self, chunks: &[&[u8]]) {
        if self.end != End::Open || self.failure.is_some() {
            return;
        }
        let slices: SmallVec<[IoSlice<'_>; 16]> = chunks.iter().map(|chunk| IoSlice::new(chunk)).collect();
        let total = chunks.iter().fold(0, |sum: usize, chunk| sum.saturating_add(chunk.len()));
        let taken = self.tls.writer().write_vectored(&slices);
        if !matches!(taken, Ok(taken) if taken == total) {
            // Only keys that can neither be used nor replaced do this. Bytes are lost, so nothing may follow them.
            self.fail(failure::protocol("the engine did not take what was sent"));
        }
        if self.tls.is_handshaking() {
            self.early = self.early.saturating_add(total);
        }
        self.collect();
    }

    fn send_end(&mut self) {
        if self.end == End::Open && self.failure.is_none() {
            self.end = End::Wanted;
            self.after_handshake();
            self.collect();
        }
    }

    fn pending(&mut self) -> &[u8] {
        self.out.as_slice()
    }

    fn written(&mut self, amount: usize) {
        self.out.consume(amount);
    }

    fn pending_len(&self) -> usize {
        self.out.len()
    }

    fn is_handshaking(&self) -> bool {
        self.tls.is_handshaking()
    }

    fn alpn(&self) -> Option<&[u8]> {
        self.tls.alpn_protocol()
    }

    fn server_name(&self) -> Option<&str> {
        match &self.tls {
            Connection::Client(_) => None,
            Connection::Server(server) => server.server_name(),
        }
    }

    fn export_keying_material(
        &self,
        out: &mut [u8],
        label: &[u8],
        context: Option<&[u8]>,
    ) -> Result<(), TlsError> {
        self.tls.export_keying_material(out, label, context).map(|_| ()).map_err(failure::protocol)
    }

    fn held(&self) -> usize {
        [self.out.held(), self.aside.held(), self.inside, self.early, self.records.incomplete()]
            .into_iter()
            .fold(0, usize::saturating_add)
    }
}

impl fmt::Debug for RustlsSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RustlsSession")
            .field("server", &matches!(self.tls, Connection::Server(_)))
            .field("handshaking", &self.tls.is_handshaking())
            .field("plaintext", &self.plaintext_len())
            .field("pending", &self.out.len())
            .field("end", &self.end)
            .field("closed", &self.closed)
            .field("failure", &self.failure)
            .finish_non_exhaustive()
    }
}

/// Appends all that is written.
struct Sink<'a>(&'a mut ByteQueue);

impl Write for Sink<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.push(bytes);
        Ok(bytes.len())
    }

    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        let before = self.0.len();
        for slice in slices {
            self.0.push(slice);
        }
        Ok(self.0.len().saturating_sub(before))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Has nothing to read now, and does not say that it ended.
struct Nothing;

impl Read for Nothing {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        Err(io::ErrorKind::WouldBlock.into())
    }
}
