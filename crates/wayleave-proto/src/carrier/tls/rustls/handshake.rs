//! The handshake of a connection, by rustls.

use ::rustls::client::UnbufferedClientConnection;
use ::rustls::server::UnbufferedServerConnection;
use ::rustls::unbuffered::{ConnectionState, EncodeError, EncodeTlsData, UnbufferedStatus};
use ::rustls::{CommonState, Error, Tls13CipherSuite};
use std::sync::Arc;

use super::catch::Catch;
use super::failure;
use super::last_word::last_word;
use super::traffic::{Kernel, Traffic};
use crate::carrier::tls::{ALPN, TlsError};
use crate::queue::ByteQueue;

/// A handshake that is under way.
pub(super) struct Handshake {
    engine: Engine,
    catch: Arc<Catch>,
    /// Ciphertext that the engine has not done with.
    incoming: Vec<u8>,
    /// How much of it the engine was shown: never more than one record that it has not seen before, so that it never
    /// decrypts what follows the handshake.
    shown: usize,
    /// Where the last whole record that it was shown ends.
    whole: usize,
    greeted: bool,
}

/// Either side of a handshake.
pub(super) enum Engine {
    Client(UnbufferedClientConnection),
    Server(UnbufferedServerConnection),
}

/// How far a handshake is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Progress {
    /// The peer gave up, cleanly.
    Closed,
    /// It is over: take [`Handshake::finish`].
    Over,
    /// The peer has to say more.
    Waiting,
}

enum Step {
    Again,
    Done(Progress),
}

impl Handshake {
    pub(super) const fn new(engine: Engine, catch: Arc<Catch>) -> Self {
        Self { engine, catch, incoming: Vec::new(), shown: 0, whole: 0, greeted: false }
    }

    /// Takes ciphertext, none at the beginning of a client, and appends what there is to answer to `out`.
    ///
    /// # Errors
    /// What is wrong with the peer; an alert for it is in `out`.
    pub(super) fn receive(&mut self, bytes: &[u8], out: &mut ByteQueue) -> Result<Progress, TlsError> {
        self.incoming.extend_from_slice(bytes);
        loop {
            self.greeted |= self.engine.state().protocol_version().is_some();
            match self.step(out) {
                Ok(Step::Again) => {}
                Ok(Step::Done(Progress::Waiting)) if self.show_more() => {}
                Ok(Step::Done(progress)) => {
                    if self.incoming.is_empty() {
                        self.incoming = Vec::new();
                    }
                    return Ok(progress);
                }
                Err(error) => {
                    // The alert is handed out before anything more is looked at.
                    let before = out.len();
                    while self.engine.state().wants_write() {
                        let _ = self.step(out);
                    }
                    let is_told = out.len() > before || matches!(error, Error::AlertReceived(_));
                    if !is_told {
                        last_word(&error, &self.catch, self.suite(), out.end(0));
                    }
                    self.incoming = Vec::new();
                    (self.shown, self.whole) = (0, 0);
                    return Err(failure::connection(&error, self.greeted));
                }
            }
        }
    }

    /// Bytes held for messages that are incomplete.
    pub(super) const fn held(&self) -> usize {
        self.incoming.capacity()
    }

    /// Whether it is the server's side.
    pub(super) const fn is_server(&self) -> bool {
        matches!(self.engine, Engine::Server(_))
    }

    /// Whether the protocol was agreed by ALPN.
    pub(super) fn alpn(&self) -> bool {
        self.engine.state().alpn_protocol().is_some_and(|protocol| protocol == ALPN)
    }

    fn suite(&self) -> Option<&'static Tls13CipherSuite> {
        self.engine.state().negotiated_cipher_suite().and_then(|suite| suite.tls13())
    }

    /// What follows the handshake, and the ciphertext that has already come for it.
    ///
    /// # Errors
    /// [`TlsError::Protocol`] where the engine does not give its keys.
    pub(super) fn finish(self) -> Result<(Traffic, Vec<u8>), TlsError> {
        let alpn = self.alpn();
        let (secrets, kernel) = match self.engine {
            Engine::Client(client) => client
                .dangerous_into_kernel_connection()
                .map(|(secrets, kernel)| (secrets, Kernel::Client(kernel))),
            Engine::Server(server) => server
                .dangerous_into_kernel_connection()
                .map(|(secrets, kernel)| (secrets, Kernel::Server(kernel))),
        }
        .map_err(failure::protocol)?;
        let suite = kernel.suite().tls13().ok_or_else(|| failure::protocol("the peer must speak TLS 1.3"))?;
        let exporter = self.catch.exporter(suite);
        let limit = suite.common.confidentiality_limit;
        let traffic = Traffic::new(&secrets, kernel, exporter, limit, alpn)?;
        let mut rest = self.incoming;
        rest.drain(..self.shown.min(rest.len()));
        Ok((traffic, rest))
    }

    fn step(&mut self, out: &mut ByteQueue) -> Result<Step, Error> {
        let shown = self.incoming.get_mut(..self.shown).unwrap_or_default();
        let (discard, step) = self.engine.process(shown, out.end(0));
        let discard = discard.min(self.shown);
        self.incoming.drain(..discard);
        self.shown = self.shown.saturating_sub(discard);
        self.whole = self.whole.saturating_sub(discard);
        step
    }

    /// Shows the engine the next record, as far as it has come; `false` when there is nothing new.
    fn show_more(&mut self) -> bool {
        let rest = self.incoming.get(self.whole..).unwrap_or_default();
        let length = match rest.first_chunk() {
            Some([_, _, _, high, low]) => usize::from(u16::from_be_bytes([*high, *low])).saturating_add(5),
            None => usize::MAX,
        };
        let end = self.whole.saturating_add(length.min(rest.len()));
        if length <= rest.len() {
            self.whole = end;
        }
        let is_more = end > self.shown;
        self.shown = end;
        is_more
    }
}

impl Engine {
    fn state(&self) -> &CommonState {
        match self {
            Self::Client(client) => client,
            Self::Server(server) => server,
        }
    }

    fn process(&mut self, incoming: &mut [u8], out: &mut Vec<u8>) -> (usize, Result<Step, Error>) {
        match self {
            Self::Client(client) => step(client.process_tls_records(incoming), out),
            Self::Server(server) => step(server.process_tls_records(incoming), out),
        }
    }
}

fn step<Side>(status: UnbufferedStatus<'_, '_, Side>, out: &mut Vec<u8>) -> (usize, Result<Step, Error>) {
    let step = status.state.map(|state| match state {
        ConnectionState::EncodeTlsData(mut message) => {
            encode(&mut message, out);
            Step::Again
        }
        ConnectionState::TransmitTlsData(sent) => {
            sent.done();
            Step::Again
        }
        ConnectionState::WriteTraffic(_) => Step::Done(Progress::Over),
        ConnectionState::PeerClosed | ConnectionState::Closed => Step::Done(Progress::Closed),
        // Neither early data nor data of a record that was not shown.
        _ => Step::Done(Progress::Waiting),
    });
    (status.discard, step)
}

fn encode<Side>(message: &mut EncodeTlsData<'_, Side>, out: &mut Vec<u8>) {
    let start = out.len();
    let mut room = 0;
    // The first attempt tells how much room it takes.
    for _ in 0..2 {
        out.resize(start.saturating_add(room), 0);
        match message.encode(out.get_mut(start..).unwrap_or_default()) {
            Ok(_) | Err(EncodeError::AlreadyEncoded) => return,
            Err(EncodeError::InsufficientSize(size)) => room = size.required_size,
        }
    }
    out.truncate(start);
}
