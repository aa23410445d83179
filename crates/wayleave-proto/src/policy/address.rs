//! Which addresses a relay forwards to.

use core::fmt;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::Cidr;

/// The addresses that an operator allows beyond the public ones, and those that he forbids.
///
/// Every range that the registries of special addresses
/// ([RFC 6890 §2.2](https://www.rfc-editor.org/rfc/rfc6890#section-2.2)) list is forbidden unless `allow` holds it. An IPv4
/// address inside an IPv6 one is taken out and judged; the two forms cannot be told apart by what they reach. Unspecified,
/// multicast and broadcast addresses cannot be allowed.
#[derive(Clone, Debug, Default)]
pub struct AddressPolicy {
    /// Special ranges that are allowed.
    pub allow: Vec<Cidr>,
    /// Ranges that are forbidden, whatever else is allowed.
    pub deny: Vec<Cidr>,
}

impl AddressPolicy {
    /// Whether `address` may be dialled.
    ///
    /// # Errors
    /// The name of the range that forbids it.
    pub fn judge(&self, address: IpAddr) -> Result<(), Forbidden> {
        let within = |list: &[Cidr], address| list.iter().any(|range| range.contains(address));
        if within(&self.deny, address) {
            return Err(Forbidden { rule: "denied by the operator" });
        }
        if let IpAddr::V6(v6) = address
            && let Some((inner, form)) = inner_v4(v6)
        {
            self.judge(IpAddr::V4(inner))?;
            // What is not public in itself needs its form to be allowed too, unless it is plainly the IPv4 address.
            let plain = v6.to_ipv4_mapped().is_some() || form == "NAT64";
            return if plain || within(&self.allow, address) {
                Ok(())
            } else {
                Err(Forbidden { rule: form })
            };
        }
        let Some(special) = special(address) else { return Ok(()) };
        if special.never || !within(&self.allow, address) {
            return Err(Forbidden { rule: special.name });
        }
        Ok(())
    }
}

/// An address is forbidden, and by which rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Forbidden {
    /// The name of the range.
    pub rule: &'static str,
}

impl fmt::Display for Forbidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.rule)
    }
}

#[derive(Clone, Copy)]
struct Special {
    name: &'static str,
    never: bool,
}

fn special(address: IpAddr) -> Option<Special> {
    let (name, never) = match address {
        IpAddr::V4(v4) => special_v4(v4)?,
        IpAddr::V6(v6) => special_v6(v6)?,
    };
    Some(Special { name, never })
}

fn special_v4(address: Ipv4Addr) -> Option<(&'static str, bool)> {
    let value = u32::from(address);
    V4.iter()
        .find(|(base, length, ..)| value >> (32 - length) == base >> (32 - length))
        .map(|it| (it.2, it.3))
}

fn special_v6(address: Ipv6Addr) -> Option<(&'static str, bool)> {
    let value = u128::from(address);
    V6.iter()
        .find(|(base, length, ..)| value >> (128 - length) == base >> (128 - length))
        .map(|it| (it.2, it.3))
}

/// The IPv4 address that an IPv6 address stands for, and the name of that form.
fn inner_v4(address: Ipv6Addr) -> Option<(Ipv4Addr, &'static str)> {
    let value = u128::from(address);
    let low = Ipv4Addr::from((value & 0xffff_ffff) as u32);
    let prefix = |base: u128, length: u32| value >> (128 - length) == base >> (128 - length);
    if value <= 1 {
        return None;
    }
    if prefix(0xffff << 32, 96) {
        return Some((low, "IPv4-mapped"));
    }
    if prefix(0xffff << 48, 96) {
        return Some((low, "IPv4-translated"));
    }
    if prefix(0, 96) {
        return Some((low, "IPv4-compatible"));
    }
    if prefix(0x0064_ff9b << 96, 96) {
        return Some((low, "NAT64"));
    }
    if prefix(0x2002 << 112, 16) {
        return Some((Ipv4Addr::from((value >> 80) as u32), "6to4"));
    }
    None
}

/// Base, prefix length, name, and whether it can never be allowed. The narrower before the wider.
const V4: &[(u32, u32, &str, bool)] = &[
    (0x0000_0000, 8, "unspecified (0.0.0.0/8)", true),
    (0x0a00_0000, 8, "private (10.0.0.0/8)", false),
    (0x6440_0000, 10, "shared (100.64.0.0/10)", false),
    (0x7f00_0000, 8, "loopback (127.0.0.0/8)", false),
    (0xa9fe_0000, 16, "link-local (169.254.0.0/16)", false),
    (0xac10_0000, 12, "private (172.16.0.0/12)", false),
    (0xc000_0000, 24, "protocol assignments (192.0.0.0/24)", false),
    (0xc000_0200, 24, "documentation (192.0.2.0/24)", false),
    (0xc058_6300, 24, "6to4 relay anycast (192.88.99.0/24)", false),
    (0xc0a8_0000, 16, "private (192.168.0.0/16)", false),
    (0xc612_0000, 15, "benchmarking (198.18.0.0/15)", false),
    (0xc633_6400, 24, "documentation (198.51.100.0/24)", false),
    (0xcb00_7100, 24, "documentation (203.0.113.0/24)", false),
    (0xe000_0000, 4, "multicast (224.0.0.0/4)", true),
    (0xffff_ffff, 32, "broadcast (255.255.255.255)", true),
    (0xf000_0000, 4, "reserved (240.0.0.0/4)", false),
];

const V6: &[(u128, u32, &str, bool)] = &[
    (0, 128, "unspecified (::)", true),
    (1, 128, "loopback (::1)", false),
    (0x0064_ff9b_0001 << 80, 48, "local NAT64 (64:ff9b:1::/48)", false),
    (0x0100 << 112, 64, "discard (100::/64)", false),
    (0x2001_0000 << 96, 32, "Teredo (2001::/32)", false),
    (0x2001_0002 << 96, 48, "benchmarking (2001:2::/48)", false),
    (0x2001_0db8 << 96, 32, "documentation (2001:db8::/32)", false),
    (0x2001_0000 << 96, 23, "protocol assignments (2001::/23)", false),
    (0x3fff_0000 << 96, 20, "documentation (3fff::/20)", false),
    (0x5f00 << 112, 16, "segment routing (5f00::/16)", false),
    (0xfc00 << 112, 7, "unique local (fc00::/7)", false),
    (0xfe80 << 112, 10, "link-local (fe80::/10)", false),
    (0xfec0 << 112, 10, "site-local (fec0::/10)", false),
    (0xff00 << 112, 8, "multicast (ff00::/8)", true),
];
