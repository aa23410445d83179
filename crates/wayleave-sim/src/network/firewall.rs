//! What a network lets out.

use core::net::{IpAddr, SocketAddr};
use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet};

use wayleave_proto::base::Instant;

use super::{Packet, Protocol};

/// What happens to a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It goes on.
    Pass,
    /// It vanishes.
    Drop,
    /// Its sender is told: a reset, or port unreachable.
    Reject,
    /// It goes to that host instead, which answers as if it were the destination.
    Redirect(IpAddr),
}

/// One rule: the first whose conditions all hold decides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Only this transport.
    pub protocol: Option<Protocol>,
    /// Only these ports; empty for all.
    pub ports: BTreeSet<u16>,
    /// Only these hosts; empty for all.
    pub hosts: BTreeSet<IpAddr>,
    /// What happens.
    pub verdict: Verdict,
}

impl Rule {
    /// A rule for everything.
    pub const fn all(verdict: Verdict) -> Self {
        Self { protocol: None, ports: BTreeSet::new(), hosts: BTreeSet::new(), verdict }
    }

    /// Only for one transport.
    #[must_use]
    pub const fn on(mut self, protocol: Protocol) -> Self {
        self.protocol = Some(protocol);
        self
    }

    /// Only for these ports.
    #[must_use]
    pub fn ports(mut self, ports: &[u16]) -> Self {
        self.ports = ports.iter().copied().collect();
        self
    }

    /// Only for these hosts.
    #[must_use]
    pub fn hosts(mut self, hosts: &BTreeSet<IpAddr>) -> Self {
        self.hosts.clone_from(hosts);
        self
    }

    fn fits(&self, packet: &Packet) -> bool {
        self.protocol.is_none_or(|protocol| protocol == packet.protocol())
            && (self.ports.is_empty() || self.ports.contains(&packet.destination.port()))
            && (self.hosts.is_empty() || self.hosts.contains(&packet.destination.ip()))
    }
}

/// A firewall with a memory of its connections.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Firewall {
    /// The rules; what fits none passes.
    pub rules: Vec<Rule>,
    /// A TCP connection that carried more payload than this outwards is reset.
    pub reset_after: Option<usize>,
    /// Packets of a connection or flow older than this vanish.
    pub silent_after: Option<Duration>,
    /// Look-ups of names are not answered.
    pub without_names: bool,
    pub(crate) flows: BTreeMap<(Protocol, SocketAddr, SocketAddr), Tracked>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Tracked {
    since: Instant,
    payload: usize,
}

impl Firewall {
    /// A firewall of rules alone.
    pub fn of(rules: Vec<Rule>) -> Self {
        Self { rules, ..Self::default() }
    }

    /// Judges a packet on its way out.
    pub fn judge(&mut self, now: Instant, packet: &Packet) -> Verdict {
        let verdict =
            self.rules.iter().find(|rule| rule.fits(packet)).map_or(Verdict::Pass, |rule| rule.verdict);
        if verdict != Verdict::Pass || (self.reset_after.is_none() && self.silent_after.is_none()) {
            return verdict;
        }
        let key = (packet.protocol(), packet.source, packet.destination);
        let tracked = self.flows.entry(key).or_insert(Tracked { since: now, payload: 0 });
        tracked.payload += packet.payload();
        let tracked = *tracked;
        if self.silent_after.is_some_and(|after| now.since(tracked.since) > after) {
            return Verdict::Drop;
        }
        let is_over = self.reset_after.is_some_and(|most| tracked.payload > most);
        if is_over && packet.protocol() == Protocol::Tcp { Verdict::Reject } else { Verdict::Pass }
    }
}
