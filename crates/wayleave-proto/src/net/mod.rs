//! What a machine and its adapter say to each other, and the choices among addresses and proxies.

mod backoff;
mod dial;
mod episode;
mod machine;
mod memory;
mod packets;
mod proxies;
mod race;
mod requests;
mod resolution;

pub use backoff::Backoff;
pub use dial::{Attempt, Dial, DialConfig, Fault, Judge, Known, Refresh};
pub use episode::{Episode, Over};
pub use machine::{Family, Machine, Nowhere, Onward, Output, Remote, SocketId};
pub use memory::{Ipv6, Ipv6Evidence, Memory, Recall};
pub use packets::{Arrival, Ecn, Packet, Packets, Transmit};
pub use proxies::Proxies;
pub use race::{Race, interleave};
pub use requests::Requests;
pub use resolution::Resolution;
