//! HTTP/1.1 as a carrier: TLS, one head each way, then one tunnel.

mod acks;
mod arrival;
mod clear;
mod downlink;
mod pipe;
mod uplink;

#[cfg(test)]
mod tests;

use acks::Acks;
pub(crate) use downlink::Downlink;
pub(crate) use pipe::Moved;
use pipe::{DatagramError, Pipe};
pub(crate) use uplink::Uplink;
