//! What an application learns when a flow cannot be.

use core::fmt;
use std::io;

use super::event::ProxyFault;
use crate::base::{Target, TargetError};
use crate::codec::proxy_status::ProxyError;
use crate::error::{IoFailure, Resource};
use crate::net::Fault;

/// Why a flow failed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FlowError {
    /// The application closed this flow.
    Closed,
    /// The client is closed, or the runtime that drove it has ended.
    ClientClosed,
    /// A datagram is larger than any path to its target can carry.
    DatagramTooLarge {
        /// How large one may be, in bytes.
        most: usize,
    },
    /// The route is direct, and the target could not be reached.
    Direct(Fault),
    /// This machine itself lacks what the flow needs. Neither the target nor a proxy nor the network has a part in it.
    Exhausted(Resource),
    /// The application ended its half of this stream, and wrote behind that.
    Finished,
    /// No proxy could be used; what each one said.
    NoProxy(Vec<(Target, ProxyFault)>),
    /// The connection broke in the middle; bytes may be missing.
    Reset,
    /// What was named is not a target.
    Target(TargetError),
    /// The relay forbids the target.
    TargetForbidden {
        /// The relay that said so.
        proxy: Target,
    },
    /// The relay could not reach the target.
    TargetUnreachable {
        /// The relay that said so.
        proxy: Target,
        /// The HTTP status.
        status: u16,
        /// The kind of failure, where the relay tells.
        error: Option<ProxyError>,
        /// What its name server said, where the target's name was at fault and the relay tells.
        lookup: Option<IoFailure>,
    },
    /// Nothing answered in time.
    TimedOut,
    /// The relay ended the connection without close_notify; bytes may be missing.
    Truncated,
    /// There are as many flows as the client allows.
    TooManyFlows,
}

impl FlowError {
    /// Whether the relay's name for the failure is `error`.
    pub fn is(&self, error: ProxyError) -> bool {
        matches!(self, Self::TargetUnreachable { error: Some(found), .. } if *found == error)
    }
}

impl fmt::Display for FlowError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed => f.write_str("the application closed this flow"),
            Self::ClientClosed => {
                f.write_str("the client is closed, or the runtime that drove it has ended: make a new client")
            }
            Self::DatagramTooLarge { most } => {
                write!(f, "the datagram is larger than {most} bytes, which no path to its target can carry")
            }
            Self::Direct(fault) => write!(f, "the target cannot be reached directly: {fault}"),
            Self::Exhausted(resource) => resource.fmt(f),
            Self::Finished => f.write_str("the application has ended its half of this stream"),
            Self::NoProxy(said) if said.is_empty() => f.write_str("no proxy could be used"),
            Self::NoProxy(said) => {
                f.write_str("no proxy could be used")?;
                let mut between = ": ";
                said.iter().try_for_each(|(proxy, fault)| {
                    write!(f, "{}{proxy}: {fault}", core::mem::replace(&mut between, "; "))
                })
            }
            Self::Reset => f.write_str("the connection broke before its end"),
            Self::Target(error) => error.fmt(f),
            Self::TargetForbidden { proxy } => {
                write!(f, "the relay {proxy} does not allow this target (403); its operator can")
            }
            Self::TargetUnreachable { proxy, status: status @ (500 | 503), error: None, .. } => write!(
                f,
                "the proxy {proxy} opened no tunnel to the target ({status}); it does not say whether the target cannot be \
                 reached or the proxy cannot serve"
            ),
            Self::TargetUnreachable { proxy, status, error, lookup } => {
                write!(f, "the relay {proxy} could not reach the target ({status}")?;
                error.map_or(Ok(()), |error| write!(f, ", {}", error.as_str()))?;
                lookup.map_or(Ok(()), |lookup| write!(f, ": {lookup}"))?;
                f.write_str(")")
            }
            Self::TimedOut => f.write_str("nothing answered in time"),
            Self::Truncated => f.write_str(
                "the relay ended without close_notify: the target broke off, or bytes may be missing; --truncated end takes \
                 it for an end",
            ),
            Self::TooManyFlows => f.write_str("the client has as many flows as its limit allows"),
        }
    }
}

impl core::error::Error for FlowError {}

impl From<FlowError> for io::Error {
    fn from(error: FlowError) -> Self {
        use io::ErrorKind as K;
        let kind = match &error {
            FlowError::Closed => K::NotConnected,
            FlowError::ClientClosed => K::ConnectionAborted,
            FlowError::DatagramTooLarge { .. } | FlowError::Target(_) => K::InvalidInput,
            FlowError::Exhausted(resource) => IoFailure::Exhausted(*resource).kind(),
            FlowError::Finished => K::BrokenPipe,
            FlowError::Direct(Fault::Io(failed)) => failed.failure.kind(),
            FlowError::Direct(_) | FlowError::NoProxy(_) => K::ConnectionRefused,
            FlowError::Reset | FlowError::Truncated => K::ConnectionReset,
            FlowError::TargetForbidden { .. } => K::PermissionDenied,
            FlowError::TargetUnreachable { error: Some(ProxyError::ConnectionRefused), .. } => {
                K::ConnectionRefused
            }
            FlowError::TargetUnreachable { status: 504, .. } | FlowError::TimedOut => K::TimedOut,
            FlowError::TargetUnreachable { .. } => K::HostUnreachable,
            FlowError::TooManyFlows => K::QuotaExceeded,
        };
        Self::new(kind, error)
    }
}
