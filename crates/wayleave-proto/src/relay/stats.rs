//! What a relay has counted.

use super::ledger::Ledger;
use super::meter::Direction;
use super::{Authentications, DialErrors, DroppedDatagrams, Moved, Refusals, Relay, TurnedAwayCounts};

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
    /// Requests refused so far, by the status of the answer.
    pub refused: Refusals,
    /// Connections turned away so far, mostly at a limit.
    pub turned_away: TurnedAwayCounts,
    /// What came of credentials so far.
    pub authentications: Authentications,
    /// Targets that could not be reached so far.
    pub dial_errors: DialErrors,
    /// Payload that came from targets for clients so far.
    pub to_client: Moved,
    /// Payload that came from clients for targets so far.
    pub to_target: Moved,
    /// Datagrams dropped so far; those that the system dropped are in [`overflowed`](Self::overflowed). What a queue drops is
    /// counted when its tunnel moves something the next time, or ends.
    pub dropped: DroppedDatagrams,
    /// Bytes in buffers now.
    pub held: usize,
    /// Names of targets that are being looked up.
    pub lookups: usize,
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
            refused: self.refused.with(other.refused),
            turned_away: self.turned_away.with(other.turned_away),
            authentications: self.authentications.with(other.authentications),
            dial_errors: self.dial_errors.with(other.dial_errors),
            to_client: self.to_client.with(other.to_client),
            to_target: self.to_target.with(other.to_target),
            dropped: self.dropped.with(other.dropped),
            held: self.held.saturating_add(other.held),
            // Both go by the same books.
            lookups: self.lookups.max(other.lookups),
            accounts: self.accounts.max(other.accounts),
            revocations: self.revocations.max(other.revocations),
            draining: self.draining || other.draining,
        }
    }

    /// What moved in a direction.
    pub(super) const fn moved(&mut self, direction: Direction) -> &mut Moved {
        match direction {
            Direction::ToClient => &mut self.to_client,
            Direction::ToTarget => &mut self.to_target,
        }
    }
}

impl<L: Ledger> Relay<L> {
    /// What the machine has counted; accounts, look-ups and revocations are those of the whole relay.
    pub fn stats(&self) -> Stats {
        let (accounts, lookups, revocations) =
            self.ledger.read(|books| (books.accounts(), books.lookups(), books.revocations()));
        Stats {
            accounts,
            connections: self.connections.len(),
            draining: self.draining,
            held: self.buffers.all,
            lookups,
            revocations,
            ..self.stats
        }
    }
}
