//! Waiting for many sockets, a deadline and a call from another thread, in one place.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fmt;
use std::future::Future;
use std::io;
#[cfg(unix)]
use std::os::fd::AsFd;
#[cfg(windows)]
use std::os::windows::io::AsSocket as AsFd;
use std::pin::pin;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::time::{Duration, Instant as StdInstant};

use polling::{AsRawSource, AsSource, Event, Events, Poller};
use wayleave_proto::base::Instant;

/// Where one thread waits for the sockets of one machine.
pub(crate) struct Reactor {
    poller: Poller,
    epoch: StdInstant,
    /// In nanoseconds since the epoch.
    deadline: AtomicU64,
    /// What the thread does: [`RUNNING`], [`WAITING`], or [`CALLED`] to run once more.
    thread: AtomicU8,
    table: Mutex<Table>,
}

/// Who waits for which socket.
#[derive(Default)]
struct Table {
    waiting: BTreeMap<usize, Waiting>,
    /// Sixty-four bits of keys are never used up; on thirty-two, one in use is passed over.
    next: usize,
}

/// A socket that the poller knows. It tells once of a direction that somebody waits for, and is silent after that.
#[derive(Default)]
struct Waiting {
    reader: Option<Waker>,
    writer: Option<Waker>,
    /// Waits for the break of a connection, of which the poller tells unasked.
    watcher: Option<Waker>,
    /// It took bytes, or broke, at least once.
    was_writable: bool,
}

/// What is waited for.
#[derive(Clone, Copy)]
pub(crate) enum Side {
    Reader,
    Watcher,
    Writer,
}

impl Reactor {
    pub(crate) fn new() -> io::Result<Arc<Self>> {
        Self::since(StdInstant::now())
    }

    /// Another one, whose clock has the same zero.
    ///
    /// # Errors
    /// The system has no descriptor to wait with.
    pub(crate) fn beside(&self) -> io::Result<Arc<Self>> {
        Self::since(self.epoch)
    }

    fn since(epoch: StdInstant) -> io::Result<Arc<Self>> {
        Ok(Arc::new(Self {
            poller: Poller::new()?,
            epoch,
            deadline: AtomicU64::new(NEVER),
            thread: AtomicU8::new(RUNNING),
            table: Mutex::default(),
        }))
    }

    pub(crate) fn now(&self) -> Instant {
        Instant::from_nanos(u64::try_from(self.epoch.elapsed().as_nanos()).unwrap_or(NEVER))
    }

    /// Whether `deadline` has passed; the thread wakes up for the last one that was asked for.
    pub(crate) fn poll_deadline(&self, deadline: Instant) -> Poll<()> {
        if self.now() >= deadline {
            return Poll::Ready(());
        }
        self.deadline.store(deadline.as_nanos(), Ordering::Relaxed);
        Poll::Pending
    }

    /// Runs `task` to its end on the calling thread. Only one task may run; it is polled after every wait.
    pub(crate) fn run(self: &Arc<Self>, task: impl Future<Output = ()>) {
        let mut task = pin!(task);
        let waker = Waker::from(Arc::clone(self));
        let mut cx = Context::from_waker(&waker);
        let mut events = Events::new();
        let mut wakers = Vec::new();
        while task.as_mut().poll(&mut cx).is_pending() {
            self.wait(&mut events);
            self.collect(&events, &mut wakers);
            wakers.drain(..).for_each(Waker::wake);
            // The task is about to look at everything, so calls up to here are heard.
            self.thread.swap(RUNNING, Ordering::AcqRel);
        }
    }

    #[cfg(test)]
    pub(crate) fn socket_count(&self) -> usize {
        self.lock().waiting.len()
    }

    fn wait(&self, events: &mut Events) {
        let is_quiet =
            self.thread.compare_exchange(RUNNING, WAITING, Ordering::AcqRel, Ordering::Acquire).is_ok();
        let deadline = self.deadline.load(Ordering::Relaxed);
        let left = match deadline {
            _ if !is_quiet => Some(Duration::ZERO),
            NEVER => None,
            deadline => Some(Instant::from_nanos(deadline).since(self.now())),
        };
        events.clear();
        // Only a descriptor that is none could make it fail.
        self.poller.wait(events, left).expect("the system cannot wait for sockets");
        if deadline <= self.now().as_nanos() {
            self.deadline.store(NEVER, Ordering::Relaxed);
        }
    }

