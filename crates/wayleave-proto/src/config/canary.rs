//! What can be broken on purpose, so that a simulation that stays green can be told from one that sees nothing.

use super::{RelayConfig, RouteConfig};

/// One rule or promise that a machine breaks on purpose, for the check that the simulation sees it.
///
/// Nothing is broken without the feature `canary`, and with it only what a configuration chooses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Canary {
    /// Rule 1: a trial takes twice its time.
    TrialTooLong,
    /// Rule 2: a connection proves the direct path although what was sent over it is not answered.
    ConnectionProves,
    /// Rule 3: a trial on a cellular link ends with a relay.
    CellularSwitches,
    /// Rule 4: a direct route is not tried again on another network.
    NetworkNotTried,
    /// Rule 5: another network ends a proxied route.
    NetworkReturns,
    /// Rule 6: a late success ends a proxied route.
    LateSuccessCounts,
    /// Rule 7: a wish for a new trial is not heard once the route is proxied.
    RetryNotHeard,
    /// Rule 8: flows that were pending in the trial are not taken over.
    PendingNotTaken,
    /// Rule 9: flows are rescued on a cellular link too.
    CellularRescued,
    /// Rule 10: no pause between two trials because a proof failed.
    DoubtWithoutPause,
    /// Mode normal: where no relay serves a flow it goes directly.
    FailsOpen,
    /// What a stream had sent on a path that it left goes out twice on the next one.
    SentTwice,
    /// A relay takes credentials that are revoked.
    RevokedServed,
    /// The end that an application gives to its half of a stream is not passed on.
    EndNotSent,
    /// A client takes whatever is written to a stream, however much waits.
    BufferUnbounded,
    /// A relay that has refused a request takes no connection any more.
    DeafAfterRefusal,
    /// A datagram flow that was refused asks again as soon as a connection stands.
    RefusedAtOnce,
    /// A relay that has fallen silent is never doubted.
    SilenceTrusted,
    /// Flows that do not come through directly are not rescued.
    NotRescued,
    /// A relay reads the civil clock once.
    ClockReadOnce,
    /// A relay of several machines grants an account its tunnels once for each of them.
    LimitPerMachine,
}

impl Canary {
    /// Every one, in the order of the rules and laws.
    pub const ALL: [Self; 21] = [
        Self::TrialTooLong,
        Self::ConnectionProves,
        Self::CellularSwitches,
        Self::NetworkNotTried,
        Self::NetworkReturns,
        Self::LateSuccessCounts,
        Self::RetryNotHeard,
        Self::PendingNotTaken,
        Self::CellularRescued,
        Self::DoubtWithoutPause,
        Self::FailsOpen,
        Self::SentTwice,
        Self::RevokedServed,
        Self::EndNotSent,
        Self::BufferUnbounded,
        Self::DeafAfterRefusal,
        Self::RefusedAtOnce,
        Self::SilenceTrusted,
        Self::NotRescued,
        Self::ClockReadOnce,
        Self::LimitPerMachine,
    ];
}

#[cfg(feature = "canary")]
impl RouteConfig {
    pub(crate) fn breaks(&self, canary: Canary) -> bool {
        self.canary == Some(canary)
    }
}

#[cfg(feature = "canary")]
impl RelayConfig {
    pub(crate) fn breaks(&self, canary: Canary) -> bool {
        self.canary == Some(canary)
    }
}

#[cfg(not(feature = "canary"))]
impl RouteConfig {
    #[allow(clippy::unused_self, reason = "the same call with the feature `canary` asks the configuration")]
    pub(crate) const fn breaks(&self, _: Canary) -> bool {
        false
    }
}

#[cfg(not(feature = "canary"))]
impl RelayConfig {
    #[allow(clippy::unused_self, reason = "the same call with the feature `canary` asks the configuration")]
    pub(crate) const fn breaks(&self, _: Canary) -> bool {
        false
    }
}
