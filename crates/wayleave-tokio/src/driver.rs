//! The loop: one machine, its sockets and its clock.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant as StdInstant;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Sleep, sleep_until};
use wayleave_proto::base::Instant;
use wayleave_proto::error::IoFailed;
use wayleave_proto::net::{Machine, Output, SocketId};

use crate::socket::{Io, Ready, Socket, bind, dial, lookup};

/// Drives one machine.
///
/// All sockets belong to one task; each has a waker of its own that notes which socket it was, so a wake-up costs the
/// same whether there are ten sockets or ten thousand.
pub(crate) struct Driver<M: Machine> {
    pub(crate) machine: M,
    pub(crate) events: VecDeque<M::Event>,
    epoch: StdInstant,
    sockets: HashMap<SocketId, Socket>,
    ready: Arc<Ready>,
    /// Sockets to look at now.
    work: VecDeque<SocketId>,
    taken: Vec<SocketId>,
    timer: Option<Pin<Box<Sleep>>>,
    armed: Option<Instant>,
    buffer: Box<[u8]>,
}

impl<M: Machine> Driver<M> {
    pub(crate) fn new(machine: M, epoch: StdInstant) -> Self {
        Self {
            machine,
            events: VecDeque::new(),
            epoch,
            sockets: HashMap::new(),
            ready: Arc::default(),
            work: VecDeque::new(),
            taken: Vec::new(),
            timer: None,
            armed: None,
            buffer: vec![0; BUFFER].into(),
        }
    }

    /// The machine's present.
    pub(crate) fn now(&self) -> Instant {
        Instant::from_nanos(u64::try_from(self.epoch.elapsed().as_nanos()).unwrap_or(u64::MAX))
    }

    /// The list of sockets that something happened to, with the task that waits for it.
    pub(crate) fn ready(&self) -> &Arc<Ready> {
        &self.ready
    }

    /// Takes a connection that was accepted as `id`.
    pub(crate) fn accept(&mut self, id: SocketId, stream: TcpStream) {
        self.insert(id, Io::Stream(stream));
        self.enqueue(id);
    }

    /// Does what the machine asks for until there is nothing more to do without waiting, or until `limit` sockets were
    /// served. To be called by the task after [`Self::poll`]'s wake-ups, and by an application after each verb: the
    /// application's bytes then leave without a detour through another task.
    pub(crate) fn run(&mut self, limit: usize) -> bool {
        let mut left = limit;
        loop {
            self.drain();
            if left == 0 && !self.work.is_empty() {
                self.ready.wake();
                return false;
            }
            let Some(id) = self.work.pop_front() else { return true };
            left -= 1;
            self.serve(id);
        }
    }

