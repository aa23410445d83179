//! What a relay has counted.

use super::Relay;
use super::ledger::Ledger;

/// What a relay has counted, and what it has open.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Connections open now.
    pub connections: usize,
    /// Tunnels open now.
    pub tunnels: usize,
    /// Connections accepted so far.
    pub accepted: u64,
    /// Connections closed at once so far, because the system lacked what it takes to serve them.
    pub unaccepted: u64,
    /// Datagrams that the system dropped so far, because they came faster than the relay received them.
    pub overflowed: u64,
    /// Tunnels opened so far.
    pub opened: u64,
    /// Requests refused so far.
    pub refused: u64,
    /// Connections turned away so far, at a limit.
    pub turned_away: u64,
    /// Bytes in buffers now.
    pub held: usize,
    /// Accounts that have something open or are remembered.
    pub accounts: usize,
    /// Tokens, users and applications that are revoked.
    pub revocations: usize,
    /// Whether it drains.
    pub draining: bool,
}

impl Stats {
    /// What two machines of one relay have counted together.
    #[must_use]
    pub fn with(self, other: Self) -> Self {
        Self {
            connections: self.connections.saturating_add(other.connections),
            tunnels: self.tunnels.saturating_add(other.tunnels),
            accepted: self.accepted.saturating_add(other.accepted),
            unaccepted: self.unaccepted.saturating_add(other.unaccepted),
            overflowed: self.overflowed.saturating_add(other.overflowed),
            opened: self.opened.saturating_add(other.opened),
            refused: self.refused.saturating_add(other.refused),
            turned_away: self.turned_away.saturating_add(other.turned_away),
            held: self.held.saturating_add(other.held),
            // Both go by the same books.
            accounts: self.accounts.max(other.accounts),
            revocations: self.revocations.max(other.revocations),
            draining: self.draining || other.draining,
        }
    }
}

impl<L: Ledger> Relay<L> {
    /// What the machine has counted; accounts and revocations are those of the whole relay.
    pub fn stats(&self) -> Stats {
        let (accounts, revocations) = self.ledger.read(|books| (books.accounts(), books.revocations()));
        Stats {
            accounts,
            connections: self.connections.len(),
            draining: self.draining,
            held: self.buffers.all,
            revocations,
            ..self.stats
        }
    }
}
