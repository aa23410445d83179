//! A transport without cryptography that ends, fails and shakes hands like TLS. For tests and fuzzing only.
//!
//! A record is one byte of type, two bytes of length in network order, and the payload:
//!
//! | type | payload |
//! |---|---|
//! | 0 hello | from the client the server's name; from the server nothing, or a text: why nobody trusts it. The first record of each side |
//! | 1 data | up to 16384 bytes |
//! | 2 end | nothing: close_notify |
//! | 3 alert | a text: why the sender gives up |

use core::ops::Range;
use std::sync::Arc;

use ring::digest;

use super::error::shown;
use super::{ALPN, Acceptor, Connector, Session, TlsError};
use crate::base::Host;
use crate::queue::ByteQueue;

/// Makes client sessions without cryptography.
#[derive(Clone, Copy, Debug, Default)]
pub struct PlainConnector;

/// Makes server sessions without cryptography.
#[derive(Clone, Copy, Debug, Default)]
pub struct PlainAcceptor;

/// Makes server sessions that no [`PlainConnector`] trusts, as where a certificate of somebody else is shown.
#[derive(Clone, Copy, Debug, Default)]
pub struct ForeignAcceptor;

impl Connector for PlainConnector {
    fn connect(&self, host: &Host) -> Result<Box<dyn Session>, TlsError> {
        let name = host.to_string();
        let mut session = PlainSession::new(false);
        session.put(HELLO, &[name.as_bytes()]);
        session.name = Some(name.into());
        Ok(Box::new(session))
    }
}

impl Acceptor for PlainAcceptor {
    fn accept(&self) -> Result<Box<dyn Session>, TlsError> {
        Ok(Box::new(PlainSession::new(true)))
    }
}

impl Acceptor for ForeignAcceptor {
    fn accept(&self) -> Result<Box<dyn Session>, TlsError> {
        Ok(Box::new(PlainSession { flaw: Some("somebody else has signed it"), ..PlainSession::new(true) }))
    }
}

#[derive(Debug)]
struct PlainSession {
    server: bool,
    /// Why no client trusts this server.
    flaw: Option<&'static str>,
    /// The server's name, known to the server from the hello on.
    name: Option<Arc<str>>,
    greeted: bool,
    incoming: ByteQueue,
    plaintext: ByteQueue,
    /// Records that wait for the end of the handshake.
    early: ByteQueue,
    out: ByteQueue,
    ended: bool,
    closed: bool,
    failure: Option<TlsError>,
}

impl PlainSession {
    fn new(server: bool) -> Self {
        Self {
            server,
            flaw: None,
            name: None,
            greeted: false,
            incoming: ByteQueue::new(),
            plaintext: ByteQueue::new(),
            early: ByteQueue::new(),
            out: ByteQueue::new(),
            ended: false,
            closed: false,
            failure: None,
        }
    }

    /// Makes one record of `chunks`, which are at most 16384 bytes together.
    fn put(&mut self, kind: u8, chunks: &[&[u8]]) {
        let length = chunks.iter().fold(0, |sum: usize, chunk| sum.saturating_add(chunk.len()));
        let [.., high, low] = length.to_be_bytes();
        let handshake = matches!(kind, HELLO | ALERT);
        let queue = if self.greeted || handshake { &mut self.out } else { &mut self.early };
        queue.push(&[kind, high, low]);
        for chunk in chunks {
            queue.push(chunk);
        }
    }

    /// The next whole record that came, taken from the queue.
    fn take(&mut self) -> Result<Option<(u8, Vec<u8>)>, TlsError> {
        let Some((&[kind, high, low], behind)) = self.incoming.as_slice().split_first_chunk() else {
            return match self.incoming.as_slice().first() {
                Some(&kind) if kind > ALERT => Err(self.broken("unknown record")),
                _ => Ok(None),
            };
        };
        let length = usize::from(u16::from_be_bytes([high, low]));
        let most = [LONGEST_NAME, LONGEST_RECORD, 0, LONGEST_NAME];
        match most.get(usize::from(kind)) {
            Some(&most) if length <= most => {}
            _ => return Err(self.broken("unknown or oversized record")),
        }
        let Some(payload) = behind.get(..length).map(<[u8]>::to_vec) else { return Ok(None) };
        self.incoming.consume(length.saturating_add(3));
        Ok(Some((kind, payload)))
    }

