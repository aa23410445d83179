//! A machine as it ships, on the system of a simulated host: driven by the loop that every adapter has.

use core::fmt;
use core::net::SocketAddr;
use core::pin::Pin;
use core::sync::atomic::{AtomicBool, Ordering};
use core::task::{Context, Waker};
use std::sync::Arc;
use std::task::Wake;

use anyhow::Context as _;
use wayleave_drive::{Client, Events, Relay, RelayHandle};
use wayleave_proto::client;
use wayleave_proto::config::{ClientConfig, RelayConfig, Valid};
use wayleave_proto::relay;

use super::kernel::{Shared, Simulated, Step};

/// A client, with the task that drives it and what it tells its embedder.
pub(super) struct ClientProcess {
    pub(super) client: Client<Simulated>,
    events: Events,
    task: Pin<Box<dyn Future<Output = ()> + Send>>,
    executor: Executor,
    pub(super) kernel: Shared,
}

/// A relay that serves.
#[derive(Debug)]
pub(super) struct RelayProcess {
    pub(super) handle: RelayHandle<Simulated>,
    /// Its machines, until their tasks end.
    machines: Vec<(Option<Relay<Simulated>>, Executor)>,
    events: Events<relay::Event>,
    pub(super) kernel: Shared,
}

/// What a relay did when it was last run.
#[derive(Debug, Default)]
pub(super) struct Served {
    pub(super) steps: Vec<Step>,
    pub(super) events: Vec<relay::Event>,
    /// Its task has ended.
    pub(super) is_over: bool,
}

impl ClientProcess {
    pub(super) fn start(config: Valid<ClientConfig>, kernel: &Shared) -> Self {
        let (client, task) = Client::with_task(config, kernel.runtime());
        let (events, task) = (client.events(), Box::pin(task));
        Self { client, events, task, executor: Executor::default(), kernel: kernel.clone() }
    }

    /// Lets its task run until it rests, and gives what it did since this was last asked; says whether the task ran.
    ///
    /// # Errors
    /// It never rests.
    pub(super) fn run(&mut self, steps: &mut Vec<Step>) -> Result<bool, String> {
        let Self { task, executor, kernel, .. } = self;
        let ran = executor.run(kernel, |cx| {
            let _ = task.as_mut().poll(cx);
        });
        steps.append(&mut self.kernel.lock().take_log());
        ran
    }

    /// The next of its facts.
    pub(super) fn event(&mut self) -> Option<client::Event> {
        self.events.try_recv().ok()
    }
}

impl RelayProcess {
    pub(super) fn start(
        config: Valid<RelayConfig>,
        address: SocketAddr,
        machines: usize,
        kernel: &Shared,
    ) -> anyhow::Result<Self> {
        let runtime = kernel.runtime();
        let runtimes = (0..machines).map(|machine| runtime.machine(machine)).collect();
        let relays = Relay::bind_all(config, address, runtimes)?;
        let first = relays.first().context("a relay has a machine")?;
        let (handle, events) = (first.handle(), first.events());
        let machines = relays.into_iter().map(|relay| (Some(relay), Executor::default())).collect();
        Ok(Self { handle, machines, events, kernel: kernel.clone() })
    }

    /// Lets its tasks run until they rest.
    ///
    /// # Errors
    /// They never rest.
    pub(super) fn run(&mut self, served: &mut Served) -> Result<bool, String> {
        let mut ran = Err(restless());
        for round in 0..ROUNDS {
            self.kernel.lock().deliver();
            let mut is_woken = false;
            for (machine, executor) in &mut self.machines {
                let mut is_over = false;
                let poll = |cx: &mut Context<'_>| {
                    is_over = machine.as_mut().is_some_and(|relay| relay.poll(cx).is_ready());
                };
                is_woken |= executor.poll(poll);
                if is_over {
                    *machine = None;
                }
            }
            if !is_woken {
                ran = Ok(round > 0);
                break;
            }
        }
        served.is_over = self.machines.iter().all(|(machine, _)| machine.is_none());
        served.steps.append(&mut self.kernel.lock().take_log());
        served.events.extend(core::iter::from_fn(|| self.events.try_recv().ok()));
        ran
    }
}

/// An executor of one task: it polls the task when somebody has woken it, and never else.
#[derive(Debug)]
struct Executor {
    woken: Arc<Woken>,
    waker: Waker,
}

#[derive(Debug)]
struct Woken(AtomicBool);

impl Executor {
    fn run(&self, kernel: &Shared, mut poll: impl FnMut(&mut Context<'_>)) -> Result<bool, String> {
        for round in 0..ROUNDS {
            kernel.lock().deliver();
            if !self.poll(&mut poll) {
                return Ok(round > 0);
            }
        }
        Err(restless())
    }

    /// Polls the task once where it was woken; whether it was.
    fn poll(&self, poll: impl FnOnce(&mut Context<'_>)) -> bool {
        let is_woken = self.woken.0.swap(false, Ordering::Relaxed);
        if is_woken {
            poll(&mut Context::from_waker(&self.waker));
        }
        is_woken
    }
}

impl Default for Executor {
    fn default() -> Self {
        // A task that starts is polled.
        let woken = Arc::new(Woken(AtomicBool::new(true)));
        Self { waker: Waker::from(Arc::clone(&woken)), woken }
    }
}

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl fmt::Debug for ClientProcess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientProcess").field("client", &self.client).finish_non_exhaustive()
    }
}

fn restless() -> String {
    format!("the task is woken again and again at one moment, {ROUNDS} times")
}

/// So often a task may be polled at one moment.
const ROUNDS: usize = 10_000;
