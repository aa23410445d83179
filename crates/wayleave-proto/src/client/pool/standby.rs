//! Connections that are kept ready for flows that may come.

use super::{CarrierId, Demand, Pool};
use crate::base::Instant;
use crate::client::io::{Io, Timer};
use crate::config::Mode;
use crate::net::Backoff;

/// When connections are kept ready.
#[derive(Debug)]
pub(super) struct Standby {
    /// When a connection was last wanted; standby ends some time after.
    pub(super) wanted: Option<Instant>,
    /// None before this moment, after one that came to nothing.
    pub(super) after: Instant,
    pub(super) backoff: Backoff,
}

impl Standby {
    pub(super) fn new(wanted: Option<Instant>, after: Instant) -> Self {
        Self { wanted, after, backoff: Backoff::new() }
    }
}

impl Pool {
    /// A connection is wanted, or may be soon.
    pub(in crate::client) const fn expect(&mut self, now: Instant) {
        self.standby.wanted = Some(now);
        self.stirred = true;
    }

    /// How many connections should be ready without a flow that waits for them, that for a look at the credential among them.
    pub(super) fn standby(&self, io: &mut Io, demand: Demand) -> usize {
        let keep = io.config.limits.standby_keep;
        let wanted = io.config.route.mode != Mode::Off
            && demand.may_proxy
            && self.standby.wanted.is_some_and(|wanted| io.now < wanted + keep);
        let most = io.config.limits.standby + self.check_connections(io);
        if !wanted || most == 0 {
            return 0;
        }
        if io.now < self.standby.after {
            io.timers.set(Timer::Standby, Some(self.standby.after));
            return 0;
        }
        most
    }

    /// A connection that was kept ready came to nothing. The next one waits: a proxy that takes every connection and ends
    /// it at once would be asked again and again as fast as the path allows.
    pub(super) fn lose_ready(&mut self, io: &mut Io, id: CarrierId) {
        self.close(io, id, false);
        self.rest_standby(io);
    }

    pub(super) fn rest_standby(&mut self, io: &mut Io) {
        let after = self.standby.backoff.next(&io.config.route.retry, &mut io.rng);
        self.standby.after = io.now + after;
    }
}
