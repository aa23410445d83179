//! A client's connection on the carrier of the tests, as its relay sees it.

use core::time::Duration;
use std::collections::{BTreeMap, VecDeque};

use super::frame::{ABORT, ANSWER, ASK, CREDIT, DATA, END, Frame, GONE, LEAVING, RESET, answering};
use super::tunnel::{Finish, Tunnel};
use super::wire::Wire;
use crate::base::{Instant, Kind, Slots};
use crate::carrier::ConnectionFault;
use crate::carrier::downlink::{End, Ending, Io, Loss, Moved, Signal, Sink as _, Sinks, TunnelKey};
use crate::carrier::tls::Session;
use crate::codec::capsule::CapsuleError;
use crate::codec::http::Answer;
use crate::config::{Liveness, Peer};
use crate::net::{Onward, SocketId};
use crate::queue::DatagramQueue;

/// One connection. It ends when its client ends it, or when it has left.
#[derive(Debug)]
pub(crate) struct Downlink {
    wire: Wire,
    state: State,
    tunnels: Slots<TunnelKey, Tunnel>,
    numbers: BTreeMap<u32, TunnelKey>,
    signals: VecDeque<Signal>,
    /// Something was asked for.
    used: bool,
}

/// What a connection is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// It takes tunnels. While it has none, one has to be asked for until then.
    Open(Instant),
    /// It has said that it leaves, and ends behind its last tunnel, or then if its client has not done so before. What is
    /// asked for meanwhile was asked before the client knew, and is answered.
    Leaving(Instant),
    /// The client has ended its half. What it has sent whole goes on, and the connection ends behind that.
    Ended,
    /// It is over.
    Closed,
}

impl Downlink {
    /// A connection that was accepted at `socket`.
    pub(crate) fn new<R: Copy, E>(
        io: &mut Io<'_, R, E>,
        socket: SocketId,
        session: Box<dyn Session>,
    ) -> Self {
        io.sockets.watch(socket, io.limits.liveness(Peer::Pausing));
        Self {
            wire: Wire::new(socket, session),
            state: State::Open(io.now + io.limits.head_timeout),
            tunnels: Slots::new(),
            numbers: BTreeMap::new(),
            signals: VecDeque::new(),
            used: false,
        }
    }

    pub(crate) fn handle_received<R: Copy, E>(
        &mut self,
        io: &mut Io<'_, R, E>,
        sinks: &mut impl Sinks,
        data: &mut [u8],
    ) {
        if self.is_closed() {
            return;
        }
        let (frames, result) = self.wire.receive(data);
        let mut rest = frames.as_slice();
        while let Some((frame, length)) = Frame::read(rest).filter(|_| !self.is_closed()) {
            self.on_frame(io, sinks, frame);
            rest = rest.get(length..).unwrap_or_default();
        }
        let is_too_much = self.wire.keep(rest) > io.limits.stray;
        match result {
            _ if self.is_closed() => {}
            Err(error) if !self.used => self.fail(io, ConnectionFault::Tls(error)),
            Err(_) => self.lose(io, true),
            Ok(()) if is_too_much => self.fail(io, ConnectionFault::TooMuch(io.limits.stray)),
            Ok(()) => {}
        }
        self.flush(io);
    }

    fn on_frame<R: Copy, E>(&mut self, io: &mut Io<'_, R, E>, sinks: &mut impl Sinks, frame: Frame<'_>) {
        let key = self.numbers.get(&frame.number).copied();
        match (frame.tag, key) {
            (ASK, None) => self.on_ask(frame),
            (DATA, Some(key)) => self.on_data(io, sinks, key, frame.payload),
            (END, Some(key)) => {
                if let Some(tunnel) = self.tunnels.get_mut(key) {
                    tunnel.ended = true;
                    self.signals.push_back(Signal::Ended(key));
                }
            }
            (ABORT | RESET, Some(key)) => {
                self.numbers.remove(&frame.number);
                if let Some(tunnel) = self.tunnels.get_mut(key) {
                    let loss = if frame.tag == ABORT { Loss::BrokenOff } else { Loss::Gone };
                    tunnel.lost = true;
                    self.signals.push_back(Signal::Lost(key, loss));
                }
            }
            (CREDIT, Some(key)) => {
                if let Some(tunnel) = self.tunnels.get_mut(key) {
                    tunnel.credit = tunnel.credit.saturating_add(frame.credit());
                }
            }
            (GONE, _) => self.lose(io, true),
            // What was on its way to a tunnel that is over.
            (ABORT | DATA | END | RESET | CREDIT, None) => {}
            _ => self.lose(io, true),
        }
    }

