//! Why an attempt came to nothing.

use std::io;

use crate::carrier::tls::TlsError;
use crate::carrier::via::{ViaFault, ViaProblem};
use crate::error::{IoFailed, Resource};
use crate::policy::Denied;

/// Why an attempt to open a socket, or what runs on it, came to nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
    /// The operator's policy forbids the address or the port.
    #[error("{0}")]
    Denied(Denied),
    /// The outside world said no.
    #[error("{0}")]
    Io(IoFailed),
    /// The encrypted connection could not be made.
    #[error("{0}")]
    Tls(TlsError),
    /// The other end spoke before it was asked, so that no answer could be told from what it said.
    #[error("it spoke before it was asked: what listens there is no HTTP/1.1 proxy")]
    Unasked,
    /// The proxy of the network on the way there did not lead to it.
    #[error("{0}")]
    Via(Box<ViaFault>),
}

impl Fault {
    /// What this machine lacked, where that is why the attempt came to nothing: whoever was to be reached has no part in it.
    pub const fn lacked(&self) -> Option<Resource> {
        match self {
            Self::Io(failed) => failed.lacked(),
            Self::Denied(_) | Self::Tls(_) | Self::Unasked | Self::Via(_) => None,
        }
    }

    /// The nearest kind of the standard library.
    pub const fn kind(&self) -> io::ErrorKind {
        match self {
            Self::Denied(_) => io::ErrorKind::PermissionDenied,
            Self::Io(failed) => failed.failure.kind(),
            Self::Tls(TlsError::Truncated) => io::ErrorKind::ConnectionReset,
            Self::Tls(_) | Self::Unasked => io::ErrorKind::InvalidData,
            Self::Via(fault) => match &fault.problem {
                ViaProblem::Unreached(failed) => failed.failure.kind(),
                ViaProblem::Ended => io::ErrorKind::ConnectionReset,
                ViaProblem::SocksRefused { .. } | ViaProblem::Unreachable { .. } => {
                    io::ErrorKind::HostUnreachable
                }
                ViaProblem::NotHttp(_) | ViaProblem::NotSocks => io::ErrorKind::InvalidData,
                _ => io::ErrorKind::PermissionDenied,
            },
        }
    }
}

impl From<Denied> for Fault {
    fn from(denied: Denied) -> Self {
        Self::Denied(denied)
    }
}

impl From<IoFailed> for Fault {
    fn from(failed: IoFailed) -> Self {
        Self::Io(failed)
    }
}

impl From<TlsError> for Fault {
    fn from(error: TlsError) -> Self {
        match error {
            TlsError::Via(fault) => Self::Via(fault),
            error => Self::Tls(error),
        }
    }
}
