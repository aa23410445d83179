//! Wayleave without async: a blocking [`Client`] to embed and a blocking [`Relay`] to run.
//!
//! This crate lends the standard library's sockets, and a place to wait for all of them, to [`wayleave_drive`].
//! Everything else is decided in the core.
//!
//! # Threads
//! A client has **one thread**, for one flow and for ten thousand: every flow, tunnel and timer belongs to one machine,
//! and whoever waits for its sockets can wait for all of them at once. A relay has none of its own; it serves on the
//! thread that calls [`Relay::serve`]. Beside these there is one short-lived thread for each **name being looked up**, at
//! most 64 for each client or relay, because the system's resolver can only block; further names wait for one of them.
//! So N flows need 1 + L threads, L being the look-ups under way, at most 64 and mostly 0.
//!
//! What an application's own threads write is encrypted and sent on those threads, as far as the sockets take it.

mod association;
mod client;
mod datagrams;
mod events;
mod reactor;
mod relay;
mod runtime;
mod stream;
#[cfg(test)]
mod tests;
mod wait;

pub use association::Association;
pub use client::Client;
pub use datagrams::DatagramFlow;
pub use events::Events;
pub use relay::{Relay, RelayHandle};
pub use runtime::Std;
pub use stream::Stream;
pub use wayleave_drive as drive;
#[doc(inline)]
pub use wayleave_drive::embed::*;
pub use wayleave_proto as proto;
pub use wayleave_sockets::{connector_with_ca, platform_connector};
