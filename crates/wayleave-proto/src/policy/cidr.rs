//! Ranges of addresses, read strictly.

use core::fmt;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use core::str::FromStr;

/// A range of addresses: `10.0.0.0/8`, `fd00::/8`, or one address.
///
/// A range of one family never holds an address of the other, not even in its mapped form.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cidr {
    address: IpAddr,
    length: u8,
}

impl Cidr {
    /// The range of the addresses that share the first `length` bits of `address`.
    ///
    /// # Errors
    /// [`CidrError::Length`] where the family has no such length, [`CidrError::HostBits`] where `address` has bits set
    /// behind the prefix.
    pub fn new(address: IpAddr, length: u8) -> Result<Self, CidrError> {
        let first = match address {
            IpAddr::V4(address) => {
                let host_bits = 32_u32.checked_sub(length.into()).ok_or(CidrError::Length { most: 32 })?;
                let mask = u32::MAX.checked_shl(host_bits).unwrap_or(0);
                IpAddr::V4(Ipv4Addr::from(u32::from(address) & mask))
            }
            IpAddr::V6(address) => {
                let host_bits = 128_u32.checked_sub(length.into()).ok_or(CidrError::Length { most: 128 })?;
                let mask = u128::MAX.checked_shl(host_bits).unwrap_or(0);
                IpAddr::V6(Ipv6Addr::from(u128::from(address) & mask))
            }
        };
        let range = Self { address: first, length };
        if first == address { Ok(range) } else { Err(CidrError::HostBits { range }) }
    }

    /// Whether `address` lies in the range.
    pub fn contains(&self, address: IpAddr) -> bool {
        let (difference, bits) = match (self.address, address) {
            (IpAddr::V4(first), IpAddr::V4(address)) => {
                (u128::from(u32::from(first) ^ u32::from(address)), 32)
            }
            (IpAddr::V6(first), IpAddr::V6(address)) => (u128::from(first) ^ u128::from(address), 128_u32),
            _ => return false,
        };
        difference.checked_shr(bits.saturating_sub(self.length.into())).unwrap_or(0) == 0
    }

    /// The first address of the range.
    pub const fn address(&self) -> IpAddr {
        self.address
    }

    /// How many leading bits the addresses of the range share.
    pub const fn length(&self) -> u8 {
        self.length
    }

    pub(super) const fn v4([a, b, c, d]: [u8; 4], length: u8) -> Self {
        Self { address: IpAddr::V4(Ipv4Addr::new(a, b, c, d)), length }
    }

    pub(super) const fn v6([a, b, c, d, e, f, g, h]: [u16; 8], length: u8) -> Self {
        Self { address: IpAddr::V6(Ipv6Addr::new(a, b, c, d, e, f, g, h)), length }
    }
}

impl From<IpAddr> for Cidr {
    /// The range of `address` alone.
    fn from(address: IpAddr) -> Self {
        Self { address, length: if address.is_ipv4() { 32 } else { 128 } }
    }
}

impl FromStr for Cidr {
    type Err = CidrError;

    /// Reads `ADDRESS/LENGTH`, or an address alone.
    fn from_str(text: &str) -> Result<Self, CidrError> {
        let Some((address, length)) = text.split_once('/') else {
            return text.parse::<IpAddr>().map(Self::from).map_err(|_| CidrError::Address);
        };
        let address: IpAddr = address.parse().map_err(|_| CidrError::Address)?;
        let too_long = CidrError::Length { most: if address.is_ipv4() { 32 } else { 128 } };
        if !length.bytes().all(|b| b.is_ascii_digit()) || (length.len() > 1 && length.starts_with('0')) {
            return Err(too_long);
        }
        Self::new(address, length.parse().map_err(|_| too_long)?)
    }
}

impl fmt::Debug for Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.length)
    }
}

/// Why a text is not a range of addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CidrError {
    /// What stands before the `/` is not an IP address.
    #[error("a range is an IP address and a prefix length, like 10.0.0.0/8 or fd00::/8")]
    Address,
    /// The address has bits set behind its prefix.
    #[error("the address has bits set behind its prefix; write {range}, or a longer prefix")]
    HostBits {
        /// The range that has the prefix.
        range: Cidr,
    },
    /// The prefix length is not a number that the family has.
    #[error("the prefix length must be a number from 0 to {most}")]
    Length {
        /// The length of a single address.
        most: u8,
    },
}
