//! Bounded queues.

mod bytes;
mod datagrams;

#[cfg(test)]
mod tests;

pub use bytes::ByteQueue;
pub use datagrams::{DatagramLimits, DatagramQueue, Drops};
