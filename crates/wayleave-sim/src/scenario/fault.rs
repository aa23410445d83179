//! What goes wrong.

use core::time::Duration;

use wayleave_proto::base::Link;

use crate::network::Quality;

/// What a network lets out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Condition {
    /// Everything.
    #[default]
    Open,
    /// No UDP.
    NoUdp,
    /// TCP to port 443 and nothing else.
    Only443,
    /// Only the relays, and names.
    OnlyRelays,
    /// Nothing: it swallows everything, names too.
    BlackHole,
    /// Nothing: it refuses everything at once.
    Refusing,
    /// A captive portal answers for everyone.
    Portal,
    /// TLS to port 443 is intercepted, by somebody whom the client does not trust.
    Intercepted,
    /// Connections are reset after the first bytes.
    ResetsAfter(u32),
    /// Connections and flows fall silent after that time.
    SilentAfter(Duration),
    /// Something takes every connection but those to relays and never says a word; no UDP.
    Swallowing,
}

/// What goes wrong or changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// A client gets another network: other link, other address. Its embedder is told.
    Roam {
        /// Which client.
        client: usize,
        /// The new link.
        link: Link,
        /// What it lets out.
        condition: Condition,
    },
    /// A client's network lets out something else from now on; nobody is told.
    Condition {
        /// Which client.
        client: usize,
        /// What it lets out.
        condition: Condition,
    },
    /// A client's network goes away, or comes back. Its embedder is told.
    Up {
        /// Which client.
        client: usize,
        /// Whether it is there.
        up: bool,
    },
    /// A client's translator of addresses forgets everything.
    Rebind {
        /// Which client.
        client: usize,
    },
    /// A client's links become better or worse.
    ClientQuality {
        /// Which client.
        client: usize,
        /// How good they are.
        quality: Quality,
    },
    /// A relay's links become better or worse.
    RelayQuality {
        /// Which relay.
        relay: usize,
        /// How good they are.
        quality: Quality,
    },
    /// A relay becomes something else.
    Relay {
        /// Which relay.
        relay: usize,
        /// What it becomes.
        state: State,
    },
    /// A relay does nothing for a while; its network goes on.
    Stall {
        /// Which relay.
        relay: usize,
        /// For how long.
        span: Duration,
    },
    /// A client's civil clock is set.
    ClientClock {
        /// Which client.
        client: usize,
        /// By how many seconds.
        by: i32,
    },
    /// A relay's civil clock is set.
    RelayClock {
        /// Which relay.
        relay: usize,
        /// By how many seconds.
        by: i32,
    },
    /// A relay's process may have no more sockets than that until the faults are over.
    Descriptors {
        /// Which relay.
        relay: usize,
        /// How many.
        left: usize,
    },
    /// A relay is told that a client's user is revoked.
    Revoke {
        /// Which relay.
        relay: usize,
        /// Which client.
        client: usize,
    },
    /// A client's names are answered otherwise, or no longer wrongly.
    Names {
        /// Which client; `None` for what relays see.
        client: Option<usize>,
        /// How.
        answering: Answers,
        /// How long an answer takes.
        delay: Duration,
    },
}

/// What a relay is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It runs; where it did not, it has just started, with the keys that it had.
    Running,
    /// It has just started with other keys, and knows no token.
    WithoutKeys,
    /// It crashed: connections to it are refused.
    Crashed,
    /// It accepts nothing new.
    Draining,
    /// Something else listens there and talks nonsense.
    Babbling,
    /// Something with its certificate answers every request in a way that serves nobody.
    Lying,
    /// Something else listens there and says nothing.
    Mute,
    /// Its host is gone from the network.
    Vanished,
}

/// How names are answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answers {
    /// Truly.
    Truly,
    /// They are said not to exist.
    Denied,
    /// Truly for IPv4, and not at all for IPv6.
    HalfSilent,
    /// Not at all.
    Silent,
    /// With an address that is not theirs.
    Wrong,
}
