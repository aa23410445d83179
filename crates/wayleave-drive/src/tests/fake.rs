//! A runtime whose sockets do what a test says.

use core::net::{IpAddr, SocketAddr};
use core::pin::Pin;
use core::task::{Context, Poll, Waker};
use core::time::Duration;
use std::collections::{BTreeMap, VecDeque};
use std::io::{self, IoSlice};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::Wake;

use wayleave_proto::base::{Clock, Instant, Name, Seed, UnixTime};

use wayleave_proto::config::Liveness;
use wayleave_proto::net::{Arrival, Packets, Transmit};

use crate::{Binding, Lookup, Runtime, at_once};

/// What a test sees and changes of it.
#[derive(Clone, Default)]
pub(crate) struct World(Arc<Mutex<State>>);

#[derive(Default)]
pub(crate) struct State {
    pub(crate) now: Duration,
    pub(crate) streams: BTreeMap<usize, Stream>,
    next: usize,
    /// Connections that wait to be accepted.
    pub(crate) queue: VecDeque<usize>,
    /// Every attempt to accept fails with this number of the system.
    pub(crate) accept_error: Option<i32>,
    /// Whether a descriptor is left to refuse with.
    pub(crate) has_spare: bool,
    pub(crate) refused: usize,
    pub(crate) datagrams: Datagrams,
    listener: Option<Waker>,
    timer: Option<Waker>,
}

/// The UDP socket; there is one at a time.
#[derive(Default)]
pub(crate) struct Datagrams {
    /// What each call brings.
    pub(crate) incoming: VecDeque<Result<Pieces, io::ErrorKind>>,
    /// How many datagrams each call takes, or why none; a call takes all when nothing is said.
    pub(crate) takes: VecDeque<Result<usize, io::ErrorKind>>,
    /// What was sent, by call.
    pub(crate) sent: Vec<Vec<Vec<u8>>>,
    wakers: Vec<Waker>,
}

#[derive(Default)]
pub(crate) struct Stream {
    pub(crate) input: VecDeque<u8>,
    pub(crate) has_ended: bool,
    pub(crate) output: Vec<u8>,
    /// How much the system takes.
    pub(crate) room: usize,
    pub(crate) broken: Option<io::ErrorKind>,
    pub(crate) is_finished: bool,
    pub(crate) is_reset: bool,
    pub(crate) is_closed: bool,
    /// Its own address is gone.
    pub(crate) is_homeless: bool,
    wakers: Vec<Waker>,
}

/// What came in one piece each, and the stride of it.
pub(crate) type Pieces = Vec<(Vec<u8>, usize)>;

/// A connection, as the driver holds it.
pub(crate) struct Held {
    id: usize,
    world: World,
}

impl World {
    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    /// A connection of which the system takes `room` bytes.
    pub(crate) fn stream(&self, room: usize) -> usize {
        let mut state = self.lock();
        let id = state.next;
        state.next += 1;
        state.streams.insert(id, Stream { room, ..Stream::default() });
        id
    }

    /// A client connects.
    pub(crate) fn connect(&self) -> usize {
        let id = self.stream(1 << 20);
        let waker = {
            let mut state = self.lock();
            state.queue.push_back(id);
            state.listener.take()
        };
        waker.into_iter().for_each(Waker::wake);
        id
    }

    /// Changes a connection, and wakes who waits for it.
    pub(crate) fn change<T>(&self, id: usize, change: impl FnOnce(&mut Stream) -> T) -> T {
        let (answer, wakers) = {
            let mut state = self.lock();
            let stream = state.streams.get_mut(&id).unwrap();
            (change(stream), core::mem::take(&mut stream.wakers))
        };
        wakers.into_iter().for_each(Waker::wake);
        answer
    }

    pub(crate) fn look<T>(&self, id: usize, look: impl FnOnce(&Stream) -> T) -> T {
        look(&self.lock().streams[&id])
    }

    /// Changes the UDP socket, and wakes who waits for it.
    pub(crate) fn change_datagrams<T>(&self, change: impl FnOnce(&mut Datagrams) -> T) -> T {
        let (answer, wakers) = {
            let datagrams = &mut self.lock().datagrams;
            (change(datagrams), core::mem::take(&mut datagrams.wakers))
        };
        wakers.into_iter().for_each(Waker::wake);
        answer
    }

