//! Clients that vanished, and the tunnels that they hold for nobody.

use core::time::Duration;

use super::Relay;
use super::ledger::Ledger;
use super::streams::io;
use super::tunnel::{State, Tunnel, TunnelId, opened};
use crate::auth::AccountId;
use crate::carrier::downlink::Io;

impl<L: Ledger> Relay<L> {
    /// An account has as many tunnels as it may, and wants one more: some of them may be those of a phone that left its
    /// network without a word. Their clients are asked at once whether they are there, and tunnels of those that are not end
    /// within seconds; whoever was refused is told to try again, and finds room.
    pub(super) fn ask_clients(&mut self, id: &AccountId) {
        let now = self.now;
        let is_its = |tunnel: &Tunnel| match &tunnel.state {
            State::Open(open) => open.grant.verdict.account == *id,
            State::Asking | State::Dialling(_) | State::Verifying { .. } => false,
        };
        let its = self.tunnels.iter().filter(|(_, tunnel)| is_its(tunnel));
        let its: Vec<TunnelId> = its.map(|(id, _)| id).collect();
        for id in its {
            let Some((open, key, connection)) = opened(&mut self.tunnels, &mut self.connections, id) else {
                continue;
            };
            open.asked = Some(now + ASKED);
            connection.downlink.watch(&mut io!(self), key, IDLE, TIMEOUT);
            self.arm(id);
        }
    }
}

/// A client that was silent for so long is asked then, and has this long to answer: a phone may have to wake up.
const IDLE: Duration = Duration::from_secs(1);
const TIMEOUT: Duration = Duration::from_secs(6);
/// How long clients are asked so, and how long until they are asked so again.
pub(super) const ASKED: Duration = Duration::from_secs(10);
