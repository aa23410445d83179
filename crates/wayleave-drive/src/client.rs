//! The client that an application embeds.

use core::fmt;
use core::future::poll_fn;
use core::task::{Context, Poll, Waker};
use core::time::Duration;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use smallvec::SmallVec;

use crate::events::Listeners;
use crate::flow::Flow;
use crate::{Association, DatagramFlow, Driver, Events, IntoTarget, Runtime, StreamFlow};
use wayleave_proto::auth::Credential;
use wayleave_proto::base::{Instant, Kind, Network, Route, Target};
use wayleave_proto::client::{
    AssociationId, Client as Machine, Event, Explanation, FlowError, FlowId, FlowStatus, Notice,
};
use wayleave_proto::config::{ClientConfig, Valid};

/// The embedded side of the proxy: it opens flows and decides which way they go.
///
/// A handle that can be cloned; the client ends when the last handle and the last flow are dropped.
#[must_use = "the client ends when its last handle and its last flow are dropped"]
pub struct Client<R: Runtime>(Arc<Owner<R>>);

/// Dropped by the last of those who use a client.
struct Owner<R: Runtime>(Arc<Shared<R>>);

struct Shared<R: Runtime>(Mutex<State<R>>);

struct State<R: Runtime> {
    driver: Driver<Machine, R>,
    wakers: BTreeMap<FlowId, Wakers>,
    /// Who waits for what comes to an association from strangers.
    strays: BTreeMap<AssociationId, Waker>,
    /// Those who wait for the client's end.
    drainers: Vec<Waker>,
    listeners: Listeners<Event>,
    /// Wakers that nobody will wake. With one an executor may drop a whole task, and with that a flow of this client: they
    /// are dropped when the lock has been given back.
    stale: Vec<Waker>,
    /// No handle is left: the client ends when what was written is delivered.
    abandoned: bool,
}

#[derive(Default)]
struct Wakers {
    opener: Option<Waker>,
    reader: Option<Waker>,
    writer: Option<Waker>,
}

/// What a task waits for.
#[derive(Clone, Copy)]
pub(crate) enum Side {
    Opener,
    Reader,
    Writer,
}

impl<R: Runtime> Client<R> {
    /// Makes a client that follows `config`, and starts the task that drives it.
    pub fn new(config: Valid<ClientConfig>, runtime: R) -> Self {
        let (client, task) = Self::with_task(config, runtime);
        client.0.0.lock().driver.runtime.spawn(Box::pin(task));
        client
    }

    /// Makes a client that follows `config`, and the task that drives it, for whoever has a place of their own for it. The
    /// client stands still while the task is not polled.
    pub fn with_task(
        config: Valid<ClientConfig>,
        runtime: R,
    ) -> (Self, impl Future<Output = ()> + Send + 'static) {
        let (receive_buffer, offload) = (config.limits.receive_buffer, config.offload);
        let machine = Machine::new(config, &runtime.seed(), runtime.clock(), runtime.now());
        let driver = Driver::new(machine, runtime, receive_buffer, offload);
        let state = State {
            driver,
            wakers: BTreeMap::new(),
            strays: BTreeMap::new(),
            drainers: Vec::new(),
            listeners: Listeners::remembering(MOST_EVENTS),
            stale: Vec::new(),
            abandoned: false,
        };
        let shared = Arc::new(Shared(Mutex::new(state)));
        let driven = Arc::clone(&shared);
        let task = Driving(driven);
        (Self(Arc::new(Owner(shared))), poll_fn(move |cx| task.0.drive(cx)))
    }

    /// Opens a stream to `target`, directly or through a relay. Cancel safe: a stream that nobody waits for is closed.
    ///
    /// # Errors
    /// Why no path led there.
    pub async fn connect(&self, target: impl IntoTarget) -> Result<StreamFlow<R>, FlowError> {
        let mut opening = Some(self.begin(Kind::Stream, target)?);
        poll_fn(|cx| match &opening {
            Some(flow) => flow.poll_open(cx).map_ok(|_| opening.take()),
            None => Poll::Pending,
        })
        .await?
        .map(StreamFlow::new)
        .ok_or(FlowError::ClientClosed)
    }

    /// Opens a datagram flow to `target`. Datagrams can be sent at once; they wait a moment while the way is sought.
    ///
    /// # Errors
    /// The target is not one, or the client is at its limit.
    pub fn datagrams(&self, target: impl IntoTarget) -> Result<DatagramFlow<R>, FlowError> {
        Ok(DatagramFlow::new(self.begin(Kind::Datagram, target)?))
    }

    /// Begins an association: its datagram flows share one port where they are direct, as if one plain UDP socket spoke with
    /// all of their targets, and what others send to that port can be received too.
    ///
    /// # Errors
    /// The client is closed or at its limit.
    pub fn associate(&self) -> Result<Association<R>, FlowError> {
        Ok(Association::new(self.clone(), self.tell(|machine, now| machine.associate(now))?))
    }

