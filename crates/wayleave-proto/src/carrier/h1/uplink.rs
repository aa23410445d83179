//! A connection to a proxy on HTTP/1.1, as its client sees it: TLS, one request, one tunnel.

use core::time::Duration;
use std::collections::VecDeque;

use super::{Acks, DatagramError, Moved, Pipe};
use crate::base::{Instant, Kind};
use crate::carrier::tls::{Session, TlsError};
use crate::carrier::transport::Transport;
use crate::carrier::uplink::{Io, Signal, Take, TunnelKey};
use crate::codec::h1::{HeadLimits, encode_ask, parse_answer};
use crate::codec::http::{Answer, Ask, Malformed};
use crate::config::{Peer, Truncation};
use crate::net::{Fault, SocketId};
use crate::queue::DatagramQueue;

/// One connection. Its tunnel ends with it, and the end of the one is that of the other.
#[derive(Debug)]
pub(crate) struct Uplink {
    pipe: Pipe,
    state: State,
    /// The proxy ended it without close_notify.
    truncated: bool,
    signals: VecDeque<Signal>,
}

/// What a connection is doing.
#[derive(Debug)]
enum State {
    /// TLS is being agreed.
    Handshake,
    /// It waits for a request.
    Free,
    /// A request is on its way, for a tunnel of this kind or for none.
    Asked { kind: Option<Kind> },
    /// The tunnel.
    Open {
        kind: Kind,
        /// When to wish for fewer acknowledgements again.
        acks: Acks,
    },
    /// The last word goes out, until then; so many bytes that came meanwhile were thrown away: unread they would turn the end
    /// into a reset, which can overtake it.
    Parting { deadline: Instant, ignored: usize },
    /// It is over.
    Closed,
}

impl Uplink {
    /// A connection that stands at `socket`, and over which TLS begins.
    pub(crate) fn new(socket: SocketId, session: Box<dyn Session>) -> Self {
        Self {
            pipe: Pipe::new(Transport::new(socket, session), HeadLimits::default()),
            state: State::Handshake,
            truncated: false,
            signals: VecDeque::new(),
        }
    }

    pub(crate) fn handle_received<R: Copy, E>(
        &mut self,
        io: &mut Io<'_, R, E>,
        take: &mut Take<'_>,
        data: &mut [u8],
    ) {
        match &mut self.state {
            State::Closed => return,
            State::Parting { ignored, .. } => {
                *ignored = ignored.saturating_add(data.len());
                if *ignored > MOST_BYTES {
                    self.close(io, false);
                }
                return;
            }
            State::Open { kind: Kind::Datagram, .. } => return self.receive_datagrams(io, take, data),
            State::Asked { .. } | State::Free | State::Handshake | State::Open { .. } => {}
        }
        let result = self.pipe.receive(data);
        match (result, &self.state) {
            (Err(error), State::Handshake) => {
                self.part(io, false);
                self.signal(Signal::Failed(Box::new(error.into())));
            }
            (Err(_), _) => self.break_off(io),
            (Ok(()), State::Handshake) => self.on_handshake(io),
            (Ok(()), _) => {
                self.pipe.transport.announce(io.sockets);
                self.read_on(io, take);
            }
        }
    }

    fn on_handshake<R: Copy, E>(&mut self, io: &mut Io<'_, R, E>) {
        if self.pipe.session().is_handshaking() {
            self.pipe.transport.announce(io.sockets);
        } else if self.pipe.plaintext_len() > 0 {
            // What came with the handshake would pass for the answer to the first request (RFC 9112 §6.3).
            self.close(io, false);
            self.signal(Signal::Failed(Box::new(Fault::Unasked)));
        } else {
            self.state = State::Free;
            self.pipe.transport.announce(io.sockets);
            self.signal(Signal::Ready);
        }
    }

    /// Reads what waits, as far as it can be understood now.
    fn read_on<R: Copy, E>(&mut self, io: &mut Io<'_, R, E>, take: &mut Take<'_>) {
        if let State::Free = self.state
            && (self.pipe.plaintext_len() > 0 || self.pipe.session().is_finished())
        {
            // A proxy that speaks or ends before it was asked cannot be used any more.
            self.close(io, false);
            return self.signal(Signal::Broken);
        }
        while let State::Asked { kind } = self.state {
            let answer = match self.pipe.read_head() {
                Ok(Some(head)) => parse_answer(head, kind).map_err(Malformed::from),
                Ok(None) => {
                    if self.pipe.session().is_finished() {
                        self.signal(Signal::Broken);
                    }
                    return;
                }
                Err(error) => Err(error.into()),
            };
            self.pipe.end_head();
            let Some(answer) = answer.transpose() else { continue };
            if let (Ok(Answer::Accepted { .. }), Some(kind)) = (&answer, kind) {
                self.state = State::Open { kind, acks: Acks::default() };
                if kind == Kind::Datagram {
                    io.sockets.watch(self.pipe.transport.socket, io.config.limits.liveness(Peer::Reading));
                }
                self.pipe.transport.announce(io.sockets);
                self.signal(Signal::Answered(KEY, Box::new(answer)));
                break;
            }
            return self.signal(Signal::Answered(KEY, Box::new(answer)));
        }
        match self.state {
            State::Open { kind: Kind::Datagram, .. } => self.receive_datagrams(io, take, &mut []),
            State::Open { kind: Kind::Stream, .. } => self.signal(Signal::Readable(KEY)),
            _ => {}
        }
    }

