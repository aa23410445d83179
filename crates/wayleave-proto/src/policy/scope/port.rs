//! Which ports a rule means.

use core::fmt;
use core::num::NonZeroU16;
use core::str::FromStr;

use serde::de::{Deserialize, Deserializer, Error, Visitor};
use serde::ser::{Serialize, Serializer};

/// One port, or all from one to another, both included: `443` or `5000-5999`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PortRange {
    first: NonZeroU16,
    last: NonZeroU16,
}

impl PortRange {
    /// Every port.
    pub const ALL: Self = Self { first: NonZeroU16::MIN, last: NonZeroU16::MAX };

    /// The ports from `first` to `last`.
    ///
    /// # Errors
    /// [`PortRangeError`] where a port is zero or the first is above the last.
    pub fn new(first: u16, last: u16) -> Result<Self, PortRangeError> {
        match (NonZeroU16::new(first), NonZeroU16::new(last)) {
            (Some(first), Some(last)) if first <= last => Ok(Self { first, last }),
            _ => Err(PortRangeError),
        }
    }

    /// The first port.
    pub const fn first(&self) -> NonZeroU16 {
        self.first
    }

    /// The last port.
    pub const fn last(&self) -> NonZeroU16 {
        self.last
    }

    /// Whether `port` lies in it.
    pub fn contains(&self, port: NonZeroU16) -> bool {
        (self.first..=self.last).contains(&port)
    }
}

impl FromStr for PortRange {
    type Err = PortRangeError;

    fn from_str(text: &str) -> Result<Self, PortRangeError> {
        let port = |text: &str| {
            let digits = (1..=5).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
            if digits { text.parse::<u16>().map_err(|_| PortRangeError) } else { Err(PortRangeError) }
        };
        let (first, last) = text.split_once('-').unwrap_or((text, text));
        Self::new(port(first)?, port(last)?)
    }
}

impl fmt::Debug for PortRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for PortRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.first == self.last { self.first.fmt(f) } else { write!(f, "{}-{}", self.first, self.last) }
    }
}

impl Serialize for PortRange {
    /// A number where it is one port, else the text.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.first == self.last {
            serializer.serialize_u16(self.first.get())
        } else {
            serializer.collect_str(self)
        }
    }
}

impl<'de> Deserialize<'de> for PortRange {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(PortRangeVisitor)
    }
}

struct PortRangeVisitor;

impl Visitor<'_> for PortRangeVisitor {
    type Value = PortRange;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a port, or a range of ports like \"5000-5999\"")
    }

    fn visit_u64<E: Error>(self, port: u64) -> Result<PortRange, E> {
        let port = u16::try_from(port).map_err(|_| E::custom(PortRangeError))?;
        PortRange::new(port, port).map_err(E::custom)
    }

    fn visit_i64<E: Error>(self, port: i64) -> Result<PortRange, E> {
        self.visit_u64(u64::try_from(port).map_err(|_| E::custom(PortRangeError))?)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<PortRange, E> {
        text.parse().map_err(E::custom)
    }
}

/// A text that is no range of ports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a port is a number from 1 to 65535, and a range is two of them like 5000-5999, the lower first")]
pub struct PortRangeError;
