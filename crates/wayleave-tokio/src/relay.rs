//! The relay that an operator runs.

use std::fmt;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use wayleave_drive::{self as drive, Events, Resolver};
use wayleave_proto::config::{RelayConfig, Valid};
use wayleave_proto::relay::Event;
use wayleave_sockets::Crew;

use crate::Tokio;

/// A way to speak to a relay while it serves.
pub type RelayHandle = drive::RelayHandle<Tokio>;

/// A relay that listens, and serves while [`Self::serve`] runs.
///
/// ```no_run
/// use std::sync::Arc;
/// use wayleave_tokio::proto::carrier::tls::{Environment, RustlsAcceptor};
/// use wayleave_tokio::{Keys, Relay, RelayConfig};
///
/// # async fn example(keys: Keys) -> Result<(), Box<dyn std::error::Error>> {
/// let (chain, key) = (std::fs::read("chain.pem")?, std::fs::read("key.pem")?);
/// let acceptor = RustlsAcceptor::from_pem(Environment::system(), &chain, &key)?;
/// let config = RelayConfig::new(Arc::new(acceptor), keys); // or Verifier::Embedder in the place of keys
/// let relay = Relay::bind(config.build()?, "0.0.0.0:443".parse()?).await?;
/// let (handle, mut events) = (relay.handle(), relay.events());
/// let serving = tokio::spawn(relay.serve());
/// while let Some(event) = events.recv().await {
///     println!("{event}; {} tunnels", handle.stats().tunnels);
/// }
/// serving.await?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
#[must_use = "a relay serves nobody before `serve`"]
pub struct Relay {
    relay: drive::Relay<Tokio>,
    /// The threads of its other machines.
    crew: Crew,
}

impl Relay {
    /// Listens on `address`, to serve on one core.
    ///
    /// # Errors
    /// The address cannot be listened on.
    ///
    /// # Panics
    /// When called outside of a tokio runtime, or in one without its drivers.
    pub async fn bind(config: Valid<RelayConfig>, address: SocketAddr) -> io::Result<Self> {
        Self::builder().bind(config, address).await
    }

    /// For a relay on several cores, or with a resolver of its own.
    pub fn builder() -> RelayBuilder {
        RelayBuilder { resolver: None, threads: 1, runtime: plain }
    }

    /// The address that it listens on.
    pub const fn local_addr(&self) -> SocketAddr {
        self.relay.local_addr()
    }

    /// A handle to drain, stop and ask it while it serves.
    pub fn handle(&self) -> RelayHandle {
        self.relay.handle()
    }

    /// What happens from now on. It ends when the relay serves no more. Events that nobody asks for are not kept, so ask before
    /// [`Self::serve`].
    pub fn events(&self) -> Events<Event> {
        self.relay.events()
    }

    /// Serves until the relay was drained or closed through its handle and nothing is left. Where this is given up before, the
    /// relay ends on all its threads.
    pub async fn serve(self) {
        self.crew.begin();
        // The driver limits its own work; tokio's budget would make it yield in the middle of a batch.
        tokio::task::unconstrained(self.relay.serve()).await;
    }
}

/// How a relay is served, beside what its configuration says.
#[derive(Clone)]
#[must_use = "nothing listens before `bind`"]
pub struct RelayBuilder<F = fn() -> io::Result<tokio::runtime::Runtime>> {
    resolver: Option<Arc<dyn Resolver>>,
    threads: usize,
    runtime: F,
}

impl<F: Fn() -> io::Result<tokio::runtime::Runtime>> RelayBuilder<F> {
    /// `resolver` in the place of the platform's, which holds a thread for each name and lets nobody give a name up: a relay
    /// for many users does better with one that asks name servers itself.
    pub fn resolver(mut self, resolver: Arc<dyn Resolver>) -> Self {
        self.resolver = Some(resolver);
        self
    }

    /// On so many threads, 1 to 128: that on which the relay is served, and further ones with a runtime each. Each takes a
    /// part of the connections as the system divides them (`SO_REUSEPORT`); it does so on Linux and Android only, see
    /// [`threads`](crate::threads). Limits are those of the relay, however many threads it has.
    pub const fn threads(mut self, threads: usize) -> Self {
        self.threads = threads;
        self
    }

    /// What makes the runtimes of the further threads; each needs its drivers for time and I/O. Without it they are plain
    /// ones for one thread.
    pub fn runtimes<G: Fn() -> io::Result<tokio::runtime::Runtime>>(self, runtime: G) -> RelayBuilder<G> {
        RelayBuilder { resolver: self.resolver, threads: self.threads, runtime }
    }

    /// Listens on `address`.
    ///
    /// # Errors
    /// The address cannot be listened on, the system gives no thread or descriptor, there are too many threads
    /// (`InvalidInput`), or the platform divides no port among several (`Unsupported`).
    ///
    /// # Panics
    /// When called outside of a tokio runtime, or in one without its drivers.
    #[expect(
        clippy::unused_async,
        reason = "the name says where it can be called, and another runtime may have to wait"
    )]
    pub async fn bind(self, config: Valid<RelayConfig>, address: SocketAddr) -> io::Result<Relay> {
        let first = match self.resolver {
            Some(resolver) => Tokio::current().with_resolver(resolver),
            None => Tokio::current(),
        };
        let mut crew = Crew::default();
        let hosts = (1..self.threads).map(|_| (self.runtime)().map(Host::new));
        let hosts = hosts.collect::<io::Result<Vec<Host>>>()?;
        let others: Vec<Tokio> = hosts.iter().map(|host| host.enter(|| first.beside())).collect();
        let runtimes = core::iter::once(first).chain(others).take(self.threads).collect();
        let mut relays = drive::Relay::bind_all(config, address, runtimes)?.into_iter();
        let Some(relay) = relays.next() else { return Err(io::ErrorKind::InvalidInput.into()) };
        for (host, other) in hosts.into_iter().zip(relays) {
            crew.add("wayleave-relay", move || host.run(other.serve()))?;
        }
        Ok(Relay { relay, crew })
    }
}

impl<F> fmt::Debug for RelayBuilder<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RelayBuilder").field("threads", &self.threads).finish_non_exhaustive()
    }
}

/// A runtime for one thread, which nobody waits for at its end: look-ups may still be under way.
struct Host(Option<tokio::runtime::Runtime>);

impl Host {
    const fn new(runtime: tokio::runtime::Runtime) -> Self {
        Self(Some(runtime))
    }

    fn enter<T>(&self, act: impl FnOnce() -> T) -> T {
        let _context = self.0.as_ref().map(tokio::runtime::Runtime::enter);
        act()
    }

    fn run(self, task: impl Future<Output = ()>) {
        if let Some(runtime) = &self.0 {
            runtime.block_on(tokio::task::unconstrained(task));
        }
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

fn plain() -> io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()
}
