//! Law 2: the rules of routing once more, from their text alone.
//!
//! This knows nothing of the client's phases. It is told what happened in the world, and says where a new flow must go.

use core::time::Duration;

use wayleave_proto::base::{Instant, Link, Network};

/// What the rules say of one decision.
#[derive(Clone, Copy, Debug)]
pub struct Prescribed {
    /// Probes can begin a trial (rule 1).
    probed: bool,
    returns: bool,
    length: Duration,
    network: Network,
    /// Something is wanted that only a network can give.
    wanted: bool,
    /// A trial has begun, or something was proven, since the decision last started again.
    begun: bool,
    /// The last moment of the trial that runs.
    trial: Option<Instant>,
    proxied: bool,
}

impl Prescribed {
    /// A decision at the start of a client.
    pub fn new(now: Instant, network: Network, probed: bool, returns: bool, length: Duration) -> Self {
        let mut rules = Self {
            probed,
            returns,
            length,
            network,
            wanted: false,
            begun: false,
            trial: None,
            proxied: false,
        };
        rules.start_again(now, false);
        rules
    }

    /// Whether flows go through a relay.
    pub const fn is_proxied(&self) -> bool {
        self.proxied
    }

    /// Whether a trial runs.
    pub const fn is_trial(&self) -> bool {
        self.trial.is_some()
    }

    /// Time passes (rule 3).
    pub fn pass(&mut self, now: Instant) {
        if self.trial.is_some_and(|last| now > last) {
            self.trial = None;
            self.proxied = self.network.link != Link::Cellular;
        }
    }

    /// A flow looks for its way (rule 1).
    pub fn flow(&mut self, now: Instant) {
        if !self.begun && !self.proxied {
            self.try_direct(now);
        }
    }

    /// Something was reached directly (rules 2 and 6).
    pub const fn proven(&mut self) {
        if !self.proxied && self.network.up {
            self.begun = true;
            self.trial = None;
        }
    }

    /// The network is another (rules 4 and 5). `looking`: a flow has no path yet, or its path must be proven anew.
    pub fn network(&mut self, now: Instant, network: Network, looking: bool) {
        self.network = network;
        if self.wanted {
            self.try_direct(now);
        } else if self.proxied {
            if self.returns && network.up {
                self.start_again(now, looking);
            }
        } else if self.begun {
            self.start_again(now, looking);
        }
    }

    /// The embedder asks for a new trial (rule 7).
    pub fn retry(&mut self, now: Instant, looking: bool) {
        if (self.begun || self.proxied) && !self.wanted {
            self.start_again(now, looking);
        }
    }

    fn start_again(&mut self, now: Instant, looking: bool) {
        (self.begun, self.wanted, self.proxied, self.trial) = (false, false, false, None);
        if self.probed || looking {
            self.try_direct(now);
        }
    }

    fn try_direct(&mut self, now: Instant) {
        self.begun = true;
        self.wanted = !self.network.up;
        self.trial = self.network.up.then(|| now + self.length);
    }
}
