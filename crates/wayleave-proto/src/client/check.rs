//! The credential is shown to the first relay that answers, so that a wrong one is told before anything depends on it.
//!
//! It is shown as a renewed one is, by a request that asks for nothing else ([`super::renewal`]) and names no target, on a
//! connection that is made beside those that are kept ready. A tunnel that opens first says as much. In smart mode no relay
//! is asked for this alone: the credential is shown where one is reached anyway, for a trial or for flows.

use super::proxied::Carrier;
use super::{CarrierId, Client, ProxyFault, What};
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

impl Client {
    /// Connections that are wanted to show it.
    pub(super) fn check_connections(&self) -> usize {
        let is_alone = self.config.route.mode == Mode::Smart && self.config.limits.standby == 0;
        usize::from(self.check == Check::Wanted && !is_alone)
    }

    /// Shows the credential on a connection that no flow waits for.
    pub(super) fn supply_check(&mut self) {
        if self.check != Check::Wanted || self.now < self.standby_after {
            return;
        }
        let Some(id) = self.ready.pop_front() else { return };
        let Some(place) = self.carriers.get(id).map(Carrier::place) else { return };
        self.check = Check::Asked(id);
        self.show(id, place);
    }

    /// Another credential is in force: it is looked at where the one before was not found good.
    pub(super) fn restart_check(&mut self) {
        if self.check == Check::Over {
            return;
        }
        self.check = Check::Wanted;
        if self.config.route.mode == Mode::Normal {
            self.wanted = Some(self.now);
        }
    }

    /// A proxy has answered as if it had accepted the credential that was shown. Only one that names itself means it: many
    /// servers answer OPTIONS for whoever asks.
    pub(super) fn on_check_answered(&mut self, id: CarrierId) {
        let Some(carrier) = self.carriers.get(id) else { return };
        if carrier.machine.is_some() {
            self.on_check_accepted(id);
        } else {
            self.end_check(id, Check::Over);
        }
    }

    /// A relay has accepted the present credential on this connection.
    pub(super) fn on_check_accepted(&mut self, id: CarrierId) {
        let Some(carrier) = self.carriers.get(id).filter(|carrier| carrier.renewal == self.renewals.count)
        else {
            return;
        };
        if self.check != Check::Over
            && let Some(proxy) = self.config.proxies.get(carrier.proxy).cloned()
        {
            self.check = Check::Over;
            self.tell(What::CredentialAccepted { proxy });
        }
    }

    /// A relay has answered on this connection, and that ends the look at the credential for now.
    pub(super) fn end_check(&mut self, id: CarrierId, check: Check) {
        if self.check == Check::Asked(id) {
            self.check = check;
        }
    }

    /// The relay that was asked gave no verdict: another connection does, after a pause.
    pub(super) fn on_check_unanswered(&mut self, id: CarrierId, fault: ProxyFault) {
        let Some(proxy) = self.carriers.get(id).map(|carrier| carrier.proxy) else { return };
        if self.check == Check::Asked(id) {
            self.check = Check::Wanted;
            self.rest_standby();
            self.on_proxy_failed(proxy, fault, None);
        }
    }
}
