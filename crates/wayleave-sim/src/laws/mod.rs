//! What must hold in every run, whatever happens.

mod delivery;
mod grants;
mod route;
mod secrets;

use core::fmt;

use wayleave_proto::base::Instant;

pub use delivery::{Delivery, datagram, key_of, pattern};
pub use grants::{Grants, Right, user_of};
pub use route::Prescribed;
pub use secrets::Secrets;

/// One of the laws.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Law {
    /// In mode normal nothing leaves the client but to a proxy.
    FailClosed,
    /// In mode smart the route is the prescribed one.
    Route,
    /// Streams arrive as a prefix of what was sent, and whole after a clean end; datagrams unchanged, on their flow.
    Delivery,
    /// Nothing is forwarded without a valid token, nor to a forbidden target.
    Grants,
    /// Flows connect where a path exists, fail where none does, and nothing waits for ever.
    Liveness,
    /// Bounds hold, and in the end nothing is left.
    Growth,
    /// The same tape gives the same trace.
    Determinism,
    /// No secret is shown.
    Secrets,
    /// When the faults are over, what is in use works again within a round trip and a second.
    Recovery,
    /// When the faults are over, whoever comes to a relay is answered.
    Listener,
    /// What a scenario itself expects; no law, and number 0.
    Scenario,
}

impl Law {
    /// Every law, in the order in which they are numbered.
    pub const ALL: [Self; 10] = [
        Self::FailClosed,
        Self::Route,
        Self::Delivery,
        Self::Grants,
        Self::Liveness,
        Self::Growth,
        Self::Determinism,
        Self::Secrets,
        Self::Recovery,
        Self::Listener,
    ];

    /// Its number, from 1.
    pub fn number(self) -> usize {
        Self::ALL.iter().position(|law| *law == self).map_or(0, |index| index + 1)
    }
}

impl fmt::Display for Law {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self {
            Self::FailClosed => "fail closed",
            Self::Route => "route",
            Self::Delivery => "delivery",
            Self::Grants => "grants",
            Self::Liveness => "liveness",
            Self::Growth => "growth",
            Self::Determinism => "determinism",
            Self::Secrets => "secrets",
            Self::Recovery => "recovery",
            Self::Listener => "listener",
            Self::Scenario => return f.write_str("the scenario"),
        };
        write!(f, "law {} ({name})", self.number())
    }
}

/// A law that was broken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Which.
    pub law: Law,
    /// When.
    pub at: Instant,
    /// What happened.
    pub what: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} broken at {}: {}", self.law, self.at, self.what)
    }
}
