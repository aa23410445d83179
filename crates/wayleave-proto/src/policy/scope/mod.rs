//! What a credential or an operator allows one client: targets, rates, volume, tunnels, and what comes at the end.
//!
//! A missing part is not limited; an empty list of targets allows none. Several scopes meet by
//! [`Scope::intersect`], and the narrower always wins.

mod host;
mod object;
mod port;
mod rule;

pub use host::{HostPattern, HostPatternError};
pub use port::{PortRange, PortRangeError};
pub use rule::{Grantor, Kinds, OutOfScope, TargetRule, Targets};

use core::net::IpAddr;
use core::time::Duration;

use serde::de::{Deserializer, Error as _};
use serde::{Deserialize, Serialize};

use object::object;

use crate::base::{Kind, Target};

/// What is allowed, by one side's word or by several together.
///
/// As JSON or TOML it is an object of which every member may be missing; a member that is not known is an error, so
/// that a slip of the pen never widens what was meant.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, remote = "Self")]
pub struct Scope {
    /// Which targets may be reached.
    #[serde(default, skip_serializing_if = "Targets::is_any")]
    pub targets: Targets,
    /// How fast payload may flow from the client to its targets.
    #[serde(default, skip_serializing_if = "Rates::is_unlimited")]
    pub to_target: Rates,
    /// How fast payload may flow from the targets to the client.
    #[serde(default, skip_serializing_if = "Rates::is_unlimited")]
    pub to_client: Rates,
    /// How many bytes of payload may flow in all, both ways together.
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub volume: Option<u64>,
    /// How many tunnels may be open at once.
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub tunnels: Option<u32>,
    /// What becomes of open tunnels when the credential expires.
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub on_expiry: Option<OnExpiry>,
}

object!(Scope);

impl Scope {
    /// What both allow. Whatever the result allows, `self` and `other` allow too; it never widens either.
    #[must_use]
    pub fn intersect(&self, other: &Self) -> Self {
        Self {
            targets: self.targets.intersect(&other.targets),
            to_target: self.to_target.intersect(other.to_target),
            to_client: self.to_client.intersect(other.to_client),
            volume: lesser(self.volume, other.volume),
            tunnels: lesser(self.tunnels, other.tunnels),
            on_expiry: self.on_expiry.max(other.on_expiry),
        }
    }

    /// Says whether `target` may be reached by a flow of `kind`, as far as can be said before any look-up.
    ///
    /// A name that only rules by address could allow passes here, and each of its addresses is judged by
    /// [`Self::judge_address`].
    ///
    /// # Errors
    /// [`OutOfScope`] where no rule can allow it, whatever a look-up brings.
    pub fn judge_target(&self, target: &Target, kind: Kind) -> Result<(), OutOfScope> {
        self.targets.judge_target(target, kind)
    }

    /// Says whether `address` may be dialled for `target`; asked for the very address that is dialled.
    ///
    /// # Errors
    /// [`OutOfScope`].
    pub fn judge_address(&self, target: &Target, kind: Kind, address: IpAddr) -> Result<(), OutOfScope> {
        self.targets.judge_address(target, kind, address)
    }

    /// The same scope, with every rule of targets said by `grantor`.
    #[must_use]
    pub fn granted_by(mut self, grantor: Grantor) -> Self {
        self.targets = self.targets.granted_by(grantor);
        self
    }
}

/// Bounds of a flow of payload in one direction, for all tunnels of an account together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, remote = "Self")]
pub struct Rates {
    /// Bits of payload a second.
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub bits_per_second: Option<u64>,
    /// Datagrams a second.
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub packets_per_second: Option<u64>,
}

object!(Rates);

impl Rates {
    /// The lesser of each bound.
    #[must_use]
    pub fn intersect(self, other: Self) -> Self {
        Self {
            bits_per_second: lesser(self.bits_per_second, other.bits_per_second),
            packets_per_second: lesser(self.packets_per_second, other.packets_per_second),
        }
    }

    /// Whether nothing is bounded.
    pub const fn is_unlimited(&self) -> bool {
        self.bits_per_second.is_none() && self.packets_per_second.is_none()
    }
}

/// What becomes of tunnels when the credential that opened them expires; a new tunnel always needs one that is good.
///
/// Written `"keep"`, `"refuse_new"`, or `{"close_after": SECONDS}`. Ordered from the widest to the narrowest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum OnExpiry {
    /// They stay open.
    #[default]
    Keep,
    /// They stay open, and nothing new is opened beside them on the same connection.
    RefuseNew,
    /// They are closed so long after the expiry, unless a good credential for the same account came in between.
    CloseAfter(#[serde(deserialize_with = "from_seconds", serialize_with = "to_seconds")] Duration),
}

impl PartialOrd for OnExpiry {
    fn partial_cmp(&self, other: &Self) -> Option<core::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for OnExpiry {
    fn cmp(&self, other: &Self) -> core::cmp::Ordering {
        let rank = |this: &Self| match this {
            Self::Keep => (0, Duration::ZERO),
            Self::RefuseNew => (1, Duration::ZERO),
            Self::CloseAfter(grace) => (2, Duration::MAX.saturating_sub(*grace)),
        };
        rank(self).cmp(&rank(other))
    }
}

fn lesser<T: Ord>(one: Option<T>, other: Option<T>) -> Option<T> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}

/// A member that is there has a value: `null` is not taken for "not limited".
fn given<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

fn from_seconds<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    let seconds = u64::deserialize(deserializer)?;
    if seconds > LONGEST_GRACE {
        return Err(D::Error::custom("close_after is at most 86400 seconds, one day"));
    }
    Ok(Duration::from_secs(seconds))
}

fn to_seconds<S: serde::Serializer>(grace: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u64(grace.as_secs())
}

const LONGEST_GRACE: u64 = 86_400;
