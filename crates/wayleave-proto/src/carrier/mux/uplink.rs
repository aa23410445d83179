//! A connection to a proxy on the carrier of the tests, as its client sees it.

use std::collections::{BTreeMap, VecDeque};

use super::frame::{ABORT, ANSWER, ASK, CREDIT, DATA, END, Frame, LEAVING, RESET, asking};
use super::tunnel::{Finish, Tunnel};
use super::wire::Wire;
use crate::base::{Instant, Kind, Slots};
use crate::carrier::tls::{Session, TlsError};
use crate::carrier::uplink::{Io, Signal, Take, TunnelKey};
use crate::codec::http::{Answer, Ask};
use crate::net::{Fault, SocketId};
use crate::queue::DatagramQueue;

/// One connection.
#[derive(Debug)]
pub(crate) struct Uplink {
    wire: Wire,
    state: State,
    tunnels: Slots<TunnelKey, Tunnel>,
    numbers: BTreeMap<u32, TunnelKey>,
    /// Tunnels that nobody here wants any more and that the relay has not ended yet, by their numbers: what comes in them is
    /// thrown away.
    parting: BTreeMap<u32, Tunnel>,
    next: u32,
    signals: VecDeque<Signal>,
}

/// What a connection is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// TLS is being agreed.
    Handshake,
    /// It takes tunnels.
    Open,
    /// It has those that it has.
    Leaving,
    /// It is over.
    Closed,
}

impl Uplink {
    /// A connection that stands at `socket`, and over which TLS begins.
    pub(crate) fn new(socket: SocketId, session: Box<dyn Session>) -> Self {
        Self {
            wire: Wire::new(socket, session),
            state: State::Handshake,
            tunnels: Slots::new(),
            numbers: BTreeMap::new(),
            parting: BTreeMap::new(),
            next: 0,
            signals: VecDeque::new(),
        }
    }

    pub(crate) fn handle_received<R: Copy, E>(
        &mut self,
        io: &mut Io<'_, R, E>,
        take: &mut Take<'_>,
        data: &mut [u8],
    ) {
        if self.state == State::Closed {
            return;
        }
        let (frames, result) = self.wire.receive(data);
        if let (Err(error), State::Handshake) = (&result, self.state) {
            self.signals.push_back(Signal::Failed(Box::new(error.clone().into())));
            return self.close(io, false);
        }
        if self.state == State::Handshake {
            self.wire.transport.announce(io.sockets);
            if !self.wire.transport.session.is_handshaking() {
                self.state = State::Open;
                self.signals.push_back(Signal::Ready);
            }
        }
        let mut rest = frames.as_slice();
        while let Some((frame, length)) = Frame::read(rest).filter(|_| self.state != State::Closed) {
            self.on_frame(io, take, frame);
            rest = rest.get(length..).unwrap_or_default();
        }
        let is_too_long = self.wire.keep(rest) > LONGEST;
        if result.is_err() || is_too_long {
            self.break_off(io);
        }
        self.flush(io);
    }

    fn on_frame<R: Copy, E>(&mut self, io: &mut Io<'_, R, E>, take: &mut Take<'_>, frame: Frame<'_>) {
        if frame.tag == LEAVING {
            if self.state == State::Open {
                self.state = State::Leaving;
                self.signals.push_back(Signal::Leaving);
            }
            return;
        }
        let Some(key) = self.numbers.get(&frame.number).copied() else { return self.on_parting(frame) };
        let Some(tunnel) = self.tunnels.get_mut(key) else { return };
        match (frame.tag, tunnel.is_open, tunnel.kind) {
            (ANSWER, false, kind) => {
                let answer = frame.answer();
                tunnel.is_open = kind.is_some() && matches!(answer, Ok(Answer::Accepted { .. }));
                if !tunnel.is_open {
                    self.numbers.remove(&frame.number);
                }
                self.signals.push_back(Signal::Answered(key, Box::new(answer)));
            }
            (DATA, true, Some(Kind::Datagram)) => {
                take(key, frame.payload);
                self.signals.push_back(Signal::Datagrams(key, frame.payload.len() as u64));
            }
            (DATA, true, _) if tunnel.admit(frame.payload.len()) => {
                tunnel.received.push(frame.payload);
                self.signals.push_back(Signal::Readable(key));
            }
            (END, true, kind) => {
                tunnel.ended = true;
                let is_stream = kind == Some(Kind::Stream);
                self.signals.push_back(if is_stream { Signal::Readable(key) } else { Signal::Ended(key) });
            }
            (RESET, ..) => {
                tunnel.lost = true;
                self.numbers.remove(&frame.number);
                self.signals.push_back(Signal::Lost(key));
            }
            (CREDIT, true, _) => tunnel.credit = tunnel.credit.saturating_add(frame.credit()),
            _ => self.break_off(io),
        }
    }

