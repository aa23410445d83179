//! The client that an application embeds.

use std::collections::HashMap;
use std::fmt;
use std::future::poll_fn;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::{Instant as StdInstant, SystemTime};

use tokio::runtime::Handle;
use tokio::sync::broadcast;
use wayleave_proto::auth::Credential;
use wayleave_proto::base::{Clock, Instant, Kind, Network, Route, Seed, Target, UnixTime};
use wayleave_proto::client::{Client as Machine, Event, FlowError, FlowId, FlowStatus, Notice};
use wayleave_proto::config::{ClientConfig, Valid};

use crate::driver::Driver;
use crate::events::Events;
use crate::stream::Stream;

/// The embedded side of the proxy: it opens flows and decides which way they go.
///
/// A handle that can be cloned; the client ends when the last handle and the last flow are dropped. It must be made
/// inside a tokio runtime with its time and I/O drivers enabled.
#[derive(Clone)]
pub struct Client(Arc<Owner>);

/// Dropped by the last of those who use a client.
struct Owner(Arc<Shared>);

pub(crate) struct Shared {
    state: Mutex<State>,
    /// Sockets are opened on this runtime, whichever thread asks for them.
    runtime: Handle,
}

struct State {
    driver: Driver<Machine>,
    wakers: HashMap<FlowId, Wakers>,
    events: broadcast::Sender<Event>,
    /// Takes the events that came before anybody asked for them.
    first: Option<broadcast::Receiver<Event>>,
    /// No handle is left: the client ends when what was written is delivered.
    abandoned: bool,
}

#[derive(Default)]
struct Wakers {
    reader: Option<Waker>,
    writer: Option<Waker>,
}

/// What a task waits for.
#[derive(Clone, Copy)]
pub(crate) enum Side {
    Reader,
    Writer,
}

impl Client {
    /// Makes a client that follows `config`, and starts the task that drives it.
    ///
    /// # Panics
    /// When called outside a tokio runtime.
    pub fn new(config: Valid<ClientConfig>) -> Self {
        let epoch = StdInstant::now();
        let clock = Clock::new(Instant::ZERO, unix_now());
        let machine = Machine::new(config, &seed(), clock, Instant::ZERO);
        let (events, first) = broadcast::channel(EVENTS);
        let driver = Driver::new(machine, epoch);
        let state = State { driver, wakers: HashMap::new(), events, first: Some(first), abandoned: false };
        let runtime = Handle::current();
        let shared = Arc::new(Shared { state: Mutex::new(state), runtime: runtime.clone() });
        let driven = Arc::clone(&shared);
        // The driver limits its own work; tokio's budget would make it yield in the middle of a batch.
        runtime.spawn(tokio::task::unconstrained(poll_fn(move |cx| driven.drive(cx))));
        Self(Arc::new(Owner(shared)))
    }

    /// Opens a stream to `target`, directly or through a relay. Cancel safe: a stream that nobody waits for is closed.
    ///
    /// # Errors
    /// Why no path led there.
    pub async fn connect(&self, target: impl IntoTarget) -> Result<Stream, FlowError> {
        let flow = self.open(Kind::Stream, target)?;
        poll_fn(|cx| {
            flow.client.0.0.with(|state, _| match state.driver.machine.status(flow.id) {
                FlowStatus::Pending => state.wait(flow.id, Side::Reader, cx),
                FlowStatus::Open(_) => Poll::Ready(Ok(())),
                FlowStatus::Failed(error) => Poll::Ready(Err(error)),
            })
        })
        .await?;
        Ok(Stream(flow))
    }

    /// Opens a datagram flow to `target`. Datagrams can be sent at once; they wait a moment while the way is sought.
    ///
    /// # Errors
    /// The target is not one, or the client is at its limit.
    pub fn datagrams(&self, target: impl IntoTarget) -> Result<DatagramFlow, FlowError> {
        Ok(DatagramFlow(self.open(Kind::Datagram, target)?))
    }

