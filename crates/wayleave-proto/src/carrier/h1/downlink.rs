//! A client's connection on HTTP/1.1, as its relay sees it: TLS, one request, one tunnel.

use core::time::Duration;
use std::collections::VecDeque;

use super::{Acks, DatagramError, Moved, Pipe};
use crate::base::{Instant, Kind};
use crate::carrier::ConnectionFault;
use crate::carrier::downlink::{End, Ending, Io, Loss, Signal, Sink as _, Sinks, TunnelKey};
use crate::carrier::tls::{Session, TlsError};
use crate::carrier::transport::Transport;
use crate::codec::capsule::CapsuleError;
use crate::codec::h1::encode_answer;
use crate::codec::http::{Answer, Refusal};
use crate::config::{Liveness, Peer};
use crate::net::{Onward, SocketId};
use crate::queue::DatagramQueue;

/// One connection. Its tunnel ends with it, and the end of the one is that of the other.
#[derive(Debug)]
pub(crate) struct Downlink {
    pub(super) pipe: Pipe,
    pub(super) state: State,
    /// The client ended its half of TCP, and how.
    ended: Option<Ending>,
    /// Bytes of the client's that came while it has no tunnel.
    pub(super) stray: usize,
    signals: VecDeque<Signal>,
}

/// What a connection is doing.
#[derive(Debug)]
pub(super) enum State {
    /// The header of a balancer, as far as it has come, until then.
    Preface { deadline: Instant, header: Vec<u8> },
    /// The relay looks at whose the balancer says that it is; what came behind that waits.
    Admission { deadline: Instant, rest: Vec<u8> },
    /// TLS, until then, and whether its first byte has come.
    Handshake { deadline: Instant, begun: bool },
    /// The head of the request, until then.
    Head { deadline: Instant },
    /// The relay has not answered yet. What comes behind the request waits.
    Asked { kind: Option<Kind> },
    /// The tunnel.
    Open {
        kind: Kind,
        /// Our half has ended.
        finished: bool,
        /// When to wish for fewer acknowledgements again.
        acks: Acks,
    },
    /// The last answer is on its way out; what comes in is thrown away, until then.
    Closing { deadline: Instant },
    /// It is over.
    Closed,
}

impl Downlink {
    /// A connection that was accepted at `socket`; behind a balancer it begins with the balancer's header.
    pub(crate) fn new<R: Copy, E>(
        io: &mut Io<'_, R, E>,
        socket: SocketId,
        session: Box<dyn Session>,
        is_behind_balancer: bool,
    ) -> Self {
        let deadline = io.now + io.limits.handshake_timeout;
        io.sockets.watch(socket, io.limits.liveness(Peer::Pausing));
        Self {
            pipe: Pipe::new(Transport::new(socket, session), io.limits.head),
            state: if is_behind_balancer {
                State::Preface { deadline, header: Vec::new() }
            } else {
                State::Handshake { deadline, begun: false }
            },
            ended: None,
            stray: 0,
            // One at a time mostly, and by itself a queue makes room for four.
            signals: VecDeque::with_capacity(1),
        }
    }

    pub(crate) fn handle_received<R: Copy, E>(
        &mut self,
        io: &mut Io<'_, R, E>,
        sinks: &mut impl Sinks,
        data: &mut [u8],
    ) {
        match &self.state {
            State::Open { kind: Kind::Datagram, .. } => return self.receive_datagrams(io, sinks, data),
            State::Open { kind: Kind::Stream, .. } => return self.receive_stream(io, sinks, data),
            State::Asked { .. } => {}
            _ => {
                if !self.takes_stray(io, data.len()) || !self.begins_tls(io, data) {
                    return;
                }
            }
        }
        match &self.state {
            State::Admission { .. } | State::Preface { .. } => return self.on_preface(data, io),
            State::Closed | State::Closing { .. } => return,
            State::Asked { .. } | State::Handshake { .. } | State::Head { .. } | State::Open { .. } => {}
        }
        let result = self.pipe.receive(data);
        // A handshake message or an alert wants to be written.
        if result.is_err() || matches!(self.state, State::Handshake { .. }) {
            self.pipe.transport.announce(io.sockets);
        }
        match (result, &self.state) {
            (Err(error), State::Handshake { .. } | State::Head { .. }) => {
                self.fail(ConnectionFault::Tls(error));
                self.linger(io);
            }
            (Err(_), _) => self.on_gone(io, Loss::Gone),
            (Ok(()), State::Handshake { .. }) => self.on_handshake(io),
            (Ok(()), State::Head { .. }) => self.on_head(io),
            (Ok(()), _) => self.signal(Signal::Readable(KEY)),
        }
    }