    /// Something came in a tunnel that nobody wants any more.
    fn on_parting(&mut self, frame: Frame<'_>) {
        let Some(tunnel) = self.parting.get_mut(&frame.number) else { return };
        match frame.tag {
            DATA if tunnel.kind == Some(Kind::Stream) => tunnel.owe(frame.payload.len()),
            END | RESET => {
                let was_full = self.room() == 0;
                self.parting.remove(&frame.number);
                if was_full {
                    self.signals.push_back(Signal::Room);
                }
            }
            _ => {}
        }
    }

    pub(crate) fn handle_finished<R: Copy, E>(&mut self, io: &mut Io<'_, R, E>, _: &mut Take<'_>) {
        self.break_off(io);
    }

    pub(crate) fn handle_failed<R: Copy, E>(&mut self, io: &mut Io<'_, R, E>, fault: Fault) {
        io.sockets.forget(self.wire.transport.socket);
        match core::mem::replace(&mut self.state, State::Closed) {
            State::Handshake => self.signals.push_back(Signal::Failed(Box::new(fault))),
            State::Leaving | State::Open => self.signals.push_back(Signal::Broken),
            State::Closed => {}
        }
    }

    pub(crate) fn handle_written(&mut self, written: usize) {
        self.wire.written(written);
        let streams = self.tunnels.iter().filter(|(_, tunnel)| tunnel.kind == Some(Kind::Stream));
        self.signals.extend(streams.map(|(key, _)| Signal::Writable(key)));
    }

    /// It wants nothing of the time.
    pub(crate) fn handle_timeout<R: Copy, E>(&mut self, _: &mut Io<'_, R, E>) {}

    pub(crate) const fn poll_timeout(&self) -> Option<Instant> {
        None
    }

    pub(crate) fn poll_signal(&mut self) -> Option<Signal> {
        self.signals.pop_front()
    }

    pub(crate) fn pending<R: Copy, E>(&mut self, io: &mut Io<'_, R, E>) -> Option<&[u8]> {
        self.flush(io);
        self.wire.transport.pending(io.sockets)
    }

    pub(crate) const fn survives_network(&self) -> bool {
        false
    }

    pub(crate) fn room(&self) -> usize {
        match self.state {
            State::Open => MOST_TUNNELS.saturating_sub(self.tunnels.len() + self.parting.len()),
            State::Closed | State::Handshake | State::Leaving => 0,
        }
    }

    pub(crate) const fn is_closed(&self) -> bool {
        matches!(self.state, State::Closed)
    }

    /// It ends without one.
    pub(crate) const fn last_word(&self) -> Option<Instant> {
        None
    }

    pub(crate) fn held(&self) -> usize {
        let tunnels = self.tunnels.iter().map(|(_, tunnel)| tunnel.received.len() + tunnel.waiting.len());
        self.wire.held() + tunnels.sum::<usize>()
    }

    pub(crate) fn export(&mut self, label: &[u8], context: &[u8]) -> Option<[u8; 48]> {
        self.wire.transport.export(label, context)
    }

    pub(crate) fn close<R: Copy, E>(&mut self, io: &mut Io<'_, R, E>, reset: bool) {
        self.wire.transport.close(io.sockets, reset);
        self.state = State::Closed;
    }

    /// The proxy ended the connection, or broke a rule.
    fn break_off<R: Copy, E>(&mut self, io: &mut Io<'_, R, E>) {
        match self.state {
            State::Closed => return,
            State::Handshake => {
                let fault = Fault::Tls(TlsError::Truncated);
                self.signals.push_back(Signal::Failed(Box::new(fault)));
            }
            State::Leaving | State::Open => self.signals.push_back(Signal::Broken),
        }
        self.close(io, false);
    }
}

/// Its tunnels.
impl Uplink {
    pub(crate) fn ask<R: Copy, E>(&mut self, io: &mut Io<'_, R, E>, ask: &Ask) -> Option<TunnelKey> {
        if self.room() == 0 {
            return None;
        }
        let number = self.next;
        self.next += 1;
        let key = self.tunnels.insert(Tunnel::new(number, ask.want.kind()));
        self.numbers.insert(number, key);
        self.wire.put(ASK, number, asking(ask).as_bytes());
        self.wire.transport.announce(io.sockets);
        Some(key)
    }

    pub(crate) fn write<R: Copy, E>(&mut self, io: &mut Io<'_, R, E>, key: TunnelKey, pieces: &[&[u8]]) {
        if let Some(tunnel) = self.tunnels.get_mut(key) {
            pieces.iter().for_each(|piece| tunnel.waiting.push(piece));
            self.flush(io);
        }
    }

    pub(crate) fn waiting(&self, key: TunnelKey) -> usize {
        self.tunnels.get(key).map_or(0, |tunnel| tunnel.unsent(&self.wire))
    }

