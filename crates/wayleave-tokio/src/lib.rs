//! Wayleave on tokio: a [`Client`] to embed and a [`Relay`] to run.
//!
//! This crate lends tokio's sockets, its timer and its threads for look-ups to [`wayleave_proto::drive`]. Everything else
//! is decided in the core.

mod client;
mod relay;
mod runtime;
mod stream;

pub use client::Client;
pub use relay::{Relay, RelayHandle};
pub use runtime::Tokio;
pub use stream::Stream;
pub use wayleave_proto as proto;
pub use wayleave_proto::drive::{Events, IntoTarget};
pub use wayleave_sockets::{connector_with_ca, platform_connector};

/// Datagrams to and from one target.
pub type DatagramFlow = wayleave_proto::drive::DatagramFlow<Tokio>;

#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
struct Readme;
