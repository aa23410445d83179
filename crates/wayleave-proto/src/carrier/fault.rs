//! What ends a connection before anything was asked on it.

use super::tls::TlsError;
use crate::codec::proxy_protocol::ProxyHeaderError;

/// Why a connection ended before a request.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectionFault {
    /// The client went away.
    #[error("the client closed the connection before it asked for anything")]
    ClosedEarly,
    /// Clients that have not asked for anything yet filled all the buffers that they may fill together, and it was one of them.
    #[error(
        "clients that have asked for nothing yet filled {0} bytes of buffers, their part of the limit on memory"
    )]
    Crowded(usize),
    /// It spoke HTTP, or another protocol of words, where TLS has to begin; it was told so.
    #[error("the client did not speak TLS; it has to name this proxy as https://")]
    NotEncrypted,
    /// A balancer did not say whose connection it passes on.
    #[error("{0}")]
    ProxyHeader(ProxyHeaderError),
    /// A PROXY header from an address that is not named as a balancer's.
    #[error("the connection begins with a PROXY header, and its address is not one of --proxy-protocol-from")]
    ProxyHeaderUnwanted,
    /// TLS failed.
    #[error("TLS failed: {0}")]
    Tls(TlsError),
    /// It sent more than is taken before a request is allowed.
    #[error("the client sent more than {0} bytes before it was allowed anything")]
    TooMuch(usize),
    /// TLS or the head took too long.
    #[error("the client was too slow with its {0}")]
    TooSlow(&'static str),
}
