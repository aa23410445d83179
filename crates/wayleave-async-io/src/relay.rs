//! The relay that an operator runs.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use wayleave_drive::{self as drive, Events, Resolver};
use wayleave_proto::config::{RelayConfig, Valid};
use wayleave_proto::relay::Event;

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
pub struct Relay(drive::Relay<AsyncIo>);

impl Relay {
    /// Listens on `address`.
    ///
    /// # Errors
    /// The address cannot be listened on.
    #[expect(
        clippy::unused_async,
        reason = "the name says where it can be called, and another runtime may have to wait"
    )]
    pub async fn bind(config: Valid<RelayConfig>, address: SocketAddr) -> io::Result<Self> {
        drive::Relay::bind(config, address, AsyncIo::new()).map(Self)
    }

    /// The same, with `resolver` in the place of the platform's, which holds a thread for each name and lets nobody give a
    /// name up: a relay for many users does better with one that asks name servers itself.
    ///
    /// # Errors
    /// The address cannot be listened on.
    #[expect(
        clippy::unused_async,
        reason = "the name says where it can be called, and another runtime may have to wait"
    )]
    pub async fn bind_with_resolver(
        config: Valid<RelayConfig>,
        address: SocketAddr,
        resolver: Arc<dyn Resolver>,
    ) -> io::Result<Self> {
        drive::Relay::bind(config, address, AsyncIo::new().with_resolver(resolver)).map(Self)
    }

    /// The address that it listens on.
    pub const fn local_addr(&self) -> SocketAddr {
        self.0.local_addr()
    }

    /// A handle to drain, stop and ask it while it serves.
    pub fn handle(&self) -> RelayHandle {
        self.0.handle()
    }

    /// What happens from now on. It ends when the relay serves no more. Events that nobody asks for are not kept, so ask before
    /// [`Self::serve`].
    pub fn events(&self) -> Events<Event> {
        self.0.events()
    }

    /// Serves until the relay was drained or closed through its handle and nothing is left.
    pub async fn serve(self) {
        self.0.serve().await;
    }
}
