//! The configuration of a relay.

use core::net::IpAddr;
use std::collections::BTreeMap;
use std::sync::Arc;

use super::{ConfigError, RelayLimits, Valid};
use crate::auth::{Keys, Rules};
use crate::base::Name;
use crate::carrier::tls::Acceptor;
use crate::policy::TargetPolicy;

/// Everything that a relay needs to know.
#[derive(Debug)]
pub struct RelayConfig {
    /// How TLS with clients is made.
    pub acceptor: Arc<dyn Acceptor>,
    /// The keys that tokens are checked with.
    pub keys: Keys,
    /// The rules of that check.
    pub rules: Rules,
    /// Where clients may go.
    pub targets: TargetPolicy,
    /// Names that are answered from here and never looked up; their addresses are judged like any other.
    pub hosts: BTreeMap<Name, Vec<IpAddr>>,
    /// Bounds and times.
    pub limits: RelayLimits,
}

impl RelayConfig {
    /// A relay with every default: it serves whoever holds a token of `keys`, to public addresses only.
    pub fn new(acceptor: Arc<dyn Acceptor>, keys: Keys) -> Self {
        Self {
            acceptor,
            keys,
            rules: Rules::default(),
            targets: TargetPolicy::default(),
            hosts: BTreeMap::new(),
            limits: RelayLimits::default(),
        }
    }

    /// Checks the whole and makes it what a relay takes.
    ///
    /// # Errors
    /// The first field that is out of its range, with what it takes instead.
    pub fn build(self) -> Result<Valid<Self>, ConfigError> {
        self.limits.check()?;
        Ok(Valid::new(self))
    }
}
