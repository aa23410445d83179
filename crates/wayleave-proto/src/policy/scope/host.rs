//! Which hosts a rule means.

use core::fmt;
use core::net::IpAddr;
use core::str::FromStr;

use serde::{Deserialize, Serialize};

use super::super::Cidr;
use crate::base::{Host, Name};

/// The hosts that a rule means, by name or by address.
///
/// A pattern by name is about the name that the client asked for, and allows every address that the name leads to (the
/// relay's [`AddressPolicy`](crate::policy::AddressPolicy) is asked all the same). A pattern by address is about the
/// address that is dialled, whether the client asked for it or a name led there.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize, Serialize)]
#[serde(try_from = "String", into = "String")]
pub enum HostPattern {
    /// `*`: every name and every address.
    Any,
    /// `192.0.2.0/24`, `2001:db8::/32`, or one address.
    Addresses(Cidr),
    /// `media.example`: this name alone.
    Name(Name),
    /// `*.media.example`: every name below it, at any depth, and not the name itself.
    Suffix(Name),
}

impl HostPattern {
    /// Whether it allows `host` by what the client asked for.
    pub fn is_met_by(&self, host: &Host) -> bool {
        match (self, host) {
            (Self::Any, _) => true,
            (Self::Addresses(range), Host::Address(address)) => range.contains(address.to_canonical()),
            (Self::Name(name), Host::Name(asked)) => name == asked,
            (Self::Suffix(suffix), Host::Name(asked)) => {
                let above = asked.as_str().strip_suffix(suffix.as_str());
                above.is_some_and(|above| above.len() > 1 && above.ends_with('.'))
            }
            (Self::Addresses(_), Host::Name(_)) | (Self::Name(_) | Self::Suffix(_), Host::Address(_)) => {
                false
            }
        }
    }

    /// Whether it allows `address` by itself, whatever name led to it.
    pub fn holds(&self, address: IpAddr) -> bool {
        self.is_met_by(&Host::Address(address))
    }

    /// Whether a look-up can decide what the name alone does not.
    pub(super) const fn is_by_address(&self) -> bool {
        matches!(self, Self::Addresses(_))
    }
}

impl FromStr for HostPattern {
    type Err = HostPatternError;

    fn from_str(text: &str) -> Result<Self, HostPatternError> {
        if text == "*" {
            return Ok(Self::Any);
        }
        if let Some(suffix) = text.strip_prefix("*.") {
            return suffix.parse().map(Self::Suffix).map_err(|_| HostPatternError);
        }
        if let Ok(range) = text.parse::<Cidr>() {
            return Ok(Self::Addresses(range));
        }
        text.parse().map(Self::Name).map_err(|_| HostPatternError)
    }
}

impl TryFrom<String> for HostPattern {
    type Error = HostPatternError;

    fn try_from(text: String) -> Result<Self, HostPatternError> {
        text.parse()
    }
}

impl From<HostPattern> for String {
    fn from(pattern: HostPattern) -> Self {
        pattern.to_string()
    }
}

impl fmt::Debug for HostPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for HostPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("*"),
            Self::Addresses(range) => range.fmt(f),
            Self::Name(name) => name.fmt(f),
            Self::Suffix(name) => write!(f, "*.{name}"),
        }
    }
}

/// A text that is no pattern of hosts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a host is *, a name, *.NAME for every name below it, an IP address, or a range like 192.0.2.0/24")]
pub struct HostPatternError;
