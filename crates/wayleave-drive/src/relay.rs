//! The relay that an operator runs.

use core::fmt;
use core::future::poll_fn;
use core::net::SocketAddr;
use core::task::{Context, Poll, Waker};
use core::time::Duration;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::events::Listeners;
use crate::{Driver, Events, Runtime};
use wayleave_proto::auth::{Keys, Revoked, TokenError, Verdict};
use wayleave_proto::base::Instant;
use wayleave_proto::config::{RelayConfig, Valid};
use wayleave_proto::error::IoFailed;
use wayleave_proto::relay::{Event, Relay as Machine, Stats, TooManyRevocations, TunnelId};

/// A relay that listens, and serves while [`Self::serve`] runs.
pub struct Relay<R: Runtime> {
    shared: Arc<Shared<R>>,
    listener: Option<R::Listener>,
    /// The listener failed, and is asked again at the driver's alarm or when a descriptor is given back.
    rests: bool,
    address: SocketAddr,
}

/// A way to speak to a relay while it serves.
pub struct RelayHandle<R: Runtime>(Arc<Shared<R>>);

struct Shared<R: Runtime>(Mutex<State<R>>);

struct State<R: Runtime> {
    driver: Driver<Machine, R>,
    listeners: Listeners<Event>,
    stopping: bool,
}

impl<R: Runtime> Relay<R> {
    /// Listens on `address`.
    ///
    /// # Errors
    /// The address cannot be listened on.
    pub fn bind(config: Valid<RelayConfig>, address: SocketAddr, runtime: R) -> io::Result<Self> {
        let (listener, address) = runtime.listen(address)?;
        let receive_buffer = config.limits.receive_buffer;
        let machine = Machine::new(config, &runtime.seed(), runtime.clock(), runtime.now());
        let driver = Driver::new(machine, runtime, receive_buffer);
        let state = State { driver, listeners: Listeners::new(MOST_EVENTS), stopping: false };
        let shared = Arc::new(Shared(Mutex::new(state)));
        Ok(Self { shared, listener: Some(listener), rests: false, address })
    }

    /// The address that it listens on.
    pub const fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// A handle to drain, stop and ask it while it serves.
    pub fn handle(&self) -> RelayHandle<R> {
        RelayHandle(Arc::clone(&self.shared))
    }

    /// What happens from now on. It ends when the relay serves no more.
    pub fn events(&self) -> Events<Event> {
        self.shared.lock().listeners.subscribe()
    }

    /// Serves until the relay was drained or closed through its handle and nothing is left.
    pub async fn serve(mut self) {
        poll_fn(|cx| self.poll(cx)).await;
    }

    /// [`Self::serve`] for those who poll.
    pub fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let shared = Arc::clone(&self.shared);
        let mut state = shared.lock();
        if state.stopping {
            self.listener = None;
        }
        self.accept(cx, &mut state.driver);
        state.driver.poll(cx);
        if self.rests && (state.driver.alarm.is_none() || state.driver.take_freed()) {
            // Nothing but this poll wakes up for the listener now.
            (self.rests, state.driver.alarm) = (false, None);
            cx.waker().wake_by_ref();
        }
        let is_over = state.stopping && state.driver.machine.is_idle();
        let wakers = state.deliver();
        drop(state);
        wakers.into_iter().for_each(Waker::wake);
        if is_over { Poll::Ready(()) } else { Poll::Pending }
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
        let mut state = self.shared.lock();
        state.stopping = true;
        state.driver.end(|_, _| {}, Machine::close);
        let mut wakers = state.deliver();
        state.listeners.close(&mut wakers);
        drop(state);
        wakers.into_iter().for_each(Waker::wake);
    }
}

impl<R: Runtime> State<R> {
    /// Hands events on and returns whom to wake, once the lock is given back.
    fn deliver(&mut self) -> Vec<Waker> {
        let mut wakers = Vec::new();
        while let Some(event) = self.driver.events.pop_front() {
            self.listeners.tell(&event, &mut wakers);
        }
        wakers
    }
}

impl<R: Runtime> fmt::Debug for Relay<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Relay").field("address", &self.address).finish_non_exhaustive()
    }
}

impl<R: Runtime> RelayHandle<R> {
    /// Stops listening and lets what is open finish.
    pub fn drain(&self) {
        self.stop(Machine::drain);
    }

    /// Ends everything at once.
    pub fn close(&self) {
        self.stop(Machine::close);
    }

    /// Takes other keys into force, with what they say of applications and revocations: for every request from now on, and
    /// for what is open. Tunnels whose credential is revoked end at once.
    pub fn renew_keys(&self, keys: Keys) {
        self.tell(|machine, now| machine.renew_keys(now, keys));
    }

    /// Refuses `revoked` for as long as the relay runs, and ends what it has open at once; the answer is how much that was.
    ///
    /// # Errors
    /// There are as many revocations as the limits allow.
    pub fn revoke(&self, revoked: Revoked) -> Result<usize, TooManyRevocations> {
        self.tell(|machine, now| machine.revoke(now, revoked))
    }

    /// Answers [`What::Verify`](wayleave_proto::relay::What::Verify) about `tunnel`: who the client is, or why it is nobody.
    ///
    /// It can be called at once or later, from anywhere.
    pub fn verified(&self, tunnel: TunnelId, answer: Result<Verdict, TokenError>) {
        self.tell(|machine, now| machine.handle_verified(now, tunnel, answer));
    }

    /// What the relay has counted, and what it has open.
    pub fn stats(&self) -> Stats {
        self.look(Machine::stats)
    }

    /// Looks at the machine, for what no other method tells of it.
    pub fn look<T>(&self, look: impl FnOnce(&Machine) -> T) -> T {
        look(&self.0.lock().driver.machine)
    }

    fn stop(&self, stop: impl FnOnce(&mut Machine, Instant)) {
        self.0.lock().stopping = true;
        self.tell(stop);
    }

    /// Tells the machine something, and lets its task do what it asks for then.
    fn tell<T>(&self, tell: impl FnOnce(&mut Machine, Instant) -> T) -> T {
        let mut state = self.0.lock();
        let now = state.driver.runtime.now();
        let answer = tell(&mut state.driver.machine, now);
        state.driver.ready.wake();
        answer
    }
}

impl<R: Runtime> Clone for RelayHandle<R> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<R: Runtime> fmt::Debug for RelayHandle<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RelayHandle").finish_non_exhaustive()
    }
}

impl<R: Runtime> Shared<R> {
    fn lock(&self) -> MutexGuard<'_, State<R>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
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
