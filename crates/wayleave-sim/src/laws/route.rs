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
    /// Something was proven since the decision last started again.
    proven: bool,
    /// When a proof last failed on this network, and how often it did (rule 10).
    failed: Option<Instant>,
    failures: u32,
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
            proven: false,
            failed: None,
            failures: 0,
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

    /// Time passes (rule 3). `stands`: a stream stood at the deadline over which nothing was sent yet (rule 2).
    pub fn pass(&mut self, now: Instant, stands: bool) {
        if self.trial.is_some_and(|last| now > last) {
            self.trial = None;
            self.proven = stands;
            self.proxied = !stands && self.network.link != Link::Cellular;
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
            self.proven = true;
            self.trial = None;
        }
    }

    /// What was proven has failed (rule 10): a decision starts again by itself.
    ///
    /// # Errors
    /// It may not: nothing was proven, nothing can come of it, or the last time is not long enough ago.
    pub fn doubt(&mut self, now: Instant) -> Result<(), String> {
        if !self.proven || self.proxied || self.network.link == Link::Cellular {
            return Err(format!("a proof is doubted where there is none to doubt: {self:?}"));
        }
        let pause = match self.failures {
            0 => Duration::ZERO,
            count => (Duration::from_secs(30) * (1 << (count - 1).min(6))).min(Duration::from_secs(1_800)),
        };
        if let Some(waited) = self.failed.map(|last| now.since(last)).filter(|waited| *waited < pause) {
            return Err(format!("a proof is doubted again after {waited:?}, and the pause is {pause:?}"));
        }
        (self.failed, self.failures) = (Some(now), self.failures + 1);
        self.start_again(now, false);
        Ok(())
    }

    /// The network is another (rules 4 and 5). `looking`: a flow has no path yet, or its path must be proven anew.
    pub fn network(&mut self, now: Instant, network: Network, looking: bool) {
        self.network = network;
        (self.failed, self.failures) = (None, 0);
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
        (self.failed, self.failures) = (None, 0);
        if (self.begun || self.proxied) && !self.wanted {
            self.start_again(now, looking);
        }
    }

    fn start_again(&mut self, now: Instant, looking: bool) {
        (self.begun, self.wanted, self.proxied, self.trial) = (false, false, false, None);
        self.proven = false;
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
