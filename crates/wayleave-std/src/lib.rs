//! Wayleave without async: a blocking [`Client`] to embed, and a blocking [`Relay`] to run.
//!
//! A client carries an application's streams and datagrams out of networks that drop them. In *smart* mode it tries the direct
//! path for a second and goes through a relay where that does not get through; in *normal* mode everything goes through a relay,
//! in mode *off* nothing does. Which way a flow goes makes no difference to the code that uses it.
//!
//! ```no_run
//! use std::io::{Read, Write};
//! use wayleave_std::{Client, ClientConfig, Token, platform_connector};
//!
//! # fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let token: Token = std::env::var("TOKEN")?.parse()?;
//! let config = ClientConfig::new(vec!["relay.example:443".parse()?], token, platform_connector()?);
//! let client = Client::new(config.build()?)?;
//!
//! let mut stream = client.connect("signal.example:443")?;
//! stream.write_all(b"hello")?;
//! stream.read(&mut [0; 1])?;
//!
//! let media = client.datagrams(("media.example", 5004))?;
//! media.send(b"a packet")?;
//! media.recv(&mut [0; 1500])?;
//! # Ok(())
//! # }
//! ```
//!
//! # Map
//!
//! | to | take |
//! |---|---|
//! | say where relays are, who one is, and how to route | [`ClientConfig`], with [`Token`] or [`AppSign`], [`Mode`], [`Probe`] |
//! | say which relays are trusted | [`platform_connector`], [`connector_with_ca`] |
//! | reach relays through a proxy of the network | [`ClientConfig::via`], [`system_via`] |
//! | open flows, renew the token, tell of another network, end | [`Client`] |
//! | read and write | [`Stream`], with the manners of [`std::net::TcpStream`] |
//! | send and receive datagrams | [`DatagramFlow`]; [`Association`] where many of them need one port |
//! | see what happens | [`Events`] of [`Event`] and [`What`] |
//! | learn why flows go the way they go | [`Client::explain`], an [`Explanation`] |
//! | learn why something failed | [`FlowError`], which becomes an [`io::Error`](std::io::Error) by `?` |
//! | run a relay | [`RelayConfig`], [`Relay`], [`RelayHandle`] |
//! | look names up in another way than the platform does | [`Resolver`] |
//! | everything else | [`proto`], the protocol itself; [`drive`], the loop that this crate lends its sockets to |
//!
//! # When something fails
//!
//! `connect` and its like fail with [`FlowError`], everything on flows with an [`io::Error`](std::io::Error) in which
//! [`FlowError::of`] finds it again; a timeout of a socket is none of these. By whose fault it is:
//!
//! - **the target's**: [`FlowError::Direct`], [`FlowError::TargetUnreachable`] and [`FlowError::Reset`]. It is told in the same
//!   [kinds](FlowError::kind) on both ways;
//! - **a proxy's, or of what is between**: [`FlowError::NoProxy`] with what each proxy said, [`FlowError::TargetForbidden`]. An
//!   expired token and a certificate that nobody trusts are here;
//! - **this machine's**: [`FlowError::Exhausted`];
//! - **the application's**: [`FlowError::Target`], [`FlowError::DatagramTooLarge`], [`FlowError::Finished`], [`FlowError::Closed`],
//!   [`FlowError::TooManyFlows`];
//! - **nobody's**: [`FlowError::TimedOut`]; [`FlowError::ClientClosed`] at the end.
//!
//! What it displays is one line that says what happened, to whom, and what helps.
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
pub use relay::{Relay, RelayBuilder, RelayHandle};
pub use runtime::Std;
pub use stream::Stream;
pub use wayleave_drive as drive;
#[doc(inline)]
pub use wayleave_drive::embed::*;
pub use wayleave_proto as proto;
pub use wayleave_sockets::{connector_with_ca, platform_connector, system_via, threads};
