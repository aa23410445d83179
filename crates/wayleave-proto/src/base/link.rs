//! The kind of network underneath, and where flows go.

use core::fmt;
use core::str::FromStr;

/// What the application opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// UDP datagrams to one target.
    Datagram,
    /// A TCP stream to one target.
    Stream,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Datagram => "datagram",
            Self::Stream => "stream",
        })
    }
}

/// Where flows go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Route {
    /// Straight to the target.
    Direct,
    /// Through a relay.
    Proxied,
}

impl fmt::Display for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Direct => "direct",
            Self::Proxied => "proxied",
        })
    }
}

/// The kind of network underneath.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Link {
    /// A mobile network.
    Cellular,
    /// A wired network.
    Ethernet,
    /// The platform does not tell.
    #[default]
    Unknown,
    /// A wireless local network.
    Wifi,
}

impl fmt::Display for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Cellular => "cellular",
            Self::Ethernet => "ethernet",
            Self::Unknown => "unknown",
            Self::Wifi => "wifi",
        })
    }
}

impl FromStr for Link {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        Ok(match text {
            "cellular" => Self::Cellular,
            "ethernet" => Self::Ethernet,
            "unknown" => Self::Unknown,
            "wifi" => Self::Wifi,
            _ => return Err(()),
        })
    }
}

/// What the embedder knows of the network underneath.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    /// The kind of link.
    pub link: Link,
    /// Whether there is a network at all.
    pub up: bool,
    /// A number that stands for this network and for no other that the embedder knows, so that what was learnt on it is
    /// used again when it comes back; `None` where the embedder cannot tell networks apart.
    pub fingerprint: Option<u64>,
}

impl Network {
    /// A network that is up over `link`.
    pub const fn up(link: Link) -> Self {
        Self { link, up: true, fingerprint: None }
    }

    /// The same, known by this number.
    #[must_use]
    pub const fn with_fingerprint(self, fingerprint: u64) -> Self {
        Self { fingerprint: Some(fingerprint), ..self }
    }

    /// No network, last seen over `link`.
    pub const fn down(link: Link) -> Self {
        Self { link, up: false, fingerprint: None }
    }
}
