//! HTTP/1.1 as a carrier: TLS, one head each way, then one tunnel.

mod pipe;

#[cfg(test)]
mod tests;

pub use pipe::{Moved, Pipe};
