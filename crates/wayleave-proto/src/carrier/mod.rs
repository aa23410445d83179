//! The transport between client and relay.

mod clear;
pub(crate) mod downlink;
mod fault;
pub mod h1;
#[cfg(any(test, feature = "testing"))]
pub(crate) mod mux;
pub mod tls;
pub(crate) mod uplink;

use core::fmt;

pub use clear::Clear;
pub use fault::ConnectionFault;

/// The transports that a client and a relay can share.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Carrier {
    /// HTTP/1.1 over TLS over TCP, one tunnel for each connection.
    H1,
}

impl fmt::Display for Carrier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::H1 => "h1",
        })
    }
}
