//! What a machine and its adapter say to each other, and the choices among addresses and proxies.

mod backoff;
mod machine;
mod proxies;
mod race;

pub use backoff::Backoff;
pub use machine::{Machine, Output, SocketId};
pub use proxies::Proxies;
pub use race::{Race, interleave};
