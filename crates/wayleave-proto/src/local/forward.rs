//! A fixed forward, for programs that know no proxy at all.

use core::fmt;
use core::net::{IpAddr, SocketAddr};
use core::str::FromStr;

use crate::base::{Host, Kind, Target, TargetError};

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

impl Forward {
    /// Judges forwards that are to be opened together, beside doors at `doors`. `is_own` says whether an address belongs to
    /// this machine.
    ///
    /// What a name other than `localhost` leads to, nobody knows before it is resolved; a target's own port on this machine
    /// is no mistake by itself.
    ///
    /// # Errors
    /// One of them leads back to itself, over others or not, so that one connection or datagram would go round for ever, or
    /// to a door, which speaks what no client of a forward speaks.
    pub fn check(
        forwards: &[Self],
        doors: &[SocketAddr],
        is_own: impl Fn(IpAddr) -> bool,
    ) -> Result<(), ForwardLoop> {
        for forward in forwards {
            let door = doors.iter().find(|door| forward.reaches(Kind::Stream, **door, &is_own));
            if let Some(door) = door {
                return Err(ForwardLoop::Door { forward: Box::new(forward.clone()), door: *door });
            }
        }
        for first in forwards {
            // Each forward is followed once, so this ends.
            let mut followed: Vec<&Self> = Vec::new();
            let mut next = vec![first];
            while let Some(forward) = next.pop() {
                for other in
                    forwards.iter().filter(|other| forward.reaches(other.kind, other.listen, &is_own))
                {
                    if other == first {
                        let back = (forward != first).then(|| Box::new(forward.clone()));
                        return Err(ForwardLoop::Cycle { forward: Box::new(first.clone()), back });
                    }
                    if !followed.contains(&other) {
                        followed.push(other);
                        next.push(other);
                    }
                }
            }
        }
        Ok(())
    }

    /// Whether its target is what listens for `kind` at `listen`.
    fn reaches(&self, kind: Kind, listen: SocketAddr, is_own: &impl Fn(IpAddr) -> bool) -> bool {
        if self.kind != kind || self.target.port.get() != listen.port() {
            return false;
        }
        let local = listen.ip().to_canonical();
        match &self.target.host {
            Host::Address(address) => {
                let address = address.to_canonical();
                // Connecting to the unspecified address connects to this machine.
                address == local
                    || address.is_unspecified() && (local.is_loopback() || local.is_unspecified())
                    || local.is_unspecified() && is_own(address)
            }
            // RFC 6761 §6.3: always this machine.
            Host::Name(name) => {
                let name = name.as_str();
                let is_localhost = name == "localhost" || name.ends_with(".localhost");
                is_localhost && (local.is_loopback() || local.is_unspecified())
            }
        }
    }
}

/// Why forwards cannot be opened together.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ForwardLoop {
    /// What comes in goes round for ever.
    #[error(
        "the forward {forward} leads to itself{}; give it the port of another program as its target",
        match back { Some(back) => format!(" by way of {back}"), None => String::new() }
    )]
    Cycle {
        /// The forward.
        forward: Box<Forward>,
        /// The last on the way back to it, if there is another.
        back: Option<Box<Forward>>,
    },
    /// It leads to a door.
    #[error(
        "the forward {forward} leads to the agent's own door at {door}; let its clients connect to the door itself"
    )]
    Door {
        /// The forward.
        forward: Box<Forward>,
        /// The door.
        door: SocketAddr,
    },
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