    /// What happens from now on; the first caller also gets what happened before.
    pub fn events(&self) -> Events {
        self.0.0.with(|state, _| Events(state.first.take().unwrap_or_else(|| state.events.subscribe())))
    }

    /// Says that the network underneath is another, has other addresses, or went away.
    pub fn network_changed(&self, network: Network) {
        self.0.0.with(|state, now| state.driver.machine.handle_network(now, network));
    }

    /// Puts a new credential in force for every tunnel that is opened from now on.
    pub fn renew(&self, credential: impl Into<Credential>) {
        self.0.0.with(|state, now| state.driver.machine.renew(now, credential.into()));
    }

    /// Asks for a new trial of the direct path, for one kind of flow or for both.
    pub fn retry_direct(&self, kind: Option<Kind>) {
        self.0.0.with(|state, now| state.driver.machine.retry_direct(now, kind));
    }

    /// Says that the direct path works: a connection of the embedder's own stands.
    pub fn direct_works(&self, kind: Kind) {
        self.0.0.with(|state, now| state.driver.machine.direct_works(now, kind));
    }

    /// Where new flows of this kind go now.
    pub fn route(&self, kind: Kind) -> Route {
        self.0.0.with(|state, _| state.driver.machine.route(kind))
    }

    /// Ends the client at once: every flow fails.
    pub fn close(&self) {
        self.0.0.with(|state, now| state.driver.machine.close(now));
    }

    fn open(&self, kind: Kind, target: impl IntoTarget) -> Result<Flow, FlowError> {
        let target = target.into_target()?;
        let id = self.0.0.with(|state, now| state.driver.machine.open(now, kind, target))?;
        Ok(Flow { client: self.clone(), id })
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").finish_non_exhaustive()
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        self.0.with(|state, _| state.abandoned = true);
        self.0.lock().driver.ready().wake();
    }
}

/// What can be named as a target: a [`Target`], or a text such as `"media.example:5004"`.
pub trait IntoTarget {
    /// The target.
    ///
    /// # Errors
    /// The text is not a target.
    fn into_target(self) -> Result<Target, FlowError>;
}

impl IntoTarget for Target {
    fn into_target(self) -> Result<Target, FlowError> {
        Ok(self)
    }
}

impl IntoTarget for &str {
    fn into_target(self) -> Result<Target, FlowError> {
        self.parse().map_err(FlowError::Target)
    }
}

/// A flow and the client that it keeps alive.
pub(crate) struct Flow {
    pub(crate) client: Client,
    pub(crate) id: FlowId,
}

impl Flow {
    /// Asks the machine something about this flow; the answer `None` means that the task has to wait.
    pub(crate) fn poll<T>(
        &self,
        side: Side,
        cx: &mut Context<'_>,
        ask: impl FnOnce(&mut Machine, Instant) -> Result<Option<T>, FlowError>,
    ) -> Poll<Result<T, FlowError>> {
        self.client.0.0.with(|state, now| match ask(&mut state.driver.machine, now) {
            Ok(Some(answer)) => Poll::Ready(Ok(answer)),
            Ok(None) => state.wait(self.id, side, cx),
            Err(error) => Poll::Ready(Err(error)),
        })
    }

    /// Tells the machine something about this flow.
    pub(crate) fn tell<T>(&self, tell: impl FnOnce(&mut Machine, Instant) -> T) -> T {
        self.client.0.0.with(|state, now| tell(&mut state.driver.machine, now))
    }

    /// Which way the flow goes; `None` while it is looking.
    pub(crate) fn route(&self) -> Option<Route> {
        match self.tell(|machine, _| machine.status(self.id)) {
            FlowStatus::Open(route) => Some(route),
            FlowStatus::Pending | FlowStatus::Failed(_) => None,
        }
    }
}

impl Drop for Flow {
    fn drop(&mut self) {
        self.client.0.0.with(|state, now| {
            state.wakers.remove(&self.id);
            state.driver.machine.release(now, self.id);
        });
    }
}

impl fmt::Debug for Flow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.id.fmt(f)
    }
}

/// Datagrams to and from one target.
#[derive(Debug)]
pub struct DatagramFlow(Flow);