    /// Looks after every socket that something happened to, and lets time pass.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) {
        self.ready.register(cx.waker());
        let mut left = ROUNDS;
        loop {
            self.ready.take(&mut self.taken);
            for id in self.taken.drain(..) {
                if let Some(socket) = self.sockets.get_mut(&id) {
                    socket.unmark();
                    if !std::mem::replace(&mut socket.queued, true) {
                        self.work.push_back(id);
                    }
                }
            }
            let due = self.poll_timer(cx);
            if due {
                let now = self.now();
                self.machine.handle_timeout(now);
            }
            let idle = self.work.is_empty() && !due;
            if !self.run(SERVED) || left == 0 {
                cx.waker().wake_by_ref();
                return;
            }
            if idle && self.machine.poll_timeout() == self.armed {
                return;
            }
            left -= 1;
        }
    }

    /// Wakes the task if the machine's next deadline is not the one it sleeps for.
    pub(crate) fn wake_if_rearmed(&self) {
        if self.machine.poll_timeout() != self.armed {
            self.ready.wake();
        }
    }

    fn poll_timer(&mut self, cx: &mut Context<'_>) -> bool {
        let next = self.machine.poll_timeout();
        if next != self.armed {
            self.armed = next;
            // tokio's clock has a resolution of a millisecond and rounds up.
            let deadline = |at: Instant| (self.epoch + at.since(Instant::ZERO)).into();
            match (next, &mut self.timer) {
                (None, _) => {}
                (Some(at), Some(timer)) => timer.as_mut().reset(deadline(at)),
                (Some(at), timer) => *timer = Some(Box::pin(sleep_until(deadline(at)))),
            }
        }
        match (self.armed, &mut self.timer) {
            (Some(_), Some(timer)) => timer.as_mut().poll(cx).is_ready().then(|| self.armed = None).is_some(),
            _ => false,
        }
    }

    fn drain(&mut self) {
        while let Some(output) = self.machine.poll_output() {
            match output {
                Output::Resolve { id, name } => {
                    self.insert(id, Io::Lookup(Box::pin(lookup(name.as_str().to_owned()))));
                    self.enqueue(id);
                }
                Output::Dial { id, address } => {
                    self.insert(id, Io::Dialling(Box::pin(dial(address))));
                    self.enqueue(id);
                }
                Output::Bind { id, address } => {
                    let now = self.now();
                    match bind(address).and_then(|socket| Ok((socket.local_addr()?, socket))) {
                        Ok((local, socket)) => {
                            self.insert(id, Io::Datagrams(socket));
                            self.enqueue(id);
                            self.machine.handle_opened(now, id, local);
                        }
                        Err(error) => self.machine.handle_failed(now, id, IoFailed::from(&error)),
                    }
                }
                Output::Pending(id) => self.change(id, |socket| socket.wants_write = true),
                Output::ReadPause(id) => {
                    if let Some(socket) = self.sockets.get_mut(&id) {
                        socket.paused = true;
                    }
                }
                Output::ReadResume(id) => self.change(id, |socket| socket.paused = false),
                Output::Finish(id) => self.change(id, |socket| {
                    socket.finishing = true;
                    socket.wants_write = true;
                }),
                Output::Close { id, reset } => {
                    if let Some(Socket { io: Io::Stream(stream), .. }) = self.sockets.remove(&id)
                        && reset
                    {
                        // Without lingering, closing sends a reset. Where that fails the connection is gone anyway.
                        let _ = stream.set_zero_linger();
                    }
                }
                Output::Event(event) => self.events.push_back(event),
            }
        }
    }

    fn enqueue(&mut self, id: SocketId) {
        if let Some(socket) = self.sockets.get_mut(&id)
            && !std::mem::replace(&mut socket.queued, true)
        {
            self.work.push_back(id);
        }
    }

    fn insert(&mut self, id: SocketId, io: Io) {
        self.sockets.insert(id, Socket::new(id, io, &self.ready));
    }

    fn change(&mut self, id: SocketId, change: impl FnOnce(&mut Socket)) {
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
        match &mut socket.io {
            Io::Lookup(waiting) => {
                if let Poll::Ready(answer) = waiting.as_mut().poll(&mut cx) {
                    self.sockets.remove(&id);
                    let now = self.now();
                    match answer {
                        Ok(addresses) => self.machine.handle_resolved(now, id, Ok(&addresses)),
                        Err(error) => self.machine.handle_resolved(now, id, Err(IoFailed::name(&error))),
                    }
                }
            }
            Io::Dialling(waiting) => {
                if let Poll::Ready(result) = waiting.as_mut().poll(&mut cx) {
                    self.opened(id, result);
                }
            }
            Io::Stream(_) => {
                if self.write(id, &mut cx) {
                    self.read(id, &mut cx);
                }
            }
            Io::Datagrams(_) => {
                self.send(id, &mut cx);
                self.receive(id, &mut cx);
            }
        }
    }

    fn opened(&mut self, id: SocketId, result: io::Result<TcpStream>) {
        let now = self.now();
        match result.and_then(|stream| Ok((stream.local_addr()?, stream))) {
            Ok((local, stream)) => {
                if let Some(socket) = self.sockets.get_mut(&id) {
                    socket.io = Io::Stream(stream);
                }
                self.enqueue(id);
                self.machine.handle_opened(now, id, local);
            }
            Err(error) => self.failed(id, &error),
        }
    }

    fn failed(&mut self, id: SocketId, error: &io::Error) {
        self.sockets.remove(&id);
        let now = self.now();
        self.machine.handle_failed(now, id, IoFailed::from(error));
    }

    /// Writes what is pending; `false` when the connection failed.
    fn write(&mut self, id: SocketId, cx: &mut Context<'_>) -> bool {
        let now = self.now();
        loop {
            let Some(socket) = self.sockets.get_mut(&id) else { return false };
            let Io::Stream(stream) = &mut socket.io else { return false };
            if !socket.wants_write {
                return true;
            }
            let result = match self.machine.pending(now, id) {
                Some(bytes) => Pin::new(stream).poll_write(cx, bytes),
                None => {
                    socket.wants_write = false;
                    if std::mem::take(&mut socket.finishing) {
                        // A connection that cannot be ended any more is found out by its reading half.
                        let _ = Pin::new(stream).poll_shutdown(cx);
                    }
                    return true;
                }
            };
            match result {
                Poll::Pending => return true,
                Poll::Ready(Ok(written)) => self.machine.handle_written(now, id, written),
                Poll::Ready(Err(error)) => {
                    self.failed(id, &error);
                    return false;
                }
            }
        }
    }

    /// Reads once; what was read is passed on before more is.
    fn read(&mut self, id: SocketId, cx: &mut Context<'_>) {
        let now = self.now();
        let Some(socket) = self.sockets.get_mut(&id) else { return };
        let Io::Stream(stream) = &mut socket.io else { return };
        if socket.paused || socket.ended {
            return;
        }
        let mut buffer = ReadBuf::new(&mut self.buffer);
        let Poll::Ready(result) = Pin::new(stream).poll_read(cx, &mut buffer) else { return };
        let count = buffer.filled().len();
        match result {
            Err(error) => self.failed(id, &error),
            Ok(()) if count == 0 => {
                socket.ended = true;
                self.machine.handle_finished(now, id);
            }
            Ok(()) => {
                self.enqueue(id);
                let data = self.buffer.get_mut(..count).unwrap_or_default();
                self.machine.handle_received(now, id, data);
            }
        }
    }

    fn send(&mut self, id: SocketId, cx: &mut Context<'_>) {
        let now = self.now();
        loop {
            let Some(socket) = self.sockets.get_mut(&id) else { return };
            let Io::Datagrams(udp) = &socket.io else { return };
            if !socket.wants_write {
                return;
            }
            let Some(payload) = self.machine.pending(now, id) else {
                socket.wants_write = false;
                return;
            };
            match udp.poll_send(cx, payload) {
                Poll::Pending => return,
                Poll::Ready(Ok(_)) => {}
                // Too large for the path, or the answer to an earlier datagram: this one is lost, the socket is not.
                Poll::Ready(Err(error)) => self.refused(id, &error),
            }
            self.machine.handle_written(now, id, 0);
        }
    }

    fn receive(&mut self, id: SocketId, cx: &mut Context<'_>) {
        for _ in 0..BATCH {
            let now = self.now();
            let Some(Socket { io: Io::Datagrams(udp), paused: false, .. }) = self.sockets.get(&id) else {
                return;
            };
            let mut buffer = ReadBuf::new(&mut self.buffer);
            let Poll::Ready(result) = udp.poll_recv(cx, &mut buffer) else { return };
            let count = buffer.filled().len();
            match result {
                Ok(()) => {
                    let data = self.buffer.get_mut(..count).unwrap_or_default();
                    self.machine.handle_received(now, id, data);
                }
                Err(error) => self.refused(id, &error),
            }
        }
        self.enqueue(id);
    }

    /// Only an answer of the target or its network concerns the machine; a datagram that is too large is just dropped.
    fn refused(&mut self, id: SocketId, error: &io::Error) {
        if error.kind() == io::ErrorKind::ConnectionRefused {
            let now = self.now();
            self.machine.handle_failed(now, id, IoFailed::from(error));
        }
    }
}

/// One read takes at most this much: the largest datagram, and four TLS records of a stream.
const BUFFER: usize = 65_536;
/// Datagrams read from one socket before the next has its turn.
const BATCH: usize = 32;
/// Sockets served before time and wake-ups are looked at again.
const SERVED: usize = 256;
/// Rounds of that before other tasks have their turn.
const ROUNDS: usize = 16;
