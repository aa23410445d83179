//! One machine, its sockets and its clock.

use core::net::SocketAddr;
use core::task::{Context, Poll, Waker};
use std::collections::{BTreeMap, VecDeque};
use std::io::{self, IoSlice};
use std::sync::Arc;

use super::{Lookup, Ready, Runtime, SocketWaker};
use crate::base::Instant;
use crate::error::IoFailed;
use crate::net::{Machine, Onward, Output, SocketId};

/// Drives one machine on one runtime. All its sockets belong to one task.
pub(super) struct Driver<M: Machine, R: Runtime> {
    pub(super) machine: M,
    pub(super) runtime: R,
    /// What the machine told, for whoever owns it.
    pub(super) events: VecDeque<M::Event>,
    pub(super) ready: Arc<Ready>,
    sockets: BTreeMap<SocketId, Socket<R>>,
    /// Sockets to look at now.
    work: VecDeque<SocketId>,
    noted: Vec<SocketId>,
    /// A deadline of the owner's, beside those of the machine; gone once it has passed.
    pub(super) alarm: Option<Instant>,
    /// The deadline that the timer waits for.
    armed: Option<Instant>,
    buffer: Box<[u8]>,
}

struct Socket<R: Runtime> {
    kind: Kind<R>,
    wake: Arc<SocketWaker>,
    waker: Waker,
    /// It waits among the sockets to look at.
    queued: bool,
    /// The machine has something to send, as far as is known.
    wants_write: bool,
    /// The machine does not want to receive.
    paused: bool,
    /// The sending half ends when nothing is pending.
    finishing: bool,
    /// The receiving half has ended.
    ended: bool,
    /// How much of a stream is read at once.
    appetite: usize,
    /// A write failed; what had arrived before is read first.
    broken: Option<io::Error>,
}

enum Kind<R: Runtime> {
    Lookup(Lookup),
    Dialling(R::Stream),
    Stream(R::Stream),
    Datagrams(R::Datagrams),
}

impl<M: Machine, R: Runtime> Driver<M, R> {
    pub(super) fn new(machine: M, runtime: R) -> Self {
        Self {
            machine,
            runtime,
            events: VecDeque::new(),
            ready: Arc::default(),
            sockets: BTreeMap::new(),
            work: VecDeque::new(),
            noted: Vec::new(),
            alarm: None,
            armed: None,
            buffer: vec![0; MOST_READ].into(),
        }
    }

    /// Takes a connection that was accepted as `id`.
    pub(super) fn accept(&mut self, id: SocketId, stream: R::Stream) {
        self.insert(id, Kind::Stream(stream));
    }

