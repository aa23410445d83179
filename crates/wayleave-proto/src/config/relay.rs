//! The configuration of a relay.

use core::net::IpAddr;
use core::time::Duration;
use std::collections::BTreeMap;
use std::sync::Arc;

use super::{ConfigError, RelayLimits, Truncation, Valid};
use crate::auth::{Keys, Rules};
use crate::base::Name;
use crate::carrier::Carrier;
use crate::carrier::tls::Acceptor;
use crate::policy::{Cidr, Grantor, Scope, TargetPolicy};

/// Everything that a relay needs to know.
#[derive(Debug)]
#[non_exhaustive]
pub struct RelayConfig {
    /// How TLS with clients is made.
    pub acceptor: Arc<dyn Acceptor>,
    /// What carries the tunnels of clients; only tests have a choice.
    #[cfg(any(test, feature = "testing"))]
    pub carrier: Carrier,
    /// Who says whether credentials are good.
    pub verifier: Verifier,
    /// The rules of that check.
    pub rules: Rules,
    /// What everybody may do at most; what the operator allows an application and what a token allows narrow it.
    pub scope: Scope,
    /// Where clients may go.
    pub targets: TargetPolicy,
    /// Names that are answered from here and never looked up; their addresses are judged like any other.
    pub hosts: BTreeMap<Name, Vec<IpAddr>>,
    /// Balancers that say whose connections they pass on, with a PROXY header of version 2 before TLS. Without that header
    /// they are not served; from anybody else it is refused. None by default.
    pub balancers: Vec<Cidr>,
    /// What becomes of the target's connection where a client ends without close_notify. By default it ends: many clients
    /// never send one.
    pub truncation: Truncation,
    /// Whether clients that look for what is wrong are answered: datagrams to the relay's own [echo](crate::relay::echo), and a
    /// word in the answer to OPTIONS. It is on by default.
    pub echo: bool,
    /// Whether the system may cut apart what is sent together, and join what comes together, where it can (generic segmentation and
    /// receive offload of UDP). On by default; off helps where a system or a network card damages what it cuts or joins.
    pub offload: bool,
    /// Bounds and times.
    pub limits: RelayLimits,
    /// What is broken on purpose, for the check that the simulation sees it; nothing by default.
    #[cfg(feature = "canary")]
    pub canary: Option<super::Canary>,
}

impl RelayConfig {
    /// A relay with every default: it serves whom `verifier` knows, such as the holders of a token of some [`Keys`], to public
    /// addresses only.
    pub fn new(acceptor: Arc<dyn Acceptor>, verifier: impl Into<Verifier>) -> Self {
        Self {
            acceptor,
            #[cfg(any(test, feature = "testing"))]
            carrier: Carrier::H1,
            verifier: verifier.into(),
            rules: Rules::default(),
            scope: Scope::default(),
            targets: TargetPolicy::default(),
            hosts: BTreeMap::new(),
            balancers: Vec::new(),
            truncation: Truncation::default(),
            echo: true,
            offload: true,
            limits: RelayLimits::default(),
            #[cfg(feature = "canary")]
            canary: None,
        }
    }

    /// What carries tunnels of clients.
    pub(crate) const fn carrier(&self) -> Carrier {
        #[cfg(any(test, feature = "testing"))]
        let carrier = self.carrier;
        #[cfg(not(any(test, feature = "testing")))]
        let carrier = Carrier::H1;
        carrier
    }

    /// Checks the whole and makes it what a relay takes.
    ///
    /// # Errors
    /// The first field that is out of its range, with what it takes instead.
    pub fn build(mut self) -> Result<Valid<Self>, ConfigError> {
        check_rules(&self.rules)?;
        self.limits.check()?;
        self.scope = self.scope.granted_by(Grantor::Operator);
        Ok(Valid::new(self))
    }
}

fn check_rules(rules: &Rules) -> Result<(), ConfigError> {
    let Rules { audience, leeway } = rules;
    if audience.as_deref().is_some_and(str::is_empty) {
        return Err(ConfigError::new("audience", "give the name that tokens have in aud, or leave it out"));
    }
    if *leeway > MOST_LEEWAY {
        return Err(ConfigError::new("leeway", "give at most 1 h; every token is good for that much longer"));
    }
    Ok(())
}

/// Who says whether the credentials of a client are good.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Verifier {
    /// The embedder, who is asked by [`What::Verify`](crate::relay::What::Verify) and answers at once or later.
    Embedder,
    /// The relay itself, by these keys.
    Keys(Keys),
}

impl From<Keys> for Verifier {
    fn from(keys: Keys) -> Self {
        Self::Keys(keys)
    }
}

/// Clocks that differ by more are wrong.
const MOST_LEEWAY: Duration = Duration::from_secs(3_600);
