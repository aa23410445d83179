//! Address translation: endpoint-independent mapping, address- and port-dependent filtering (RFC 4787 §4.1, §5).

use core::net::{IpAddr, SocketAddr};
use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet};

use wayleave_proto::base::Instant;

use super::{Packet, Protocol};

/// A translator between the addresses inside and one address outside.
#[derive(Clone, Debug)]
pub struct Nat {
    /// The address outside.
    pub outside: IpAddr,
    /// A UDP mapping over which nothing went for this long is forgotten.
    pub timeout: Duration,
    /// The same of a TCP mapping: 2 h 4 min where RFC 5382 §5 is followed, and a minute where it is not.
    pub tcp_timeout: Duration,
    mappings: BTreeMap<(Protocol, SocketAddr), Mapping>,
    next: u16,
}

#[derive(Clone, Debug)]
struct Mapping {
    port: u16,
    used: Instant,
    peers: BTreeSet<SocketAddr>,
}

impl Nat {
    /// A translator without mappings.
    pub const fn new(outside: IpAddr, timeout: Duration, tcp_timeout: Duration) -> Self {
        Self { outside, timeout, tcp_timeout, mappings: BTreeMap::new(), next: 20_000 }
    }

    /// Forgets every mapping, as a restart does: what goes on has other ports outside.
    pub fn rebind(&mut self) {
        self.mappings.clear();
    }

    /// Translates a packet on its way out.
    pub fn outwards(&mut self, now: Instant, packet: &mut Packet) {
        let timeout = self.timeout(packet.protocol());
        let key = (packet.protocol(), packet.source);
        if self.mappings.get(&key).is_some_and(|mapping| now.since(mapping.used) > timeout) {
            self.mappings.remove(&key);
        }
        let next = &mut self.next;
        let mapping = self.mappings.entry(key).or_insert_with(|| {
            *next = next.checked_add(1).unwrap_or(20_000);
            Mapping { port: *next, used: now, peers: BTreeSet::new() }
        });
        mapping.used = now;
        mapping.peers.insert(packet.destination);
        packet.source = SocketAddr::new(self.outside, mapping.port);
    }

    /// Translates a packet on its way in; `false` where nobody inside has asked for it.
    pub fn inwards(&mut self, now: Instant, packet: &mut Packet) -> bool {
        let protocol = packet.protocol();
        let timeout = self.timeout(protocol);
        let asked = self.mappings.iter_mut().find(|((of, _), mapping)| {
            *of == protocol
                && mapping.port == packet.destination.port()
                && mapping.peers.contains(&packet.source)
                && now.since(mapping.used) <= timeout
        });
        let Some(((_, inside), mapping)) = asked else { return false };
        mapping.used = now;
        packet.destination = *inside;
        true
    }

    fn timeout(&self, protocol: Protocol) -> Duration {
        match protocol {
            Protocol::Tcp => self.tcp_timeout,
            Protocol::Udp => self.timeout,
        }
    }
}
