//! One machine, its sockets and its clock.

use core::net::{IpAddr, Ipv4Addr, SocketAddr};
use core::task::{Context, Poll, Waker};
use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::sync::Arc;

use crate::socket::{LEAST_READ, MOST_READ, State, Stop, refusal, send};
use crate::{Binding, Kind, Ready, Runtime, Served, Socket, Turn};
use wayleave_proto::base::{Beside, Instant};
use wayleave_proto::error::{IoFailed, IoFailure};
use wayleave_proto::net::{Arrival, Machine, Onward, Output, Packets, SocketId, Transmit};

/// Drives one machine on one runtime. All its sockets belong to one task.
pub(crate) struct Driver<M: Machine, R: Runtime> {
    pub(crate) machine: M,
    pub(crate) runtime: R,
    /// What the machine told, for whoever owns it.
    pub(crate) events: VecDeque<M::Event>,
    pub(crate) ready: Arc<Ready>,
    sockets: Beside<SocketId, Socket<R>>,
    /// Sockets to look at now.
    work: VecDeque<SocketId>,
    noted: Vec<SocketId>,
    /// A deadline of the owner's, beside those of the machine; gone once it has passed.
    pub(crate) alarm: Option<Instant>,
    /// The deadline that the timer waits for.
    armed: Option<Instant>,
    buffer: Box<[u8]>,
    arrivals: Box<[Arrival]>,
    /// What the system keeps for a UDP socket, in bytes.
    receive_buffer: usize,
    /// Whether it may cut apart and join datagrams.
    offload: bool,
    /// Connections that it dialled are reset where the process ends before it has ended them.
    resets: bool,
    /// A descriptor was given back since this was last asked.
    freed: bool,
}