    /// Does what the machine asks for until nothing more can be done without waiting, or until `limit` sockets were
    /// served; `false` then, and the task goes on. An application that calls it behind its verb sends its bytes without
    /// a detour through the task.
    pub(super) fn run(&mut self, limit: usize) -> bool {
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
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) {
        self.ready.register(cx.waker());
        for _ in 0..ROUNDS {
            self.ready.take(&mut self.noted);
            for id in core::mem::take(&mut self.noted) {
                if let Some(socket) = self.sockets.get(&id) {
                    socket.wake.clear();
                }
                self.enqueue(id);
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
    pub(super) fn wake_if_rearmed(&self) {
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

    fn drain(&mut self) {
        while let Some(output) = self.machine.poll_output() {
            match output {
                Output::Resolve { id, name } => {
                    let lookup = self.runtime.lookup(name.as_str());
                    self.insert(id, Kind::Lookup(lookup));
                }
                Output::Dial { id, address } => match self.runtime.dial(address) {
                    Ok(stream) => self.insert(id, Kind::Dialling(stream)),
                    Err(error) => self.failed(id, &error),
                },
                Output::Bind { id, address } => match self.runtime.bind(address) {
                    Ok((socket, local)) => {
                        self.insert(id, Kind::Datagrams(socket));
                        let now = self.runtime.now();
                        self.machine.handle_opened(now, id, local);
                    }
                    Err(error) => self.failed(id, &error),
                },
                Output::Pending(id) => self.write_next(id),
                Output::ReadPause(id) => {
                    if let Some(socket) = self.sockets.get_mut(&id) {
                        socket.paused = true;
                        socket.appetite = LEAST_READ;
                    }
                }
                Output::ReadResume(id) => self.change(id, |socket| socket.paused = false),
                Output::Finish(id) => self.change(id, |socket| {
                    socket.finishing = true;
                    socket.wants_write = true;
                }),
                Output::Close { id, reset } => {
                    if let Some(Socket { kind: Kind::Stream(mut stream), .. }) = self.sockets.remove(&id)
                        && reset
                    {
                        self.runtime.reset(&mut stream);
                    }
                }
                Output::Event(event) => self.events.push_back(event),
            }
        }
    }

    fn insert(&mut self, id: SocketId, kind: Kind<R>) {
        let wake = SocketWaker::new(id, &self.ready);
        let waker = Waker::from(Arc::clone(&wake));
        let socket = Socket {
            kind,
            wake,
            waker,
            queued: true,
            wants_write: false,
            paused: false,
            finishing: false,
            ended: false,
            appetite: LEAST_READ,
            broken: None,
        };
        self.sockets.insert(id, socket);
        self.work.push_back(id);
    }

    /// Lets a socket write before anything else is read: what it writes has just been made, and is at hand.
    fn write_next(&mut self, id: SocketId) {
        let Some(socket) = self.sockets.get_mut(&id) else { return };
        socket.wants_write = true;
        if !core::mem::replace(&mut socket.queued, true) {
            self.work.push_front(id);
        }
    }

    fn enqueue(&mut self, id: SocketId) {
        if let Some(socket) = self.sockets.get_mut(&id)
            && !core::mem::replace(&mut socket.queued, true)
        {
            self.work.push_back(id);
        }
    }

    fn change(&mut self, id: SocketId, change: impl FnOnce(&mut Socket<R>)) {
        if let Some(socket) = self.sockets.get_mut(&id) {
            change(socket);
        }
        self.enqueue(id);
    }

    fn serve(&mut self, id: SocketId) {
        let Some(socket) = self.sockets.get_mut(&id) else { return };
        socket.queued = false;
        let waker = socket.waker.clone();
        let mut cx = Context::from_waker(&waker);
        match &mut socket.kind {
            Kind::Lookup(lookup) => {
                if let Poll::Ready(answer) = lookup.as_mut().poll(&mut cx) {
                    self.sockets.remove(&id);
                    let answer = answer.map_err(|error| IoFailed::name(&error));
                    let now = self.runtime.now();
                    self.machine.handle_resolved(now, id, answer.as_deref().map_err(Clone::clone));
                }
            }
            Kind::Dialling(stream) => {
                if let Poll::Ready(result) = self.runtime.poll_connected(stream, &mut cx) {
                    self.connected(id, result);
                }
            }
            Kind::Stream(_) => {
                self.write(id, &mut cx);
                self.read(id, &mut cx);
            }
            Kind::Datagrams(_) => {
                self.send(id, &mut cx);
                self.receive(id, &mut cx);
            }
        }
    }

    fn connected(&mut self, id: SocketId, result: io::Result<SocketAddr>) {
        match (result, self.sockets.remove(&id)) {
            (Ok(local), Some(Socket { kind: Kind::Dialling(stream), .. })) => {
                self.insert(id, Kind::Stream(stream));
                let now = self.runtime.now();
                self.machine.handle_opened(now, id, local);
            }
            (Err(error), _) => self.failed(id, &error),
            (Ok(_), _) => {}
        }
    }

    fn failed(&mut self, id: SocketId, error: &io::Error) {
        self.sockets.remove(&id);
        let now = self.runtime.now();
        self.machine.handle_failed(now, id, IoFailed::from(error));
    }

    fn write(&mut self, id: SocketId, cx: &mut Context<'_>) {
        let now = self.runtime.now();
        loop {
            let Some(socket) = self.sockets.get_mut(&id) else { return };
            let Kind::Stream(stream) = &mut socket.kind else { return };
            if !socket.wants_write || socket.broken.is_some() {
                return;
            }
            let Some(bytes) = self.machine.pending(now, id) else {
                socket.wants_write = false;
                if core::mem::take(&mut socket.finishing) {
                    self.runtime.finish(stream);
                }
                return;
            };
            match self.runtime.poll_write(stream, cx, bytes) {
                Poll::Pending => return,
                Poll::Ready(Ok(written)) => self.machine.handle_written(now, id, written),
                Poll::Ready(Err(error)) => socket.broken = Some(error),
            }
        }
    }

    /// Reads once; what was read is passed on before more is.
    fn read(&mut self, id: SocketId, cx: &mut Context<'_>) {
        let now = self.runtime.now();
        let Some(socket) = self.sockets.get_mut(&id) else { return };
        let Kind::Stream(stream) = &mut socket.kind else { return };
        if socket.paused {
            return;
        }
        let appetite = socket.appetite;
        let room = self.buffer.get_mut(..appetite).unwrap_or_default();
        let read = if socket.ended { Poll::Pending } else { self.runtime.poll_read(stream, cx, room) };
        match (read, socket.broken.take()) {
            (Poll::Ready(Ok(count)), broken) if count > 0 => {
                socket.broken = broken;
                if count == appetite {
                    socket.appetite = (2 * appetite).min(MOST_READ);
                }
                let data = self.buffer.get_mut(..count).unwrap_or_default();
                let mut onward = Straight { runtime: &self.runtime, sockets: &mut self.sockets };
                self.machine.handle_stream(now, id, data, &mut onward);
                self.enqueue(id);
            }
            // Nothing is left to be read of a connection that cannot be written to any more.
            (_, Some(error)) | (Poll::Ready(Err(error)), None) => self.failed(id, &error),
            (Poll::Ready(Ok(_)), None) => {
                socket.ended = true;
                self.machine.handle_finished(now, id);
            }
            (Poll::Pending, None) => {}
        }
    }

    fn send(&mut self, id: SocketId, cx: &mut Context<'_>) {
        let now = self.runtime.now();
        loop {
            let Some(socket) = self.sockets.get_mut(&id) else { return };
            let Kind::Datagrams(datagrams) = &mut socket.kind else { return };
            if !socket.wants_write {
                return;
            }
            let Some(payload) = self.machine.pending(now, id) else {
                socket.wants_write = false;
                return;
            };
            match self.runtime.poll_send(datagrams, cx, payload) {
                Poll::Pending => return,
                Poll::Ready(Ok(_)) => {}
                // Too large for the path, or the answer to an earlier datagram: this one is lost, the socket is not.
                Poll::Ready(Err(error)) => self.refused(id, &error),
            }
            self.machine.handle_written(now, id, 0);
        }
    }

    fn receive(&mut self, id: SocketId, cx: &mut Context<'_>) {
        let now = self.runtime.now();
        for _ in 0..BATCH {
            let Some(Socket { kind: Kind::Datagrams(datagrams), paused: false, .. }) =
                self.sockets.get_mut(&id)
            else {
                return;
            };
            match self.runtime.poll_receive(datagrams, cx, &mut self.buffer) {
                Poll::Pending => return,
                Poll::Ready(Ok(count)) => {
                    let data = self.buffer.get_mut(..count).unwrap_or_default();
                    self.machine.handle_received(now, id, data);
                }
                Poll::Ready(Err(error)) => self.refused(id, &error),
            }
        }
        self.enqueue(id);
    }

    /// Only an answer of the target or its network concerns the machine; a datagram that is too large is just dropped.
    fn refused(&mut self, id: SocketId, error: &io::Error) {
        if error.kind() == io::ErrorKind::ConnectionRefused {
            let now = self.runtime.now();
            self.machine.handle_failed(now, id, IoFailed::from(error));
        }
    }
}

/// The sockets, for what goes straight on.
struct Straight<'a, R: Runtime> {
    runtime: &'a R,
    sockets: &'a mut BTreeMap<SocketId, Socket<R>>,
}

impl<R: Runtime> Onward for Straight<'_, R> {
    fn write(&mut self, id: SocketId, chunks: [&[u8]; 2]) -> usize {
        let Some(socket) = self.sockets.get_mut(&id) else { return 0 };
        let Socket { kind: Kind::Stream(stream), waker, broken: broken @ None, .. } = socket else {
            return 0;
        };
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
                *broken = Some(error);
                0
            }
        }
    }
}

/// What the first read of a stream takes at most: as much as the largest datagram, and four TLS records.
const LEAST_READ: usize = 65_536;
/// What a read takes at most, once those before it were full and all of it went on at once.
const MOST_READ: usize = 4 * LEAST_READ;
/// Datagrams read from one socket before the next has its turn.
const BATCH: usize = 32;
/// Sockets served before time and wake-ups are looked at again.
const SERVED: usize = 256;
/// Rounds of that before other tasks have their turn.
const ROUNDS: usize = 16;