    pub(crate) fn pass(&self, time: Duration) {
        let waker = {
            let mut state = self.lock();
            state.now += time;
            state.timer.take()
        };
        waker.into_iter().for_each(Waker::wake);
    }
}

/// The runtime itself.
pub(crate) struct Fake(pub(crate) World);

impl Held {
    fn poll<T>(
        &self,
        cx: &mut Context<'_>,
        act: impl FnOnce(&mut Stream) -> Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        let mut state = self.world.lock();
        let stream = state.streams.get_mut(&self.id).unwrap();
        let answer = act(stream);
        if answer.is_pending() {
            stream.wakers.push(cx.waker().clone());
        }
        answer
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.world.lock().streams.get_mut(&self.id).unwrap().is_closed = true;
    }
}

impl Runtime for Fake {
    type Stream = Held;
    type Datagrams = ();
    type Listener = ();

    fn now(&self) -> Instant {
        Instant::ZERO + self.0.lock().now
    }

    fn clock(&self) -> Clock {
        Clock::new(self.now(), UnixTime::from_secs(1_800_000_000))
    }

    fn seed(&self) -> Seed {
        Seed::new([7; 32])
    }

    fn lookup(&self, _: &Name) -> Lookup {
        at_once(core::future::ready(Ok(Vec::<IpAddr>::new())))
    }

    fn dial(&self, _: SocketAddr) -> io::Result<Held> {
        Ok(Held { id: self.0.stream(1 << 20), world: self.0.clone() })
    }

    fn poll_connected(&self, _: &mut Held, _: &mut Context<'_>) -> Poll<io::Result<SocketAddr>> {
        Poll::Ready(Ok(local()))
    }

    fn bind(&self, _: Binding) -> io::Result<((), SocketAddr)> {
        Ok(((), local()))
    }

    fn listen(&self, _: SocketAddr) -> io::Result<((), SocketAddr)> {
        Ok(((), local()))
    }

    fn listen_beside(&self, (): &()) -> io::Result<()> {
        Ok(())
    }