    fn handle(&mut self, kind: u8, payload: &[u8]) -> Result<(), TlsError> {
        match (kind, self.greeted) {
            (HELLO, false) if !self.server && !payload.is_empty() => {
                let detail = shown(&String::from_utf8_lossy(payload));
                return Err(TlsError::CertificateNotTrusted { detail });
            }
            (HELLO, false) => {
                self.greeted = true;
                if self.server {
                    self.put(HELLO, &[self.flaw.unwrap_or_default().as_bytes()]);
                    self.name = Some(String::from_utf8_lossy(payload).into());
                }
                self.out.push(self.early.as_slice());
                self.early = ByteQueue::new();
            }
            (DATA, true) => self.plaintext.push(payload),
            (END, true) => self.closed = true,
            (ALERT, _) => {
                return Err(TlsError::PeerRefused { detail: shown(&String::from_utf8_lossy(payload)) });
            }
            _ => return Err(self.broken("unexpected record")),
        }
        Ok(())
    }

    fn broken(&self, detail: &str) -> TlsError {
        if self.greeted { TlsError::Protocol { detail: detail.into() } } else { TlsError::NotTls }
    }

    fn read(&mut self) -> Result<(), TlsError> {
        while !self.closed {
            let Some((kind, payload)) = self.take()? else {
                // Like an engine, it holds no more than the record that has begun.
                let begun = core::mem::take(&mut self.incoming);
                self.incoming.push(begun.as_slice());
                return Ok(());
            };
            self.handle(kind, &payload)?;
        }
        self.incoming = ByteQueue::new();
        Ok(())
    }
}

impl Session for PlainSession {
    fn decrypt(&mut self, ciphertext: &mut [u8]) -> (Range<usize>, Result<(), TlsError>) {
        if let Some(error) = &self.failure {
            return (0..0, Err(error.clone()));
        }
        if self.closed {
            return (0..0, Ok(()));
        }
        let waited = !self.plaintext.is_empty();
        self.incoming.push(ciphertext);
        let result = self.read().inspect_err(|error| {
            self.failure = Some(error.clone());
            self.incoming = ByteQueue::new();
            if !matches!(error, TlsError::PeerRefused { .. }) {
                self.put(ALERT, &[b"it cannot read what it was sent"]);
            }
        });
        // What fits is lent, like that of an engine that decrypts in place.
        match ciphertext.get_mut(..self.plaintext.len()) {
            Some(front) if !waited => {
                front.copy_from_slice(self.plaintext.as_slice());
                (0..core::mem::take(&mut self.plaintext).len(), result)
            }
            _ => (0..0, result),
        }
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
        if self.ended || self.failure.is_some() {
            return;
        }
        let total = chunks.iter().fold(0, |sum: usize, chunk| sum.saturating_add(chunk.len()));
        if (1..=LONGEST_RECORD).contains(&total) {
            self.put(DATA, chunks);
            return;
        }
        for record in chunks.concat().chunks(LONGEST_RECORD) {
            self.put(DATA, &[record]);
        }
    }

    fn send_end(&mut self) {
        if !self.ended && self.failure.is_none() {
            self.put(END, &[]);
            self.ended = true;
        }
    }

    fn send_abort(&mut self) {
        if !self.ended && self.failure.is_none() {
            self.put(ALERT, &[b"it breaks off"]);
            self.ended = true;
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
        !self.greeted
    }

    fn alpn(&self) -> Option<&[u8]> {
        self.greeted.then_some(ALPN)
    }

    fn export_keying_material(
        &self,
        out: &mut [u8],
        label: &[u8],
        context: Option<&[u8]>,
    ) -> Result<(), TlsError> {
        let name = self.name.as_deref().filter(|_| self.greeted && !out.is_empty());
        let name = name.ok_or_else(|| TlsError::Protocol { detail: "no key material".into() })?;
        for (number, part) in out.chunks_mut(digest::SHA256_OUTPUT_LEN).enumerate() {
            let mut hash = digest::Context::new(&digest::SHA256);
            for text in [name.as_bytes(), label, context.unwrap_or_default(), &number.to_be_bytes()] {
                hash.update(&text.len().to_be_bytes());
                hash.update(text);
            }
            for (to, from) in part.iter_mut().zip(hash.finish().as_ref()) {
                *to = *from;
            }
        }
        Ok(())
    }

    fn held(&self) -> usize {
        [&self.incoming, &self.plaintext, &self.early, &self.out]
            .into_iter()
            .fold(0, |sum, queue| queue.held().saturating_add(sum))
    }
}

const HELLO: u8 = 0;
const DATA: u8 = 1;
const END: u8 = 2;
const ALERT: u8 = 3;

const LONGEST_NAME: usize = 255;
const LONGEST_RECORD: usize = 16_384;