    pub(crate) fn finish<R: Copy, E>(&mut self, io: &mut Io<'_, R, E>, key: TunnelKey) {
        self.finish_with(io, key, END);
    }

    pub(crate) fn abort<R: Copy, E>(&mut self, io: &mut Io<'_, R, E>, key: TunnelKey) {
        self.finish_with(io, key, ABORT);
    }

    fn finish_with<R: Copy, E>(&mut self, io: &mut Io<'_, R, E>, key: TunnelKey, tag: u8) {
        if let Some(tunnel) = self.tunnels.get_mut(key).filter(|tunnel| tunnel.finish == Finish::No) {
            tunnel.finish = Finish::With { tag, is_over: tag == ABORT };
            self.flush(io);
        }
    }

    pub(crate) fn end<R: Copy, E>(&mut self, io: &mut Io<'_, R, E>, key: TunnelKey, reset: bool) {
        let Some(mut tunnel) = self.tunnels.remove(key) else { return };
        let number = tunnel.number;
        let is_known = self.numbers.remove(&number).is_some();
        if !is_known || self.state == State::Closed {
            return;
        }
        let is_whole = match tunnel.kind {
            Some(Kind::Datagram) => tunnel.is_open,
            _ => tunnel.finish == Finish::Done,
        };
        if reset || !is_whole {
            self.wire.put(RESET, number, &[]);
        } else {
            if tunnel.finish == Finish::No {
                self.wire.put(END, number, &[]);
            }
            if !tunnel.ended {
                let left = tunnel.received.len();
                tunnel.consume(left);
                tunnel.paused = false;
                self.parting.insert(number, tunnel);
            }
        }
        self.flush(io);
        self.wire.transport.announce(io.sockets);
    }

    /// It carries others.
    pub(crate) fn settle<R: Copy, E>(&mut self, _: &mut Io<'_, R, E>, _: TunnelKey) {}

    pub(crate) fn read(&mut self, key: TunnelKey) -> &[u8] {
        self.tunnels.get(key).map_or(&[], |tunnel| tunnel.received.as_slice())
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

    pub(crate) fn is_finished(&mut self, key: TunnelKey) -> bool {
        self.tunnels.get(key).is_some_and(|tunnel| tunnel.ended && tunnel.received.is_empty())
    }

    /// What was broken off was broken off on purpose.
    pub(crate) const fn is_truncated(&self, _: TunnelKey) -> bool {
        false
    }

    pub(crate) fn is_broken<R: Copy, E>(&self, io: &Io<'_, R, E>, key: TunnelKey) -> bool {
        self.is_gone(key) || io.sockets.is_broken(self.wire.transport.socket)
    }

    pub(crate) fn is_gone(&self, key: TunnelKey) -> bool {
        self.is_closed() || self.tunnels.get(key).is_none_or(|tunnel| tunnel.lost)
    }

    pub(crate) fn pause<R: Copy, E>(&mut self, io: &mut Io<'_, R, E>, key: TunnelKey, paused: bool) {
        if let Some(tunnel) = self.tunnels.get_mut(key) {
            tunnel.paused = paused;
            self.flush(io);
        }
    }

    pub(crate) fn announce_datagrams<R: Copy, E>(&mut self, io: &mut Io<'_, R, E>, _: TunnelKey) {
        self.wire.transport.announce(io.sockets);
    }

    pub(crate) fn send_datagrams(&mut self, now: Instant, key: TunnelKey, queue: &mut DatagramQueue) {
        let Some(tunnel) = self.tunnels.get(key).filter(|tunnel| tunnel.is_open) else { return };
        while self.wire.has_room()
            && let Some(payload) = queue.front(now)
        {
            self.wire.put(DATA, tunnel.number, payload);
            queue.pop();
        }
    }

    /// Puts into frames what may go: of each tunnel in turn as much as the relay lets it.
    fn flush<R: Copy, E>(&mut self, io: &mut Io<'_, R, E>) {
        if matches!(self.state, State::Closed | State::Handshake) {
            return;
        }
        for key in self.tunnels.keys() {
            if let Some(tunnel) = self.tunnels.get_mut(key).filter(|tunnel| !tunnel.lost)
                && tunnel.flush(&mut self.wire).is_over
            {
                tunnel.lost = true;
                self.numbers.remove(&tunnel.number);
            }
        }
        for tunnel in self.parting.values_mut() {
            tunnel.flush(&mut self.wire);
        }
        if self.wire.transport.pending_len() > 0 {
            self.wire.transport.announce(io.sockets);
        }
    }
}

/// What a connection carries at once.
const MOST_TUNNELS: usize = 8;
/// No frame is longer: a datagram with its head.
const LONGEST: usize = 66 * 1024;
