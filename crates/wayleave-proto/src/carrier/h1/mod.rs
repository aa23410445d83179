//! HTTP/1.1 as a carrier: TLS, one head each way, then one tunnel.

mod pipe;

pub use pipe::{Moved, Pipe};