    /// Decrypts bytes of a stream and hands them on straight away, as far as they are taken.
    fn receive_stream<R: Copy, E>(&mut self, io: &mut Io<'_, R, E>, sinks: &mut impl Sinks, data: &mut [u8]) {
        let waited = self.pipe.plaintext_len() > 0;
        let session = self.pipe.session();
        let (plaintext, result) = session.decrypt(data);
        let lent = data.get(plaintext).unwrap_or_default();
        let queued = session.plaintext();
        let taken = if waited || queued.len() + lent.len() == 0 {
            0
        } else {
            sinks.sink(KEY).map_or(0, |mut sink| sink.write([queued, lent]))
        };
        let of_queued = taken.min(queued.len());
        session.consume(of_queued);
        session.keep(lent.get(taken - of_queued..).unwrap_or_default());
        match result {
            Ok(()) => self.signal(Signal::Readable(KEY)),
            Err(TlsError::PeerRefused { .. }) => self.on_gone(io, Loss::BrokenOff),
            Err(_) => self.on_gone(io, Loss::Gone),
        }
    }

    /// Decrypts datagrams and hands them on straight away.
    fn receive_datagrams<R: Copy, E>(
        &mut self,
        io: &mut Io<'_, R, E>,
        sinks: &mut impl Sinks,
        data: &mut [u8],
    ) {
        let State::Open { acks, .. } = &mut self.state else { return };
        let mut sink = sinks.sink(KEY);
        let received = self.pipe.receive_datagrams(data, |payload| {
            if let Some(sink) = &mut sink {
                sink.datagram(payload);
            }
        });
        // An alert or a key update may want to be written.
        if self.pipe.transport.pending_len() > 0 {
            self.pipe.transport.announce(io.sockets);
        }
        match received {
            Ok(received) => {
                if received.datagrams > 0 && acks.is_due() {
                    io.sockets.delay_acks(self.pipe.transport.socket);
                }
                self.signal(Signal::Readable(KEY));
            }
            Err(DatagramError::Capsule(error)) => self.signal(Signal::Violated(KEY, error)),
            Err(DatagramError::Tls(_)) => self.on_gone(io, Loss::Gone),
        }
    }

    pub(crate) fn handle_finished<R: Copy, E>(&mut self, io: &mut Io<'_, R, E>) {
        let is_clean = self.pipe.session().receive_end().is_ok();
        self.ended = Some(if is_clean { Ending::Clean } else { Ending::Truncated });
        match &self.state {
            State::Admission { .. } | State::Handshake { .. } | State::Preface { .. } => {
                self.fail(ConnectionFault::ClosedEarly);
                self.close(io, false);
            }
            // It may end its half behind its request, and still has what it asked for.
            State::Asked { .. } | State::Closed => {}
            State::Head { .. } => self.close(io, false),
            State::Closing { .. } => self.settle_closing(io),
            State::Open { .. } => self.signal(Signal::Ended(KEY)),
        }
    }

    pub(crate) fn handle_failed<R: Copy, E>(&mut self, io: &mut Io<'_, R, E>) {
        io.sockets.forget(self.pipe.transport.socket);
        self.on_gone(io, Loss::Gone);
    }

    /// What the client sent before still goes to the target; what the target sends has nowhere to go.
    pub(crate) fn handle_broken<R: Copy, E>(&mut self, io: &mut Io<'_, R, E>) {
        let is_stream = matches!(self.state, State::Open { kind: Kind::Stream, .. });
        if !is_stream || self.pipe.transport.pending_len() > 0 {
            self.on_gone(io, Loss::Gone);
        }
    }

    pub(crate) fn handle_written<R: Copy, E>(&mut self, io: &mut Io<'_, R, E>, written: usize) {
        self.pipe.session().written(written);
        if self.ended.is_some() {
            self.settle_closing(io);
        }
        if matches!(self.state, State::Open { kind: Kind::Stream, .. })
            && self.pipe.transport.pending_len() <= io.limits.buffer / 2
        {
            self.signal(Signal::Writable(KEY));
        }
    }

    pub(crate) fn handle_timeout<R: Copy, E>(&mut self, io: &mut Io<'_, R, E>) {
        if self.poll_timeout().is_none_or(|deadline| deadline > io.now) {
            return;
        }
        match &self.state {
            State::Admission { .. } | State::Preface { .. } => self.on_too_slow(io, "PROXY header"),
            State::Handshake { .. } => self.on_too_slow(io, "TLS handshake"),
            State::Head { .. } => self.on_too_slow(io, "request"),
            State::Closing { .. } => self.close(io, false),
            State::Asked { .. } | State::Closed | State::Open { .. } => {}
        }
    }

