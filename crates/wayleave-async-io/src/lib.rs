//! Wayleave on async-io: a [`Client`] to embed, and a [`Relay`] to run, under smol, async-std, a bare
//! `futures_lite::future::block_on` or any other executor.
//!
//! A client carries an application's streams and datagrams out of networks that drop them. In *smart* mode it tries the direct
//! path for a second and goes through a relay where that does not get through; in *normal* mode everything goes through a relay,
//! in mode *off* nothing does. Which way a flow goes makes no difference to the code that uses it.
//!
//! ```no_run
//! use futures_lite::{AsyncReadExt, AsyncWriteExt};
//! use wayleave_async_io::{Client, ClientConfig, Token, platform_connector};
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let token: Token = std::env::var("TOKEN")?.parse()?;
//! let config = ClientConfig::new(vec!["relay.example:443".parse()?], token, platform_connector()?);
//! let client = Client::new(config.build()?);
//!
//! let mut stream = client.connect("signal.example:443").await?;
//! stream.write_all(b"hello").await?;
//! stream.read(&mut [0; 1]).await?;
//!
//! let media = client.datagrams(("media.example", 5004))?;
//! media.send(b"a packet")?;
//! media.recv(&mut [0; 1500]).await?;
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
//! | read and write | [`Stream`], or its halves [`ReadHalf`] and [`WriteHalf`] |
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
//! `connect` and the verbs of a datagram flow fail with [`FlowError`], reads and writes with an [`io::Error`](std::io::Error) in
//! which [`FlowError::of`] finds it again. By whose fault it is:
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
//! The task of a client has to be polled whether or not the application waits for something; while nobody polls it nothing moves,
//! and no timeout passes either. [`Client::new`] leaves that to
//! a thread of this crate, `wayleave`: there is one in the process however many clients and flows there are, and none before
//! the first client. [`Client::with_spawn`] gives the task to an executor of the embedder's instead, and starts no thread.
//! A [`Relay`] runs where [`Relay::serve`] is awaited. Beside it are the thread `async-io`, which that crate starts to wait
//! for sockets while nobody else does, and one for each name while it is looked up, at most 64.

mod client;
mod connection;
mod relay;
mod runtime;
mod stream;
mod thread;
mod watch;

pub use client::{Client, Task};
pub use relay::{Relay, RelayBuilder, RelayHandle};
pub use runtime::AsyncIo;
pub use stream::{ReadHalf, Stream, WriteHalf};
pub use wayleave_drive as drive;
pub use wayleave_drive::Events;
#[doc(inline)]
pub use wayleave_drive::embed::*;
pub use wayleave_proto as proto;
pub use wayleave_sockets::{connector_with_ca, platform_connector, system_via, threads};

/// Datagram flows that share one port where they are direct.
///
/// ```
/// # use std::net::UdpSocket;
/// # use wayleave_async_io::{Client, ClientConfig};
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # async_io::block_on(async {
/// let (one, two) = (UdpSocket::bind("127.0.0.1:0")?, UdpSocket::bind("127.0.0.1:0")?);
/// let client = Client::new(ClientConfig::direct().build()?);
/// let association = client.associate()?;
/// let flow = association.datagrams(one.local_addr()?)?;
/// flow.ready().await?;
/// flow.send(b"which port is mine?")?;
/// let (_, mine) = one.recv_from(&mut [0; 64])?;
/// two.send_to(b"from a stranger", mine)?;
/// let (_, from) = association.recv_stray(&mut [0; 64]).await?;
/// assert_eq!(from, two.local_addr()?);
/// # Ok(())
/// # })
/// # }
/// ```
pub type Association = wayleave_drive::Association<AsyncIo>;

/// Datagrams to and from one target.
///
/// ```
/// # use std::net::UdpSocket;
/// # use wayleave_async_io::{Client, ClientConfig};
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # async_io::block_on(async {
/// let target = UdpSocket::bind("127.0.0.1:0")?;
/// let client = Client::new(ClientConfig::direct().build()?);
/// let flow = client.datagrams(target.local_addr()?)?;
/// println!("it goes {}", flow.ready().await?);
/// flow.send(b"never waits")?;
/// flow.send_wait(b"waits for room").await?;
/// let mut buffer = [0; 64];
/// let (length, from) = target.recv_from(&mut buffer)?;
/// target.send_to(&buffer[..length], from)?;
/// assert_eq!(flow.recv(&mut buffer).await?, 11);
/// assert_eq!(flow.stats().unsent.total(), 0);
/// # Ok(())
/// # })
/// # }
/// ```
pub type DatagramFlow = wayleave_drive::DatagramFlow<AsyncIo>;
