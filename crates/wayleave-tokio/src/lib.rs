//! Wayleave on tokio: a [`Client`] to embed and a [`Relay`] to run.
//!
//! This crate moves bytes between the machines of [`wayleave_proto`] and tokio's sockets, looks up names and keeps time.
//! Everything else is decided in the core.

mod client;
mod driver;
mod events;
mod relay;
mod socket;
mod stream;
mod tls;

pub use client::{Client, DatagramFlow, IntoTarget};
pub use events::Events;
pub use relay::{Relay, RelayHandle};
pub use stream::Stream;
pub use tls::{connector_with_ca, platform_connector};
pub use wayleave_proto as proto;

/// The examples of the README, compiled.
#[doc = include_str!("../../../README.md")]
#[cfg(doctest)]
struct Readme;
