//! The loop of an adapter without its sockets: what every runtime needs in the same way.
//!
//! A machine of [`wayleave_proto`] is driven by tasks, wakers and locks, but none of them belongs to a runtime. An adapter
//! gives what does, its sockets and its timer, as a [`Runtime`]; [`Client`] and [`Relay`] are complete then. Nothing here
//! opens a socket, reads a clock or starts a thread.

mod association;
mod client;
mod driver;
pub mod embed;
mod events;
mod faces;
mod flow;
mod ready;
mod relay;
mod runtime;
mod socket;
mod target;
#[cfg(test)]
mod tests;

pub use association::Association;
pub use client::Client;
pub use events::Events;
pub use flow::{DatagramFlow, StreamFlow};
pub use relay::{Common, Relay, RelayHandle};
pub use runtime::{Answer, Binding, Lookup, PollAnswer, Resolver, Runtime, at_once};
pub use target::IntoTarget;

use driver::Driver;
use ready::{Ready, SocketWaker};
use socket::{Kind, Served, Socket, Turn};
