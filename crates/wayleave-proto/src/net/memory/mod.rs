//! What is remembered of the networks that a client was on.

mod ipv6;

#[cfg(test)]
mod tests;

use core::net::{IpAddr, SocketAddr};
use core::time::Duration;
use std::collections::VecDeque;

use super::dial::{Fault, Judge, Known, Refresh};
use crate::base::{Families, Instant, Name, Network};

pub use ipv6::{Ipv6, Ipv6Evidence};

/// Addresses that names led to, and whether IPv6 works, for each network by its fingerprint.
///
/// An address that was good is used at once the next time, whatever the name service does meanwhile; it is asked again
/// beside that when the memory is older than [`Self::FRESH`] or stems from another network. At most 16 networks with 64
/// names each are remembered; what was used longest ago is forgotten first.
#[derive(Clone, Debug, Default)]
pub struct Memory {
    present: Remembered,
    /// The one that was left last is the first.
    past: VecDeque<Remembered>,
}

#[derive(Clone, Debug, Default)]
struct Remembered {
    fingerprint: Option<u64>,
    ipv6: Ipv6,
    /// The name that was used last is the first.
    names: VecDeque<Learnt>,
}

#[derive(Clone, Debug)]
struct Learnt {
    name: Name,
    /// The one that was good last is the first.
    addresses: Vec<IpAddr>,
    /// When the name service said so; `None` where that was on what may be another network.
    at: Option<Instant>,
    /// When it was last asked, beside a connection to where the name led before.
    asked: Option<Instant>,
}

impl Memory {
    /// How long what the name service said is taken for what it would say now: 60 s.
    pub const FRESH: Duration = Duration::from_secs(60);
    /// How long a name service that was asked beside a connection may take before it is asked again: 10 s.
    pub const AGAIN: Duration = Duration::from_secs(10);

    /// A memory that begins on `network`.
    pub fn new(network: Network) -> Self {
        let present = Remembered { fingerprint: network.fingerprint, ..Remembered::default() };
        Self { present, past: VecDeque::new() }
    }

    /// The network is another. What was learnt on one without a fingerprint may be wrong on the next without one: names are
    /// asked for again while their addresses are used, and IPv6 gets its chance.
    pub fn handle_network(&mut self, network: Network) {
        let mut left = core::mem::take(&mut self.present);
        if left.fingerprint.is_none() {
            left.ipv6 = Ipv6::default();
            left.names.iter_mut().for_each(|learnt| (learnt.at, learnt.asked) = (None, None));
        }
        self.past.push_front(left);
        let place = self.past.iter().position(|known| known.fingerprint == network.fingerprint);
        self.present = place.and_then(|place| self.past.remove(place)).unwrap_or_default();
        self.present.fingerprint = network.fingerprint;
        self.past.truncate(NETWORKS - 1);
    }

    /// The name service said that `name` leads to `addresses`: those of `families` are replaced. None at all is no news to
    /// go by, and the old ones stay.
    pub fn handle_resolved(&mut self, now: Instant, name: &Name, families: Families, addresses: &[IpAddr]) {
        if addresses.is_empty() {
            return;
        }
        let names = &mut self.present.names;
        let place = names.iter().position(|learnt| learnt.name == *name);
        let new = || Learnt { name: name.clone(), addresses: Vec::new(), at: None, asked: None };
        let mut learnt = place.and_then(|place| names.remove(place)).unwrap_or_else(new);
        learnt.addresses.retain(|known| {
            let is_other = families != Families::Both && families != Families::of(*known);
            is_other || addresses.contains(known)
        });
        for address in addresses {
            if learnt.addresses.len() < ADDRESSES && !learnt.addresses.contains(address) {
                learnt.addresses.push(*address);
            }
        }
        learnt.at = Some(now);
        names.push_front(learnt);
        names.truncate(NAMES);
    }

    /// The name service is being asked for `name`, beside a connection to where it led before. It is left alone for
    /// [`Self::AGAIN`] then, so that one which is dead is not asked with every connection.
    pub fn handle_asked(&mut self, now: Instant, name: &Name) {
        let is_it = |learnt: &&mut Learnt| learnt.name == *name;
        if let Some(learnt) = self.present.names.iter_mut().find(is_it) {
            learnt.asked = Some(now);
        } else if let Some(known) = self.known(now, name) {
            let learnt =
                Learnt { name: name.clone(), addresses: known.addresses, at: None, asked: Some(now) };
            self.present.names.push_front(learnt);
            self.present.names.truncate(NAMES);
        }
    }

    /// `address`, to which `name` led, was good: it is tried first from now on. One that the name no longer leads to is
    /// not taken up again.
    pub fn handle_good(&mut self, name: &Name, address: IpAddr) {
        let learnt = self.present.names.iter_mut().find(|learnt| learnt.name == *name);
        if let Some(learnt) = learnt
            && let Some(place) = learnt.addresses.iter().position(|known| *known == address)
        {
            learnt.addresses.remove(place);
            learnt.addresses.insert(0, address);
        }
    }

    /// A race was run on the present network.
    pub fn handle_ipv6(&mut self, now: Instant, evidence: Ipv6Evidence) {
        self.present.ipv6.handle(now, evidence);
    }

    /// Whether IPv4 is to be tried first on the present network.
    pub fn avoids_ipv6(&self, now: Instant) -> bool {
        self.present.ipv6.is_avoided(now)
    }

    /// Where `name` led when it was last asked for: on this network, or else on the latest where it was.
    pub fn known(&self, now: Instant, name: &Name) -> Option<Known> {
        let of = |network: &Remembered| network.names.iter().find(|learnt| learnt.name == *name).cloned();
        let here = of(&self.present);
        let age = here.as_ref().and_then(|learnt| Some(now.since(learnt.at?)));
        let asked = here.as_ref().and_then(|learnt| Some(now.since(learnt.asked?)));
        let is_enough =
            age.is_some_and(|age| age < Self::FRESH) || asked.is_some_and(|asked| asked < Self::AGAIN);
        let refresh = if is_enough { Refresh::Later } else { Refresh::Now };
        let learnt = here.or_else(|| self.past.iter().find_map(of))?;
        Some(Known { addresses: learnt.addresses, refresh })
    }
}

/// A client's judge: it dials what it is told, and goes by what is remembered.
#[derive(Clone, Copy, Debug)]
pub struct Recall<'a> {
    memory: &'a Memory,
    now: Instant,
    names: bool,
}

impl<'a> Recall<'a> {
    /// For proxies: their addresses are remembered too.
    pub const fn proxies(memory: &'a Memory, now: Instant) -> Self {
        Self { memory, now, names: true }
    }

    /// For targets, whose names are looked up each time.
    pub const fn targets(memory: &'a Memory, now: Instant) -> Self {
        Self { memory, now, names: false }
    }
}

impl Judge for Recall<'_> {
    fn known(&self, name: &Name) -> Option<Known> {
        self.names.then(|| self.memory.known(self.now, name)).flatten()
    }

    fn avoids_ipv6(&self) -> bool {
        self.memory.avoids_ipv6(self.now)
    }

    fn judge(&mut self, _: SocketAddr) -> Result<(), Fault> {
        Ok(())
    }
}

/// Networks that are remembered.
const NETWORKS: usize = 16;
/// Names on each of them: there are at most 64 proxies.
const NAMES: usize = 64;
/// Addresses of each name.
const ADDRESSES: usize = 16;
