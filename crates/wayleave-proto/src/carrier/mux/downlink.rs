//! A carrier for tests: many tunnels on one connection in the clear, each with a window of its own, which all end with it.
//!
//! It exists to show that nothing outside of [`carrier`](crate::carrier) knows what carries a tunnel. A connection ends with its
//! last tunnel, and all its tunnels with it.

use core::time::Duration;
use std::collections::{BTreeMap, VecDeque};

use super::frame::{ANSWER, ASK, CREDIT, DATA, END, Frame, GONE, RESET};
use crate::base::{Instant, Kind, Slots};
use crate::carrier::ConnectionFault;
use crate::carrier::downlink::{End, Ending, Io, Loss, Moved, Signal, Sink as _, Sinks, TunnelKey};
use crate::codec::capsule::CapsuleError;
use crate::codec::http::Answer;
use crate::config::{Liveness, Peer};
use crate::net::{Onward, SocketId};
use crate::queue::{ByteQueue, DatagramQueue};

/// One connection.
#[derive(Debug)]
pub(crate) struct Downlink {
    socket: SocketId,
    /// What came of a frame that is not whole.
    partial: Vec<u8>,
    /// Frames that wait to be written.
    out: ByteQueue,
    tunnels: Slots<TunnelKey, Tunnel>,
    numbers: BTreeMap<u32, TunnelKey>,
    signals: VecDeque<Signal>,
    /// Something was asked for.
    used: bool,
    /// Until then something has to be asked for.
    deadline: Instant,
    closed: bool,
}

#[derive(Debug)]
struct Tunnel {
    number: u32,
    /// `None` until it is open.
    open: Option<Kind>,
    kind: Option<Kind>,
    /// Bytes that came and wait, and how many more may come.
    received: ByteQueue,
    window: usize,
    /// Bytes that were taken, and that the client has not been told of.
    owed: usize,
    paused: bool,
    ended: Option<Ending>,
    /// Bytes to the client that wait, and how many of them may go.
    waiting: ByteQueue,
    credit: usize,
    finish: Finish,
    /// The client has broken it off; the relay has not said yet that it knows.
    lost: bool,
}

/// How our half of a tunnel ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Finish {
    /// Not yet.
    No,
    /// With this frame behind what waits; it is over then, or only our half is.
    With { tag: u8, is_over: bool },
    /// It has.
    Done,
}

impl Downlink {
    /// A connection that was accepted at `socket`.
    pub(crate) fn new<R: Copy, E>(io: &mut Io<'_, R, E>, socket: SocketId) -> Self {
        io.sockets.watch(socket, io.limits.liveness(Peer::Pausing));
        Self {
            socket,
            partial: Vec::new(),
            out: ByteQueue::default(),
            tunnels: Slots::new(),
            numbers: BTreeMap::new(),
            signals: VecDeque::new(),
            used: false,
            deadline: io.now + io.limits.head_timeout,
            closed: false,
        }
    }

