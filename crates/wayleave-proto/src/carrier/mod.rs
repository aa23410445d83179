//! The transport between client and relay.
//!
//! What carries a tunnel is known here and nowhere else: a client has an uplink, a relay a downlink, and each is an
//! enum with a variant for each carrier. Whoever adds one makes a folder with both sides, a variant of each enum and of
//! [`Carrier`], and lets the suites of client and relay run over it.

pub(crate) mod downlink;
mod fault;
pub(crate) mod h1;
#[cfg(any(test, feature = "testing"))]
pub(crate) mod mux;
pub mod tls;
mod transport;
pub(crate) mod uplink;
pub mod via;

use core::fmt;

pub use fault::ConnectionFault;

/// The transports that a client and a relay can share.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Carrier {
    /// HTTP/1.1 over TLS over TCP, one tunnel for each connection.
    H1,
    /// That of the tests: frames over TLS over TCP, many tunnels on one connection.
    #[cfg(any(test, feature = "testing"))]
    Mux,
}

impl fmt::Display for Carrier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::H1 => "h1",
            #[cfg(any(test, feature = "testing"))]
            Self::Mux => "mux",
        })
    }
}
