//! What a client may do: addresses, ports and rates.

mod address;
mod cidr;
mod rate;
mod sources;
mod target;

#[cfg(test)]
mod tests;

pub use address::{AddressPolicy, Forbidden};
pub use cidr::{Cidr, CidrError};
pub use rate::{Bucket, RateLimit};
pub use sources::SourceLimits;
pub(crate) use sources::group;
pub use target::{Denied, TargetPolicy};
