//! How a host is connected to everybody else.

use core::fmt;
use core::net::{IpAddr, SocketAddr};
use std::collections::BTreeMap;

use wayleave_proto::base::{self, Instant};

use super::{Firewall, Link, Nat, Packet, Protocol, Quality, Verdict};
use crate::Tape;

/// A host's way out: its address, two links, a firewall, and maybe a translator of addresses.
#[derive(Clone, Debug)]
pub struct Access {
    /// The host's own address on it.
    pub address: IpAddr,
    /// What kind of link the host takes it for.
    pub kind: base::Link,
    /// Whether it carries anything.
    pub up: bool,
    /// What is let out.
    pub firewall: Firewall,
    /// Translation, if there is any.
    pub nat: Option<Nat>,
    out: Link,
    back: Link,
    /// Whom the host believes to talk to, by who answers: the host's socket, the one that answers, the believed one.
    redirected: BTreeMap<(Protocol, SocketAddr, SocketAddr), SocketAddr>,
}

/// Why a packet did not arrive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lost {
    /// The firewall swallowed it.
    Dropped,
    /// The firewall refused it, and tells the sender.
    Rejected,
    /// The network is down.
    Down,
    /// Lost on the link, or too large for it.
    OnLink,
    /// No mapping of the translator leads to the host.
    Unmapped,
    /// Nobody has that address.
    NoHost,
}

impl Lost {
    /// Its name in the summary of a swarm.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Dropped => "packet dropped",
            Self::Rejected => "packet refused",
            Self::Down => "packet down",
            Self::OnLink => "packet on link",
            Self::Unmapped => "packet unmapped",
            Self::NoHost => "packet nobody",
        }
    }
}

impl fmt::Display for Lost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Dropped => "dropped by the firewall",
            Self::Rejected => "refused by the firewall",
            Self::Down => "the network is down",
            Self::OnLink => "lost on the link",
            Self::Unmapped => "no mapping leads to the host",
            Self::NoHost => "nobody has that address",
        })
    }
}

impl Access {
    /// An open way out over good links.
    pub fn new(address: IpAddr, kind: base::Link) -> Self {
        Self {
            address,
            kind,
            up: true,
            firewall: Firewall::default(),
            nat: None,
            out: Link::default(),
            back: Link::default(),
            redirected: BTreeMap::new(),
        }
    }

    /// Gives both links that quality.
    pub const fn set_quality(&mut self, quality: Quality) {
        self.out.quality = quality;
        self.back.quality = quality;
    }

    /// The address by which others know the host.
    pub fn public(&self) -> IpAddr {
        self.nat.as_ref().map_or(self.address, |nat| nat.outside)
    }

    /// Takes a packet of the host: translated, with the moments at which it is out.
    ///
    /// # Errors
    /// Why it is lost.
    pub fn send(&mut self, now: Instant, packet: &mut Packet, tape: &mut Tape) -> Result<Vec<Instant>, Lost> {
        if !self.up {
            return Err(Lost::Down);
        }
        match self.firewall.judge(now, packet) {
            Verdict::Pass => {}
            Verdict::Drop => return Err(Lost::Dropped),
            Verdict::Reject => return Err(Lost::Rejected),
            Verdict::Redirect(host) => {
                let other = SocketAddr::new(host, packet.destination.port());
                self.redirected.insert((packet.protocol(), packet.source, other), packet.destination);
                packet.destination = other;
            }
        }
        let size = packet.size();
        if let Some(nat) = &mut self.nat {
            nat.outwards(now, packet);
        }
        let arrivals = self.out.carry(now, size, tape);
        if arrivals.is_empty() { Err(Lost::OnLink) } else { Ok(arrivals) }
    }

    /// Takes a packet for the host that reaches this access at `now`: the moments at which the host has it.
    ///
    /// # Errors
    /// Why it is lost.
    pub fn bring(&mut self, now: Instant, packet: &Packet, tape: &mut Tape) -> Result<Vec<Instant>, Lost> {
        if !self.up {
            return Err(Lost::Down);
        }
        let arrivals = self.back.carry(now, packet.size(), tape);
        if arrivals.is_empty() { Err(Lost::OnLink) } else { Ok(arrivals) }
    }

    /// Translates a packet that is about to reach the host.
    ///
    /// # Errors
    /// Why it is lost.
    pub fn translate(&mut self, now: Instant, packet: &mut Packet) -> Result<(), Lost> {
        if !self.up {
            return Err(Lost::Down);
        }
        if let Some(nat) = &mut self.nat
            && !nat.inwards(now, packet)
        {
            return Err(Lost::Unmapped);
        }
        self.translate_plain(packet)
    }

    /// Gives a packet from inside the source that the host believes it has.
    ///
    /// # Errors
    /// Why it is lost.
    pub fn translate_plain(&mut self, packet: &mut Packet) -> Result<(), Lost> {
        if !self.up {
            return Err(Lost::Down);
        }
        let key = (packet.protocol(), packet.destination, packet.source);
        if let Some(believed) = self.redirected.get(&key) {
            packet.source = *believed;
        }
        Ok(())
    }
}
