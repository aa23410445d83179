//! The loop of an adapter without its sockets: what every runtime needs in the same way.
//!
//! A machine is driven by tasks, wakers and locks, but none of them belongs to a runtime. An adapter gives what does, its
//! sockets and its timer, as a [`Runtime`]; [`Client`] and [`Relay`] are complete then. Nothing here opens a socket,
//! reads a clock or starts a thread.

mod client;
mod driver;
mod events;
mod flow;
mod ready;
mod relay;
mod runtime;
mod socket;

pub use client::{Client, IntoTarget};
pub use events::Events;
pub use flow::{DatagramFlow, Stream};
pub use relay::{Relay, RelayHandle};
pub use runtime::{Lookup, Runtime};

use driver::Driver;
use ready::{Ready, SocketWaker};
use socket::{Kind, Served, Socket, Turn};

/// The one lock of the core, between the task that drives a machine and those that use it. It is never held across a wait.
#[expect(clippy::disallowed_types, reason = "machines own nothing shared; only those who drive them do")]
type Mutex<T> = std::sync::Mutex<T>;
