//! The relay that an operator runs.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use wayleave_drive::{self as drive, Resolver};
use wayleave_proto::config::{RelayConfig, Valid};
use wayleave_proto::relay::Event;

use crate::Std;
use crate::reactor::Reactor;

/// A way to speak to a relay while it serves.
pub type RelayHandle = drive::RelayHandle<Std>;

/// A relay that listens, and serves while [`Self::serve`] runs.
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

    /// Serves on the calling thread until the relay was drained or closed through its handle and nothing is left;
    /// `on_event` is told what happens. However many clients there are, all are served here.
    pub fn serve(self, on_event: impl FnMut(Event)) {
        self.reactor.run(self.relay.serve(on_event));
    }
}

impl std::fmt::Debug for Relay {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.relay.fmt(f)
    }
}