    /// Decrypts datagrams and hands them on straight away.
    fn receive_datagrams<R: Copy, E>(&mut self, io: &mut Io<'_, R, E>, take: &mut Take<'_>, data: &mut [u8]) {
        let State::Open { acks, .. } = &mut self.state else { return };
        let received = self.pipe.receive_datagrams(data, |payload| take(KEY, payload));
        // An alert or a key update may want to be written.
        if self.pipe.transport.pending_len() > 0 {
            self.pipe.transport.announce(io.sockets);
        }
        match received {
            Ok(Moved { datagrams, bytes }) => {
                if datagrams > 0 {
                    if acks.is_due() {
                        io.sockets.delay_acks(self.pipe.transport.socket);
                    }
                    self.signal(Signal::Datagrams(KEY, bytes));
                }
                if self.pipe.session().is_finished() {
                    self.signal(Signal::Ended(KEY));
                }
            }
            Err(DatagramError::Tls(_)) => self.break_off(io),
            Err(DatagramError::Capsule(_)) => self.signal(Signal::Violated(KEY)),
        }
    }

    pub(crate) fn handle_finished<R: Copy, E>(&mut self, io: &mut Io<'_, R, E>, take: &mut Take<'_>) {
        match self.state {
            State::Closed => return,
            State::Parting { .. } => return self.close(io, false),
            State::Asked { .. } | State::Free | State::Handshake | State::Open { .. } => {}
        }
        let ended = self.pipe.session().receive_end();
        self.truncated = ended == Err(TlsError::Truncated);
        match (ended, &self.state) {
            (Ok(()), State::Handshake) => {}
            (Err(error), State::Handshake) => {
                self.close(io, false);
                self.signal(Signal::Failed(Box::new(error.into())));
            }
            (Ok(()), _) => self.read_on(io, take),
            (Err(TlsError::Truncated), State::Open { .. }) if io.config.truncation == Truncation::End => {
                self.pipe.session().excuse_end();
                self.read_on(io, take);
            }
            (Err(_), _) => {
                self.close(io, true);
                self.signal(Signal::Broken);
            }
        }
    }

    pub(crate) fn handle_failed<R: Copy, E>(&mut self, io: &mut Io<'_, R, E>, fault: Fault) {
        io.sockets.forget(self.pipe.transport.socket);
        match core::mem::replace(&mut self.state, State::Closed) {
            State::Handshake => self.signal(Signal::Failed(Box::new(fault))),
            State::Asked { .. } | State::Free | State::Open { .. } => self.signal(Signal::Broken),
            State::Closed | State::Parting { .. } => {}
        }
    }

    pub(crate) fn handle_written(&mut self, written: usize) {
        self.pipe.session().written(written);
        if let State::Open { .. } = self.state {
            self.signal(Signal::Writable(KEY));
        }
    }

    pub(crate) fn handle_timeout<R: Copy, E>(&mut self, io: &mut Io<'_, R, E>) {
        if self.poll_timeout().is_some_and(|deadline| deadline <= io.now) {
            self.close(io, false);
        }
    }

    pub(crate) const fn poll_timeout(&self) -> Option<Instant> {
        self.last_word()
    }

    /// TCP knows its other end by the addresses of both.
    pub(crate) const fn survives_network(&self) -> bool {
        false
    }

    pub(crate) fn poll_signal(&mut self) -> Option<Signal> {
        self.signals.pop_front()
    }

    pub(crate) fn pending<R: Copy, E>(&mut self, io: &mut Io<'_, R, E>) -> Option<&[u8]> {
        self.pipe.transport.pending(io.sockets)
    }

    pub(crate) const fn room(&self) -> usize {
        matches!(self.state, State::Free) as usize
    }

    pub(crate) const fn is_closed(&self) -> bool {
        matches!(self.state, State::Closed)
    }

    pub(crate) const fn last_word(&self) -> Option<Instant> {
        match &self.state {
            State::Parting { deadline, .. } => Some(*deadline),
            _ => None,
        }
    }

    pub(crate) fn held(&self) -> usize {
        self.pipe.held()
    }

    pub(crate) fn export(&mut self, label: &[u8], context: &[u8]) -> Option<[u8; 48]> {
        self.pipe.transport.export(label, context)
    }

    pub(crate) fn close<R: Copy, E>(&mut self, io: &mut Io<'_, R, E>, reset: bool) {
        self.pipe.transport.close(io.sockets, reset);
        self.state = State::Closed;
    }
}

