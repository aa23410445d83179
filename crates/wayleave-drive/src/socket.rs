//! One socket or look-up of a machine, and a turn of it.

use core::net::SocketAddr;
use core::task::{Context, Poll, Waker};
use std::io;
use std::sync::Arc;

use crate::{Answer, Lookup, Ready, Runtime, SocketWaker};
use wayleave_proto::base::{Families, Instant};
use wayleave_proto::error::IoFailed;
use wayleave_proto::net::{Arrival, Machine, Packets, SocketId, Transmit};

/// One socket or look-up.
pub(crate) struct Socket<R: Runtime> {
    pub(crate) kind: Kind<R>,
    pub(crate) wake: Arc<SocketWaker>,
    pub(crate) waker: Waker,
    /// It waits among the sockets to look at.
    pub(crate) queued: bool,
    pub(crate) state: State,
}

pub(crate) enum Kind<R: Runtime> {
    /// `is_half` where one family is answered already.
    Lookup {
        lookup: Lookup,
        is_half: bool,
    },
    Dialling(R::Stream),
    Stream(R::Stream),
    Datagrams(R::Datagrams),
}

/// What a socket has to do.
pub(crate) struct State {
    /// The machine has something to send, as far as is known.
    pub(crate) wants_write: bool,
    /// The machine does not want to receive.
    pub(crate) paused: bool,
    /// The sending half ends when nothing is pending.
    pub(crate) finishing: bool,
    /// Nothing was there to receive, and the waker has not been woken since.
    pub(crate) awaits_input: bool,
    /// The receiving half has ended.
    pub(crate) ended: bool,
    /// The sending half has ended.
    finished: bool,
    /// How much of a stream is read at once.
    pub(crate) appetite: usize,
    /// Nothing can be written any more; what had arrived before is read first.
    pub(crate) broken: Option<io::Error>,
    /// The machine knows that.
    told: bool,
    /// Datagrams that the system has dropped, as last counted.
    overflowed: u64,
}

/// What a turn came to.
pub(crate) enum Served {
    /// There may be more to do at once.
    Again,
    /// The connection stands, with this address of its own.
    Connected(SocketAddr),
    /// It is broken.
    Failed(io::Error),
    /// So many bytes of the connection are in the buffer.
    Read(usize),
    /// The look-up is answered, or one half of it.
    Resolved { answer: Answer, is_last: bool },
    /// Nothing is left to do until something happens.
    Waits,
}

/// What one turn of a socket works with.
pub(crate) struct Turn<'a, M, R> {
    pub(crate) id: SocketId,
    pub(crate) now: Instant,
    pub(crate) machine: &'a mut M,
    pub(crate) runtime: &'a R,
    pub(crate) buffer: &'a mut [u8],
    pub(crate) arrivals: &'a mut [Arrival],
}

/// Why not everything was sent.
pub(crate) enum Stop {
    /// The socket takes no more now.
    Full,
    /// The first of what is left was not sent.
    Failed(io::Error),
}

impl<R: Runtime> Socket<R> {
    /// A socket that is looked at now.
    pub(crate) fn new(id: SocketId, kind: Kind<R>, ready: &Arc<Ready>) -> Self {
        let wake = SocketWaker::new(id, ready);
        let waker = Waker::from(Arc::clone(&wake));
        Self { kind, wake, waker, queued: true, state: State::new() }
    }

    /// Does what can be done without waiting: what is pending is sent, then some is received.
    pub(crate) fn serve<M: Machine>(&mut self, mut turn: Turn<'_, M, R>) -> Served {
        self.queued = false;
        let mut cx = Context::from_waker(&self.waker);
        let state = &mut self.state;
        match &mut self.kind {
            Kind::Lookup { lookup, is_half } => match lookup.poll_answer(&mut cx) {
                Poll::Ready(answer) => {
                    let is_last = answer.0 == Families::Both || core::mem::replace(is_half, true);
                    Served::Resolved { answer, is_last }
                }
                Poll::Pending => Served::Waits,
            },
            Kind::Dialling(stream) => match turn.runtime.poll_connected(stream, &mut cx) {
                Poll::Ready(Ok(local)) => Served::Connected(local),
                Poll::Ready(Err(error)) => Served::Failed(error),
                Poll::Pending => Served::Waits,
            },
            Kind::Stream(stream) => {
                turn.write(stream, state, &mut cx);
                turn.read(stream, state, &mut cx)
            }
            Kind::Datagrams(socket) => {
                turn.send(socket, state, &mut cx);
                turn.receive(socket, state, &mut cx)
            }
        }
    }
}

impl State {
    const fn new() -> Self {
        Self {
            wants_write: false,
            paused: false,
            finishing: false,
            awaits_input: false,
            ended: false,
            finished: false,
            appetite: LEAST_READ,
            broken: None,
            told: false,
            overflowed: 0,
        }
    }
}

