//! Host and port, read strictly.

use core::cmp::Ordering;
use core::fmt;
use core::hash::{Hash, Hasher};
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use core::num::NonZeroU16;
use core::str::FromStr;
use std::sync::Arc;

/// A host name: labels of letters, digits, `-` and `_`, in lower case, at most 253 characters. It is never the text of
/// an address, not even with a final dot: written without the dot it would mean the address to whoever reads it next.
///
/// Short forms of addresses that some resolvers accept (`127.1`, `0x7f000001`) are names here, and what they resolve
/// to is judged like the answer for any other name.
///
/// With and without its final dot it is the same name. The dot only says how to look it up, see [`Self::is_absolute`].
#[derive(Clone)]
pub struct Name {
    text: Arc<str>,
    /// It was written with its final dot, or has to be looked up as if it had been.
    rooted: bool,
}

impl Name {
    /// The name in lower case, without a final dot.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether the name is complete, so that no resolver may try it with other domains behind it
    /// ([RFC 1034 §3.1](https://www.rfc-editor.org/rfc/rfc1034#section-3.1)): it has more than one label, or was written
    /// with its final dot. A single label without the dot means what it means to every other program on the machine that
    /// looks it up.
    pub fn is_absolute(&self) -> bool {
        self.rooted || self.text.contains('.')
    }

    /// The same name, complete whatever it looks like.
    #[must_use]
    pub fn rooted(self) -> Self {
        Self { rooted: true, ..self }
    }

    /// The text that a resolver is to be asked for: with the final dot where the name is absolute, because resolvers take
    /// every other name for a relative one.
    pub fn question(&self) -> String {
        let dot = if self.is_absolute() { "." } else { "" };
        format!("{}{dot}", self.text)
    }
}

impl FromStr for Name {
    type Err = TargetError;

    fn from_str(text: &str) -> Result<Self, TargetError> {
        let name = text.strip_suffix('.').unwrap_or(text);
        let label = |label: &str| {
            (1..=63).contains(&label.len())
                && label.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
        };
        let is_address = name.parse::<Ipv4Addr>().is_ok();
        if name.is_empty() || name.len() > 253 || is_address || !name.split('.').all(label) {
            return Err(TargetError::Host);
        }
        Ok(Self { text: name.to_ascii_lowercase().into(), rooted: name.len() < text.len() })
    }
}

impl PartialEq for Name {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Name {}

impl PartialOrd for Name {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Name {
    fn cmp(&self, other: &Self) -> Ordering {
        self.text.cmp(&other.text)
    }
}

impl Hash for Name {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.text.hash(state);
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// An address or a name.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Host {
    /// An IPv4 or IPv6 address.
    Address(IpAddr),
    /// A name that somebody has to resolve.
    Name(Name),
}

impl FromStr for Host {
    type Err = TargetError;

    /// Reads an IPv4 address, an IPv6 address without brackets and zone, or a name.
    fn from_str(text: &str) -> Result<Self, TargetError> {
        match text.parse() {
            Ok(address) => Ok(Self::Address(address)),
            Err(_) => text.parse().map(Self::Name),
        }
    }
}

impl fmt::Debug for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(address) => address.fmt(f),
            Self::Name(name) => name.fmt(f),
        }
    }
}

/// A host and a port from 1 to 65535: where a flow wants to go, or where a relay listens.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Target {
    /// The address or the name.
    pub host: Host,
    /// The port.
    pub port: NonZeroU16,
}

impl Target {
    /// The target `host` at `port`.
    ///
    /// # Errors
    /// [`TargetError::Port`] where `port` is zero.
    pub fn new(host: Host, port: u16) -> Result<Self, TargetError> {
        Ok(Self { host, port: NonZeroU16::new(port).ok_or(TargetError::Port)? })
    }

    /// The same target; its name, where it has one, is complete whatever it looks like.
    #[must_use]
    pub fn rooted(self) -> Self {
        match self.host {
            Host::Name(name) => Self { host: Host::Name(name.rooted()), ..self },
            Host::Address(_) => self,
        }
    }

    /// The socket address at `address`, with this target's port.
    pub fn at(&self, address: IpAddr) -> SocketAddr {
        SocketAddr::new(address, self.port.get())
    }
}

impl TryFrom<SocketAddr> for Target {
    type Error = TargetError;

    fn try_from(address: SocketAddr) -> Result<Self, TargetError> {
        Self::new(Host::Address(address.ip()), address.port())
    }
}

impl FromStr for Target {
    type Err = TargetError;

    /// Reads `name:port`, `192.0.2.1:port` or `[2001:db8::1]:port`; the port is decimal digits and nothing else.
    fn from_str(text: &str) -> Result<Self, TargetError> {
        let (host, port) = text.rsplit_once(':').ok_or(TargetError::NoPort)?;
        let host = match host.strip_prefix('[') {
            Some(rest) => {
                let inner = rest.strip_suffix(']').ok_or(TargetError::Host)?;
                Host::Address(IpAddr::V6(inner.parse::<Ipv6Addr>().map_err(|_| TargetError::Host)?))
            }
            None if host.contains(':') => return Err(TargetError::Brackets),
            None => host.parse()?,
        };
        if port.is_empty() {
            return Err(TargetError::NoPort);
        }
        if port.len() > 5 || !port.bytes().all(|b| b.is_ascii_digit()) {
            return Err(TargetError::Port);
        }
        Self::new(host, port.parse().map_err(|_| TargetError::Port)?)
    }
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.host {
            Host::Address(IpAddr::V6(address)) => write!(f, "[{address}]:{}", self.port),
            host => write!(f, "{host}:{}", self.port),
        }
    }
}

/// Why a text is not a target.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TargetError {
    /// An IPv6 address stands without brackets.
    #[error("an IPv6 address needs brackets before its port, like [2001:db8::1]:443")]
    Brackets,
    /// The host is neither an address nor a name.
    #[error("the host is neither an IP address nor a host name")]
    Host,
    /// There is no port.
    #[error("the port is missing; write HOST:PORT")]
    NoPort,
    /// The port is not a number from 1 to 65535.
    #[error("the port must be a number from 1 to 65535")]
    Port,
}
