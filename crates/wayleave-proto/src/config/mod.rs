//! What the user writes, with defaults, bounds and the check that makes it valid.

mod canary;
mod client;
mod limits;
mod liveness;
mod no_proxy;
mod relay;
mod route;
mod system_via;
mod truncation;
mod via;

#[cfg(test)]
mod tests;

use core::ops::Deref;
use std::sync::Arc;

pub use canary::Canary;
pub use client::{ClientConfig, Probe};
pub use limits::{ClientLimits, RelayLimits};
pub use liveness::{Liveness, Peer};
pub use no_proxy::NoProxy;
pub use relay::{RelayConfig, Verifier};
pub use route::{AtDeadline, BackoffConfig, DoubtConfig, Mode, RescueConfig, RouteConfig, Scope, Treatment};
pub use system_via::{SystemVia, SystemViaError};
pub use truncation::Truncation;
pub use via::{Via, ViaError, ViaScheme};

/// A configuration that has been checked; only the `build` methods make one.
#[derive(Debug)]
#[must_use = "a configuration does nothing by itself"]
pub struct Valid<T>(Arc<T>);

impl<T> Valid<T> {
    fn new(config: T) -> Self {
        Self(Arc::new(config))
    }
}

impl<T> Clone for Valid<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T> Deref for Valid<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

/// What is wrong with a configuration: which field, and what it takes instead.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {remedy}")]
#[non_exhaustive]
pub struct ConfigError {
    /// The field, as it is written.
    pub field: &'static str,
    /// What to write instead.
    pub remedy: String,
}

impl ConfigError {
    /// An error in `field` that `remedy` mends.
    pub fn new(field: &'static str, remedy: impl Into<String>) -> Self {
        Self { field, remedy: remedy.into() }
    }
}
