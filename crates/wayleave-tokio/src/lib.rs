//! Wayleave on tokio: a [`Client`] to embed and a [`Relay`] to run.
//!
//! This crate lends tokio's sockets, and its timer to [`wayleave_drive`]. Everything else
//! is decided in the core.

mod client;
mod connection;
mod relay;
mod runtime;
mod stream;
#[cfg(test)]
mod tests;

pub use client::Client;
pub use relay::{Relay, RelayHandle};
pub use runtime::Tokio;
pub use stream::{OwnedReadHalf, OwnedWriteHalf, Stream};
pub use wayleave_drive as drive;
pub use wayleave_drive::Events;
#[doc(inline)]
pub use wayleave_drive::embed::*;
pub use wayleave_proto as proto;
pub use wayleave_sockets::{connector_with_ca, platform_connector};

/// Datagram flows that share one port where they are direct.
pub type Association = wayleave_drive::Association<Tokio>;

/// Datagrams to and from one target.
pub type DatagramFlow = wayleave_drive::DatagramFlow<Tokio>;
