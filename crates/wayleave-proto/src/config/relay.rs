//! The configuration of a relay.

use core::net::IpAddr;
use std::collections::BTreeMap;
use std::sync::Arc;

use super::{ConfigError, RelayLimits, Valid};
use crate::auth::{Keys, Rules};
use crate::base::Name;
use crate::carrier::tls::Acceptor;
use crate::policy::{Grantor, Scope, TargetPolicy};

/// Everything that a relay needs to know.
#[derive(Debug)]
pub struct RelayConfig {
    /// How TLS with clients is made.
    pub acceptor: Arc<dyn Acceptor>,
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
    /// Bounds and times.
    pub limits: RelayLimits,
}

impl RelayConfig {
    /// A relay with every default: it serves whoever holds a token of `keys`, to public addresses only.
    pub fn new(acceptor: Arc<dyn Acceptor>, keys: Keys) -> Self {
        Self {
            acceptor,
            verifier: Verifier::Keys(keys),
            rules: Rules::default(),
            scope: Scope::default(),
            targets: TargetPolicy::default(),
            hosts: BTreeMap::new(),
            limits: RelayLimits::default(),
        }
    }

    /// Checks the whole and makes it what a relay takes.
    ///
    /// # Errors
    /// The first field that is out of its range, with what it takes instead.
    pub fn build(mut self) -> Result<Valid<Self>, ConfigError> {
        self.limits.check()?;
        self.scope = self.scope.granted_by(Grantor::Operator);
        Ok(Valid::new(self))
    }
}

/// Who says whether the credentials of a client are good.
#[derive(Clone, Debug)]
pub enum Verifier {
    /// The embedder, who is asked by [`What::Verify`](crate::relay::What::Verify) and answers at once or later.
    Embedder,
    /// The relay itself, by these keys.
    Keys(Keys),
}
