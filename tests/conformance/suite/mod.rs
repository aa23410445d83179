//! The behaviours, written once.

pub(crate) mod breaks;
pub(crate) mod datagrams;
pub(crate) mod delivery;
pub(crate) mod ending;
pub(crate) mod names;
pub(crate) mod proxies;
pub(crate) mod sessions;
pub(crate) mod smart;
pub(crate) mod streams;
mod traffic;
