//! Which certificates of relays are trusted.

use std::sync::Arc;

use rustls_platform_verifier::Verifier;
use wayleave_proto::carrier::tls::{
    Connector, Environment, RustlsConnector, TlsConfigError, certificates_from_pem,
};

/// TLS to relays whose certificates the platform trusts.
///
/// # Errors
/// The platform's store of roots cannot be used.
pub fn platform_connector() -> Result<Arc<dyn Connector>, TlsConfigError> {
    let environment = Environment::system();
    let verifier = Verifier::new(Arc::clone(&environment.provider))
        .map_err(|error| TlsConfigError::Provider { detail: error.to_string() })?;
    Ok(Arc::new(RustlsConnector::with_verifier(environment, Arc::new(verifier))?))
}

/// TLS to relays whose certificates the authorities in `pem` have signed, and to no other.
///
/// # Errors
/// There is no certificate in `pem`, or one is not in order.
pub fn connector_with_ca(pem: &[u8]) -> Result<Arc<dyn Connector>, TlsConfigError> {
    Ok(Arc::new(RustlsConnector::with_roots(Environment::system(), certificates_from_pem(pem)?)?))
}
