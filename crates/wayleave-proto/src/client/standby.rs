//! Connections that are kept ready for flows that may come.

use super::{CarrierId, Client, Timer};
use crate::base::{Kind, Route};
use crate::config::Mode;

impl Client {
    /// How many connections should be ready without a flow that waits for them, that for a look at the credential among them.
    pub(super) fn standby(&mut self) -> usize {
        let config = &self.config;
        let may_proxy = |kind| {
            self.routes.is_trial(kind)
                || self.routes.route(kind) == Route::Proxied
                || self.routes.has_blocked(kind)
        };
        let wanted = config.route.mode != Mode::Off
            && (may_proxy(Kind::Stream) || may_proxy(Kind::Datagram))
            && self.wanted.is_some_and(|wanted| self.now < wanted + config.limits.standby_keep);
        let most = config.limits.standby + self.check_connections();
        if !wanted || most == 0 {
            return 0;
        }
        if self.now < self.standby_after {
            self.timers.set(Timer::Standby, Some(self.standby_after));
            return 0;
        }
        most
    }

    /// A connection that was kept ready came to nothing. The next one waits: a proxy that takes every connection and ends
    /// it at once would be asked again and again as fast as the path allows.
    pub(super) fn lose_ready(&mut self, id: CarrierId) {
        self.close_carrier(id, false);
        self.rest_standby();
        self.supply();
    }

    pub(super) fn rest_standby(&mut self) {
        let after = self.standby_backoff.next(&self.config.route.retry, &mut self.rng);
        self.standby_after = self.now + after;
    }

    /// Drops what was made over a network that is no longer there.
    pub(super) fn drop_ready(&mut self) {
        for id in core::mem::take(&mut self.ready) {
            self.close_carrier(id, false);
        }
        for id in self.dials.keys() {
            self.drop_dial(id);
        }
        self.standby_after = self.now;
    }
}