    fn poll_accept(
        &self,
        (): &mut (),
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<(Held, SocketAddr, SocketAddr)>> {
        let mut state = self.0.lock();
        if let Some(number) = state.accept_error {
            return Poll::Ready(Err(io::Error::from_raw_os_error(number)));
        }
        match state.queue.pop_front() {
            Some(id) => Poll::Ready(Ok((Held { id, world: self.0.clone() }, local(), local()))),
            None => {
                state.listener = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    }

    fn refuse(&self, (): &mut ()) -> io::Result<()> {
        let mut state = self.0.lock();
        if !state.has_spare {
            return Err(io::ErrorKind::QuotaExceeded.into());
        }
        let id = state.queue.pop_front().ok_or(io::ErrorKind::WouldBlock)?;
        state.refused += 1;
        state.streams.get_mut(&id).unwrap().is_closed = true;
        Ok(())
    }

    fn poll_broken(&self, stream: &mut Held, cx: &mut Context<'_>) -> Poll<io::Error> {
        match stream.poll(cx, |it| it.broken.map_or(Poll::Pending, |kind| Poll::Ready(Ok(kind)))) {
            Poll::Ready(Ok(kind)) => Poll::Ready(kind.into()),
            Poll::Ready(Err(error)) => Poll::Ready(error),
            Poll::Pending => Poll::Pending,
        }
    }

    fn has_lost_address(&self, stream: &Held) -> bool {
        self.0.look(stream.id, |it| it.is_homeless)
    }

    fn poll_read(
        &self,
        stream: &mut Held,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        stream.poll(cx, |it| {
            let count = it.input.len().min(buffer.len());
            if count == 0 && !it.has_ended {
                return it.broken.map_or(Poll::Pending, |kind| Poll::Ready(Err(kind.into())));
            }
            buffer[..count].iter_mut().zip(it.input.drain(..count)).for_each(|(to, from)| *to = from);
            Poll::Ready(Ok(count))
        })
    }

    fn poll_write(&self, stream: &mut Held, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        stream.poll(cx, |it| {
            if let Some(kind) = it.broken {
                return Poll::Ready(Err(kind.into()));
            }
            let count = bytes.len().min(it.room);
            if count == 0 {
                return Poll::Pending;
            }
            it.room -= count;
            it.output.extend_from_slice(&bytes[..count]);
            Poll::Ready(Ok(count))
        })
    }

    fn poll_write_vectored(
        &self,
        stream: &mut Held,
        cx: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.poll_write(stream, cx, &pieces[0])
    }

    fn delay_acks(&self, _: &mut Held) {}

    fn watch(&self, _: &mut Held, _: &Liveness) {}

    fn finish(&self, stream: &mut Held) {
        self.0.lock().streams.get_mut(&stream.id).unwrap().is_finished = true;
    }

    fn set_reset(&self, stream: &mut Held, resets: bool) {
        self.0.lock().streams.get_mut(&stream.id).unwrap().is_reset = resets;
    }

    fn poll_receive(
        &self,
        (): &mut (),
        cx: &mut Context<'_>,
        buffer: &mut [u8],
        arrivals: &mut [Arrival],
    ) -> Poll<io::Result<usize>> {
        let datagrams = &mut self.0.lock().datagrams;
        let Some(pieces) = datagrams.incoming.pop_front() else {
            datagrams.wakers.push(cx.waker().clone());
            return Poll::Pending;
        };
        let pieces = pieces?;
        for (nth, (bytes, stride)) in pieces.iter().enumerate() {
            buffer[nth * Packets::SLOT..][..bytes.len()].copy_from_slice(bytes);
            arrivals[nth] = Arrival { stride: *stride, ..Arrival::one(local(), bytes.len()) };
        }
        Poll::Ready(Ok(pieces.len()))
    }

    fn most_arrivals(&self) -> usize {
        2
    }

    fn poll_send(
        &self,
        (): &mut (),
        cx: &mut Context<'_>,
        transmit: Transmit<'_>,
    ) -> Poll<io::Result<usize>> {
        let datagrams = &mut self.0.lock().datagrams;
        let count = datagrams.takes.pop_front().unwrap_or(Ok(usize::MAX))?.min(transmit.count());
        if count == 0 {
            datagrams.wakers.push(cx.waker().clone());
            return Poll::Pending;
        }
        datagrams.sent.push(transmit.datagrams().take(count).map(<[u8]>::to_vec).collect());
        Poll::Ready(Ok(count))
    }

    fn overflowed(&self, (): &()) -> u64 {
        0
    }

    fn poll_timer(&mut self, cx: &mut Context<'_>, deadline: Instant) -> Poll<()> {
        if self.now() >= deadline {
            return Poll::Ready(());
        }
        self.0.lock().timer = Some(cx.waker().clone());
        Poll::Pending
    }

    fn spawn(&self, _: Pin<Box<dyn Future<Output = ()> + Send>>) {}
}

/// The executor: it polls a task as long as somebody wakes it, and never else.
pub(crate) struct Executor(Arc<Calls>);

struct Calls(AtomicUsize);

impl Executor {
    pub(crate) fn new() -> Self {
        Self(Arc::new(Calls(AtomicUsize::new(1))))
    }

    /// Whether nobody has woken the task since it rested.
    pub(crate) fn rests(&self) -> bool {
        self.0.0.load(Ordering::SeqCst) == 0
    }

    pub(crate) fn run(&self, mut poll: impl FnMut(&mut Context<'_>)) {
        let waker = Waker::from(Arc::clone(&self.0));
        for _ in 0..1_000 {
            if self.0.0.swap(0, Ordering::SeqCst) == 0 {
                return;
            }
            poll(&mut Context::from_waker(&waker));
        }
        panic!("the task never rests");
    }
}

impl Wake for Calls {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

fn local() -> SocketAddr {
    "192.0.2.1:443".parse().unwrap()
}

/// The number of "too many open files" everywhere but on Windows.
pub(crate) const TOO_MANY_FILES: i32 = if cfg!(windows) { 10_024 } else { 24 };
