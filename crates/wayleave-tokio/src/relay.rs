//! The relay that an operator runs.

use std::fmt;
use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant as StdInstant};

use tokio::net::TcpListener;
use tokio::time::{Sleep, sleep};
use wayleave_proto::auth::Keys;
use wayleave_proto::base::{Clock, Instant};
use wayleave_proto::config::{RelayConfig, Valid};
use wayleave_proto::relay::{Event, Relay as Machine, Stats};

use crate::client::unix_now;
use crate::driver::Driver;

/// A relay that listens, and serves while [`Self::serve`] runs.
pub struct Relay {
    shared: Arc<Shared>,
    listener: Option<TcpListener>,
    address: SocketAddr,
    /// The listener failed; it is asked again then.
    again: Option<Pin<Box<Sleep>>>,
}

/// A way to speak to a relay while it serves.
#[derive(Clone)]
pub struct RelayHandle(Arc<Shared>);

struct Shared(Mutex<State>);

struct State {
    driver: Driver<Machine>,
    stopping: bool,
}

impl Relay {
    /// Listens on `address`.
    ///
    /// # Errors
    /// The address cannot be listened on.
    pub async fn bind(config: Valid<RelayConfig>, address: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        let machine = Machine::new(config, Clock::new(Instant::ZERO, unix_now()), Instant::ZERO);
        let driver = Driver::new(machine, StdInstant::now());
        let shared = Arc::new(Shared(Mutex::new(State { driver, stopping: false })));
        Ok(Self { shared, listener: Some(listener), address, again: None })
    }

    /// The address that it listens on.
    pub const fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// A handle to drain, stop and ask it while it serves.
    pub fn handle(&self) -> RelayHandle {
        RelayHandle(Arc::clone(&self.shared))
    }

    /// Serves until the relay was drained or closed through its handle and nothing is left; `on_event` is told what
    /// happens.
    pub async fn serve(mut self, mut on_event: impl FnMut(Event)) {
        // The driver limits its own work; tokio's budget would make it yield in the middle of a batch.
        tokio::task::unconstrained(poll_fn(|cx| self.poll(cx, &mut on_event))).await;
    }

    fn poll(&mut self, cx: &mut Context<'_>, on_event: &mut impl FnMut(Event)) -> Poll<()> {
        let shared = Arc::clone(&self.shared);
        let mut state = shared.lock();
        if state.stopping {
            self.listener = None;
        }
        self.accept(cx, &mut state.driver);
        state.driver.poll(cx);
        let over = state.stopping && state.driver.machine.is_idle();
        let events = std::mem::take(&mut state.driver.events);
        drop(state);
        events.into_iter().for_each(on_event);
        if over { Poll::Ready(()) } else { Poll::Pending }
    }

    fn accept(&mut self, cx: &mut Context<'_>, driver: &mut Driver<Machine>) {
        let Some(listener) = &self.listener else { return };
        if let Some(again) = &mut self.again {
            if again.as_mut().poll(cx).is_pending() {
                return;
            }
            self.again = None;
        }
        for _ in 0..ACCEPTED {
            match listener.poll_accept(cx) {
                Poll::Pending => return,
                Poll::Ready(Ok((stream, client))) => {
                    let Ok(local) = stream.local_addr() else { continue };
                    // Without this option the tunnel works too, a little slower.
                    let _ = stream.set_nodelay(true);
                    let now = driver.now();
                    if let Some(id) = driver.machine.handle_accepted(now, client, local) {
                        driver.accept(id, stream);
                    }
                }
                // Out of descriptors, most likely: those that are open go on, and free some.
                Poll::Ready(Err(_)) => {
                    let mut again = Box::pin(sleep(ACCEPT_AGAIN));
                    let _ = again.as_mut().poll(cx);
                    self.again = Some(again);
                    return;
                }
            }
        }
        cx.waker().wake_by_ref();
    }
}

impl fmt::Debug for Relay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Relay").field("address", &self.address).finish_non_exhaustive()
    }
}

impl RelayHandle {
    /// Stops listening and lets what is open finish.
    pub fn drain(&self) {
        self.stop(Machine::drain);
    }

    /// Ends everything at once.
    pub fn close(&self) {
        self.stop(Machine::close);
    }

    /// Takes other keys into force for every request from now on.
    pub fn renew_keys(&self, keys: Keys) {
        self.0.lock().driver.machine.renew_keys(keys);
    }

    /// What the relay has counted, and what it has open.
    pub fn stats(&self) -> Stats {
        self.0.lock().driver.machine.stats()
    }

    fn stop(&self, stop: impl FnOnce(&mut Machine, Instant)) {
        let mut state = self.0.lock();
        state.stopping = true;
        let now = state.driver.now();
        stop(&mut state.driver.machine, now);
        state.driver.ready().wake();
    }
}

impl fmt::Debug for RelayHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RelayHandle").finish_non_exhaustive()
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Connections accepted before those that are open have their turn.
const ACCEPTED: usize = 64;
/// How soon a listener that failed is asked again.
const ACCEPT_AGAIN: Duration = Duration::from_millis(100);
