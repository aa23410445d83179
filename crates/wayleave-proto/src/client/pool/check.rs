//! The credential is shown to the first relay that answers, so that a wrong one is told before anything depends on it.
//!
//! It is shown as a renewed one is, by a request that asks for nothing else ([`super::renewal`]) and names no target, on a
//! connection that is made beside those that are kept ready. A tunnel that opens first says as much. In smart mode no relay
//! is asked for this alone: the credential is shown where one is reached anyway, for a trial or for flows.

use super::{CarrierId, Connection, Pool, ProxyFault};
use crate::client::What;
use crate::client::io::Io;
use crate::config::Mode;

/// How far the look at the credential has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Check {
    /// It was shown on this connection.
    Asked(CarrierId),
    /// It was accepted, cannot be asked about, or nobody wants to know.
    Over,
    /// It was refused; the next one is looked at.
    Refused,
    /// It has to be shown.
    Wanted,
}

impl Pool {
    /// Connections that are wanted to show it.
    pub(super) fn check_connections(&self, io: &Io) -> usize {
        let is_alone = io.config.route.mode == Mode::Smart && io.config.limits.standby == 0;
        usize::from(self.check == Check::Wanted && !is_alone)
    }

    /// Shows the credential on a connection that no flow waits for.
    pub(super) fn show_for_check(&mut self, io: &mut Io) {
        if self.check != Check::Wanted || io.now < self.standby.after {
            return;
        }
        let Some(id) = self.idle().next() else { return };
        let Some(place) = self.connections.get(id).map(Connection::place) else { return };
        self.check = Check::Asked(id);
        self.show(io, id, place);
    }

    /// Another credential is in force: it is looked at where the one before was not found good.
    pub(super) fn restart_check(&mut self, io: &Io) {
        if self.check == Check::Over {
            return;
        }
        self.check = Check::Wanted;
        if io.config.route.mode == Mode::Normal {
            self.expect(io.now);
        }
    }

    /// A proxy has answered as if it had accepted the credential that was shown. Only one that names itself means it: many
    /// servers answer OPTIONS for whoever asks.
    pub(super) fn on_check_answered(&mut self, io: &mut Io, id: CarrierId, is_latest: bool) {
        let Some(connection) = self.connections.get(id) else { return };
        if connection.machine.is_some() {
            self.on_check_accepted(io, id, is_latest);
        } else {
            self.end_check(id, Check::Over);
        }
    }

    /// A relay has accepted a credential on this connection, which is the latest or not.
    pub(super) fn on_check_accepted(&mut self, io: &mut Io, id: CarrierId, is_latest: bool) {
        let Some(connection) = self.connections.get(id) else { return };
        if is_latest
            && self.check != Check::Over
            && let Some(proxy) = io.config.proxies.get(connection.proxy).cloned()
        {
            self.check = Check::Over;
            io.tell(What::CredentialAccepted { proxy });
        }
    }

    /// A relay has answered on this connection, and that ends the look at the credential for now.
    pub(super) fn end_check(&mut self, id: CarrierId, check: Check) {
        if self.check == Check::Asked(id) {
            self.check = check;
        }
    }

    /// The relay that was asked gave no verdict: another connection does, after a pause.
    pub(super) fn on_check_unanswered(&mut self, io: &mut Io, id: CarrierId, fault: ProxyFault) {
        let Some(proxy) = self.connections.get(id).map(|connection| connection.proxy) else { return };
        if self.check == Check::Asked(id) {
            self.check = Check::Wanted;
            self.rest_standby(io);
            self.on_proxy_failed(io, proxy, fault, None);
        }
    }
}
