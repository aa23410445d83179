//! What a client may do: addresses, ports and rates.

mod address;
mod cidr;
mod rate;
mod source;
mod target;
#[cfg(test)]
mod tests;

pub use address::{AddressPolicy, Forbidden};
pub use cidr::{Cidr, CidrError};
pub use rate::{Bucket, RateLimit};
pub use source::SourceLimits;
pub(crate) use source::source_of;
pub use target::{Denied, TargetPolicy};