    /// What happens from now on; the first caller also gets what happened before.
    pub fn events(&self) -> Events {
        self.with(|state, _| state.listeners.subscribe())
    }

    /// Says that the network underneath is another, has other addresses, or went away. Streams whose own address is gone with
    /// it break at once.
    pub fn network_changed(&self, network: Network) {
        self.with(|state, now| {
            state.driver.machine.handle_network(now, network);
            state.driver.break_homeless();
        });
    }

    /// Puts a new credential in force for every tunnel that is opened from now on.
    pub fn renew(&self, credential: impl Into<Credential>) {
        let credential = credential.into();
        self.tell(|machine, now| machine.renew(now, credential));
    }

    /// Asks for a new trial of the direct path, for one kind of flow or for both.
    pub fn retry_direct(&self, kind: Option<Kind>) {
        self.tell(|machine, now| machine.retry_direct(now, kind));
    }

    /// Says that the direct path works: a connection of the embedder's own stands.
    pub fn direct_works(&self, kind: Kind) {
        self.tell(|machine, now| machine.direct_works(now, kind));
    }

    /// Where new flows of this kind go now.
    pub fn route(&self, kind: Kind) -> Route {
        self.tell(|machine, _| machine.route(kind))
    }

    /// Why flows go where they go now, and what would change that.
    pub fn explain(&self) -> Explanation {
        self.tell(|machine, now| machine.explain(now))
    }

    /// Ends the client when everything that was written is delivered, or after `linger`: it opens nothing any more, takes every
    /// flow back, and waits until their targets have ended their halves too. The answer is how many flows the end of `linger`
    /// cut off; zero means that all were whole. Await it before the runtime or the process ends: what the application wrote
    /// and the system has not taken would be lost with it.
    ///
    /// Cancel safe: the client drains whether or not somebody waits.
    pub async fn drain(&self, linger: Duration) -> usize {
        self.tell(|machine, now| machine.drain(now, linger));
        poll_fn(|cx| self.poll_drained(cx)).await
    }

    fn poll_drained(&self, cx: &Context<'_>) -> Poll<usize> {
        self.with(|state, _| {
            let machine = &state.driver.machine;
            if machine.is_closed() {
                return Poll::Ready(machine.cut());
            }
            if !state.drainers.iter().any(|known| known.will_wake(cx.waker())) {
                state.drainers.push(cx.waker().clone());
            }
            Poll::Pending
        })
    }

    /// Ends the client at once: every flow fails. What the system has taken of what was written is still sent.
    pub fn close(&self) {
        self.with(|state, _| state.driver.end(Machine::break_off, Machine::close));
    }

    fn begin(&self, kind: Kind, target: impl IntoTarget) -> Result<Flow<R>, FlowError> {
        let target = target.into_target()?;
        let id = self.tell(|machine, now| machine.open(now, kind, target.clone()))?;
        Ok(Flow::new(self.clone(), id, target))
    }

    /// Looks at the machine, for what no other method tells of it.
    pub fn look<T>(&self, look: impl FnOnce(&Machine) -> T) -> T {
        look(&self.0.0.lock().driver.machine)
    }

    /// Tells the machine something at the present moment, and does what it asks for then: for verbs that no other method has.
    pub fn tell<T>(&self, tell: impl FnOnce(&mut Machine, Instant) -> T) -> T {
        self.with(|state, now| tell(&mut state.driver.machine, now))
    }

    /// Asks the machine something about a flow; `None` means that the task has to wait.
    pub(crate) fn poll_flow<T>(
        &self,
        id: FlowId,
        side: Side,
        cx: &mut Context<'_>,
        ask: impl FnOnce(&mut Machine, Instant) -> Result<Option<T>, FlowError>,
    ) -> Poll<Result<T, FlowError>> {
        self.with(|state, now| match ask(&mut state.driver.machine, now) {
            Ok(Some(answer)) => Poll::Ready(Ok(answer)),
            Ok(None) => state.wait(id, side, cx),
            Err(error) => Poll::Ready(Err(error)),
        })
    }

    /// Opens a datagram flow in an association.
    pub(crate) fn begin_in(&self, association: AssociationId, target: Target) -> Result<Flow<R>, FlowError> {
        let id = self.tell(|machine, now| machine.open_associated(now, association, target.clone()))?;
        Ok(Flow::new(self.clone(), id, target))
    }

    /// Asks the machine for what came from strangers; `None` means that the task has to wait.
    pub(crate) fn poll_stray<T>(
        &self,
        id: AssociationId,
        cx: &mut Context<'_>,
        ask: impl FnOnce(&mut Machine) -> Result<Option<T>, FlowError>,
    ) -> Poll<Result<T, FlowError>> {
        self.with(|state, _| match ask(&mut state.driver.machine) {
            Ok(Some(answer)) => Poll::Ready(Ok(answer)),
            Ok(None) => {
                state.stale.extend(state.strays.insert(id, cx.waker().clone()));
                Poll::Pending
            }
            Err(error) => Poll::Ready(Err(error)),
        })
    }