    fn on_ask(&mut self, frame: Frame<'_>) {
        let ask = frame.ask();
        let kind = ask.as_ref().ok().and_then(|ask| ask.want.kind());
        let key = self.tunnels.insert(Tunnel::new(frame.number, kind));
        self.numbers.insert(frame.number, key);
        self.used = true;
        self.signals.push_back(Signal::Asked(key, Box::new(ask)));
    }

    fn on_data<R: Copy, E>(
        &mut self,
        io: &mut Io<'_, R, E>,
        sinks: &mut impl Sinks,
        key: TunnelKey,
        payload: &[u8],
    ) {
        let Some(tunnel) = self.tunnels.get_mut(key) else { return };
        match (tunnel.is_open, tunnel.kind) {
            (true, Some(Kind::Datagram)) => {
                if let Some(mut sink) = sinks.sink(key) {
                    sink.datagram(payload);
                }
            }
            // Datagrams may be lost where nobody waits for them.
            (false, Some(Kind::Datagram)) => {}
            _ if !tunnel.admit(payload.len()) => return self.lose(io, true),
            _ => {
                let taken = match sinks.sink(key) {
                    Some(mut sink) if tunnel.received.is_empty() => sink.write([payload, &[]]),
                    _ => 0,
                };
                tunnel.owe(taken);
                tunnel.received.push(payload.get(taken..).unwrap_or_default());
            }
        }
        self.signals.push_back(Signal::Readable(key));
    }

    pub(crate) fn handle_finished<R: Copy, E>(&mut self, io: &mut Io<'_, R, E>) {
        let cut = self.tunnels.iter().filter(|(_, tunnel)| !tunnel.ended).map(|(key, _)| key);
        self.signals.extend(cut.map(|key| Signal::Lost(key, Loss::Gone)));
        if self.tunnels.is_empty() {
            self.close(io, false);
        } else if !self.is_closed() {
            self.state = State::Ended;
        }
    }

    pub(crate) fn handle_failed<R: Copy, E>(&mut self, io: &mut Io<'_, R, E>) {
        io.sockets.forget(self.wire.transport.socket);
        self.lose(io, true);
    }

    pub(crate) fn handle_broken<R: Copy, E>(&mut self, io: &mut Io<'_, R, E>) {
        self.lose(io, true);
    }

    pub(crate) fn handle_written<R: Copy, E>(&mut self, io: &mut Io<'_, R, E>, written: usize) {
        self.wire.written(written);
        self.flush(io);
    }

    pub(crate) fn handle_timeout<R: Copy, E>(&mut self, io: &mut Io<'_, R, E>) {
        if self.poll_timeout().is_none_or(|deadline| deadline > io.now) {
            return;
        }
        match self.state {
            State::Open(_) if self.used => self.leave(io),
            State::Closed | State::Ended | State::Leaving(_) | State::Open(_) => self.lose(io, false),
        }
    }

    pub(crate) const fn poll_timeout(&self) -> Option<Instant> {
        match self.state {
            State::Open(deadline) | State::Leaving(deadline) if self.tunnels.is_empty() => Some(deadline),
            State::Closed | State::Ended | State::Leaving(_) | State::Open(_) => None,
        }
    }

    pub(crate) fn poll_signal(&mut self) -> Option<Signal> {
        self.signals.pop_front()
    }

    pub(crate) fn pending<R: Copy, E>(&mut self, io: &mut Io<'_, R, E>) -> Option<&[u8]> {
        self.flush(io);
        self.wire.transport.pending(io.sockets)
    }

