//! HTTP/1.1 as a carrier: TLS, one head each way, then one tunnel.

mod acks;
mod arrival;
mod downlink;
mod pipe;
mod uplink;

#[cfg(test)]
mod tests;

pub use acks::Acks;
pub(crate) use downlink::Downlink;
pub use pipe::{DatagramError, Moved, Pipe};
pub(crate) use uplink::Uplink;