impl<M: Machine, R: Runtime> Turn<'_, M, R> {
    fn write(&mut self, stream: &mut R::Stream, state: &mut State, cx: &mut Context<'_>) {
        while state.wants_write && state.broken.is_none() {
            let Some(bytes) = self.machine.pending(self.now, self.id) else {
                state.wants_write = false;
                if core::mem::take(&mut state.finishing) {
                    self.runtime.finish(stream);
                    state.finished = true;
                }
                return;
            };
            match self.runtime.poll_write(stream, cx, bytes) {
                Poll::Pending => return,
                Poll::Ready(Ok(written)) => self.machine.handle_written(self.now, self.id, written),
                Poll::Ready(Err(error)) => state.broken = Some(error),
            }
        }
    }

    /// Reads once; what was read is passed on before more is.
    fn read(&mut self, stream: &mut R::Stream, state: &mut State, cx: &mut Context<'_>) -> Served {
        if state.paused || state.ended {
            return self.watch(stream, state, cx);
        }
        let room = self.buffer.get_mut(..state.appetite).unwrap_or_default();
        if let Some(error) = state.broken.take() {
            return match self.runtime.read_rest(stream, room) {
                Ok(count) if count > 0 => {
                    state.broken = Some(error);
                    Served::Read(count)
                }
                _ => Served::Failed(error),
            };
        }
        let read = if state.awaits_input { Poll::Pending } else { self.runtime.poll_read(stream, cx, room) };
        match read {
            Poll::Ready(Ok(0)) => {
                state.ended = true;
                self.machine.handle_finished(self.now, self.id);
                Served::Waits
            }
            Poll::Ready(Ok(count)) => {
                if count == state.appetite {
                    state.appetite = (2 * count).min(MOST_READ);
                }
                Served::Read(count)
            }
            Poll::Ready(Err(error)) => Served::Failed(error),
            Poll::Pending => {
                state.awaits_input = true;
                Served::Waits
            }
        }
    }

    /// Looks whether a connection broke from which nobody reads: who is paused is not blind.
    fn watch(&mut self, stream: &mut R::Stream, state: &mut State, cx: &mut Context<'_>) -> Served {
        let is_over = state.ended && state.finished;
        if state.broken.is_none()
            && !is_over
            && let Poll::Ready(error) = self.runtime.poll_broken(stream, cx)
        {
            state.broken = Some(error);
        }
        if state.ended {
            return state.broken.take().map_or(Served::Waits, Served::Failed);
        }
        if let Some(error) = &state.broken
            && !core::mem::replace(&mut state.told, true)
        {
            self.machine.handle_broken(self.now, self.id, IoFailed::from(error));
        }
        Served::Waits
    }

    fn send(&mut self, socket: &mut R::Datagrams, state: &mut State, cx: &mut Context<'_>) {
        while state.wants_write {
            let Some(transmit) = self.machine.transmit(self.now, self.id) else {
                state.wants_write = false;
                return;
            };
            let (mut gone, stop) = send(self.runtime, socket, cx, transmit);
            if let Some(Stop::Failed(error)) = &stop {
                // Too large for the path, or the answer to an earlier datagram: this one is lost, the socket is not.
                self.refused(error);
                gone += 1;
            }
            if gone > 0 {
                self.machine.handle_sent(self.now, self.id, gone);
            }
            if matches!(stop, Some(Stop::Full)) {
                return;
            }
        }
    }

    fn receive(&mut self, socket: &mut R::Datagrams, state: &mut State, cx: &mut Context<'_>) -> Served {
        if state.paused || state.awaits_input {
            return Served::Waits;
        }
        let mut received = 0;
        while received < BATCH {
            match self.runtime.poll_receive(socket, cx, self.buffer, self.arrivals) {
                Poll::Pending => {
                    state.awaits_input = true;
                    if received >= MANY {
                        self.count_overflow(socket, state);
                    }
                    return Served::Waits;
                }
                Poll::Ready(Ok(count)) => {
                    let arrivals = self.arrivals.get(..count).unwrap_or_default();
                    let joined: usize = arrivals.iter().map(Arrival::count).sum();
                    self.machine.handle_packets(self.now, self.id, Packets::new(self.buffer, arrivals));
                    // As many as one queue may hold can come joined: they go on before others come.
                    received += if joined > count { BATCH } else { count.max(1) };
                }
                Poll::Ready(Err(error)) => {
                    self.refused(&error);
                    received += 1;
                }
            }
        }
        self.count_overflow(socket, state);
        Served::Again
    }

    /// Asks the system what it dropped; only behind a run of datagrams, because a buffer that was full holds many.
    fn count_overflow(&mut self, socket: &R::Datagrams, state: &mut State) {
        let overflowed = self.runtime.overflowed(socket);
        let more = overflowed.saturating_sub(core::mem::replace(&mut state.overflowed, overflowed));
        if more > 0 {
            self.machine.handle_overflow(self.now, self.id, more);
        }
    }

    fn refused(&mut self, error: &io::Error) {
        if let Some(error) = refusal(error) {
            self.machine.handle_failed(self.now, self.id, error);
        }
    }
}

/// Sends datagrams as far as the socket takes them, and returns how many.
pub(crate) fn send<R: Runtime>(
    runtime: &R,
    socket: &mut R::Datagrams,
    cx: &mut Context<'_>,
    transmit: Transmit<'_>,
) -> (usize, Option<Stop>) {
    let mut gone = 0;
    while let Some(left) = transmit.behind(gone) {
        match runtime.poll_send(socket, cx, left) {
            Poll::Pending => return (gone, Some(Stop::Full)),
            Poll::Ready(Ok(count)) => gone += count.max(1),
            Poll::Ready(Err(error)) => return (gone, Some(Stop::Failed(error))),
        }
    }
    (gone, None)
}

/// Only an answer of the target or its network concerns the machine; a datagram that is too large is just dropped.
pub(crate) fn refusal(error: &io::Error) -> Option<IoFailed> {
    (error.kind() == io::ErrorKind::ConnectionRefused).then(|| IoFailed::from(error))
}

/// What the first read of a stream takes at most: as much as the largest datagram, and four TLS records.
pub(crate) const LEAST_READ: usize = 65_536;
/// What a read takes at most, once those before it were full and all of it went on at once.
pub(crate) const MOST_READ: usize = 2 * LEAST_READ;
/// Datagrams received from one socket before the next has its turn.
const BATCH: usize = 32;
/// So many datagrams in one turn may have come out of a buffer that was full.
const MANY: usize = 8;
