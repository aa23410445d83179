//! A fixed forward, for programs that know no proxy at all.

use core::fmt;
use core::net::SocketAddr;
use core::str::FromStr;

use crate::base::{Kind, Target, TargetError};

/// A local port that always leads to one target: `tcp:127.0.0.1:8080=web.example:80`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Forward {
    /// Streams (`tcp`) or datagrams (`udp`).
    pub kind: Kind,
    /// Where programs connect to or send to; port 0 takes any free one.
    pub listen: SocketAddr,
    /// Where that leads.
    pub target: Target,
}

impl FromStr for Forward {
    type Err = ForwardError;

    /// Reads `tcp:ADDRESS:PORT=HOST:PORT` or `udp:ADDRESS:PORT=HOST:PORT`; an IPv6 address stands in brackets.
    fn from_str(text: &str) -> Result<Self, ForwardError> {
        let (kind, rest) = text.split_once(':').ok_or(ForwardError::Kind)?;
        let kind = match kind {
            "tcp" => Kind::Stream,
            "udp" => Kind::Datagram,
            _ => return Err(ForwardError::Kind),
        };
        let (listen, target) = rest.split_once('=').ok_or(ForwardError::NoTarget)?;
        let listen = listen.parse().map_err(|_| ForwardError::Listen)?;
        let target = target.parse().map_err(ForwardError::Target)?;
        Ok(Self { kind, listen, target })
    }
}

impl fmt::Display for Forward {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.kind {
            Kind::Datagram => "udp",
            Kind::Stream => "tcp",
        };
        write!(f, "{kind}:{}={}", self.listen, self.target)
    }
}

/// Why a text is not a forward: the part that is wrong, and what to write instead. The text is not repeated, for a secret
/// may stand there by mistake.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ForwardError {
    /// It starts with neither `tcp:` nor `udp:`.
    #[error("a forward starts with tcp: or udp:; write tcp:127.0.0.1:8080=web.example:80")]
    Kind,
    /// The local side is no address with a port.
    #[error("the local side must be an IP address and a port, like 127.0.0.1:8080 or [::1]:8080")]
    Listen,
    /// There is no `=`.
    #[error("the forward names no target; add =HOST:PORT behind the local address")]
    NoTarget,
    /// The target is none.
    #[error("the target of the forward: {0}")]
    Target(TargetError),
}
