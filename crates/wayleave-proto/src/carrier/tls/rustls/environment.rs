//! What the engine takes from the world.

use core::fmt;
use std::sync::Arc;

use ::rustls::crypto::CryptoProvider;
#[cfg(feature = "aws-lc-rs")]
use ::rustls::crypto::aws_lc_rs as engine;
#[cfg(not(feature = "aws-lc-rs"))]
use ::rustls::crypto::ring as engine;
use ::rustls::time_provider::{DefaultTimeProvider, TimeProvider};

/// Cryptography with its randomness, and the civil clock that certificates are judged by.
///
/// A simulation passes its own of both, and then the same seed gives the same bytes.
#[derive(Clone)]
pub struct Environment {
    /// Ciphers, key exchanges, signatures and randomness.
    pub provider: Arc<CryptoProvider>,
    /// The clock.
    pub time: Arc<dyn TimeProvider>,
}

impl Environment {
    /// The cryptography of ring, or that of AWS-LC with the feature `aws-lc-rs`, and the clock and randomness of this
    /// machine, which the engine reads by itself.
    pub fn system() -> Self {
        Self { provider: Arc::new(engine::default_provider()), time: Arc::new(DefaultTimeProvider) }
    }
}

impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Environment").field("time", &self.time).finish_non_exhaustive()
    }
}
