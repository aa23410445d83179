//! The whole protocol of Wayleave as deterministic machines: no socket, no clock, no thread, no runtime.

pub mod auth;
pub mod base;
pub mod carrier;
pub mod client;
pub mod codec;
pub mod config;
pub mod error;
pub mod local;
pub mod net;
pub mod policy;
pub mod queue;
pub mod relay;
pub mod route;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
