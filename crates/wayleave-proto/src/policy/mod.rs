//! What a client may do: addresses, ports and rates.

mod address;
mod cidr;
mod rate;
mod scope;
mod sources;
mod target;

#[cfg(test)]
pub(crate) mod tests;

pub use address::{AddressPolicy, Forbidden};
pub use cidr::{Cidr, CidrError};
pub use rate::{Bucket, RateLimit};
pub use scope::{
    Grantor, HostPattern, HostPatternError, Kinds, OnExpiry, OutOfScope, PortRange, PortRangeError, Rates,
    Scope, TargetRule, Targets,
};
pub use sources::SourceLimits;
pub(crate) use sources::group;
pub use target::{Denied, TargetPolicy};
