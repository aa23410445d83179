//! Which targets a relay forwards to.

use core::net::{IpAddr, SocketAddr};

use super::{AddressPolicy, Forbidden};

/// Where clients may go: judged by port before any look-up, and by address on exactly what is dialled.
#[derive(Clone, Debug)]
pub struct TargetPolicy {
    /// The addresses.
    pub addresses: AddressPolicy,
    /// Ports that are forbidden whatever the address. Default 25: mail needs no proxy but spam does.
    pub denied_ports: Vec<u16>,
    /// Where this relay itself listens: forbidden even where the address is allowed, so that no loop can be built.
    pub own: Vec<SocketAddr>,
}

impl Default for TargetPolicy {
    fn default() -> Self {
        Self { addresses: AddressPolicy::default(), denied_ports: vec![25], own: Vec::new() }
    }
}

impl TargetPolicy {
    /// Whether `port` may be asked for.
    ///
    /// # Errors
    /// [`Denied::Port`].
    pub fn judge_port(&self, port: u16) -> Result<(), Denied> {
        if self.denied_ports.contains(&port) { Err(Denied::Port(port)) } else { Ok(()) }
    }

    /// Whether `address` may be dialled. `own` are addresses of the relay beside those configured, such as the one on
    /// which the client reached it.
    ///
    /// # Errors
    /// The rule that forbids it.
    pub fn judge(&self, address: SocketAddr, own: &[SocketAddr]) -> Result<(), Denied> {
        self.addresses
            .judge(address.ip())
            .map_err(|Forbidden { rule }| Denied::Address { address: address.ip(), rule })?;
        let ip = address.ip().to_canonical();
        let is_own = |listener: &SocketAddr| {
            let at = listener.ip().to_canonical();
            // Who listens on every address is reached by loopback, at the least.
            listener.port() == address.port() && (at == ip || (at.is_unspecified() && ip.is_loopback()))
        };
        if self.own.iter().chain(own).any(is_own) { Err(Denied::Own(address)) } else { Ok(()) }
    }
}

/// Why a target is forbidden. For the operator; a client learns only the class.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Denied {
    /// The address is in a range that is not allowed.
    #[error("address {address} is forbidden: {rule}")]
    Address {
        /// The address.
        address: IpAddr,
        /// The range.
        rule: &'static str,
    },
    /// The target is the relay itself.
    #[error("{0} is this relay itself")]
    Own(SocketAddr),
    /// The port is not allowed.
    #[error("port {0} is forbidden")]
    Port(u16),
}

impl Denied {
    /// Whether the address is the reason, not the port.
    pub const fn is_address(&self) -> bool {
        match self {
            Self::Address { .. } | Self::Own(_) => true,
            Self::Port(_) => false,
        }
    }
}
