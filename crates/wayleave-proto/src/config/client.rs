//! The configuration of a client.

use std::sync::Arc;

use super::{ClientLimits, ConfigError, Mode, NoProxy, RouteConfig, Truncation, Valid, Via};
use crate::auth::Credential;
use crate::base::{Kind, Link, Network, Target};
use crate::carrier::Carrier;
use crate::carrier::tls::Connector;

/// Everything that a client needs to know, fixed when it is made.
///
/// Only the credential can be renewed later.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ClientConfig {
    /// The relays, at least one except in mode off; the first is preferred until it fails. At most 64.
    pub proxies: Vec<Target>,
    /// Proxies of the network through which the relays are reached, tried in turn; none where they are reached directly. At most
    /// 8. With one not even the names of the relays are looked up on this side.
    pub via: Vec<Via>,
    /// The relays that are reached directly although there is a `via`; none by default.
    pub no_via: NoProxy,
    /// How the client proves who it is; required except in mode off.
    pub credential: Option<Credential>,
    /// How TLS to a proxy is made, and which certificates are trusted; required except in mode off.
    pub connector: Option<Arc<dyn Connector>>,
    /// What carries tunnels to the proxies; only tests have a choice.
    #[cfg(any(test, feature = "testing"))]
    pub carrier: Carrier,
    /// The rules of routing.
    pub route: RouteConfig,
    /// What is tried directly in smart mode, beside the flows themselves. At most 64.
    pub probes: Vec<Probe>,
    /// Whether the credential is shown to the first relay that is reached, before any flow needs it, and what the relay says
    /// is told ([`CredentialAccepted`](crate::client::What::CredentialAccepted), or `ProxyFailed`). In mode normal a
    /// connection is made for this at the start; in smart mode the relay must be reached for something else. Off by default: it
    /// costs a connection.
    pub check_credential: bool,
    /// The network at the start.
    pub network: Network,
    /// What becomes of a stream whose relay ends without close_notify. By default it is reset: relays of Wayleave's say with
    /// that end that the target broke off. Some of somebody else's never send one.
    pub truncation: Truncation,
    /// Whether the system may cut apart what is sent together, and join what comes together, where it can (generic segmentation and
    /// receive offload of UDP). On by default; off helps where a system or a network card damages what it cuts or joins.
    pub offload: bool,
    /// Bounds and times.
    pub limits: ClientLimits,
}

impl ClientConfig {
    /// A smart client with every default, on an unknown link.
    pub fn new(
        proxies: Vec<Target>,
        credential: impl Into<Credential>,
        connector: Arc<dyn Connector>,
    ) -> Self {
        Self {
            proxies,
            credential: Some(credential.into()),
            connector: Some(connector),
            route: RouteConfig::default(),
            ..Self::direct()
        }
    }

    /// A client in mode off with every default, on an unknown link: it sends everything directly.
    pub fn direct() -> Self {
        Self {
            proxies: Vec::new(),
            via: Vec::new(),
            no_via: NoProxy::default(),
            credential: None,
            connector: None,
            #[cfg(any(test, feature = "testing"))]
            carrier: Carrier::H1,
            route: RouteConfig { mode: Mode::Off, ..RouteConfig::default() },
            probes: Vec::new(),
            check_credential: false,
            network: Network::up(Link::Unknown),
            truncation: Truncation::Reset,
            offload: true,
            limits: ClientLimits::default(),
        }
    }

    /// The proxies of the network through which `relay` is reached, in turn; none where it is reached directly.
    pub fn via_to(&self, relay: &Target) -> &[Via] {
        if self.no_via.has(&relay.host) { &[] } else { &self.via }
    }

    /// What carries tunnels to the proxies.
    pub(crate) const fn carrier(&self) -> Carrier {
        #[cfg(any(test, feature = "testing"))]
        let carrier = self.carrier;
        #[cfg(not(any(test, feature = "testing")))]
        let carrier = Carrier::H1;
        carrier
    }

    /// Checks the whole and makes it what a client takes.
    ///
    /// # Errors
    /// The first field that is out of its range, with what it takes instead.
    pub fn build(self) -> Result<Valid<Self>, ConfigError> {
        if self.route.mode != Mode::Off {
            if self.proxies.is_empty() {
                return Err(ConfigError::new(
                    "proxies",
                    "give at least one proxy as HOST:PORT, or choose mode off",
                ));
            }
            if self.credential.is_none() {
                return Err(ConfigError::new("token", "give a token or an app sign, or choose mode off"));
            }
            if self.connector.is_none() {
                return Err(ConfigError::new("connector", "say whom to trust, or choose mode off"));
            }
        }
        if self.proxies.len() > MOST_PROXIES {
            return Err(ConfigError::new("proxies", format!("give at most {MOST_PROXIES} proxies")));
        }
        if self.via.len() > MOST_VIAS {
            return Err(ConfigError::new("via", format!("give at most {MOST_VIAS} proxies of the network")));
        }
        if self.probes.len() > MOST_PROBES {
            return Err(ConfigError::new("probes", format!("give at most {MOST_PROBES} probes")));
        }
        self.route.check()?;
        self.limits.check()?;
        Ok(Valid::new(self))
    }
}

/// A target that answers when the direct path works.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Probe {
    /// For a stream the connection is the answer; for datagrams the target is sent a STUN Binding request
    /// ([RFC 8489 §2](https://www.rfc-editor.org/rfc/rfc8489#section-2)) and any answer counts.
    pub kind: Kind,
    /// Where to.
    pub target: Target,
}

const MOST_PROXIES: usize = 64;
const MOST_VIAS: usize = 8;
const MOST_PROBES: usize = 64;
