//! Which targets may be reached: ports before any look-up, addresses before any dial.

use core::net::{IpAddr, SocketAddr};

use super::{AddressPolicy, Forbidden, Grantor, OutOfScope};

/// The operator's word on targets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TargetPolicy {
    /// Which addresses may be dialled.
    pub addresses: AddressPolicy,
    /// Ports that no client reaches, on any address; mail (25) by default.
    pub denied_ports: Vec<u16>,
    /// Where this relay itself listens, for clients and for its operator; nothing opens these to a client.
    ///
    /// A listener on the unspecified address stands for every loopback address and every other address in this list.
    pub own: Vec<SocketAddr>,
}

impl TargetPolicy {
    /// Says whether any target at `port` may be reached; asked before a name is looked up.
    ///
    /// # Errors
    /// [`Denied::Port`].
    pub fn judge_port(&self, port: u16) -> Result<(), Denied> {
        if port == 0 || self.denied_ports.contains(&port) { Err(Denied::Port { port }) } else { Ok(()) }
    }

    /// Says whether `address` may be dialled; asked for the very address that is dialled, after every look-up.
    ///
    /// `reached` is the relay's own address on which this client reached it: one of its own that is surely known.
    ///
    /// # Errors
    /// [`Denied`] with the rule that forbids it.
    pub fn judge(&self, address: SocketAddr, reached: Option<SocketAddr>) -> Result<(), Denied> {
        self.judge_port(address.port())?;
        let is_reached = |reached: SocketAddr| {
            reached.port() == address.port() && same(reached.ip(), address.ip().to_canonical())
        };
        if self.is_own(address) || reached.is_some_and(is_reached) {
            return Err(Denied::Own);
        }
        self.addresses.judge(address.ip()).map_err(Denied::Address)
    }

    fn is_own(&self, address: SocketAddr) -> bool {
        let ip = address.ip().to_canonical();
        let is_here =
            || ip.is_loopback() || ip.is_unspecified() || self.own.iter().any(|own| same(own.ip(), ip));
        self.own
            .iter()
            .filter(|own| own.port() == address.port())
            .any(|own| same(own.ip(), ip) || (own.ip().to_canonical().is_unspecified() && is_here()))
    }
}

impl Default for TargetPolicy {
    fn default() -> Self {
        Self { addresses: AddressPolicy::default(), denied_ports: vec![25], own: Vec::new() }
    }
}

/// The rule that keeps a target from a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Denied {
    /// The address lies in a forbidden range.
    #[error(transparent)]
    Address(#[from] Forbidden),
    /// The address is one on which the relay itself listens.
    #[error("the address is forbidden: the relay itself listens there")]
    Own,
    /// The port is forbidden.
    #[error("port {port} is forbidden")]
    Port {
        /// The port.
        port: u16,
    },
    /// The target is outside of what the credential or the operator allows this client.
    #[error(transparent)]
    Scope(#[from] OutOfScope),
}

impl Denied {
    /// Whether the address is the reason, not the port.
    pub const fn is_address(&self) -> bool {
        match self {
            Self::Address(_) | Self::Own => true,
            Self::Port { .. } | Self::Scope(_) => false,
        }
    }

    /// The name of the rule.
    pub const fn rule(&self) -> &'static str {
        match self {
            Self::Address(forbidden) => forbidden.rule,
            Self::Own => "own listener",
            Self::Port { .. } => "port",
            Self::Scope(OutOfScope { grantor: Grantor::Credential }) => "scope of the credential",
            Self::Scope(OutOfScope { grantor: Grantor::Application }) => "scope of the application",
            Self::Scope(OutOfScope { grantor: Grantor::Operator }) => "scope of the relay",
        }
    }
}

fn same(own: IpAddr, ip: IpAddr) -> bool {
    own.to_canonical() == ip
}