impl<M: Machine<Event: 'static>, R: Runtime> Driver<M, R> {
    pub(crate) fn new(machine: M, runtime: R, receive_buffer: usize, offload: bool) -> Self {
        let most_arrivals = runtime.most_arrivals().max(1);
        Self {
            machine,
            runtime,
            events: VecDeque::new(),
            ready: Arc::default(),
            sockets: Beside::new(),
            work: VecDeque::new(),
            noted: Vec::new(),
            alarm: None,
            armed: None,
            buffer: vec![0; MOST_READ.max(most_arrivals.saturating_mul(Packets::SLOT))].into(),
            arrivals: vec![Arrival::one(NOBODY, 0); most_arrivals].into(),
            receive_buffer,
            offload,
            resets: false,
            freed: false,
        }
    }

    /// Lets the system reset every connection that is dialled from now on, where the process ends before it has ended it: who
    /// is killed says nothing, and the other end takes what came for the whole.
    pub(crate) fn reset_when_killed(&mut self) {
        self.resets = true;
    }

    /// Takes a connection that was accepted as `id`.
    pub(crate) fn accept(&mut self, id: SocketId, stream: R::Stream) {
        self.insert(id, Kind::Stream(stream));
    }

    /// Whether a descriptor was given back since this was last asked.
    pub(crate) fn take_freed(&mut self) -> bool {
        core::mem::take(&mut self.freed)
    }

    /// Ends the machine: `farewell` says what is to be said yet, which is written as far as the sockets take it at once, and
    /// `close` ends it. What the system has taken is still sent.
    pub(crate) fn end(
        &mut self,
        farewell: impl FnOnce(&mut M, Instant),
        close: impl FnOnce(&mut M, Instant),
    ) {
        let now = self.runtime.now();
        farewell(&mut self.machine, now);
        self.run(FAREWELL);
        close(&mut self.machine, now);
        self.run(usize::MAX);
    }

    /// The network underneath is another: connections whose own address is gone with the one before break at once, where the
    /// system would send to nowhere for minutes.
    pub(crate) fn break_homeless(&mut self) {
        for (id, socket) in self.sockets.iter_mut() {
            let Kind::Stream(stream) = &socket.kind else { continue };
            if socket.state.broken.is_some() || !self.runtime.has_lost_address(stream) {
                continue;
            }
            socket.state.broken = Some(homeless());
            if !core::mem::replace(&mut socket.queued, true) {
                self.work.push_back(id);
            }
        }
    }

    /// Does what the machine asks for until nothing more can be done without waiting, or until `limit` sockets were
    /// served; `false` then, and the task goes on. An application that calls it behind its verb sends its bytes without
    /// a detour through the task.
    pub(crate) fn run(&mut self, limit: usize) -> bool {
        let mut left = limit;
        loop {
            self.drain();
            if self.work.is_empty() {
                return true;
            }
            if left == 0 {
                self.ready.wake();
                return false;
            }
            left -= 1;
            if let Some(id) = self.work.pop_front() {
                self.serve(id);
            }
        }
    }

    /// Looks after every socket that something happened to, and lets time pass; for the task alone.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) {
        self.ready.register(cx.waker());
        let now = self.runtime.now();
        self.machine.handle_clock(now, self.runtime.clock().unix(now));
        for _ in 0..ROUNDS {
            self.ready.take(&mut self.noted);
            for id in self.noted.drain(..) {
                if let Some(socket) = self.sockets.get_mut(id) {
                    socket.wake.clear();
                    socket.state.awaits_input = false;
                    if !core::mem::replace(&mut socket.queued, true) {
                        self.work.push_back(id);
                    }
                }
            }
            let is_due = self.poll_timer(cx);
            if is_due {
                let now = self.runtime.now();
                self.machine.handle_timeout(now);
            }
            let is_idle = self.work.is_empty() && !is_due;
            if !self.run(SERVED) {
                break;
            }
            if is_idle && self.deadline() == self.armed {
                return;
            }
        }
        cx.waker().wake_by_ref();
    }

    /// Wakes the task where the machine's next deadline is not the one that its timer waits for.
    pub(crate) fn wake_if_rearmed(&self) {
        if self.deadline() != self.armed {
            self.ready.wake();
        }
    }

    fn poll_timer(&mut self, cx: &mut Context<'_>) -> bool {
        self.armed = self.deadline();
        let Some(deadline) = self.armed else { return false };
        let is_due = self.runtime.poll_timer(cx, deadline).is_ready();
        if is_due {
            self.armed = None;
            let now = self.runtime.now();
            self.alarm = self.alarm.filter(|alarm| *alarm > now);
        }
        is_due
    }

    fn deadline(&self) -> Option<Instant> {
        self.machine.poll_timeout().into_iter().chain(self.alarm).min()
    }

    pub(crate) fn drain(&mut self) {
        while let Some(output) = self.machine.poll_output() {
            match output {
                Output::Resolve { id, name } => {
                    let lookup = self.runtime.lookup(&name);
                    self.insert(id, Kind::Lookup { lookup, is_half: false });
                }
                Output::Dial { id, address } => match self.runtime.dial(address) {
                    Ok(stream) => self.insert(id, Kind::Dialling(stream)),
                    Err(error) => self.failed(id, &error),
                },
                Output::Bind { id, remote, fragments } => {
                    let Self { receive_buffer, offload, .. } = *self;
                    match self.runtime.bind(Binding { remote, fragments, receive_buffer, offload }) {
                        Ok((socket, local)) => {
                            self.insert(id, Kind::Datagrams(socket));
                            let now = self.runtime.now();
                            self.machine.handle_opened(now, id, local);
                        }
                        Err(error) => self.failed(id, &error),
                    }
                }
                Output::Pending(id) => self.write_next(id),
                Output::ReadPause(id) => {
                    if let Some(socket) = self.sockets.get_mut(id) {
                        socket.state.paused = true;
                        socket.state.appetite = LEAST_READ;
                    }
                }
                Output::ReadResume(id) => self.change(id, |state| state.paused = false),
                Output::DelayAcks(id) => {
                    if let Some(Socket { kind: Kind::Stream(stream), .. }) = self.sockets.get_mut(id) {
                        self.runtime.delay_acks(stream);
                    }
                }
                Output::Watch { id, liveness } => {
                    if let Some(Socket { kind: Kind::Dialling(stream) | Kind::Stream(stream), .. }) =
                        self.sockets.get_mut(id)
                    {
                        self.runtime.watch(stream, &liveness);
                    }
                }
                Output::Finish(id) => self.change(id, |state| {
                    state.finishing = true;
                    state.wants_write = true;
                }),
                Output::Close { id, reset } => self.close(id, reset),
                Output::Event(event) => {
                    self.runtime.told(&event);
                    self.events.push_back(event);
                }
            }
        }
    }

    fn close(&mut self, id: SocketId, reset: bool) {
        let Some(Socket { kind, state, .. }) = self.sockets.remove(id) else { return };
        self.freed = true;
        let Kind::Stream(mut stream) = kind else { return };
        if reset {
            self.runtime.set_reset(&mut stream, true);
            return;
        }
        if self.resets {
            self.runtime.set_reset(&mut stream, false);
        }
        if !state.ended {
            // Closed over bytes that nobody has read, the system would reset the connection, and with it what it still has to
            // send.
            let mut cx = Context::from_waker(Waker::noop());
            for _ in 0..UNREAD {
                let read = self.runtime.poll_read(&mut stream, &mut cx, &mut self.buffer);
                if !matches!(read, Poll::Ready(Ok(count)) if count > 0) {
                    break;
                }
            }
        }
    }

    fn insert(&mut self, id: SocketId, kind: Kind<R>) {
        self.sockets.insert(id, Socket::new(id, kind, &self.ready));
        self.work.push_back(id);
    }

    /// Lets a socket write before anything else is read: what it writes has just been made, and is at hand.
    fn write_next(&mut self, id: SocketId) {
        let Some(socket) = self.sockets.get_mut(id) else { return };
        socket.state.wants_write = true;
        if !core::mem::replace(&mut socket.queued, true) {
            self.work.push_front(id);
        }
    }

    fn change(&mut self, id: SocketId, change: impl FnOnce(&mut State)) {
        if let Some(socket) = self.sockets.get_mut(id) {
            change(&mut socket.state);
            if !core::mem::replace(&mut socket.queued, true) {
                self.work.push_back(id);
            }
        }
    }

    fn serve(&mut self, id: SocketId) {
        let Some(socket) = self.sockets.get_mut(id) else { return };
        let now = self.runtime.now();
        let (machine, runtime) = (&mut self.machine, &self.runtime);
        let (buffer, arrivals) = (&mut *self.buffer, &mut *self.arrivals);
        match socket.serve(Turn { id, now, machine, runtime, buffer, arrivals }) {
            Served::Waits => {}
            Served::Again => {
                socket.queued = true;
                self.work.push_back(id);
            }
            Served::Read(count) => {
                let data = self.buffer.get_mut(..count).unwrap_or_default();
                let mut onward = Straight { runtime: &self.runtime, sockets: &mut self.sockets };
                self.machine.handle_stream(now, id, data, &mut onward);
                self.change(id, |_| {});
            }
            Served::Connected(local) => {
                if let Some(Socket { kind: Kind::Dialling(mut stream), .. }) = self.sockets.remove(id) {
                    if self.resets {
                        self.runtime.set_reset(&mut stream, true);
                    }
                    self.insert(id, Kind::Stream(stream));
                    self.machine.handle_opened(now, id, local);
                }
            }
            Served::Failed(error) => self.failed(id, &error),
            Served::Resolved { answer: (families, answer), is_last } => {
                if is_last {
                    self.sockets.remove(id);
                } else {
                    self.change(id, |_| {});
                }
                self.machine.handle_resolved(now, id, families, answer.as_deref().map_err(Clone::clone));
            }
        }
    }

    fn failed(&mut self, id: SocketId, error: &io::Error) {
        self.freed |= self.sockets.remove(id).is_some();
        let now = self.runtime.now();
        self.machine.handle_failed(now, id, IoFailed::from(error));
    }
}