    /// Gives an association back.
    pub(crate) fn dissociate(&self, id: AssociationId) {
        self.with(|state, now| {
            state.stale.extend(state.strays.remove(&id));
            state.driver.machine.dissociate(now, id);
        });
    }

    /// Gives a flow back.
    pub(crate) fn release(&self, id: FlowId) {
        self.with(|state, now| {
            if let Some(Wakers { opener, reader, writer }) = state.wakers.remove(&id) {
                state.stale.extend(opener.into_iter().chain(reader).chain(writer));
            }
            state.driver.machine.release(now, id);
        });
    }

    fn with<T>(&self, act: impl FnOnce(&mut State<R>, Instant) -> T) -> T {
        let mut state = self.0.0.lock();
        let now = state.driver.runtime.now();
        let answer = act(&mut state, now);
        state.driver.run(INLINE);
        let wakers = state.deliver();
        state.driver.wake_if_rearmed();
        let stale = core::mem::take(&mut state.stale);
        drop(state);
        drop(stale);
        wakers.into_iter().for_each(Waker::wake);
        answer
    }
}

impl<R: Runtime> Clone for Client<R> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<R: Runtime> fmt::Debug for Client<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").finish_non_exhaustive()
    }
}

impl<R: Runtime> Drop for Owner<R> {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.abandoned = true;
        state.driver.ready.wake();
    }
}

impl<R: Runtime> Shared<R> {
    fn lock(&self) -> MutexGuard<'_, State<R>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn drive(&self, cx: &mut Context<'_>) -> Poll<()> {
        let mut state = self.lock();
        state.driver.poll(cx);
        let wakers = state.deliver();
        let is_over = state.abandoned && state.driver.machine.flow_count() == 0;
        drop(state);
        wakers.into_iter().for_each(Waker::wake);
        if is_over { Poll::Ready(()) } else { Poll::Pending }
    }
}

/// The task of a client. Its end is the client's, also when it comes before its time with that of the runtime that ran it:
/// nobody waits for what will not come.
struct Driving<R: Runtime>(Arc<Shared<R>>);

impl<R: Runtime> Drop for Driving<R> {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.driver.end(Machine::break_off, Machine::close);
        let mut wakers = state.deliver();
        state.listeners.close(&mut wakers);
        drop(state);
        wakers.into_iter().for_each(Waker::wake);
    }
}

impl<R: Runtime> State<R> {
    fn wait<T>(&mut self, flow: FlowId, side: Side, cx: &Context<'_>) -> Poll<T> {
        let wakers = self.wakers.entry(flow).or_default();
        let slot = match side {
            Side::Opener => &mut wakers.opener,
            Side::Reader => &mut wakers.reader,
            Side::Writer => &mut wakers.writer,
        };
        match slot {
            Some(known) if known.will_wake(cx.waker()) => {}
            slot => self.stale.extend(slot.replace(cx.waker().clone())),
        }
        Poll::Pending
    }

    /// Hands events on and returns whom to wake, once the lock is given back.
    fn deliver(&mut self) -> Wakeful {
        let mut wakers = Wakeful::new();
        while let Some(notice) = self.driver.events.pop_front() {
            match notice {
                Notice::Association(association) => wakers.extend(self.strays.remove(&association)),
                Notice::Event(event) => self.listeners.tell(&event, &mut wakers),
                Notice::Flow(flow) => {
                    let Some(waiting) = self.wakers.get_mut(&flow) else { continue };
                    wakers.extend(waiting.opener.take());
                    let machine = &mut self.driver.machine;
                    if waiting.reader.is_some() && machine.is_readable(flow) {
                        wakers.extend(waiting.reader.take());
                    }
                    if waiting.writer.is_some() && machine.is_writable(flow) {
                        wakers.extend(waiting.writer.take());
                    }
                }
            }
        }
        if self.driver.machine.is_closed() {
            wakers.extend(self.drainers.drain(..));
        }
        wakers
    }
}

/// Whom to wake: mostly the reader of one flow, which costs no allocation.
type Wakeful = SmallVec<[Waker; 8]>;

/// Which way a flow goes, or why it cannot.
pub(crate) fn opened(status: FlowStatus) -> Result<Option<Route>, FlowError> {
    match status {
        FlowStatus::Pending => Ok(None),
        FlowStatus::Open(route) => Ok(Some(route)),
        FlowStatus::Failed(error) => Err(error),
    }
}

/// Sockets served within an application's own call, before the rest is left to the task.
const INLINE: usize = 4;
/// Events that one who listens may be behind.
const MOST_EVENTS: usize = 4_096;
