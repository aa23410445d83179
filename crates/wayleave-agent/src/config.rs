//! What an agent runs with.

use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket};

use wayleave_link::Underlay;
use wayleave_proto::config::{ClientConfig, Valid};
use wayleave_proto::local::{
    AssociationConfig, AssociationConfigError, Forward, ForwardLoop, FrontConfig, FrontConfigError,
};
use wayleave_settings::token::TokenFile;

/// What an agent runs with.
#[derive(Debug)]
#[non_exhaustive]
pub struct AgentConfig {
    /// The client behind the ports: relays, credential, routing.
    pub client: Valid<ClientConfig>,
    /// Where front doors listen; port 0 takes any free port. None by default.
    pub listen: Vec<SocketAddr>,
    /// The ports that lead to one target each; none by default.
    pub forwards: Vec<Forward>,
    /// Whether forwards may listen where other machines reach them. They cannot ask for a password: whoever reaches one uses
    /// the credential of this agent for its target. Not by default.
    pub open_forwards: bool,
    /// What front doors ask of their clients. Nothing by default, and then they listen on loopback alone.
    pub front: FrontConfig,
    /// The bounds of SOCKS5 UDP associations. Its idle time holds for the senders to a forward too.
    pub associations: AssociationConfig,
    /// The network as it was seen when the client's configuration was made: the agent watches it from then on, and tells its
    /// client when it is another one. `None` (by default) leaves that to [`Client::network_changed`].
    ///
    /// [`Client::network_changed`]: wayleave_tokio::Client::network_changed
    pub underlay: Option<Underlay>,
    /// The file of the token: a new one in it is put into force. `None` (by default) leaves that to [`Client::renew`].
    ///
    /// [`Client::renew`]: wayleave_tokio::Client::renew
    pub token_file: Option<TokenFile>,
}

impl AgentConfig {
    /// An agent with this client and no ports.
    pub fn new(client: Valid<ClientConfig>) -> Self {
        Self {
            client,
            listen: Vec::new(),
            forwards: Vec::new(),
            open_forwards: false,
            front: FrontConfig::default(),
            associations: AssociationConfig::default(),
            underlay: None,
            token_file: None,
        }
    }

    /// Judges everything but the client, which was checked before.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn check(&self) -> Result<(), AgentError> {
        if self.listen.is_empty() && self.forwards.is_empty() {
            return Err(AgentError::Nothing);
        }
        // Only the addresses of this machine can be bound.
        let is_own = |address: IpAddr| UdpSocket::bind((address, 0)).is_ok();
        Forward::check(&self.forwards, &self.listen, is_own)?;
        let is_open = |forward: &&Forward| !forward.listen.ip().to_canonical().is_loopback();
        if let Some(forward) = self.forwards.iter().find(is_open).filter(|_| !self.open_forwards) {
            return Err(AgentError::OpenForward(forward.clone()));
        }
        self.listen.iter().try_for_each(|listen| self.front.check(*listen))?;
        Ok(self.associations.check()?)
    }
}

/// Why an agent does not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AgentError {
    /// The bounds of associations.
    #[error(transparent)]
    Associations(#[from] AssociationConfigError),
    /// A forward leads to itself.
    #[error(transparent)]
    ForwardLoop(#[from] ForwardLoop),
    /// What front doors ask of their clients.
    #[error(transparent)]
    Front(#[from] FrontConfigError),
    /// Nobody can listen there.
    #[error("cannot listen on {address} ({error}); {}", remedy(.error))]
    Listen {
        /// Where.
        address: SocketAddr,
        /// Why.
        #[source]
        error: io::Error,
    },
    /// There are no ports.
    #[error("nothing to listen on; give an address to listen on, or a forward")]
    Nothing,
    /// Other machines could use a forward.
    #[error(
        "the forward {0} can be reached from other machines, and a forward cannot ask for a password; listen on 127.0.0.1 or \
         [::1], or say that forwards may be open"
    )]
    OpenForward(Forward),
    /// The token's file cannot be followed: the system gives no thread.
    #[error("the file of the token cannot be followed: {0}")]
    TokenFile(#[source] io::Error),
    /// The network cannot be watched.
    #[error("cannot watch the network: {0}")]
    Watch(#[source] io::Error),
}

fn remedy(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::AddrInUse => "stop the program that listens there, or choose another port",
        io::ErrorKind::AddrNotAvailable => "choose an address that this machine has",
        io::ErrorKind::PermissionDenied => {
            "choose a port from 1024, or run with the right to listen on this one"
        }
        _ => "choose another address or port",
    }
}
