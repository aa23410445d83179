//! The relay that an operator runs.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use wayleave_drive::{self as drive, Resolver};
use wayleave_proto::config::{RelayConfig, Valid};
use wayleave_proto::relay::Event;

use crate::reactor::Reactor;
use crate::{Events, Std};

/// A way to speak to a relay while it serves.
pub type RelayHandle = drive::RelayHandle<Std>;

/// A relay that listens, and serves while [`Self::serve`] runs.
///
/// ```no_run
/// use std::sync::Arc;
/// use wayleave_std::proto::carrier::tls::{Environment, RustlsAcceptor};
/// use wayleave_std::{Keys, Relay, RelayConfig};
///
/// # fn example(keys: Keys) -> Result<(), Box<dyn std::error::Error>> {
/// let (chain, key) = (std::fs::read("chain.pem")?, std::fs::read("key.pem")?);
/// let acceptor = RustlsAcceptor::from_pem(Environment::system(), &chain, &key)?;
/// let config = RelayConfig::new(Arc::new(acceptor), keys); // or Verifier::Embedder in the place of keys
/// let relay = Relay::bind(config.build()?, "0.0.0.0:443".parse()?)?;
/// let (handle, events) = (relay.handle(), relay.events());
/// std::thread::spawn(|| relay.serve());
/// for event in events {
///     println!("{event}; {} tunnels", handle.stats().tunnels);
/// }
/// # Ok(())
/// # }
/// ```
#[must_use = "a relay serves nobody before `serve`"]
pub struct Relay {
    relay: drive::Relay<Std>,
    reactor: Arc<Reactor>,
}

impl Relay {
    /// Listens on `address`.
    ///
    /// # Errors
    /// The address cannot be listened on.
    pub fn bind(config: Valid<RelayConfig>, address: SocketAddr) -> io::Result<Self> {
        Self::listen(config, address, Std::new()?)
    }

    /// The same, with `resolver` in the place of the platform's, which holds a thread for each name and lets nobody give a
    /// name up: a relay for many users does better with one that asks name servers itself.
    ///
    /// # Errors
    /// The address cannot be listened on.
    pub fn bind_with_resolver(
        config: Valid<RelayConfig>,
        address: SocketAddr,
        resolver: Arc<dyn Resolver>,
    ) -> io::Result<Self> {
        Self::listen(config, address, Std::new()?.with_resolver(resolver))
    }

    fn listen(config: Valid<RelayConfig>, address: SocketAddr, std: Std) -> io::Result<Self> {
        let reactor = std.reactor();
        Ok(Self { relay: drive::Relay::bind(config, address, std)?, reactor })
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
        Events::new(self.relay.events())
    }

    /// Serves on the calling thread until the relay was drained or closed through its handle and nothing is left. However
    /// many clients there are, all are served here.
    pub fn serve(self) {
        self.reactor.run(self.relay.serve());
    }
}

impl std::fmt::Debug for Relay {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.relay.fmt(f)
    }
}
