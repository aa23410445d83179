//! TLS 1.3 by rustls, with cryptography, randomness and clock given from outside.

mod acceptor;
mod catch;
mod connector;
mod environment;
mod exporter;
mod failure;
mod handshake;
mod last_word;
mod pem;
mod session;
mod traffic;

#[cfg(test)]
mod tests;

pub use self::acceptor::RustlsAcceptor;
pub use self::connector::RustlsConnector;
pub use self::environment::Environment;
pub use self::pem::{certificates_from_pem, private_key_from_pem};