    /// No balancer stands before it.
    pub(crate) fn admit<R: Copy, E>(&mut self, _: &mut Io<'_, R, E>, _: &mut impl Sinks) {}

    pub(crate) fn close<R: Copy, E>(&mut self, io: &mut Io<'_, R, E>, reset: bool) {
        self.wire.transport.close(io.sockets, reset);
        self.state = State::Closed;
    }

    pub(crate) const fn is_closed(&self) -> bool {
        matches!(self.state, State::Closed)
    }

    pub(crate) const fn is_strange(&self) -> bool {
        !self.used
    }

    pub(crate) fn leave<R: Copy, E>(&mut self, io: &mut Io<'_, R, E>) {
        match self.state {
            State::Open(_) if self.used => {
                self.state = State::Leaving(io.now + io.limits.linger);
                self.wire.put(LEAVING, 0, &[]);
                self.flush(io);
            }
            State::Open(_) => self.close(io, false),
            State::Closed | State::Ended | State::Leaving(_) => {}
        }
    }

    pub(crate) fn held(&self) -> usize {
        let tunnels = self.tunnels.iter().map(|(_, tunnel)| tunnel.received.len() + tunnel.waiting.len());
        self.wire.held() + tunnels.sum::<usize>()
    }

    pub(crate) fn export(&mut self, label: &[u8], context: &[u8]) -> Option<[u8; 48]> {
        self.wire.transport.export(label, context)
    }

    fn fail<R: Copy, E>(&mut self, io: &mut Io<'_, R, E>, fault: ConnectionFault) {
        self.signals.push_back(Signal::Failed(fault));
        self.lose(io, true);
    }

    /// The connection ends, and all its tunnels with it.
    fn lose<R: Copy, E>(&mut self, io: &mut Io<'_, R, E>, reset: bool) {
        if !self.is_closed() {
            for key in self.tunnels.keys() {
                self.signals.push_back(Signal::Lost(key, Loss::Gone));
            }
        }
        self.close(io, reset);
    }
}

/// Its tunnels.
impl Downlink {
    pub(crate) fn answer<R: Copy, E>(&mut self, io: &mut Io<'_, R, E>, key: TunnelKey, answer: &Answer) {
        let Some(tunnel) = self.tunnels.get_mut(key) else { return };
        tunnel.is_open = tunnel.kind.is_some() && matches!(answer, Answer::Accepted { .. });
        let (number, is_open) = (tunnel.number, tunnel.is_open);
        self.wire.put(ANSWER, number, answering(answer).as_bytes());
        if !is_open {
            self.remove(io, key);
        }
        self.flush(io);
    }

    pub(crate) fn write<R: Copy, E>(
        &mut self,
        io: &mut Io<'_, R, E>,
        _: &mut dyn Onward,
        key: TunnelKey,
        data: &[u8],
    ) {
        if let Some(tunnel) = self.tunnels.get_mut(key) {
            tunnel.waiting.push(data);
            self.flush(io);
        }
    }

    pub(crate) fn waiting(&self, key: TunnelKey) -> usize {
        self.tunnels.get(key).map_or(0, |tunnel| tunnel.waiting.len())
    }

    pub(crate) fn finish<R: Copy, E>(&mut self, io: &mut Io<'_, R, E>, key: TunnelKey) {
        self.finish_with(io, key, END, false);
    }

    pub(crate) fn end<R: Copy, E>(&mut self, io: &mut Io<'_, R, E>, key: TunnelKey, end: End) {
        match end {
            End::Clean => self.finish_with(io, key, END, true),
            End::Truncated => self.finish_with(io, key, RESET, true),
            End::Reset => self.reset(io, key),
        }
    }

    fn reset<R: Copy, E>(&mut self, io: &mut Io<'_, R, E>, key: TunnelKey) {
        let Some(Tunnel { number, lost, .. }) = self.tunnels.get(key) else { return };
        if !*lost {
            self.wire.put(RESET, *number, &[]);
        }
        self.remove(io, key);
        self.flush(io);
    }

    fn finish_with<R: Copy, E>(&mut self, io: &mut Io<'_, R, E>, key: TunnelKey, tag: u8, is_over: bool) {
        let Some(tunnel) = self.tunnels.get_mut(key) else { return };
        match &mut tunnel.finish {
            _ if tunnel.lost && is_over => self.remove(io, key),
            Finish::Done if is_over => self.remove(io, key),
            Finish::Done => {}
            finish => *finish = Finish::With { tag, is_over },
        }
        self.flush(io);
    }

