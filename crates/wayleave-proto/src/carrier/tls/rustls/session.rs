//! One connection of either side.

use core::fmt;
use core::ops::Range;
use std::sync::Arc;

use super::catch::Catch;
use super::failure;
use super::handshake::{Engine, Handshake, Progress};
use super::traffic::{Stop, Traffic};
use crate::carrier::tls::record::{Content, Fault};
use crate::carrier::tls::{ALPN, Session, TlsError};
use crate::queue::ByteQueue;

/// A connection whose handshake is rustls's, and whose records are made and opened here.
pub(super) struct RustlsSession {
    stage: Stage,
    /// Ciphertext to write.
    out: ByteQueue,
    /// What a server has for the client behind the handshake, a ticket: it spares a write by going with the first data.
    ticket: ByteQueue,
    /// Plaintext that waits to be consumed.
    plaintext: ByteQueue,
    /// Plaintext to send that waits for the end of the handshake.
    early: ByteQueue,
    end: End,
    /// Whether close_notify came.
    closed: bool,
    failure: Option<TlsError>,
}

enum Stage {
    Handshake(Box<Handshake>),
    Traffic(Box<Traffic>),
    /// The change from one to the other failed.
    Broken,
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
    pub(super) fn new(engine: Engine, catch: Arc<Catch>) -> Self {
        let mut session = Self {
            stage: Stage::Handshake(Box::new(Handshake::new(engine, catch))),
            out: ByteQueue::new(),
            ticket: ByteQueue::new(),
            plaintext: ByteQueue::new(),
            early: ByteQueue::new(),
            end: End::Open,
            closed: false,
            failure: None,
        };
        // A client has the first word; a server has nothing to say yet.
        let _ = session.shake(&[]);
        session
    }

    fn shake(&mut self, ciphertext: &[u8]) -> Result<(), TlsError> {
        let Stage::Handshake(handshake) = &mut self.stage else { return Ok(()) };
        let mut answer = ByteQueue::new();
        let progress = handshake.receive(ciphertext, &mut answer);
        let is_ticket = progress == Ok(Progress::Over) && handshake.is_server();
        let queue = if is_ticket { &mut self.ticket } else { &mut self.out };
        queue.push(answer.as_slice());
        match progress? {
            Progress::Waiting => Ok(()),
            Progress::Closed => {
                self.closed = true;
                Ok(())
            }
            Progress::Over => self.begin_traffic(),
        }
    }

    /// Does what waited for the end of the handshake.
    fn begin_traffic(&mut self) -> Result<(), TlsError> {
        let Stage::Handshake(handshake) = core::mem::replace(&mut self.stage, Stage::Broken) else {
            return Ok(());
        };
        let (traffic, mut rest) = handshake.finish()?;
        self.stage = Stage::Traffic(Box::new(traffic));
        let early = core::mem::take(&mut self.early);
        // Nothing is no data: a server's ticket waits on.
        if !early.is_empty() {
            self.encrypt(Content::Data, &[early.as_slice()]);
        }
        if self.end == End::Wanted {
            self.close();
        }
        let (plaintext, result) = self.open(&mut rest);
        self.keep(rest.get(plaintext).unwrap_or_default());
        result
    }

    fn open(&mut self, ciphertext: &mut [u8]) -> (Range<usize>, Result<(), TlsError>) {
        let Stage::Traffic(traffic) = &mut self.stage else { return (0..0, Ok(())) };
        let (plaintext, received) = traffic.receive(ciphertext, &mut self.plaintext);
        let result = match received {
            Ok(()) => Ok(()),
            Err(Stop::Closed) => {
                self.closed = true;
                Ok(())
            }
            Err(Stop::Refused(error)) => Err(error),
            Err(Stop::Fault(fault)) => {
                if self.end == End::Open {
                    self.encrypt(Content::Alert, &[&[FATAL, fault.alert()]]);
                }
                Err(fault.into())
            }
        };
        (plaintext, result)
    }

    pub(super) fn encrypt(&mut self, content: Content, chunks: &[&[u8]]) {
        self.out.push(core::mem::take(&mut self.ticket).as_slice());
        if let Stage::Traffic(traffic) = &mut self.stage
            && traffic.send(content, chunks, &mut self.out).is_err()
        {
            // Bytes are lost, so nothing may follow them.
            self.failure = Some(Fault::Internal.into());
        }
    }

