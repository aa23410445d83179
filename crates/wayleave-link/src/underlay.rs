//! The kind of network underneath, as Linux tells it.

#[cfg(test)]
#[path = "tests.rs"]
mod tests;

use std::fs;
use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, UdpSocket};
use std::path::Path;

use wayleave_proto::base::{Link, Network};

/// What the system has as its way out: two that are equal are the same network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Underlay {
    way: Way,
    link: Link,
    /// The address that a socket to the outside gets.
    source: Option<IpAddr>,
}

/// The default route.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Way {
    /// Through this interface, to the gateway in the system's own writing.
    Default { interface: String, gateway: String },
    /// There is none.
    None,
    /// The system does not show it, or cannot for the moment: it has no descriptor to spare, say.
    Unreadable,
}

impl Underlay {
    /// Looks at the present state.
    pub fn look() -> Self {
        Self::look_below(Path::new("/"))
    }

    fn look_below(root: &Path) -> Self {
        let way = default_way(root);
        let link = match &way {
            Way::Default { interface, .. } => kind_of(root, interface),
            Way::None | Way::Unreadable => Link::Unknown,
        };
        match source() {
            Ok(source) => Self { way, link, source },
            Err(_) => Self { way: Way::Unreadable, link, source: None },
        }
    }

    /// What a client is told of it at its start. Where no default route is seen the platform may just not show it.
    ///
    /// Its fingerprint is made of the interface, the gateway and the own address of IPv4; those of IPv6 change by themselves.
    pub fn network(&self) -> Network {
        let network = Network::up(self.link);
        let Way::Default { interface, gateway } = &self.way else { return network };
        let source = self.source.filter(IpAddr::is_ipv4).map(|source| source.to_string());
        let source = source.unwrap_or_default();
        network.with_fingerprint(fingerprint([interface.as_str(), gateway, &source]))
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

    /// What a client is told now that the network is `found`; `None` where nothing changed, or nothing can be seen of what
    /// was seen before.
    pub fn notice(&mut self, found: Underlay) -> Option<Network> {
        let could_see = self.lost || matches!(self.seen.way, Way::Default { .. });
        if found.way == Way::Unreadable && could_see {
            return None;
        }
        let lost = found.way == Way::None && could_see;
        let changed = found != self.seen;
        let was_lost = std::mem::replace(&mut self.lost, lost);
        let before = std::mem::replace(&mut self.seen, found);
        match (was_lost, lost) {
            (true, true) => None,
            (false, true) => Some(Network::down(before.link)),
            (_, false) => changed.then(|| self.seen.network()),
        }
    }
}

/// The default route with the lowest metric; IPv4 first, as it tells of the physical network more often.
fn default_way(root: &Path) -> Way {
    let read = |path| match fs::read_to_string(root.join(path)) {
        // A system without IPv6 has no such file.
        Err(error) if error.kind() == ErrorKind::NotFound && path == IPV6_ROUTES => Ok(String::new()),
        read => read,
    };
    let (Ok(ipv4), Ok(ipv6)) = (read(IPV4_ROUTES), read(IPV6_ROUTES)) else { return Way::Unreadable };
    let found = ipv4.lines().filter_map(default_ipv4).min();
    let found = found.or_else(|| ipv6.lines().filter_map(default_ipv6).min());
    found.map_or(Way::None, |(_, interface, gateway)| Way::Default { interface, gateway })
}

/// The metric, the interface and the gateway of a line of `/proc/net/route` that is a default route and up.
fn default_ipv4(line: &str) -> Option<(u64, String, String)> {
    let fields: Vec<&str> = line.split_whitespace().collect();
    let [interface, destination, gateway, flags, _, _, metric, mask, ..] = fields.as_slice() else {
        return None;
    };
    let usable = u32::from_str_radix(flags, 16).is_ok_and(is_usable);
    let is_default = *destination == "00000000" && *mask == "00000000" && usable;
    is_default.then(|| Some((metric.parse().ok()?, (*interface).into(), (*gateway).into())))?
}

/// The same for a line of `/proc/net/ipv6_route`.
fn default_ipv6(line: &str) -> Option<(u64, String, String)> {
    let fields: Vec<&str> = line.split_whitespace().collect();
    let [destination, length, _, _, gateway, metric, _, _, flags, interface] = fields.as_slice() else {
        return None;
    };
    let usable = u32::from_str_radix(flags, 16).is_ok_and(is_usable);
    let is_default = *length == "00" && destination.bytes().all(|digit| digit == b'0') && *interface != "lo";
    let metric = u64::from_str_radix(metric, 16);
    (is_default && usable).then(|| Some((metric.ok()?, (*interface).into(), (*gateway).into())))?
}

/// FNV-1a over the `parts` and where each ends. It tells networks apart and keeps no secret.
fn fingerprint<const N: usize>(parts: [&str; N]) -> u64 {
    let bytes = parts.into_iter().flat_map(|part| part.bytes().chain([0xff]));
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
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
///
/// # Errors
/// There is no socket to ask with, which says nothing of the network.
fn source() -> io::Result<Option<IpAddr>> {
    let ask = |from: IpAddr, to: IpAddr| -> io::Result<Option<IpAddr>> {
        let socket = match UdpSocket::bind((from, 0)) {
            // A system without this family.
            Err(error) if matches!(error.kind(), ErrorKind::AddrNotAvailable | ErrorKind::Unsupported) => {
                return Ok(None);
            }
            bound => bound?,
        };
        let local = socket.connect((to, 9)).and_then(|()| socket.local_addr());
        Ok(local.ok().map(|local| local.ip()))
    };
    match ask(Ipv4Addr::UNSPECIFIED.into(), DOCUMENTATION_4.into())? {
        Some(source) => Ok(Some(source)),
        // Where IPv6 is switched off its sockets fail in many ways; that IPv4 has one is enough to know.
        None => Ok(ask(Ipv6Addr::UNSPECIFIED.into(), DOCUMENTATION_6.into()).unwrap_or_default()),
    }
}

const IPV4_ROUTES: &str = "proc/net/route";
const IPV6_ROUTES: &str = "proc/net/ipv6_route";
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
