//! The kind of network underneath, as Linux tells it.

#[cfg(test)]
#[path = "tests.rs"]
mod tests;

use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, UdpSocket};
use std::path::Path;

use wayleave_proto::base::{Link, Network};

/// What the system has as its way out: two that are equal are the same network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Underlay {
    /// The interface of the default route, where the system tells.
    interface: Option<String>,
    link: Link,
    /// The address that a socket to the outside gets.
    source: Option<IpAddr>,
}

impl Underlay {
    /// Looks at the present state.
    pub fn look() -> Self {
        Self::look_below(Path::new("/"))
    }

    fn look_below(root: &Path) -> Self {
        let interface = default_interface(root);
        let link = interface.as_deref().map_or(Link::Unknown, |interface| kind_of(root, interface));
        Self { interface, link, source: source() }
    }

    /// What a client is told of it at its start. Where no default route is seen the platform may just not show it.
    pub const fn network(&self) -> Network {
        Network::up(self.link)
    }
}

/// What was seen of the network before.
#[derive(Debug)]
pub struct Watch {
    seen: Underlay,
    /// There was a default route, and it is gone.
    lost: bool,
}

impl Watch {
    /// Watches from what was `seen` at the start.
    pub const fn new(seen: Underlay) -> Self {
        Self { seen, lost: false }
    }

    /// What a client is told now that the network is `found`; `None` where nothing changed.
    pub fn notice(&mut self, found: Underlay) -> Option<Network> {
        let lost = found.interface.is_none() && (self.lost || self.seen.interface.is_some());
        let changed = found != self.seen;
        let was_lost = std::mem::replace(&mut self.lost, lost);
        let before = std::mem::replace(&mut self.seen, found);
        match (was_lost, lost) {
            (true, true) => None,
            (false, true) => Some(Network::down(before.link)),
            (_, false) => changed.then(|| Network::up(self.seen.link)),
        }
    }
}

/// The interface of the default route with the lowest metric; IPv4 first, as it tells of the physical network more often.
fn default_interface(root: &Path) -> Option<String> {
    let read = |path| fs::read_to_string(root.join(path)).unwrap_or_default();
    let ipv4 = read("proc/net/route").lines().filter_map(default_ipv4).min();
    let found = ipv4.or_else(|| read("proc/net/ipv6_route").lines().filter_map(default_ipv6).min());
    found.map(|(_, interface)| interface)
}

/// The metric and the interface of a line of `/proc/net/route` that is a default route and up.
fn default_ipv4(line: &str) -> Option<(u64, String)> {
    let fields: Vec<&str> = line.split_whitespace().collect();
    let [interface, destination, _, flags, _, _, metric, mask, ..] = fields.as_slice() else { return None };
    let usable = u32::from_str_radix(flags, 16).is_ok_and(is_usable);
    let is_default = *destination == "00000000" && *mask == "00000000" && usable;
    is_default.then(|| Some((metric.parse().ok()?, (*interface).into())))?
}

/// The same for a line of `/proc/net/ipv6_route`.
fn default_ipv6(line: &str) -> Option<(u64, String)> {
    let fields: Vec<&str> = line.split_whitespace().collect();
    let [destination, length, _, _, _, metric, _, _, flags, interface] = fields.as_slice() else {
        return None;
    };
    let usable = u32::from_str_radix(flags, 16).is_ok_and(is_usable);
    let is_default = *length == "00" && destination.bytes().all(|digit| digit == b'0') && *interface != "lo";
    (is_default && usable).then(|| Some((u64::from_str_radix(metric, 16).ok()?, (*interface).into())))?
}

const fn is_usable(flags: u32) -> bool {
    flags & UP != 0 && flags & REJECT == 0
}

/// The kind of `interface`.
fn kind_of(root: &Path, interface: &str) -> Link {
    let folder = root.join("sys/class/net").join(interface);
    let read = |name| fs::read_to_string(folder.join(name)).unwrap_or_default();
    let uevent = read("uevent");
    let device = uevent.lines().find_map(|line| line.strip_prefix("DEVTYPE=")).unwrap_or_default();
    let hardware: u32 = read("type").trim().parse().unwrap_or(0);
    match (device, hardware) {
        ("wlan", _) => Link::Wifi,
        _ if folder.join("wireless").exists() || folder.join("phy80211").exists() => Link::Wifi,
        ("wwan", _) | (_, RAW_IP) => Link::Cellular,
        _ if interface.starts_with("wwan") => Link::Cellular,
        (_, ETHERNET) => Link::Ethernet,
        _ => Link::Unknown,
    }
}

/// The address that a socket to the outside gets. Nothing is sent: to connect a UDP socket only asks the routing table.
fn source() -> Option<IpAddr> {
    let ask = |from: IpAddr, to: IpAddr| {
        let socket = UdpSocket::bind((from, 0)).ok()?;
        socket.connect((to, 9)).ok()?;
        Some(socket.local_addr().ok()?.ip())
    };
    ask(Ipv4Addr::UNSPECIFIED.into(), DOCUMENTATION_4.into())
        .or_else(|| ask(Ipv6Addr::UNSPECIFIED.into(), DOCUMENTATION_6.into()))
}

/// `RTF_UP` of `linux/route.h`.
const UP: u32 = 0x1;
/// `RTF_REJECT` of `linux/route.h`.
const REJECT: u32 = 0x200;
/// `ARPHRD_ETHER` of `linux/if_arp.h`.
const ETHERNET: u32 = 1;
/// `ARPHRD_RAWIP` of `linux/if_arp.h`, which modems use.
const RAW_IP: u32 = 519;
/// Addresses that lead to nobody (RFC 5737 §3, RFC 3849 §2).
const DOCUMENTATION_4: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);
const DOCUMENTATION_6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1);
