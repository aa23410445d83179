//! What a machine and its adapter say to each other, and the choices among addresses and proxies.

mod backoff;
mod dial;
mod machine;
mod proxies;
mod race;
mod requests;

pub use backoff::Backoff;
pub use dial::{Anywhere, Attempt, Dial, DialConfig, Fault, Judge};
pub use machine::{Machine, Nowhere, Onward, Output, SocketId};
pub use proxies::Proxies;
pub use race::{Race, interleave};
pub use requests::Requests;
