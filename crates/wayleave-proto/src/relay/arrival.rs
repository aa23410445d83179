//! How a connection arrives: counted for its source, or turned away.

use core::net::SocketAddr;
use core::time::Duration;

use super::connection::Connection;
use super::ledger::Ledger;
use super::{ConnectionFault, ConnectionId, Relay, Role, TurnedAway, What};
use crate::base::Instant;
use crate::carrier::downlink::{Arrival, Downlink, Io};
use crate::config::Canary;
use crate::error::IoFailed;
use crate::net::{Over, SocketId};
use crate::policy::group;

impl<L: Ledger> Relay<L> {
    /// Takes a connection that the adapter accepted from `client` on its own address `local`.
    ///
    /// The answer is its id, or `None` when the relay is draining or at its limits, which it tells ([`What::TurnedAway`]): the
    /// adapter closes it then. One from a balancer that is named in the configuration is its client's, once the balancer has
    /// said whose that is.
    pub fn handle_accepted(
        &mut self,
        now: Instant,
        client: SocketAddr,
        local: SocketAddr,
    ) -> Option<SocketId> {
        let now = self.at(now);
        if let Some(Over { failed, count, lasted }) = self.accepting.handle_good(now) {
            self.tell_all(What::AcceptRecovered { error: failed, failures: count, lasted });
        }
        let address = client.ip().to_canonical();
        let is_balancer = self.config.balancers.iter().any(|range| range.contains(address));
        let source = (!is_balancer).then(|| group(address));
        if self.draining || (self.config.breaks(Canary::DeafAfterRefusal) && self.stats.refused.total() > 0) {
            return None;
        }
        if let Err(reason) = self.ledger.write(|books| books.connect(source)) {
            self.turn_away(client, reason);
            return None;
        }
        let arrival = match Arrival::new(&self.config) {
            Ok(arrival) => arrival,
            Err(error) => {
                self.ledger.write(|books| books.disconnect(source));
                self.turn_away(client, TurnedAway::Tls(error));
                return None;
            }
        };
        self.stats.accepted += 1;
        let mut accepted = None;
        let id = self.connections.insert_with(|id| {
            let socket = *accepted.insert(self.requests.accept(Role::Client(id)));
            let mut io =
                Io { sockets: &mut self.requests, limits: &self.config.limits, clock: &self.clock, now };
            let downlink = Downlink::accept(&mut io, socket, arrival, is_balancer);
            Connection::new(downlink, client, source, local, now)
        });
        self.touch(id);
        self.hear();
        accepted
    }

    /// The adapter could not accept a connection. `refused` says that it was closed at once, by a descriptor kept for that.
    ///
    /// It is told once, however many connections that costs; the first that is accepted a second after the last failure
    /// tells the end.
    pub fn handle_accept_failed(&mut self, now: Instant, error: &IoFailed, refused: bool) {
        let now = self.at(now);
        self.stats.unaccepted += u64::from(refused);
        if self.accepting.handle_failed(now, error) {
            self.tell_all(What::AcceptFailed { error: error.clone() });
        }
    }

    /// Whether the relay takes connections, as far as can be told: it does not drain, and its listener has not failed for five seconds.
    pub fn is_accepting(&self, now: Instant) -> bool {
        !self.draining && !self.accepting.has_failed_within(now, WELL)
    }

    /// Ends a connection that took part of the buffers that strangers may fill together. Who asks at once is never in them: a
    /// whole request is judged as it comes, and needs no buffer afterwards.
    pub(super) fn crowd_out(&mut self, id: ConnectionId) {
        let most = self.config.limits.memory / STRANGERS_SHARE;
        if self.buffers.strange.saturating_add(self.others.strange) > most
            && self.connections.get(id).is_some_and(|connection| connection.strange > 0)
        {
            self.tell_of(id, None, What::ConnectionFailed { reason: ConnectionFault::Crowded(most) });
            self.with_downlink(id, |downlink, io| downlink.close(io, true));
            self.hear();
        }
    }
}

/// Which part of the memory in buffers strangers may fill, so that they never keep out those who are allowed.
const STRANGERS_SHARE: usize = 4;
/// For how long a listener that is well has not failed.
const WELL: Duration = Duration::from_secs(5);
