//! What a client shows to relays, and what that allows.

use core::fmt;
use core::net::{IpAddr, Ipv4Addr};
use core::time::Duration;

use wayleave_proto::base::{Host, Kind, Target};

/// What a client shows to relays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Credential {
    /// A good token for a day.
    Lasting,
    /// A good token for that long.
    Short(Duration),
    /// A token that has expired long ago.
    Expired,
    /// A token of a key that no relay knows.
    Forged,
    /// A good Token04 for that long.
    Token04(Duration),
    /// An app sign.
    AppSign,
    /// An app sign with a key that no relay knows.
    ForgedSign,
}

impl Credential {
    /// Whether relays know its key.
    pub const fn is_known(self) -> bool {
        !matches!(self, Self::Forged | Self::ForgedSign)
    }
}

impl fmt::Display for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Lasting => f.write_str("a token for a day"),
            Self::Short(span) => write!(f, "a token for {} s", span.as_secs()),
            Self::Expired => f.write_str("an expired token"),
            Self::Forged => f.write_str("a forged token"),
            Self::Token04(span) => write!(f, "a Token04 for {} s", span.as_secs()),
            Self::AppSign => f.write_str("an app sign"),
            Self::ForgedSign => f.write_str("a forged app sign"),
        }
    }
}

/// What a credential allows; the default allows everything.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Allowed {
    /// Where it leads.
    pub places: Places,
    /// Tunnels at once.
    pub tunnels: Option<u32>,
    /// Bytes in all.
    pub volume: Option<u32>,
    /// Bytes a second, each way.
    pub rate: Option<u32>,
    /// What becomes of tunnels at its expiry.
    pub at_expiry: AtExpiry,
}

impl Allowed {
    /// Whether it allows everything.
    pub fn is_everything(&self) -> bool {
        *self == Self::default()
    }
}

impl fmt::Display for Allowed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.places)?;
        self.tunnels.map_or(Ok(()), |tunnels| write!(f, ", {tunnels} tunnels"))?;
        self.volume.map_or(Ok(()), |volume| write!(f, ", {volume} bytes in all"))?;
        self.rate.map_or(Ok(()), |rate| write!(f, ", {rate} bytes a second"))?;
        match self.at_expiry {
            AtExpiry::Keep => Ok(()),
            AtExpiry::RefuseNew => f.write_str(", nothing new after its expiry"),
            AtExpiry::CloseAfter(grace) => write!(f, ", closed {} s after its expiry", grace.as_secs()),
        }
    }
}

/// Where a credential leads.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Places {
    /// Everywhere.
    #[default]
    Everywhere,
    /// To one name.
    OneName,
    /// To one address, whatever name leads there.
    OneAddress,
    /// To port 443.
    Port443,
    /// Everywhere, with streams.
    Streams,
    /// Everywhere, with datagrams.
    Datagrams,
    /// Nowhere.
    Nowhere,
}

impl Places {
    /// Every one of them, the widest first.
    pub const ALL: [Self; 7] = [
        Self::Everywhere,
        Self::OneName,
        Self::OneAddress,
        Self::Port443,
        Self::Streams,
        Self::Datagrams,
        Self::Nowhere,
    ];

    /// The name of [`Self::OneName`].
    pub const NAME: &str = "good.example";
    /// The address of [`Self::OneAddress`].
    pub const ADDRESS: IpAddr = IpAddr::V4(Ipv4Addr::new(45, 10, 0, 1));

    /// Whether a flow of `kind` to `target` may reach `address`; written from the meaning alone.
    pub fn hold(self, kind: Kind, target: &Target, address: IpAddr) -> bool {
        match self {
            Self::Everywhere => true,
            Self::OneName => matches!(&target.host, Host::Name(name) if name.as_str() == Self::NAME),
            Self::OneAddress => address == Self::ADDRESS,
            Self::Port443 => target.port.get() == 443,
            Self::Streams => kind == Kind::Stream,
            Self::Datagrams => kind == Kind::Datagram,
            Self::Nowhere => false,
        }
    }
}

impl fmt::Display for Places {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Everywhere => f.write_str("everywhere"),
            Self::OneName => f.write_str(Self::NAME),
            Self::OneAddress => write!(f, "{}", Self::ADDRESS),
            Self::Port443 => f.write_str("port 443"),
            Self::Streams => f.write_str("streams"),
            Self::Datagrams => f.write_str("datagrams"),
            Self::Nowhere => f.write_str("nowhere"),
        }
    }
}

/// What becomes of tunnels when their credential expires.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AtExpiry {
    /// They stay.
    #[default]
    Keep,
    /// They stay, and nothing that was asked for before is opened after.
    RefuseNew,
    /// They end so long after.
    CloseAfter(Duration),
}
