//! A host: its system, its way out, and what runs on it.

use core::net::IpAddr;

use wayleave_proto::base::Instant;

use super::client::ClientHost;
use super::intruder::Intruder;
use super::kernel::Shared;
use super::relay::RelayHost;
use super::server::Servers;
use crate::network::{Access, Names, Packet};
use crate::stack::Happened;

/// A host.
#[derive(Debug)]
pub(super) struct Host {
    pub(super) name: String,
    pub(super) kernel: Shared,
    pub(super) access: Access,
    pub(super) names: Names,
    /// Seconds by which its civil clock is ahead.
    pub(super) ahead: i32,
    /// When it was set, and by how much it was ahead until then.
    pub(super) set: Vec<(Instant, i32)>,
    /// Further addresses that lead here.
    pub(super) also: Vec<IpAddr>,
    pub(super) role: Role,
    /// When it wants to act next, as it was when it was last settled: whoever touches a host settles it.
    pub(super) due: Option<Instant>,
    /// How often it was due at one moment.
    pub(super) stuck: (Instant, u32),
}

/// What runs on a host.
#[derive(Debug)]
pub(super) enum Role {
    Client(Box<ClientHost>),
    Relay(Box<RelayHost>),
    Servers(Servers),
    Intruder(Intruder),
    /// Nothing: no packet may ever come here.
    Bait,
}

impl Host {
    pub(super) fn has(&self, address: IpAddr) -> bool {
        self.access.public() == address || self.also.contains(&address)
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        let (own, is_asleep) = match &self.role {
            Role::Client(client) => (client.poll_timeout(), client.suspended.is_some()),
            Role::Relay(relay) => (relay.stalled, relay.stalled.is_some()),
            Role::Servers(servers) => (servers.poll_timeout(), false),
            Role::Intruder(intruder) => (intruder.poll_timeout(), false),
            Role::Bait => (None, false),
        };
        own.into_iter().chain(self.kernel.lock().poll_timeout(is_asleep)).min()
    }

    /// What happened next to its sockets, where no process takes that from the system itself.
    pub(super) fn poll_happened(&self) -> Option<Happened> {
        self.kernel.lock().stack.poll_happened()
    }

    pub(super) fn poll_packet(&self) -> Option<Packet> {
        self.kernel.lock().stack.poll_packet()
    }

    pub(super) fn client(&mut self) -> Option<&mut ClientHost> {
        match &mut self.role {
            Role::Client(client) => Some(client),
            _ => None,
        }
    }

    pub(super) fn relay(&mut self) -> Option<&mut RelayHost> {
        match &mut self.role {
            Role::Relay(relay) => Some(relay),
            _ => None,
        }
    }
}