impl DatagramFlow {
    /// Sends one datagram of at most 65,527 bytes. It never waits: where the path is slower than the sender, the oldest
    /// datagrams that wait are dropped.
    ///
    /// # Errors
    /// The datagram is too large, or the flow has failed.
    pub fn send(&self, payload: &[u8]) -> Result<(), FlowError> {
        self.0.tell(|machine, now| machine.send_datagram(now, self.0.id, payload))
    }

    /// Receives one datagram into `buffer`, and returns its length; what does not fit is cut off. Cancel safe.
    ///
    /// # Errors
    /// Why the flow has failed.
    pub async fn recv(&self, buffer: &mut [u8]) -> Result<usize, FlowError> {
        poll_fn(|cx| self.poll_recv(cx, buffer)).await
    }

    /// [`Self::recv`] for those who poll.
    pub fn poll_recv(&self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<Result<usize, FlowError>> {
        self.0.poll(Side::Reader, cx, |machine, _| {
            let Some(payload) = machine.datagram(self.0.id)? else { return Ok(None) };
            let count = payload.len().min(buffer.len());
            buffer[..count].copy_from_slice(&payload[..count]);
            machine.take_datagram(self.0.id);
            Ok(Some(count))
        })
    }

    /// Which way the flow goes; `None` while it is looking.
    pub fn route(&self) -> Option<Route> {
        self.0.route()
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs `act` and whatever the machine asks for after it.
    fn with<T>(&self, act: impl FnOnce(&mut State, Instant) -> T) -> T {
        let _context = self.runtime.enter();
        let mut state = self.lock();
        let now = state.driver.now();
        let answer = act(&mut state, now);
        state.driver.run(INLINE);
        let wakers = state.deliver();
        state.driver.wake_if_rearmed();
        drop(state);
        wakers.into_iter().for_each(Waker::wake);
        answer
    }

    fn drive(&self, cx: &mut Context<'_>) -> Poll<()> {
        let mut state = self.lock();
        state.driver.poll(cx);
        let wakers = state.deliver();
        let over = state.abandoned && state.driver.machine.flow_count() == 0;
        if over {
            let now = state.driver.now();
            state.driver.machine.close(now);
            state.driver.run(usize::MAX);
            state.deliver();
        }
        drop(state);
        wakers.into_iter().for_each(Waker::wake);
        if over { Poll::Ready(()) } else { Poll::Pending }
    }
}

impl State {
    fn wait<T>(&mut self, flow: FlowId, side: Side, cx: &Context<'_>) -> Poll<T> {
        let wakers = self.wakers.entry(flow).or_default();
        let slot = match side {
            Side::Reader => &mut wakers.reader,
            Side::Writer => &mut wakers.writer,
        };
        match slot {
            Some(known) if known.will_wake(cx.waker()) => {}
            slot => *slot = Some(cx.waker().clone()),
        }
        Poll::Pending
    }

    /// Hands events on and returns whom to wake, once the lock is given back.
    fn deliver(&mut self) -> Vec<Waker> {
        let mut wakers = Vec::new();
        while let Some(notice) = self.driver.events.pop_front() {
            match notice {
                Notice::Event(event) => {
                    // Nobody may be listening.
                    let _ = self.events.send(event);
                }
                Notice::Flow(flow) => {
                    if let Some(waiting) = self.wakers.get_mut(&flow) {
                        wakers.extend(waiting.reader.take());
                        wakers.extend(waiting.writer.take());
                    }
                }
            }
        }
        wakers
    }
}

/// The civil clock's present.
pub(crate) fn unix_now() -> UnixTime {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    UnixTime::from_millis(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

/// Thirty-two bytes from the operating system.
///
/// # Panics
/// Where the operating system has none to give: nothing could be kept secret there.
pub(crate) fn seed() -> Seed {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).expect("the operating system gives no random bytes");
    Seed::new(bytes)
}

/// Events that a slow reader may fall behind.
const EVENTS: usize = 4_096;
/// Sockets served within an application's own call, before the rest is left to the task.
const INLINE: usize = 4;
