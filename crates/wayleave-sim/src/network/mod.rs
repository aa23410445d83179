//! What lies between hosts: packets, links, firewalls, address translation, and the name service.

mod access;
mod firewall;
mod link;
mod names;
mod nat;
mod packet;

pub use access::{Access, Lost};
pub use firewall::{Firewall, Rule, Verdict};
pub use link::{Link, Quality};
pub use names::{Answer, Answering, Names};
pub use nat::Nat;
pub use packet::{Body, Flags, Packet, Protocol, Segment};
