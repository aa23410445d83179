//! Why a flow could not be opened, in the words of each dialect.

use crate::codec::socks::Reply;

/// Why the agent could not do what a local client asked for.
///
/// One table gives each its SOCKS5 reply, its HTTP status and its `Proxy-Status` error
/// ([RFC 9209 §2.3](https://www.rfc-editor.org/rfc/rfc9209#section-2.3)); the text is what an HTTP client reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// The relay does not forward to the address of the target.
    #[error("the relay does not forward to the target's address; its operator decides which are allowed")]
    AddressForbidden,
    /// The target refused the connection.
    #[error("the target refused the connection; check that it runs and that the port is right")]
    ConnectionRefused,
    /// The target ended the connection at once.
    #[error("the connection to the target was reset before it was of use")]
    ConnectionTerminated,
    /// Something failed in the agent.
    #[error("the agent failed to open the flow; its log says why")]
    GeneralFailure,
    /// The host of the target cannot be reached.
    #[error("the target's host cannot be reached")]
    HostUnreachable,
    /// The target's name has no address.
    #[error("the target's name exists, but has no address")]
    NameEmpty,
    /// The name servers failed, or refused.
    #[error(
        "the name server failed or refused to answer for the target's name; try again, or ask whoever runs it"
    )]
    NameFailed,
    /// No name server answered.
    #[error("no name server answered for the target's name in time; try again")]
    NameTimedOut,
    /// The target's name does not exist.
    #[error("the target's name is unknown; check its spelling")]
    NameUnknown,
    /// The network of the target cannot be reached.
    #[error("the target's network cannot be reached")]
    NetworkUnreachable,
    /// The rules of the agent or of the relay forbid it.
    #[error("the relay's rules do not allow this target or port for this token")]
    NotAllowed,
    /// There are too many flows already.
    #[error("too many flows are open at the agent or the relay; try again later")]
    Overloaded,
    /// No relay can be reached.
    #[error("no relay can be reached; the agent's log says what each of them answered")]
    RelayUnavailable,
    /// The target did not answer in time.
    #[error("the target did not answer in time")]
    TimedOut,
    /// The relay did not accept the agent's token.
    #[error("the relay did not accept the agent's token; give the agent a new one")]
    TokenRefused,
}

impl Refusal {
    /// The SOCKS5 reply.
    pub const fn reply(self) -> Reply {
        self.row().0
    }

    /// The status of the HTTP answer.
    pub const fn status(self) -> u16 {
        self.row().1
    }

    /// The error in the `Proxy-Status` of the HTTP answer.
    pub const fn proxy_error(self) -> &'static str {
        self.row().2
    }

    /// A local client cannot mend the agent's token, so a refused one is no 407 here: that would make a browser ask
    /// its user for a password.
    const fn row(self) -> (Reply, u16, &'static str) {
        match self {
            Self::AddressForbidden => (Reply::NotAllowed, 403, "destination_ip_prohibited"),
            Self::ConnectionRefused => (Reply::ConnectionRefused, 502, "connection_refused"),
            Self::ConnectionTerminated => (Reply::GeneralFailure, 502, "connection_terminated"),
            Self::GeneralFailure => (Reply::GeneralFailure, 500, "proxy_internal_error"),
            Self::HostUnreachable => (Reply::HostUnreachable, 502, "destination_ip_unroutable"),
            Self::NameEmpty | Self::NameFailed => (Reply::HostUnreachable, 502, "dns_error"),
            Self::NameTimedOut => (Reply::HostUnreachable, 504, "dns_timeout"),
            Self::NameUnknown => (Reply::HostUnreachable, 502, "dns_error"),
            Self::NetworkUnreachable => (Reply::NetworkUnreachable, 502, "destination_ip_unroutable"),
            Self::NotAllowed => (Reply::NotAllowed, 403, "http_request_denied"),
            Self::Overloaded => (Reply::GeneralFailure, 503, "connection_limit_reached"),
            Self::RelayUnavailable => (Reply::GeneralFailure, 503, "destination_unavailable"),
            Self::TimedOut => (Reply::TtlExpired, 504, "connection_timeout"),
            Self::TokenRefused => (Reply::NotAllowed, 500, "proxy_configuration_error"),
        }
    }
}