    pub(crate) const fn poll_timeout(&self) -> Option<Instant> {
        match &self.state {
            State::Admission { deadline, .. }
            | State::Closing { deadline }
            | State::Handshake { deadline, .. }
            | State::Head { deadline }
            | State::Preface { deadline, .. } => Some(*deadline),
            State::Asked { .. } | State::Closed | State::Open { .. } => None,
        }
    }

    pub(crate) fn poll_signal(&mut self) -> Option<Signal> {
        self.signals.pop_front()
    }

    pub(crate) fn pending<R: Copy, E>(&mut self, io: &mut Io<'_, R, E>) -> Option<&[u8]> {
        self.pipe.transport.pending(io.sockets)
    }

    /// Also ends its tunnel, of which nothing more is told.
    pub(crate) fn close<R: Copy, E>(&mut self, io: &mut Io<'_, R, E>, reset: bool) {
        self.pipe.transport.close(io.sockets, reset);
        self.state = State::Closed;
    }

    pub(crate) const fn is_closed(&self) -> bool {
        matches!(self.state, State::Closed)
    }

    pub(crate) const fn is_strange(&self) -> bool {
        matches!(
            self.state,
            State::Admission { .. } | State::Handshake { .. } | State::Head { .. } | State::Preface { .. }
        )
    }

    /// Nothing can be said about it: who has asked for nothing yet sees the end, and what runs goes on.
    pub(crate) fn leave<R: Copy, E>(&mut self, io: &mut Io<'_, R, E>) {
        if self.is_strange() && !self.pipe.has_begun_head() {
            self.close(io, false);
        }
    }

    pub(crate) fn held(&self) -> usize {
        self.pipe.held()
            + match &self.state {
                State::Admission { rest: bytes, .. } | State::Preface { header: bytes, .. } => {
                    bytes.capacity()
                }
                _ => 0,
            }
    }

    pub(crate) fn export(&mut self, label: &[u8], context: &[u8]) -> Option<[u8; 48]> {
        self.pipe.transport.export(label, context)
    }
}

/// Its tunnel.
impl Downlink {
    pub(crate) fn answer<R: Copy, E>(&mut self, io: &mut Io<'_, R, E>, key: TunnelKey, answer: &Answer) {
        let State::Asked { kind } = self.state else { return };
        if key != KEY {
            return;
        }
        self.send_answer(io, kind, answer);
        match (answer, kind) {
            (Answer::Accepted { .. }, Some(kind)) => {
                self.state = State::Open { kind, finished: false, acks: Acks::default() };
                self.pipe.transport.announce(io.sockets);
                if kind == Kind::Datagram {
                    io.sockets.watch(self.pipe.transport.socket, io.limits.liveness(peer_of(kind)));
                    // It was paused if it sent much before the tunnel was open.
                    self.pipe.transport.pause(io.sockets, false);
                }
            }
            // Nothing behind a request that opened no tunnel is read (RFC 9931).
            _ => self.linger(io),
        }
    }

    pub(super) fn send_answer<R: Copy, E>(&mut self, io: &Io<'_, R, E>, kind: Option<Kind>, answer: &Answer) {
        let mut head = Vec::new();
        encode_answer(&mut head, kind, answer, io.clock.unix(io.now));
        self.pipe.session().send(&[&head]);
    }

    /// The last answer of a connection on which nothing was asked.
    pub(super) fn send_refusal<R: Copy, E>(&mut self, io: &Io<'_, R, E>, status: u16, body: &'static str) {
        let refusal = Refusal { status, body: body.into(), ..Refusal::default() };
        self.send_answer(io, None, &Answer::Refused(refusal));
    }

    pub(crate) fn write<R: Copy, E>(
        &mut self,
        io: &mut Io<'_, R, E>,
        onward: &mut dyn Onward,
        key: TunnelKey,
        data: &[u8],
    ) {
        if !self.carries(key) {
            return;
        }
        if io.sockets.is_broken(self.pipe.transport.socket) {
            return self.on_gone(io, Loss::Gone);
        }
        let socket = self.pipe.transport.socket;
        let waited = io.sockets.is_pending(socket);
        let session = self.pipe.session();
        session.send(&[data]);
        if !waited {
            let taken = onward.write(socket, [session.pending(), &[]]);
            session.written(taken);
        }
        if session.pending_len() > 0 {
            self.pipe.transport.announce(io.sockets);
        }
    }

    pub(crate) fn waiting(&self, key: TunnelKey) -> usize {
        if self.carries(key) { self.pipe.transport.pending_len() } else { 0 }
    }

    pub(crate) fn finish<R: Copy, E>(&mut self, io: &mut Io<'_, R, E>, key: TunnelKey) {
        let State::Open { finished, .. } = &mut self.state else { return };
        if key != KEY {
            return;
        }
        *finished = true;
        self.pipe.session().send_end();
        self.pipe.transport.finish(io.sockets);
    }