    fn close(&mut self) {
        self.encrypt(Content::Alert, &[&[WARNING, CLOSE_NOTIFY]]);
        self.end = End::Sent;
    }
}

impl Session for RustlsSession {
    fn decrypt(&mut self, ciphertext: &mut [u8]) -> (Range<usize>, Result<(), TlsError>) {
        if let Some(error) = &self.failure {
            return (0..0, Err(error.clone()));
        }
        if self.closed {
            return (0..0, Ok(()));
        }
        let (plaintext, result) = match &self.stage {
            Stage::Handshake(_) => (0..0, self.shake(ciphertext)),
            Stage::Traffic(_) => self.open(ciphertext),
            Stage::Broken => (0..0, Err(Fault::Internal.into())),
        };
        (plaintext, result.inspect_err(|error| self.failure = Some(error.clone())))
    }

    fn keep(&mut self, plaintext: &[u8]) {
        self.plaintext.push(plaintext);
    }

    fn receive_end(&mut self) -> Result<(), TlsError> {
        match &self.failure {
            Some(error) => Err(error.clone()),
            None if self.closed => Ok(()),
            None => Err(TlsError::Truncated),
        }
    }

    fn excuse_end(&mut self) {
        self.closed = true;
    }

    fn plaintext(&mut self) -> &[u8] {
        self.plaintext.as_slice()
    }

    fn consume(&mut self, amount: usize) {
        self.plaintext.consume(amount);
    }

    fn plaintext_len(&self) -> usize {
        self.plaintext.len()
    }

    fn is_finished(&mut self) -> bool {
        self.closed && self.plaintext.is_empty()
    }

    fn send(&mut self, chunks: &[&[u8]]) {
        if self.end != End::Open || self.failure.is_some() {
            return;
        }
        if self.is_handshaking() {
            for chunk in chunks {
                self.early.push(chunk);
            }
        } else {
            self.encrypt(Content::Data, chunks);
        }
    }

    fn send_end(&mut self) {
        if self.end != End::Open || self.failure.is_some() {
            return;
        }
        if self.is_handshaking() {
            self.end = End::Wanted;
        } else {
            self.close();
        }
    }

    fn send_abort(&mut self) {
        if self.failure.is_none() && self.end == End::Open && matches!(self.stage, Stage::Traffic(_)) {
            self.encrypt(Content::Alert, &[&[FATAL, Fault::Internal.alert()]]);
            self.end = End::Sent;
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
        matches!(self.stage, Stage::Handshake(_))
    }

    fn alpn(&self) -> Option<&[u8]> {
        let agreed = match &self.stage {
            Stage::Handshake(handshake) => handshake.alpn(),
            Stage::Traffic(traffic) => traffic.alpn(),
            Stage::Broken => false,
        };
        agreed.then_some(ALPN)
    }

    fn export_keying_material(
        &self,
        out: &mut [u8],
        label: &[u8],
        context: Option<&[u8]>,
    ) -> Result<(), TlsError> {
        let exporter = match &self.stage {
            Stage::Traffic(traffic) => traffic.exporter(),
            Stage::Handshake(_) | Stage::Broken => None,
        };
        exporter.ok_or_else(|| failure::protocol("there is no key material yet"))?.export(out, label, context)
    }

    fn held(&self) -> usize {
        let inside = match &self.stage {
            Stage::Handshake(handshake) => handshake.held(),
            Stage::Traffic(traffic) => traffic.held(),
            Stage::Broken => 0,
        };
        [self.out.held(), self.plaintext.held(), self.early.held(), inside]
            .into_iter()
            .fold(0, usize::saturating_add)
    }
}

impl fmt::Debug for RustlsSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_server = match &self.stage {
            Stage::Handshake(handshake) => handshake.is_server(),
            Stage::Traffic(traffic) => traffic.is_server(),
            Stage::Broken => false,
        };
        f.debug_struct("RustlsSession")
            .field("server", &is_server)
            .field("handshaking", &self.is_handshaking())
            .field("plaintext", &self.plaintext.len())
            .field("pending", &self.out.len())
            .field("end", &self.end)
            .field("closed", &self.closed)
            .field("failure", &self.failure)
            .finish_non_exhaustive()
    }
}

/// Levels and description of alerts, RFC 8446 §6. <https://www.rfc-editor.org/rfc/rfc8446#section-6>
const WARNING: u8 = 1;
const FATAL: u8 = 2;
const CLOSE_NOTIFY: u8 = 0;
