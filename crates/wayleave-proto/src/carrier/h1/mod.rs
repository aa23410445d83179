//! HTTP/1.1 as a carrier: TLS, one head each way, then one tunnel.

mod acks;
mod pipe;

#[cfg(test)]
mod tests;

pub use acks::Acks;
pub use pipe::{DatagramError, Moved, Pipe};
