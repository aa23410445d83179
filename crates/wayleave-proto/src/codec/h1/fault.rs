//! What is wrong with a head, and the status that says so.

use crate::base::TargetError;
use crate::codec::http::Malformed;

/// A head that is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
#[non_exhaustive]
pub struct HeadError {
    /// The status to answer with; 502 where the head was itself an answer.
    pub status: u16,
    /// What is wrong.
    pub reason: HeadFault,
}

impl HeadError {
    /// The same fault, found in what a server answered.
    pub(super) const fn of_answer(reason: HeadFault) -> Self {
        Self { status: 502, reason }
    }
}

impl From<HeadError> for Malformed {
    fn from(error: HeadError) -> Self {
        Self { status: error.status, detail: error.reason.to_string() }
    }
}

impl From<HeadFault> for HeadError {
    fn from(reason: HeadFault) -> Self {
        Self { status: reason.status(), reason }
    }
}

/// What is wrong with a head.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HeadFault {
    /// A carriage return without a line feed, [RFC 9112 §2.2](https://www.rfc-editor.org/rfc/rfc9112#section-2.2).
    #[error("a carriage return stands alone")]
    BareCr,
    /// A line feed without a carriage return, [RFC 9112 §2.2](https://www.rfc-editor.org/rfc/rfc9112#section-2.2).
    #[error("a line ends without a carriage return")]
    BareLf,
    /// Content-Length or Transfer-Encoding where there is no body, or such as contradict themselves.
    #[error("Content-Length and Transfer-Encoding are not allowed here")]
    Body,
    /// NUL or another control byte.
    #[error("the head contains a control byte")]
    Control,
    /// More than one Proxy-Authorization.
    #[error("there is more than one Proxy-Authorization field")]
    CredentialsRepeated,
    /// A percent-encoding in the target that is broken, hides what it is, or does not make UTF-8.
    #[error("the target is not percent-encoded as it should be")]
    Encoding,
    /// A line that is no field: no colon, no name, a space before the colon, or a fold.
    #[error("a field line is malformed")]
    Field,
    /// More fields than the limit.
    #[error("there are too many fields")]
    FieldsTooMany,
    /// More bytes than the limit.
    #[error("the head is too long")]
    HeadTooLong,
    /// A Host field that names no host, [RFC 9112 §3.2](https://www.rfc-editor.org/rfc/rfc9112#section-3.2).
    #[error("the Host field is not a host with maybe a port")]
    HostInvalid,
    /// No Host field.
    #[error("the Host field is missing")]
    HostMissing,
    /// More than one Host field.
    #[error("there is more than one Host field")]
    HostRepeated,
    /// The head does not end, or something stands behind its end.
    #[error("the head is not one whole head")]
    Incomplete,
    /// Empty lines before the first line, more than are tolerated.
    #[error("there are too many empty lines before the head")]
    LeadingLines,
    /// The request line is longer than the limit.
    #[error("the request line is too long")]
    LineTooLong,
    /// A known method that is not in upper case.
    #[error("the method is not in upper case")]
    MethodCase,
    /// A known method that is not served.
    #[error("only CONNECT, GET for CONNECT-UDP, and OPTIONS are served here")]
    MethodNotAllowed,
    /// A method that nobody knows.
    #[error("the method is unknown")]
    MethodUnknown,
    /// A request in absolute-form, as for a proxy that fetches pages.
    #[error("requests are not forwarded here, only tunnels are opened")]
    NoForwarding,
    /// Nothing is served at this path.
    #[error("nothing is served at this path")]
    NotFound,
    /// The first line is malformed.
    #[error("the first line is malformed")]
    StartLine,
    /// The target is no host and port.
    #[error("the target is not valid: {0}")]
    Target(TargetError),
    /// Upgrade and Connection are not as [RFC 9298 §3.2](https://www.rfc-editor.org/rfc/rfc9298#section-3.2) and §3.3
    /// demand.
    #[error("CONNECT-UDP needs exactly one \"Upgrade: connect-udp\" and \"Connection: Upgrade\"")]
    Upgrade,
    /// The path serves CONNECT-UDP, and the request does not ask for it.
    #[error("this path serves only \"Upgrade: connect-udp\"")]
    UpgradeRequired,
    /// Another version than HTTP/1.1, or than HTTP/1.0 for a CONNECT.
    #[error("only HTTP/1.1 is served here, and CONNECT of HTTP/1.0")]
    Version,
}

impl HeadFault {
    /// The status of the answer to a request with this fault.
    pub const fn status(self) -> u16 {
        match self {
            Self::NotFound => 404,
            Self::MethodNotAllowed => 405,
            Self::LineTooLong => 414,
            Self::UpgradeRequired => 426,
            Self::FieldsTooMany | Self::HeadTooLong => 431,
            Self::MethodUnknown | Self::NoForwarding => 501,
            Self::Version => 505,
            _ => 400,
        }
    }
}

impl From<TargetError> for HeadFault {
    fn from(error: TargetError) -> Self {
        Self::Target(error)
    }
}