    /// Whom to wake. Those who wait for something else of a socket look again too: the poller forgot it.
    fn collect(&self, events: &Events, wakers: &mut Vec<Waker>) {
        let mut table = self.lock();
        for event in events.iter() {
            if let Some(waiting) = table.waiting.get_mut(&event.key) {
                waiting.was_writable |= event.writable;
                wakers.extend(waiting.reader.take());
                wakers.extend(waiting.writer.take());
                wakers.extend(waiting.watcher.take());
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Wake for Reactor {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if self.thread.swap(CALLED, Ordering::AcqRel) == WAITING {
            // It fails for the same reasons as a wait, which is where it is reported.
            let _ = self.poller.notify();
        }
    }
}

/// A socket and its place in the reactor, which it leaves when it is dropped.
pub struct Socket<S: AsSource> {
    pub(crate) socket: S,
    key: usize,
    reactor: Arc<Reactor>,
}

impl<S: AsSource> Socket<S>
where
    for<'a> &'a S: AsRawSource,
{
    /// Takes a socket that does not block.
    pub(crate) fn new(socket: S, reactor: &Arc<Reactor>) -> Self {
        let mut table = reactor.lock();
        while table.next == usize::MAX || table.waiting.contains_key(&table.next) {
            table.next = table.next.wrapping_add(1);
        }
        let key = table.next;
        table.next = key.wrapping_add(1);
        drop(table);
        Self { socket, key, reactor: Arc::clone(reactor) }
    }

    /// Calls until the call does not block; where it would, the waker of `cx` is woken when it can be tried again.
    pub(crate) fn poll<T>(
        &self,
        side: Side,
        cx: &Context<'_>,
        mut call: impl FnMut(&S) -> io::Result<T>,
    ) -> Poll<io::Result<T>> {
        loop {
            match call(&self.socket) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    return self
                        .wait(side, cx)
                        .map_or_else(|error| Poll::Ready(Err(error)), |()| Poll::Pending);
                }
                result => return Poll::Ready(result),
            }
        }
    }

    /// Waits until a connection breaks from which nobody reads.
    pub(crate) fn poll_broken(&self, cx: &Context<'_>) -> Poll<io::Error>
    where
        S: AsFd,
    {
        match wayleave_sockets::broken(&self.socket) {
            Some(error) => Poll::Ready(error),
            None => self.wait(Side::Watcher, cx).map_or_else(Poll::Ready, |()| Poll::Pending),
        }
    }

    /// Waits until a connection stands or has failed.
    pub(crate) fn poll_writable(&self, cx: &Context<'_>) -> Poll<io::Result<()>> {
        if self.reactor.lock().waiting.get(&self.key).is_some_and(|waiting| waiting.was_writable) {
            return Poll::Ready(Ok(()));
        }
        self.wait(Side::Writer, cx).map_or_else(|error| Poll::Ready(Err(error)), |()| Poll::Pending)
    }

    fn wait(&self, side: Side, cx: &Context<'_>) -> io::Result<()> {
        let mut table = self.reactor.lock();
        match table.waiting.entry(self.key) {
            Entry::Occupied(mut waiting) => {
                if waiting.get_mut().add(side, cx) {
                    self.reactor.poller.modify(&self.socket, waiting.get().interest(self.key))?;
                }
            }
            Entry::Vacant(place) => {
                let mut waiting = Waiting::default();
                waiting.add(side, cx);
                // SAFETY: the poller must forget the socket before it is closed. It is closed when `self.socket` is
                // dropped, which nobody can move out of a type that implements `Drop`, and `drop` runs before that.
                unsafe { self.reactor.poller.add(&self.socket, waiting.interest(self.key))? };
                place.insert(waiting);
            }
        }
        Ok(())
    }
}

impl<S: AsSource + fmt::Debug> fmt::Debug for Socket<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.socket.fmt(f)
    }
}

impl<S: AsSource> Drop for Socket<S> {
    fn drop(&mut self) {
        let known = self.reactor.lock().waiting.remove(&self.key);
        if known.is_some() {
            let _ = self.reactor.poller.delete(&self.socket);
        }
    }
}

impl Waiting {
    /// Whether the poller has to be told.
    fn add(&mut self, side: Side, cx: &Context<'_>) -> bool {
        let slot = match side {
            Side::Reader => &mut self.reader,
            Side::Watcher => &mut self.watcher,
            Side::Writer => &mut self.writer,
        };
        match slot {
            Some(known) if known.will_wake(cx.waker()) => false,
            slot => slot.replace(cx.waker().clone()).is_none(),
        }
    }

    const fn interest(&self, key: usize) -> Event {
        Event::new(key, self.reader.is_some(), self.writer.is_some())
    }
}

const RUNNING: u8 = 0;
const WAITING: u8 = 1;
const CALLED: u8 = 2;
const NEVER: u64 = u64::MAX;