    pub(crate) fn end<R: Copy, E>(&mut self, io: &mut Io<'_, R, E>, key: TunnelKey, end: End) {
        let State::Open { finished, .. } = self.state else { return };
        if key != KEY {
            return;
        }
        match end {
            End::Clean
                if finished && self.pipe.transport.pending_len() == 0 && self.ending(KEY).is_some() =>
            {
                self.close(io, false);
            }
            End::Clean => self.linger(io),
            End::Reset => self.close(io, true),
            End::Truncated => self.part(io),
        }
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

    pub(crate) fn pause<R: Copy, E>(&mut self, io: &mut Io<'_, R, E>, key: TunnelKey, paused: bool) {
        if key == KEY {
            self.pipe.transport.pause(io.sockets, paused);
        }
    }

    pub(crate) fn ending(&mut self, key: TunnelKey) -> Option<Ending> {
        let finished = || self.pipe.session().is_finished().then_some(Ending::Clean);
        if key == KEY { self.ended.or_else(finished) } else { None }
    }

    pub(crate) fn watch<R: Copy, E>(
        &self,
        io: &mut Io<'_, R, E>,
        key: TunnelKey,
        idle: Duration,
        timeout: Duration,
    ) {
        let State::Open { kind, .. } = self.state else { return };
        if key == KEY {
            io.sockets.watch(self.pipe.transport.socket, Liveness { idle, timeout, peer: peer_of(kind) });
        }
    }

    pub(crate) fn deliver_datagrams<R: Copy, E>(
        &mut self,
        io: &mut Io<'_, R, E>,
        sinks: &mut impl Sinks,
        key: TunnelKey,
    ) {
        if self.carries(key) {
            self.receive_datagrams(io, sinks, &mut []);
        }
    }

    pub(crate) fn check_whole(&self, _: TunnelKey) -> Result<(), CapsuleError> {
        self.pipe.finish_datagrams()
    }

    pub(crate) fn announce_datagrams<R: Copy, E>(&mut self, io: &mut Io<'_, R, E>, key: TunnelKey) {
        if self.carries(key) {
            self.pipe.transport.announce(io.sockets);
        }
    }

    pub(crate) fn send_datagrams(
        &mut self,
        now: Instant,
        key: TunnelKey,
        queue: &mut DatagramQueue,
    ) -> Moved {
        if self.carries(key) { self.pipe.send_datagrams(now, queue) } else { Moved::default() }
    }

    fn carries(&self, key: TunnelKey) -> bool {
        key == KEY && matches!(self.state, State::Open { .. })
    }
}

/// Its end.
impl Downlink {
    /// Ends our half and waits a while for the client to end its own, so that the last answer is not lost to a reset
    /// (RFC 9112 §9.6).
    pub(super) fn linger<R: Copy, E>(&mut self, io: &mut Io<'_, R, E>) {
        self.pipe.session().send_end();
        self.part(io);
    }

    /// Writes what is pending, then ends our half; without a close_notify before it the client knows that bytes are missing
    /// behind those that came.
    fn part<R: Copy, E>(&mut self, io: &mut Io<'_, R, E>) {
        self.state = State::Closing { deadline: io.now + io.limits.linger };
        self.stray = 0;
        self.pipe.transport.finish(io.sockets);
        self.pipe.transport.pause(io.sockets, false);
        self.settle_closing(io);
    }

    /// Closes where both halves have ended, once the last answer is written.
    fn settle_closing<R: Copy, E>(&mut self, io: &mut Io<'_, R, E>) {
        let is_closing = matches!(self.state, State::Closing { .. });
        if is_closing && self.ended.is_some() && self.pipe.transport.pending_len() == 0 {
            self.close(io, false);
        }
    }

    /// The client's side broke.
    fn on_gone<R: Copy, E>(&mut self, io: &mut Io<'_, R, E>, loss: Loss) {
        match &self.state {
            State::Admission { .. } | State::Handshake { .. } | State::Preface { .. } => {
                self.fail(ConnectionFault::ClosedEarly);
            }
            State::Asked { .. } | State::Open { .. } => self.signal(Signal::Lost(KEY, loss)),
            State::Closed | State::Closing { .. } | State::Head { .. } => {}
        }
        self.close(io, true);
    }

    pub(super) fn fail(&mut self, fault: ConnectionFault) {
        self.signal(Signal::Failed(fault));
    }

    pub(super) fn signal(&mut self, signal: Signal) {
        self.signals.push_back(signal);
    }
}

/// What the silence of a client means whose tunnel is of that kind.
const fn peer_of(kind: Kind) -> Peer {
    match kind {
        Kind::Datagram => Peer::Reading,
        Kind::Stream => Peer::Pausing,
    }
}

/// The only tunnel.
pub(super) const KEY: TunnelKey = TunnelKey::from_u64(0);