/// The sockets, for what goes straight on.
struct Straight<'a, R: Runtime> {
    runtime: &'a R,
    sockets: &'a mut Beside<SocketId, Socket<R>>,
}

impl<R: Runtime> Onward for Straight<'_, R> {
    fn write(&mut self, id: SocketId, chunks: [&[u8]; 2]) -> usize {
        let Some(socket) = self.sockets.get_mut(id) else { return 0 };
        let Socket { kind: Kind::Stream(stream), waker, state, .. } = socket else { return 0 };
        if state.broken.is_some() {
            return 0;
        }
        let mut cx = Context::from_waker(waker);
        let written = match chunks {
            [[], chunk] | [chunk, []] => self.runtime.poll_write(stream, &mut cx, chunk),
            chunks => self.runtime.poll_write_vectored(stream, &mut cx, &chunks.map(IoSlice::new)),
        };
        match written {
            Poll::Pending => 0,
            Poll::Ready(Ok(written)) => written,
            Poll::Ready(Err(error)) => {
                // It is told when the socket is served, behind what it may still have received.
                state.broken = Some(error);
                0
            }
        }
    }

    fn send(&mut self, id: SocketId, transmit: Transmit<'_>) -> usize {
        let Some(socket) = self.sockets.get_mut(id) else { return 0 };
        let Socket { kind: Kind::Datagrams(datagrams), waker, .. } = socket else { return 0 };
        let (gone, stop) = send(self.runtime, datagrams, &mut Context::from_waker(waker), transmit);
        match stop {
            // The answer to an earlier datagram cost none of these; the machine has no use for it.
            Some(Stop::Failed(error)) if refusal(&error).is_none() => gone + 1,
            _ => gone,
        }
    }
}

/// Why a connection is broken whose own address is gone.
fn homeless() -> io::Error {
    let what = "its own address is none of this machine's any more";
    let failed = IoFailed::with_detail(IoFailure::ConnectionReset, what);
    io::Error::new(io::ErrorKind::ConnectionReset, failed)
}

/// Sockets served before time and wake-ups are looked at again.
const SERVED: usize = 256;
/// Reads of what nobody wants any more, when a connection is closed.
const UNREAD: usize = 4;
/// Sockets served before the end of a machine.
const FAREWELL: usize = 16_384;
/// Rounds of that before other tasks have their turn.
const ROUNDS: usize = 16;
/// In the place of who sent something, until somebody has.
const NOBODY: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0);