    pub(crate) fn read(&mut self, key: TunnelKey) -> &[u8] {
        self.tunnels.get_mut(key).map_or(&[], |tunnel| tunnel.received.as_slice())
    }

    pub(crate) fn consume<R: Copy, E>(&mut self, io: &mut Io<'_, R, E>, key: TunnelKey, amount: usize) {
        if let Some(tunnel) = self.tunnels.get_mut(key) {
            tunnel.consume(amount);
            self.flush(io);
        }
    }

    pub(crate) fn readable(&self, key: TunnelKey) -> usize {
        self.tunnels.get(key).map_or(0, |tunnel| tunnel.received.len())
    }

    pub(crate) fn pause<R: Copy, E>(&mut self, io: &mut Io<'_, R, E>, key: TunnelKey, paused: bool) {
        if let Some(tunnel) = self.tunnels.get_mut(key) {
            tunnel.paused = paused;
            self.flush(io);
        }
    }

    pub(crate) fn ending(&mut self, key: TunnelKey) -> Option<Ending> {
        self.tunnels.get(key)?.ended.then_some(Ending::Clean)
    }

    pub(crate) fn watch<R: Copy, E>(
        &self,
        io: &mut Io<'_, R, E>,
        _: TunnelKey,
        idle: Duration,
        timeout: Duration,
    ) {
        let liveness = Liveness { idle, timeout, peer: Peer::Pausing };
        io.sockets.watch(self.wire.transport.socket, liveness);
    }

    /// None was kept.
    pub(crate) fn deliver_datagrams<R: Copy, E>(
        &mut self,
        _: &mut Io<'_, R, E>,
        _: &mut impl Sinks,
        key: TunnelKey,
    ) {
        self.signals.push_back(Signal::Readable(key));
    }

    /// A frame is a whole datagram.
    pub(crate) const fn check_whole(&self, _: TunnelKey) -> Result<(), CapsuleError> {
        Ok(())
    }

    pub(crate) fn announce_datagrams<R: Copy, E>(&mut self, io: &mut Io<'_, R, E>, _: TunnelKey) {
        self.wire.transport.announce(io.sockets);
    }

    pub(crate) fn send_datagrams(
        &mut self,
        now: Instant,
        key: TunnelKey,
        queue: &mut DatagramQueue,
    ) -> Moved {
        let mut moved = Moved::default();
        let Some(number) = self.tunnels.get(key).map(|tunnel| tunnel.number) else { return moved };
        while self.wire.has_room()
            && let Some(payload) = queue.front(now)
        {
            self.wire.put(DATA, number, payload);
            moved.bytes += payload.len() as u64;
            moved.datagrams += 1;
            queue.pop();
        }
        moved
    }

    fn remove<R: Copy, E>(&mut self, io: &mut Io<'_, R, E>, key: TunnelKey) {
        if let Some(tunnel) = self.tunnels.remove(key) {
            self.numbers.remove(&tunnel.number);
        }
        match &mut self.state {
            State::Open(deadline) => *deadline = io.now + io.limits.head_timeout,
            State::Leaving(deadline) => *deadline = io.now + io.limits.linger,
            State::Ended if self.tunnels.is_empty() => self.close(io, false),
            State::Closed | State::Ended => {}
        }
    }

    /// Puts into frames what may go: of each tunnel in turn as much as its client lets it.
    fn flush<R: Copy, E>(&mut self, io: &mut Io<'_, R, E>) {
        if self.is_closed() {
            return;
        }
        for key in self.tunnels.keys() {
            let Some(tunnel) = self.tunnels.get_mut(key).filter(|tunnel| !tunnel.lost) else { continue };
            let flushed = tunnel.flush(&mut self.wire);
            if flushed.bytes > 0 && tunnel.waiting.len() <= io.limits.buffer / 2 {
                self.signals.push_back(Signal::Writable(key));
            }
            if flushed.is_over {
                self.remove(io, key);
            }
        }
        if self.wire.transport.pending_len() > 0 {
            self.wire.transport.announce(io.sockets);
        }
    }
}
