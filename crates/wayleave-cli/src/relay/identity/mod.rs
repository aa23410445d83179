//! The certificate that a relay shows, and its key.

mod self_signed;

#[cfg(test)]
mod tests;

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

use wayleave_proto::base::Host;
use wayleave_proto::carrier::tls::{
    Acceptor, Environment, RustlsAcceptor, TlsConfigError, certificates_from_pem, private_key_from_pem,
};

use crate::Failure;

/// Where the certificate comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Identity<'a> {
    /// From an authority.
    Files {
        /// The certificate, and those between it and the authority.
        cert: &'a Path,
        /// Its private key.
        key: &'a Path,
    },
    /// From an authority of our own, in a directory.
    SelfSigned {
        /// The directory.
        directory: &'a Path,
        /// What clients call the relay.
        names: &'a [Host],
    },
}

impl Identity<'_> {
    /// What makes TLS with clients.
    ///
    /// # Errors
    /// Which file cannot be used, and why.
    pub(super) fn acceptor(&self) -> Result<Arc<dyn Acceptor>, Failure> {
        match self {
            Self::Files { cert, key } => from_files(cert, key),
            Self::SelfSigned { directory, names } => {
                let _turn = self_signed::prepare(directory, names, SystemTime::now())?;
                from_files(&directory.join(self_signed::CERT), &directory.join(self_signed::KEY))
            }
        }
    }
}

fn from_files(cert: &Path, key: &Path) -> Result<Arc<dyn Acceptor>, Failure> {
    let of_cert = |error: TlsConfigError| Failure::usage(format!("{}: {error}", cert.display()));
    let of_key = |error: TlsConfigError| Failure::usage(format!("{}: {error}", key.display()));
    let chain = certificates_from_pem(&read(cert)?).map_err(of_cert)?;
    let secret = private_key_from_pem(&read(key)?).map_err(of_key)?;
    let acceptor =
        RustlsAcceptor::new(Environment::system(), chain, secret).map_err(|error| match error {
            TlsConfigError::BadKey { .. } => of_key(error),
            TlsConfigError::BadCertificate { .. } => of_cert(error),
            _ => Failure::usage(format!("{} and {}: {error}", cert.display(), key.display())),
        })?;
    Ok(Arc::new(acceptor))
}

fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    fs::read(path).map_err(|error| Failure::usage(format!("{} cannot be read: {error}", path.display())))
}
