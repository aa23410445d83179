//! What an adapter reports when the outside world says no.

use core::fmt;
use std::io;
use std::sync::Arc;

/// The kind of a failed operation of the outside world.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum IoFailure {
    /// Nothing listens there.
    ConnectionRefused,
    /// The other side ended the connection at once.
    ConnectionReset,
    /// This machine itself lacks something; neither the other side nor the network has a part in it.
    Exhausted(Resource),
    /// The name exists and has no address.
    NameEmpty,
    /// A name server answered that it failed (SERVFAIL), or the platform could not tell.
    NameFailed,
    /// A name server refused to answer (REFUSED).
    NameRefused,
    /// No name server answered in time.
    NameUnanswered,
    /// The name exists nowhere (NXDOMAIN).
    NameUnknown,
    /// Anything else.
    Other,
    /// This machine does not allow it.
    PermissionDenied,
    /// Nothing answered in time.
    TimedOut,
    /// There is no way to that address.
    Unreachable,
}

/// What a machine can run out of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Resource {
    /// Open files and sockets.
    Descriptors,
    /// Room for names that wait to be looked up.
    Lookups,
    /// Memory of the system for sockets and names.
    Memory,
    /// Local ports towards one address.
    Ports,
    /// Threads.
    Threads,
}

impl Resource {
    /// Its name, for whoever reads events by machine.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Descriptors => "descriptors",
            Self::Lookups => "lookups",
            Self::Memory => "memory",
            Self::Ports => "ports",
            Self::Threads => "threads",
        }
    }
}

/// A failed operation of the outside world: its kind, and what the platform said of it.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct IoFailed {
    /// The kind.
    pub failure: IoFailure,
    detail: Option<Arc<str>>,
}

impl IoFailed {
    /// A failure with nothing to add to its kind.
    pub const fn new(failure: IoFailure) -> Self {
        Self { failure, detail: None }
    }

    /// A failure with what the platform said.
    pub fn with_detail(failure: IoFailure, detail: &str) -> Self {
        Self { failure, detail: Some(detail.into()) }
    }

    /// What this machine lacked, where that is why it failed.
    pub const fn lacked(&self) -> Option<Resource> {
        match self.failure {
            IoFailure::Exhausted(resource) => Some(resource),
            _ => None,
        }
    }

    /// A failed look-up, which platforms report with errors of their own.
    pub fn name(error: &io::Error) -> Self {
        if let Some(known) = Self::within(error) {
            return known;
        }
        let text = error.to_string();
        if let Some(resource) = lacked(error) {
            return Self { failure: IoFailure::Exhausted(resource), detail: Some(text.into()) };
        }
        // getaddrinfo reports its errors alike as "other"; only the text differs. EAI_AGAIN stands for a server that failed,
        // one that refused and one that said nothing; EAI_NODATA for a name without addresses.
        let failure = match error.kind() {
            io::ErrorKind::TimedOut => IoFailure::NameUnanswered,
            _ if text.contains("Temporary failure") => IoFailure::NameFailed,
            _ if text.contains("No address associated") => IoFailure::NameEmpty,
            _ if error.raw_os_error().is_some() => return Self::from(error),
            _ => IoFailure::NameUnknown,
        };
        Self { failure, detail: Some(text.into()) }
    }

    /// What a name server said, in the words of DNS ([RFC 1035 §4.1.1], RFC 6895 §2.3); `None` where none answered or it is
    /// not known what it said.
    ///
    /// [RFC 1035 §4.1.1]: https://www.rfc-editor.org/rfc/rfc1035#section-4.1.1
    pub fn rcode(&self) -> Option<&'static str> {
        Some(match self.failure {
            IoFailure::NameEmpty => "NOERROR",
            IoFailure::NameFailed if self.detail.is_none() => "SERVFAIL",
            IoFailure::NameRefused => "REFUSED",
            IoFailure::NameUnknown => "NXDOMAIN",
            _ => return None,
        })
    }

    /// What an adapter knew better than the error of its platform says, and put into the error.
    fn within(error: &io::Error) -> Option<Self> {
        error.get_ref()?.downcast_ref::<Self>().cloned()
    }
}

/// What the platform ran out of, by the error it reports.
fn lacked(error: &io::Error) -> Option<Resource> {
    match error.kind() {
        io::ErrorKind::OutOfMemory => return Some(Resource::Memory),
        io::ErrorKind::AddrNotAvailable => return Some(Resource::Ports),
        _ => {}
    }
    let code = error.raw_os_error()?;
    NUMBERS.iter().find(|(number, _)| *number == code).map(|(_, resource)| *resource)
}