    pub(crate) fn handle_received<R: Copy, E>(
        &mut self,
        io: &mut Io<'_, R, E>,
        sinks: &mut impl Sinks,
        data: &mut [u8],
    ) {
        let mut bytes = core::mem::take(&mut self.partial);
        bytes.extend_from_slice(data);
        let mut rest = bytes.as_slice();
        while let Some((frame, length)) = Frame::read(rest).filter(|_| !self.closed) {
            self.on_frame(io, sinks, frame);
            rest = rest.get(length..).unwrap_or_default();
        }
        self.partial = rest.to_vec();
        if self.partial.len() > io.limits.stray {
            self.signals.push_back(Signal::Failed(ConnectionFault::TooMuch(io.limits.stray)));
            self.lose(io, true);
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
                    tunnel.ended = Some(Ending::Clean);
                    self.signals.push_back(Signal::Ended(key));
                }
            }
            (RESET, Some(key)) => {
                self.numbers.remove(&frame.number);
                if let Some(tunnel) = self.tunnels.get_mut(key) {
                    tunnel.lost = true;
                    self.signals.push_back(Signal::Lost(key, Loss::BrokenOff));
                }
            }
            (CREDIT, Some(key)) => {
                if let Some(tunnel) = self.tunnels.get_mut(key) {
                    tunnel.credit += frame.credit();
                }
            }
            (GONE, _) => self.lose(io, true),
            // What was on its way to a tunnel that is over.
            (DATA | END | RESET | CREDIT, None) => {}
            _ => self.lose(io, true),
        }
    }

    fn on_ask(&mut self, frame: Frame<'_>) {
        let ask = frame.ask();
        let kind = ask.as_ref().ok().and_then(|ask| ask.want.kind());
        let key = self.tunnels.insert(Tunnel {
            number: frame.number,
            open: None,
            kind,
            received: ByteQueue::default(),
            window: WINDOW,
            owed: 0,
            paused: false,
            ended: None,
            waiting: ByteQueue::default(),
            credit: WINDOW,
            finish: Finish::No,
            lost: false,
        });
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
        match tunnel.open {
            Some(Kind::Datagram) => {
                if let Some(mut sink) = sinks.sink(key) {
                    sink.datagram(payload);
                }
            }
            // Datagrams may be lost where nobody waits for them.
            None if tunnel.kind == Some(Kind::Datagram) => {}
            None | Some(Kind::Stream) => {
                if payload.len() > tunnel.window {
                    return self.lose(io, true);
                }
                tunnel.window -= payload.len();
                let taken = match sinks.sink(key) {
                    Some(mut sink) if tunnel.received.is_empty() => sink.write([payload, &[]]),
                    _ => 0,
                };
                tunnel.owed += taken;
                tunnel.received.push(payload.get(taken..).unwrap_or_default());
            }
        }
        self.signals.push_back(Signal::Readable(key));
    }

    pub(crate) fn handle_finished<R: Copy, E>(&mut self, io: &mut Io<'_, R, E>) {
        self.lose(io, false);
    }

    pub(crate) fn handle_failed<R: Copy, E>(&mut self, io: &mut Io<'_, R, E>) {
        io.sockets.forget(self.socket);
        self.lose(io, true);
    }

    pub(crate) fn handle_broken<R: Copy, E>(&mut self, io: &mut Io<'_, R, E>) {
        self.lose(io, true);
    }

    pub(crate) fn handle_written<R: Copy, E>(&mut self, io: &mut Io<'_, R, E>, written: usize) {
        self.out.consume(written);
        self.flush(io);
        self.close_when_over(io);
    }

    pub(crate) fn handle_timeout<R: Copy, E>(&mut self, io: &mut Io<'_, R, E>) {
        if self.poll_timeout().is_some_and(|deadline| deadline <= io.now) {
            self.lose(io, false);
        }
    }

    pub(crate) const fn poll_timeout(&self) -> Option<Instant> {
        if self.closed || self.used { None } else { Some(self.deadline) }
    }

    pub(crate) fn poll_signal(&mut self) -> Option<Signal> {
        self.signals.pop_front()
    }

    pub(crate) fn pending<R: Copy, E>(&mut self, io: &mut Io<'_, R, E>) -> Option<&[u8]> {
        self.flush(io);
        if self.out.is_empty() {
            io.sockets.settle(self.socket);
            return None;
        }
        Some(self.out.as_slice())
    }

    /// No balancer stands before it.
    pub(crate) fn admit<R: Copy, E>(&mut self, _: &mut Io<'_, R, E>, _: &mut impl Sinks) {}

    pub(crate) fn close<R: Copy, E>(&mut self, io: &mut Io<'_, R, E>, reset: bool) {
        io.sockets.close(self.socket, reset);
        self.closed = true;
    }

    pub(crate) const fn is_closed(&self) -> bool {
        self.closed
    }

    pub(crate) const fn is_strange(&self) -> bool {
        !self.used
    }

    pub(crate) const fn is_unused(&self) -> bool {
        self.tunnels.is_empty()
    }

    pub(crate) fn held(&self) -> usize {
        let tunnels = self.tunnels.iter().map(|(_, tunnel)| tunnel.received.len() + tunnel.waiting.len());
        self.partial.len() + self.out.len() + tunnels.sum::<usize>()
    }

    pub(crate) fn export(&mut self, _: &[u8], _: &[u8]) -> Option<[u8; 48]> {
        None
    }

    /// Its last tunnel is over, and that has been said.
    fn close_when_over<R: Copy, E>(&mut self, io: &mut Io<'_, R, E>) {
        if self.used && self.tunnels.is_empty() && self.out.is_empty() {
            self.close(io, false);
        }
    }

    /// The connection ends, and all its tunnels with it.
    fn lose<R: Copy, E>(&mut self, io: &mut Io<'_, R, E>, reset: bool) {
        if !self.closed {
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
        let (status, text) = match answer {
            Answer::Accepted { .. } => (200, "200\n\n".to_owned()),
            Answer::Refused(refusal) => {
                let proxy_status = refusal.proxy_status.as_ref().map(ToString::to_string).unwrap_or_default();
                let retry_after = refusal.retry_after.map(|secs| secs.to_string()).unwrap_or_default();
                (refusal.status, format!("{}\n{proxy_status}\n{retry_after}", refusal.status))
            }
        };
        let number = tunnel.number;
        tunnel.open = tunnel.kind.filter(|_| status == 200);
        let is_open = tunnel.open.is_some();
        self.frame(ANSWER, number, text.as_bytes());
        if !is_open {
            self.remove(key);
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
        self.close_when_over(io);
    }

    fn reset<R: Copy, E>(&mut self, io: &mut Io<'_, R, E>, key: TunnelKey) {
        let Some(Tunnel { number, lost, .. }) = self.tunnels.get(key) else { return };
        if !*lost {
            self.frame(RESET, *number, &[]);
        }
        self.remove(key);
        self.flush(io);
    }

    fn finish_with<R: Copy, E>(&mut self, io: &mut Io<'_, R, E>, key: TunnelKey, tag: u8, is_over: bool) {
        let Some(tunnel) = self.tunnels.get_mut(key) else { return };
        match &mut tunnel.finish {
            Finish::Done if is_over => self.remove(key),
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
            tunnel.received.consume(amount);
            tunnel.owed += amount;
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
        self.tunnels.get(key)?.ended
    }

    pub(crate) fn watch<R: Copy, E>(
        &self,
        io: &mut Io<'_, R, E>,
        _: TunnelKey,
        idle: Duration,
        timeout: Duration,
    ) {
        io.sockets.watch(self.socket, Liveness { idle, timeout, peer: Peer::Pausing });
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
        io.sockets.pending(self.socket);
    }

    pub(crate) fn send_datagrams(
        &mut self,
        now: Instant,
        key: TunnelKey,
        queue: &mut DatagramQueue,
    ) -> Moved {
        let mut moved = Moved::default();
        let Some(number) = self.tunnels.get(key).map(|tunnel| tunnel.number) else { return moved };
        while self.out.len() < MARK {
            let Some(payload) = queue.front(now) else { break };
            let mut frame = Vec::new();
            Frame { tag: DATA, number, payload }.write(&mut frame);
            moved.bytes += payload.len() as u64;
            moved.datagrams += 1;
            self.out.push(&frame);
            queue.pop();
        }
        moved
    }

    fn frame(&mut self, tag: u8, number: u32, payload: &[u8]) {
        let mut frame = Vec::new();
        Frame { tag, number, payload }.write(&mut frame);
        self.out.push(&frame);
    }

    fn remove(&mut self, key: TunnelKey) {
        if let Some(tunnel) = self.tunnels.remove(key) {
            self.numbers.remove(&tunnel.number);
        }
    }

    /// Puts into frames what may go: of each tunnel in turn as much as its client lets it.
    fn flush<R: Copy, E>(&mut self, io: &mut Io<'_, R, E>) {
        if self.closed {
            return;
        }
        for key in self.tunnels.keys() {
            self.flush_tunnel(io, key);
        }
        if !self.out.is_empty() {
            io.sockets.pending(self.socket);
        }
    }

    fn flush_tunnel<R: Copy, E>(&mut self, io: &mut Io<'_, R, E>, key: TunnelKey) {
        let Some(tunnel) = self.tunnels.get_mut(key) else { return };
        let (number, mut frames) = (tunnel.number, Vec::new());
        if tunnel.owed > 0 && !tunnel.paused {
            let owed = core::mem::take(&mut tunnel.owed);
            tunnel.window += owed;
            let payload = u32::try_from(owed).unwrap_or(u32::MAX).to_be_bytes();
            Frame { tag: CREDIT, number, payload: &payload }.write(&mut frames);
        }
        let may = tunnel.credit.min(MARK.saturating_sub(self.out.len()));
        let payload = tunnel.waiting.as_slice();
        let payload = payload.get(..may.min(payload.len())).unwrap_or_default();
        let length = payload.len();
        if length > 0 {
            Frame { tag: DATA, number, payload }.write(&mut frames);
            tunnel.waiting.consume(length);
            tunnel.credit -= length;
            if tunnel.waiting.len() <= io.limits.buffer / 2 {
                self.signals.push_back(Signal::Writable(key));
            }
        }
        let mut is_over = false;
        if let Finish::With { tag, is_over: ends } = tunnel.finish
            && tunnel.waiting.is_empty()
        {
            Frame { tag, number, payload: &[] }.write(&mut frames);
            (tunnel.finish, is_over) = (Finish::Done, ends);
        }
        if !frames.is_empty() {
            self.out.push(&frames);
        }
        if is_over {
            self.remove(key);
        }
    }
}

/// Bytes of a stream that may be on their way, each way.
pub(crate) const WINDOW: usize = 16 * 1024;
/// Nothing more is put into frames where so much waits to be written.
const MARK: usize = 16 * 1024;
