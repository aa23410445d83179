//! The relay that an operator runs.

mod common;
mod handle;
#[cfg(test)]
mod tests;

use core::fmt;
use core::future::poll_fn;
use core::net::SocketAddr;
use core::task::{Context, Poll, Waker};
use core::time::Duration;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::events::Listeners;
use crate::{Driver, Events, Runtime};
use wayleave_proto::base::Seed;
use wayleave_proto::config::{RelayConfig, Truncation, Valid};
use wayleave_proto::error::IoFailed;
use wayleave_proto::relay::{Books, Event, Relay as Core, Shards};

pub use common::Common;
pub use handle::RelayHandle;

use common::Board;

/// The machine of a relay, or one of its machines.
type Machine = Core<Common>;

/// A relay that listens, and serves while [`Self::serve`] runs; or one of several machines of it, each served by a task of its
/// own.
#[must_use = "a relay does nothing until it serves"]
pub struct Relay<R: Runtime> {
    whole: Arc<Whole<R>>,
    shard: usize,
    listener: Option<R::Listener>,
    /// The listener failed, and is asked again at the driver's alarm or when a descriptor is given back.
    rests: bool,
    address: SocketAddr,
}

/// All machines of a relay.
struct Whole<R: Runtime> {
    machines: Box<[Mutex<State<R>>]>,
    /// Where they hear of each other; nowhere where there is one.
    board: Option<Arc<Board>>,
    listeners: Mutex<Listeners<Event>>,
    left: Mutex<Left>,
}

struct State<R: Runtime> {
    driver: Driver<Machine, R>,
    stopping: bool,
}

/// The machines whose task has not ended, and who waits for the others.
struct Left {
    count: usize,
    first: Option<Waker>,
}

impl<R: Runtime> Relay<R> {
    /// Listens on `address`.
    ///
    /// # Errors
    /// The address cannot be listened on.
    pub fn bind(config: Valid<RelayConfig>, address: SocketAddr, runtime: R) -> io::Result<Self> {
        let relays = Self::bind_all(config, address, vec![runtime])?;
        relays.into_iter().next().ok_or_else(|| io::ErrorKind::InvalidInput.into())
    }

    /// The same with a machine on each of `runtimes`, whose clocks have the same zero: each is to be served by a task that a
    /// core of its own may run. Together they are one relay, with one address, one name and one handle: what is limited is
    /// limited for all of them. The first ends when all have ended, and ends the others where it is dropped before. One that is
    /// alone shares nothing and locks nothing.
    ///
    /// # Errors
    /// The address cannot be listened on, the platform gives no port to several machines (`Unsupported`), or there are none or
    /// more than 128 (`InvalidInput`).
    pub fn bind_all(
        config: Valid<RelayConfig>,
        address: SocketAddr,
        runtimes: Vec<R>,
    ) -> io::Result<Vec<Self>> {
        let Some((first, rest)) = runtimes.split_first().filter(|_| runtimes.len() <= Shards::MOST) else {
            return Err(io::ErrorKind::InvalidInput.into());
        };
        let (listener, address) = first.listen(address)?;
        let mut listeners = vec![listener];
        for runtime in rest {
            let Some(listener) = listeners.first() else { break };
            let beside = runtime.listen_beside(listener)?;
            listeners.push(beside);
        }
        let seed = first.seed();
        let books = || Books::new(config.clone(), runtimes.len());
        let board = (!rest.is_empty()).then(|| Arc::new(Board::new(books(), runtimes.len())));
        let common = || match &board {
            Some(board) => Common::shared(Arc::clone(board)),
            None => Common::alone(books()),
        };
        let commons: Vec<Common> = runtimes.iter().map(|_| common()).collect();
        let drivers = runtimes.into_iter().zip(commons).enumerate().map(|(shard, (runtime, common))| {
            let driver = Driver::relay(config.clone(), &seed, common, shard, runtime);
            if let Some(board) = &board {
                board.call_by(shard, &driver.ready);
            }
            driver
        });
        let drivers = drivers.collect();
        Ok(Self::of(drivers, board, listeners, address))
    }

    fn of(
        drivers: Vec<Driver<Machine, R>>,
        board: Option<Arc<Board>>,
        listeners: Vec<R::Listener>,
        address: SocketAddr,
    ) -> Vec<Self> {
        let count = drivers.len();
        let state = |driver| Mutex::new(State { driver, stopping: false });
        let whole = Arc::new(Whole {
            machines: drivers.into_iter().map(state).collect(),
            board,
            listeners: Mutex::new(Listeners::new(MOST_EVENTS)),
            left: Mutex::new(Left { count, first: None }),
        });
        let relay = |(shard, listener)| Self {
            whole: Arc::clone(&whole),
            shard,
            listener: Some(listener),
            rests: false,
            address,
        };
        listeners.into_iter().enumerate().map(relay).collect()
    }

    /// The address that it listens on.
    pub const fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// A handle to drain, stop and ask it while it serves: the relay as a whole, however many machines it has.
    pub fn handle(&self) -> RelayHandle<R> {
        RelayHandle(Arc::clone(&self.whole))
    }

    /// What happens from now on, on any of its machines. It ends when the relay serves no more.
    pub fn events(&self) -> Events<Event> {
        lock(&self.whole.listeners).subscribe()
    }

    /// Serves until the relay was drained or closed through its handle and nothing is left.
    pub async fn serve(mut self) {
        poll_fn(|cx| self.poll(cx)).await;
    }