/// The platform's numbers for "too many open files" in the process and in the system, and "no buffer space".
const NUMBERS: &[(i32, Resource)] = if cfg!(windows) {
    &[(10_024, Resource::Descriptors), (10_055, Resource::Memory)]
} else if cfg!(any(target_os = "android", target_os = "linux")) {
    &[(24, Resource::Descriptors), (23, Resource::Descriptors), (105, Resource::Memory)]
} else {
    &[(24, Resource::Descriptors), (23, Resource::Descriptors), (55, Resource::Memory)]
};

impl IoFailure {
    /// What a name server's word means, by the [`rcode`](IoFailed::rcode) of somebody else; `None` where it is not one of
    /// those that matter here.
    pub fn of_rcode(rcode: &str) -> Option<Self> {
        Some(match rcode {
            "NOERROR" => Self::NameEmpty,
            "SERVFAIL" => Self::NameFailed,
            "REFUSED" => Self::NameRefused,
            "NXDOMAIN" => Self::NameUnknown,
            _ => return None,
        })
    }

    /// The nearest kind of the standard library.
    pub const fn kind(self) -> io::ErrorKind {
        match self {
            Self::ConnectionRefused => io::ErrorKind::ConnectionRefused,
            Self::ConnectionReset => io::ErrorKind::ConnectionReset,
            Self::Exhausted(Resource::Descriptors | Resource::Lookups | Resource::Threads) => {
                io::ErrorKind::QuotaExceeded
            }
            Self::Exhausted(Resource::Memory) => io::ErrorKind::OutOfMemory,
            Self::Exhausted(Resource::Ports) => io::ErrorKind::AddrNotAvailable,
            Self::NameEmpty | Self::NameUnknown => io::ErrorKind::NotFound,
            Self::NameFailed | Self::NameRefused => io::ErrorKind::Other,
            Self::NameUnanswered => io::ErrorKind::TimedOut,
            Self::Other => io::ErrorKind::Other,
            Self::PermissionDenied => io::ErrorKind::PermissionDenied,
            Self::TimedOut => io::ErrorKind::TimedOut,
            Self::Unreachable => io::ErrorKind::HostUnreachable,
        }
    }
}

impl From<&io::Error> for IoFailed {
    fn from(error: &io::Error) -> Self {
        use io::ErrorKind as K;
        if let Some(known) = Self::within(error) {
            return known;
        }
        if let Some(resource) = lacked(error) {
            return Self { failure: IoFailure::Exhausted(resource), detail: Some(error.to_string().into()) };
        }
        let failure = match error.kind() {
            K::ConnectionRefused => IoFailure::ConnectionRefused,
            K::ConnectionReset | K::ConnectionAborted | K::BrokenPipe => IoFailure::ConnectionReset,
            K::HostUnreachable | K::NetworkUnreachable | K::NetworkDown => IoFailure::Unreachable,
            K::TimedOut => IoFailure::TimedOut,
            K::PermissionDenied => IoFailure::PermissionDenied,
            _ => IoFailure::Other,
        };
        Self { failure, detail: Some(error.to_string().into()) }
    }
}

impl fmt::Display for IoFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ConnectionRefused => "connection refused",
            Self::ConnectionReset => "connection reset",
            Self::Exhausted(resource) => return resource.fmt(f),
            Self::NameEmpty => "the name has no address",
            Self::NameFailed => "the name server failed",
            Self::NameRefused => "the name server refused to answer",
            Self::NameUnanswered => "no name server answered in time",
            Self::NameUnknown => "the name is unknown",
            Self::Other => "the operation failed",
            Self::PermissionDenied => "permission denied",
            Self::TimedOut => "timed out",
            Self::Unreachable => "unreachable",
        })
    }
}

impl fmt::Display for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Descriptors => "this machine has no descriptor left: raise its limit of open files",
            Self::Lookups => "this machine looks up as many names as it can",
            Self::Memory => "this machine has no memory left for sockets",
            Self::Ports => "this machine has no local port left towards that address",
            Self::Threads => "this machine starts no more threads: raise its limit of threads",
        })
    }
}

impl fmt::Display for IoFailed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.failure, &self.detail) {
            (IoFailure::Other, Some(detail)) => f.write_str(detail),
            (IoFailure::NameFailed, Some(detail)) => write!(f, "the name could not be looked up: {detail}"),
            (failure, _) => failure.fmt(f),
        }
    }
}

impl fmt::Debug for IoFailed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.failure)?;
        self.detail.as_ref().map_or(Ok(()), |detail| write!(f, " ({detail})"))
    }
}

impl core::error::Error for IoFailed {}
