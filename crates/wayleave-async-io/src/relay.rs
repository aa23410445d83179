//! The relay that an operator runs.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use wayleave_drive::{self as drive, Events, Resolver};
use wayleave_proto::config::{RelayConfig, Valid};
use wayleave_proto::relay::Event;
use wayleave_sockets::Crew;

use crate::AsyncIo;

/// A way to speak to a relay while it serves.
pub type RelayHandle = drive::RelayHandle<AsyncIo>;

/// A relay that listens, and serves while [`Self::serve`] runs.
///
/// ```no_run
/// use std::sync::Arc;
/// use wayleave_async_io::proto::carrier::tls::{Environment, RustlsAcceptor};
/// use wayleave_async_io::{Keys, Relay, RelayConfig};
///
/// # async fn example(keys: Keys) -> Result<(), Box<dyn std::error::Error>> {
/// let (chain, key) = (std::fs::read("chain.pem")?, std::fs::read("key.pem")?);
/// let acceptor = RustlsAcceptor::from_pem(Environment::system(), &chain, &key)?;
/// let config = RelayConfig::new(Arc::new(acceptor), keys); // or Verifier::Embedder in the place of keys
/// let relay = Relay::bind(config.build()?, "0.0.0.0:443".parse()?).await?;
/// let (handle, mut events) = (relay.handle(), relay.events());
/// let telling = async {
///     while let Some(event) = events.recv().await {
///         println!("{event}; {} tunnels", handle.stats().tunnels);
///     }
/// };
/// futures_lite::future::zip(relay.serve(), telling).await;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
#[must_use = "a relay serves nobody before `serve`"]
pub struct Relay {
    relay: drive::Relay<AsyncIo>,
    /// The threads of its other machines.
    crew: Crew,
}

impl Relay {
    /// Listens on `address`, to serve on one core.
    ///
    /// # Errors
    /// The address cannot be listened on.
    pub async fn bind(config: Valid<RelayConfig>, address: SocketAddr) -> io::Result<Self> {
        Self::builder().bind(config, address).await
    }

    /// For a relay on several cores, or with a resolver of its own.
    pub fn builder() -> RelayBuilder {
        RelayBuilder { resolver: None, threads: 1 }
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
        self.relay.serve().await;
    }
}

/// How a relay is served, beside what its configuration says.
#[derive(Clone)]
#[must_use = "nothing listens before `bind`"]
pub struct RelayBuilder {
    resolver: Option<Arc<dyn Resolver>>,
    threads: usize,
}

impl RelayBuilder {
    /// `resolver` in the place of the platform's, which holds a thread for each name and lets nobody give a name up: a relay
    /// for many users does better with one that asks name servers itself.
    pub fn resolver(mut self, resolver: Arc<dyn Resolver>) -> Self {
        self.resolver = Some(resolver);
        self
    }

    /// On so many threads, 1 to 128: that on which the relay is served, and further ones. Each takes a part of the connections
    /// as the system divides them (`SO_REUSEPORT`); it does so on Linux and Android only, see
    /// [`threads`](crate::threads). Limits are those of the relay, however many threads it has.
    pub const fn threads(mut self, threads: usize) -> Self {
        self.threads = threads;
        self
    }

    /// Listens on `address`.
    ///
    /// # Errors
    /// The address cannot be listened on, the system gives no thread or descriptor, there are too many threads
    /// (`InvalidInput`), or the platform divides no port among several (`Unsupported`).
    #[expect(
        clippy::unused_async,
        reason = "the name says where it can be called, and another runtime may have to wait"
    )]
    pub async fn bind(self, config: Valid<RelayConfig>, address: SocketAddr) -> io::Result<Relay> {
        let first = match self.resolver {
            Some(resolver) => AsyncIo::new().with_resolver(resolver),
            None => AsyncIo::new(),
        };
        let mut crew = Crew::default();
        let others: Vec<AsyncIo> = (1..self.threads).map(|_| first.beside()).collect();
        let runtimes = core::iter::once(first).chain(others).take(self.threads).collect();
        let mut relays = drive::Relay::bind_all(config, address, runtimes)?.into_iter();
        let Some(relay) = relays.next() else { return Err(io::ErrorKind::InvalidInput.into()) };
        for other in relays {
            crew.add("wayleave-relay", move || async_io::block_on(other.serve()))?;
        }
        Ok(Relay { relay, crew })
    }
}

impl fmt::Debug for RelayBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RelayBuilder").field("threads", &self.threads).finish_non_exhaustive()
    }
}