    /// [`Self::serve`] for those who poll.
    pub fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let whole = Arc::clone(&self.whole);
        let Some(mut state) = whole.lock(self.shard) else { return Poll::Ready(()) };
        if state.stopping {
            self.listener = None;
        }
        self.hear(&mut state.driver);
        self.accept(cx, &mut state.driver);
        state.driver.poll(cx);
        if self.rests && (state.driver.alarm.is_none() || state.driver.take_freed()) {
            // Nothing but this poll wakes up for the listener now.
            (self.rests, state.driver.alarm) = (false, None);
            cx.waker().wake_by_ref();
        }
        if whole.board.as_ref().is_some_and(|board| board.is_called(self.shard)) {
            cx.waker().wake_by_ref();
        }
        let is_over = state.stopping && state.driver.machine.is_idle();
        let wakers = whole.deliver(&mut state.driver);
        drop(state);
        wakers.into_iter().for_each(Waker::wake);
        if is_over && (self.shard > 0 || whole.is_last(cx)) { Poll::Ready(()) } else { Poll::Pending }
    }

    /// Lets the machine hear of the others.
    fn hear(&self, driver: &mut Driver<Machine, R>) {
        if self.whole.board.as_ref().is_some_and(|board| board.take_call(self.shard)) {
            let now = driver.runtime.now();
            driver.machine.handle_news(now);
        }
    }

    fn accept(&mut self, cx: &mut Context<'_>, driver: &mut Driver<Machine, R>) {
        let Some(listener) = self.listener.as_mut().filter(|_| !self.rests) else { return };
        for _ in 0..ACCEPTED {
            match driver.runtime.poll_accept(listener, cx) {
                Poll::Pending => return,
                Poll::Ready(Ok((stream, client, local))) => {
                    // What a handle has closed since the last turn goes first: its place may be taken by what comes now.
                    driver.drain();
                    let now = driver.runtime.now();
                    if let Some(id) = driver.machine.handle_accepted(now, client, local) {
                        driver.accept(id, stream);
                    }
                }
                Poll::Ready(Err(error)) if is_of_connection(&error) => {}
                // Out of descriptors, most likely: those that are open go on, and give some back.
                Poll::Ready(Err(error)) => {
                    let is_refused = driver.runtime.refuse(listener).is_ok();
                    let now = driver.runtime.now();
                    driver.machine.handle_accept_failed(now, &IoFailed::from(&error), is_refused);
                    if !is_refused {
                        // The platform says so whether somebody waits or nobody does, and wakes nobody up for it.
                        self.rests = true;
                        driver.alarm = Some(now + ACCEPT_AGAIN);
                        driver.take_freed();
                        return;
                    }
                }
            }
        }
        cx.waker().wake_by_ref();
    }
}

/// A relay that serves no more, because its task ended before its time say, leaves no tunnel open that nobody looks after.
impl<R: Runtime> Drop for Relay<R> {
    fn drop(&mut self) {
        self.listener = None;
        if let Some(mut state) = self.whole.lock(self.shard) {
            state.stopping = true;
            state.driver.end(|_, _| {}, Machine::close);
            let wakers = self.whole.deliver(&mut state.driver);
            drop(state);
            wakers.into_iter().for_each(Waker::wake);
        }
        if self.shard == 0 {
            self.handle().close();
        }
        self.whole.leave();
    }
}

impl<R: Runtime> Whole<R> {
    fn lock(&self, shard: usize) -> Option<MutexGuard<'_, State<R>>> {
        self.machines.get(shard).map(lock)
    }

    /// Hands events on and returns whom to wake, once the lock is given back.
    fn deliver(&self, driver: &mut Driver<Machine, R>) -> Vec<Waker> {
        let mut wakers = Vec::new();
        if driver.events.is_empty() {
            return wakers;
        }
        let mut listeners = lock(&self.listeners);
        while let Some(event) = driver.events.pop_front() {
            listeners.tell(&event, &mut wakers);
        }
        wakers
    }

    /// Whether one machine is left; the task of the first is woken when it is.
    fn is_last(&self, cx: &Context<'_>) -> bool {
        let mut left = lock(&self.left);
        left.first = Some(cx.waker().clone());
        left.count <= 1
    }

    /// The task of one machine has ended.
    fn leave(&self) {
        let mut left = lock(&self.left);
        left.count = left.count.saturating_sub(1);
        let mut wakers: Vec<Waker> = left.first.take().into_iter().collect();
        if left.count == 0 {
            lock(&self.listeners).close(&mut wakers);
        }
        drop(left);
        wakers.into_iter().for_each(Waker::wake);
    }
}

impl<R: Runtime> Driver<Machine, R> {
    fn relay(config: Valid<RelayConfig>, seed: &Seed, common: Common, shard: usize, runtime: R) -> Self {
        let (receive_buffer, offload) = (config.limits.receive_buffer, config.offload);
        let tells_truncation = config.truncation == Truncation::Reset;
        let machine = Core::on(common, shard, config, seed, runtime.clock(), runtime.now());
        let mut driver = Self::new(machine, runtime, receive_buffer, offload);
        if tells_truncation {
            driver.reset_when_killed();
        }
        driver
    }
}

impl<R: Runtime> fmt::Debug for Relay<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Relay").field("address", &self.address).finish_non_exhaustive()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whether an error of a listener is that of the connection it was about to give: it was gone already, or a rule of the
/// system's own firewall forbids it.
fn is_of_connection(error: &io::Error) -> bool {
    use io::ErrorKind as K;
    matches!(
        error.kind(),
        K::ConnectionAborted
            | K::ConnectionReset
            | K::HostUnreachable
            | K::Interrupted
            | K::NetworkDown
            | K::NetworkUnreachable
            | K::PermissionDenied
    )
}

/// Connections accepted before those that are open have their turn.
const ACCEPTED: usize = 64;
/// How soon a listener that failed is asked again.
const ACCEPT_AGAIN: Duration = Duration::from_millis(100);
/// Events that one who listens may be behind.
const MOST_EVENTS: usize = 65_536;
