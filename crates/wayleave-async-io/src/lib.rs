//! Wayleave on async-io: a [`Client`] to embed and a [`Relay`] to run, under smol, async-std, a bare
//! `futures_lite::future::block_on` or any other executor.
//!
//! This crate lends the sockets and the timer of `async-io` to [`wayleave_drive`].
//! Everything else is decided in the core.
//!
//! # Threads
//! The task of a client has to be polled whether or not the application waits for something. [`Client::new`] leaves that to
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
pub use relay::{Relay, RelayHandle};
pub use runtime::AsyncIo;
pub use stream::{ReadHalf, Stream, WriteHalf};
pub use wayleave_drive as drive;
pub use wayleave_drive::Events;
#[doc(inline)]
pub use wayleave_drive::embed::*;
pub use wayleave_proto as proto;
pub use wayleave_sockets::{connector_with_ca, platform_connector};

/// Datagram flows that share one port where they are direct.
pub type Association = wayleave_drive::Association<AsyncIo>;

/// Datagrams to and from one target.
pub type DatagramFlow = wayleave_drive::DatagramFlow<AsyncIo>;