/// Its tunnel.
impl Uplink {
    pub(crate) fn ask<R: Copy, E>(&mut self, io: &mut Io<'_, R, E>, ask: &Ask) -> Option<TunnelKey> {
        let State::Free = self.state else { return None };
        let mut head = Vec::with_capacity(512);
        encode_ask(&mut head, ask);
        self.pipe.session().send(&[&head]);
        zeroize::Zeroize::zeroize(&mut head);
        self.state = State::Asked { kind: ask.want.kind() };
        self.pipe.transport.announce(io.sockets);
        Some(KEY)
    }

    pub(crate) fn write<R: Copy, E>(&mut self, io: &mut Io<'_, R, E>, key: TunnelKey, pieces: &[&[u8]]) {
        if self.carries(key) {
            self.pipe.session().send(pieces);
            self.pipe.transport.announce(io.sockets);
        }
    }

    pub(crate) fn waiting(&self, key: TunnelKey) -> usize {
        if key == KEY { self.pipe.transport.pending_len() } else { 0 }
    }

    pub(crate) fn finish<R: Copy, E>(&mut self, io: &mut Io<'_, R, E>, key: TunnelKey) {
        if self.carries(key) {
            // The FIN comes with the close, so that the relay still listens and learns of the close at once.
            self.pipe.session().send_end();
            self.pipe.transport.announce(io.sockets);
        }
    }

    pub(crate) fn abort<R: Copy, E>(&mut self, io: &mut Io<'_, R, E>, key: TunnelKey) {
        if self.carries(key) {
            self.pipe.session().send_abort();
            self.pipe.transport.announce(io.sockets);
        }
    }

    pub(crate) fn end<R: Copy, E>(&mut self, io: &mut Io<'_, R, E>, key: TunnelKey, reset: bool) {
        if key == KEY && self.last_word().is_none() {
            self.close(io, reset);
        }
    }

    pub(crate) fn settle<R: Copy, E>(&mut self, io: &mut Io<'_, R, E>, key: TunnelKey) {
        self.end(io, key, false);
    }

    pub(crate) fn read(&mut self, key: TunnelKey) -> &[u8] {
        if key == KEY { self.pipe.session().plaintext() } else { &[] }
    }

    pub(crate) fn consume<R: Copy, E>(&mut self, _: &mut Io<'_, R, E>, key: TunnelKey, amount: usize) {
        if key == KEY {
            self.pipe.session().consume(amount);
        }
    }

    pub(crate) fn readable(&self, key: TunnelKey) -> usize {
        if key == KEY { self.pipe.plaintext_len() } else { 0 }
    }

    pub(crate) fn is_finished(&mut self, key: TunnelKey) -> bool {
        key == KEY && self.pipe.session().is_finished()
    }

    pub(crate) fn is_truncated(&self, key: TunnelKey) -> bool {
        key == KEY && self.truncated
    }

    pub(crate) fn is_broken<R: Copy, E>(&self, io: &Io<'_, R, E>, key: TunnelKey) -> bool {
        !self.carries(key) || io.sockets.is_broken(self.pipe.transport.socket)
    }

    pub(crate) fn is_gone(&self, key: TunnelKey) -> bool {
        !self.carries(key)
    }

    pub(crate) fn pause<R: Copy, E>(&mut self, io: &mut Io<'_, R, E>, key: TunnelKey, paused: bool) {
        if self.carries(key) {
            self.pipe.transport.pause(io.sockets, paused);
        }
    }

    pub(crate) fn announce_datagrams<R: Copy, E>(&mut self, io: &mut Io<'_, R, E>, key: TunnelKey) {
        if self.carries(key) {
            self.pipe.transport.announce(io.sockets);
        }
    }

    pub(crate) fn send_datagrams(&mut self, now: Instant, key: TunnelKey, queue: &mut DatagramQueue) {
        if self.carries(key) {
            self.pipe.send_datagrams(now, queue);
        }
    }

    fn carries(&self, key: TunnelKey) -> bool {
        key == KEY && matches!(self.state, State::Open { .. })
    }
}

/// Its end.
impl Uplink {
    /// The proxy broke a rule of TLS, and is told so.
    fn break_off<R: Copy, E>(&mut self, io: &mut Io<'_, R, E>) {
        self.part(io, true);
        self.signal(Signal::Broken);
    }

    /// Ends it behind the alert that waits; at once where there is none
    /// ([RFC 8446 §6.2](https://www.rfc-editor.org/rfc/rfc8446#section-6.2)).
    fn part<R: Copy, E>(&mut self, io: &mut Io<'_, R, E>, reset: bool) {
        if !(1..=MOST_BYTES).contains(&self.pipe.transport.pending_len()) {
            return self.close(io, reset);
        }
        self.state = State::Parting { deadline: io.now + PATIENCE, ignored: 0 };
        self.pipe.transport.pause(io.sockets, false);
        self.pipe.transport.finish(io.sockets);
    }

    fn signal(&mut self, signal: Signal) {
        self.signals.push_back(signal);
    }
}

/// The only tunnel.
const KEY: TunnelKey = TunnelKey::from_u64(0);
/// An alert is short, but payload may wait before it; and a proxy may say this much more.
const MOST_BYTES: usize = 64 * 1024;
/// How long the proxy has to take the last word.
const PATIENCE: Duration = Duration::from_secs(1);
