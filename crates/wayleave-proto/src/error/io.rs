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
    /// Descriptors, ports or memory of this machine are used up.
    Exhausted,
    /// The name exists nowhere.
    NameUnknown,
    /// No name server answered.
    NameUnanswered,
    /// Anything else.
    Other,
    /// This machine does not allow it.
    PermissionDenied,
    /// Nothing answered in time.
    TimedOut,
    /// There is no way to that address.
    Unreachable,
}

/// A failed operation of the outside world: its kind, and what the platform said of it.
#[derive(Clone, PartialEq, Eq)]
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

    /// A failed look-up, which platforms report with errors of their own.
    pub fn name(error: &io::Error) -> Self {
        let text = error.to_string();
        // getaddrinfo reports EAI_AGAIN (no server answered) and EAI_NONAME alike as "other"; only the text differs.
        let failure = if text.contains("Temporary failure") || error.kind() == io::ErrorKind::TimedOut {
            IoFailure::NameUnanswered
        } else {
            IoFailure::NameUnknown
        };
        Self { failure, detail: Some(text.into()) }
    }
}

impl IoFailure {
    /// The nearest kind of the standard library.
    pub const fn kind(self) -> io::ErrorKind {
        match self {
            Self::ConnectionRefused => io::ErrorKind::ConnectionRefused,
            Self::ConnectionReset => io::ErrorKind::ConnectionReset,
            Self::Exhausted => io::ErrorKind::QuotaExceeded,
            Self::NameUnknown | Self::NameUnanswered => io::ErrorKind::NotFound,
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
        // Linux numbers for "too many open files" in the process and in the system, and "no buffer space".
        const EXHAUSTED: [i32; 3] = [24, 23, 105];
        let failure = match error.kind() {
            K::ConnectionRefused => IoFailure::ConnectionRefused,
            K::ConnectionReset | K::ConnectionAborted | K::BrokenPipe => IoFailure::ConnectionReset,
            K::HostUnreachable | K::NetworkUnreachable | K::NetworkDown | K::AddrNotAvailable => {
                IoFailure::Unreachable
            }
            K::TimedOut => IoFailure::TimedOut,
            K::PermissionDenied => IoFailure::PermissionDenied,
            K::OutOfMemory => IoFailure::Exhausted,
            _ if error.raw_os_error().is_some_and(|code| EXHAUSTED.contains(&code)) => IoFailure::Exhausted,
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
            Self::Exhausted => "out of descriptors, ports or memory",
            Self::NameUnknown => "the name is unknown",
            Self::NameUnanswered => "no name server answered",
            Self::Other => "the operation failed",
            Self::PermissionDenied => "permission denied",
            Self::TimedOut => "timed out",
            Self::Unreachable => "unreachable",
        })
    }
}

impl fmt::Display for IoFailed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.failure, &self.detail) {
            (IoFailure::Other, Some(detail)) => f.write_str(detail),
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
