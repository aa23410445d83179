//! Which certificates of relays are trusted.

use std::sync::Arc;

use rustls::RootCertStore;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier;
use rustls_platform_verifier::Verifier;
use wayleave_proto::carrier::tls::{
    Connector, Environment, RustlsConnector, TlsConfigError, certificates_from_pem,
};

/// TLS to relays whose certificates the platform trusts.
///
/// # Errors
/// The platform's store of roots cannot be used.
pub fn platform_connector() -> Result<Arc<dyn Connector>, TlsConfigError> {
    Ok(Arc::new(RustlsConnector::with_verifier(Environment::system(), platform_verifier()?)?))
}

/// TLS to relays whose certificates the authorities in `pem` have signed, and to no other.
///
/// # Errors
/// There is no certificate in `pem`, or one is not in order.
pub fn connector_with_ca(pem: &[u8]) -> Result<Arc<dyn Connector>, TlsConfigError> {
    Ok(Arc::new(RustlsConnector::with_roots(Environment::system(), certificates_from_pem(pem)?)?))
}

/// Who judges certificates for [`platform_connector`], for those who look at a connection without a client.
///
/// # Errors
/// The platform's store of roots cannot be used.
pub fn platform_verifier() -> Result<Arc<dyn ServerCertVerifier>, TlsConfigError> {
    let verifier = Verifier::new(Environment::system().provider)
        .map_err(|error| TlsConfigError::Provider { detail: error.to_string() })?;
    Ok(Arc::new(verifier))
}

/// The same for [`connector_with_ca`].
///
/// # Errors
/// As there.
pub fn verifier_with_ca(pem: &[u8]) -> Result<Arc<dyn ServerCertVerifier>, TlsConfigError> {
    let bad = |error: &dyn ToString| TlsConfigError::BadCertificate { detail: error.to_string() };
    let mut roots = RootCertStore::empty();
    for certificate in certificates_from_pem(pem)? {
        roots.add(certificate).map_err(|error| bad(&error))?;
    }
    let provider = Environment::system().provider;
    let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider).build();
    Ok(verifier.map_err(|error| bad(&error))?)
}
