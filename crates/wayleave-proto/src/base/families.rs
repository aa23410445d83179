//! The two families of addresses.

use core::fmt;
use core::net::IpAddr;

/// Which addresses of a name an answer speaks of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Families {
    /// IPv4 and IPv6 together, in the order in which the resolver wants them tried.
    Both,
    /// IPv4: the A records.
    V4,
    /// IPv6: the AAAA records.
    V6,
}

impl Families {
    /// The family of `address`.
    pub const fn of(address: IpAddr) -> Self {
        if address.is_ipv4() { Self::V4 } else { Self::V6 }
    }
}

impl fmt::Display for Families {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Both => "IPv4 and IPv6",
            Self::V4 => "IPv4",
            Self::V6 => "IPv6",
        })
    }
}
