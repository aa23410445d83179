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

    /// The flow's error that is within `error`, where it came from a flow.
    pub fn of(error: &io::Error) -> Option<&Self> {
        error.get_ref()?.downcast_ref()
    }

    /// The nearest kind of the standard library. What happened to the target has one kind on both ways.
    ///
    /// | kind | what happened |
    /// |---|---|
    /// | `BrokenPipe` | the application wrote behind the end of its half |
    /// | `ConnectionAborted` | the client is closed |
    /// | `ConnectionRefused` | the target refused, or the proxies did |
    /// | `ConnectionReset` | the connection broke before its end |
    /// | `HostUnreachable` | there is no way to the target, or to a proxy |
    /// | `InvalidData` | a proxy's certificate is not trusted, or what answers is no proxy |
    /// | `InvalidInput` | what was named is no target; the datagram is too large |
    /// | `NotConnected` | the application has reset the flow |
    /// | `NotFound` | the target's name is unknown, or has no address |
    /// | `PermissionDenied` | a proxy did not accept the credential (407), or does not allow the target (403) |
    /// | `QuotaExceeded` | as many flows as the client, or tunnels as the proxy, allows; this machine has no descriptor left |
    /// | `ResourceBusy` | the proxies are overloaded or draining (503) |
    /// | `TimedOut` | nothing answered in time |
    pub fn kind(&self) -> io::ErrorKind {
        use io::ErrorKind as K;
        match self {
            Self::Closed => K::NotConnected,
            Self::ClientClosed => K::ConnectionAborted,
            Self::DatagramTooLarge { .. } | Self::Target(_) => K::InvalidInput,
            Self::Direct(fault) => fault.kind(),
            Self::Exhausted(resource) => IoFailure::Exhausted(*resource).kind(),
            Self::Finished => K::BrokenPipe,
            Self::NoProxy(said) => telling(said).map_or(K::HostUnreachable, ProxyFault::kind),
            Self::Reset | Self::Truncated => K::ConnectionReset,
            Self::TargetForbidden { .. } => K::PermissionDenied,
            Self::TargetUnreachable { lookup: Some(lookup), .. } => lookup.kind(),
            Self::TargetUnreachable { status, error, .. } => relayed(*status, *error),
            Self::TimedOut => K::TimedOut,
            Self::TooManyFlows => K::QuotaExceeded,
        }
    }
}

/// The fault that somebody can mend: a credential, then trust; else that of the first proxy.
fn telling(said: &[(Target, ProxyFault)]) -> Option<&ProxyFault> {
    use io::ErrorKind as K;
    let rank = |fault: &ProxyFault| match fault.kind() {
        K::PermissionDenied => 0,
        K::InvalidData => 1,
        _ => 2,
    };
    said.iter().map(|(_, fault)| fault).min_by_key(|fault| rank(fault))
}

/// The kind of what a relay said of its own attempt to reach the target.
const fn relayed(status: u16, error: Option<ProxyError>) -> io::ErrorKind {
    use ProxyError as E;
    use io::ErrorKind as K;
    match error {
        Some(E::ConnectionRefused) => K::ConnectionRefused,
        Some(E::ConnectionTerminated) => K::ConnectionReset,
        Some(E::DestinationIpProhibited) => K::PermissionDenied,
        Some(E::DnsError) => K::NotFound,
        _ if status == 504 => K::TimedOut,
        _ => K::HostUnreachable,
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

/// What it displays is the whole in one line; its source is the part that a program may want.
impl core::error::Error for FlowError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Direct(fault) => Some(fault),
            Self::NoProxy(said) => telling(said).map(|fault| fault as _),
            Self::Target(error) => Some(error),
            _ => None,
        }
    }
}

impl From<FlowError> for io::Error {
    fn from(error: FlowError) -> Self {
        Self::new(error.kind(), error)
    }
}
