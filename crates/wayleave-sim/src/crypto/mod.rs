//! Real TLS that repeats: cryptography whose randomness and clock belong to the run.
//!
//! The suites and signatures are those of ring; key exchange and random bytes come from a seeded stream, the certificates
//! from fixed keys, and the civil clock from the world. **Insecure on purpose**: who knows the seed knows every key.
//! Both streams belong to the thread, because the engine wants them to live for ever and a run lives on one thread.

mod certificates;
mod exchange;
mod source;

use std::sync::Arc;

use rustls::crypto::{CryptoProvider, ring};
use wayleave_proto::carrier::tls::Environment;

pub(crate) use certificates::Authority;
pub(crate) use source::{begin, draw, show};

/// Cryptography for the thread's run; call [`begin`] first.
pub(crate) fn environment() -> Environment {
    let provider = CryptoProvider {
        kx_groups: vec![&exchange::SeededX25519],
        secure_random: &source::SeededRandom,
        ..ring::default_provider()
    };
    Environment { provider: Arc::new(provider), time: Arc::new(source::WorldClock) }
}
