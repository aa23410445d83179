//! The certificate that a relay shows, and its key.

mod renewable;
mod self_signed;

#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use wayleave_proto::base::{Host, Secret};
use wayleave_proto::carrier::tls::{
    Acceptor, Environment, RustlsAcceptor, TlsConfigError, certificates_from_pem, private_key_from_pem,
};

use crate::SettingsError;
use crate::files::{self, AtRest, Unread, print_of};

pub use renewable::Renewable;

use self_signed::Turn;

/// Where the certificate comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Identity {
    /// From an authority.
    Files {
        /// The certificate, and those between it and the authority.
        cert: PathBuf,
        /// Its private key.
        key: PathBuf,
    },
    /// From an authority of our own, in a directory.
    SelfSigned {
        /// The directory.
        directory: PathBuf,
        /// What clients call the relay.
        names: Vec<Host>,
    },
}

impl Identity {
    /// What makes TLS with clients.
    ///
    /// # Errors
    /// Which file cannot be used, and why.
    pub fn acceptor(&self) -> Result<Arc<dyn Acceptor>, SettingsError> {
        let _turn = self.prepare()?;
        self.load()
    }

    /// Makes what can be made; the files stay as they are until the answer is dropped.
    fn prepare(&self) -> Result<Option<Turn>, SettingsError> {
        match self {
            Self::Files { .. } => Ok(None),
            Self::SelfSigned { directory, names } => {
                self_signed::prepare(directory, names, SystemTime::now())
            }
        }
    }

    fn load(&self) -> Result<Arc<dyn Acceptor>, SettingsError> {
        let (cert, key) = self.paths();
        from_files(&cert, &key)
    }

    fn paths(&self) -> (PathBuf, PathBuf) {
        match self {
            Self::Files { cert, key } => (cert.clone(), key.clone()),
            Self::SelfSigned { directory, .. } => {
                (directory.join(self_signed::CERT), directory.join(self_signed::KEY))
            }
        }
    }

    /// A number that is another one when one of the files is.
    fn print(&self) -> u64 {
        let (cert, key) = self.paths();
        let read = |path: &Path| files::read(path, LONGEST).map(Secret::new);
        let print = |read: &Result<Secret<Vec<u8>>, Unread>| print_of(&read.as_ref().map(Secret::expose));
        print_of(&(print(&read(&cert)), print(&read(&key))))
    }
}

/// The files of the certificate and its key, and what stood in them when they were last read. They are one whole.
#[derive(Debug)]
pub struct IdentityFiles {
    identity: Identity,
    rest: AtRest,
}

impl IdentityFiles {
    /// Reads the files, and makes those of a self-signed certificate.
    ///
    /// # Errors
    /// Which file cannot be used, and why.
    pub fn open(identity: Identity) -> Result<(Self, Arc<dyn Acceptor>), SettingsError> {
        let _turn = identity.prepare()?;
        // Looked at before they are read: what changes in between shows at the next look.
        let rest = AtRest::new(identity.print());
        let acceptor = identity.load()?;
        Ok((Self { identity, rest }, acceptor))
    }

    /// Looks at the files. Where they have changed and then stayed the same between two looks they are read, so that
    /// nobody is caught between the writing of one and the other.
    pub fn look(&mut self) -> Option<Result<Arc<dyn Acceptor>, SettingsError>> {
        self.rest.look(self.identity.print()).then(|| self.identity.acceptor())
    }

    /// Reads the files where they have changed. One that was told to be wrong is told again.
    pub fn read(&mut self) -> Option<Result<Arc<dyn Acceptor>, SettingsError>> {
        let is_new = self.rest.read(self.identity.print());
        let read = self.identity.acceptor();
        (is_new || read.is_err()).then_some(read)
    }
}

fn from_files(cert: &Path, key: &Path) -> Result<Arc<dyn Acceptor>, SettingsError> {
    let of_cert = |error: TlsConfigError| SettingsError::new(format!("{}: {error}", cert.display()));
    let of_key = |error: TlsConfigError| SettingsError::new(format!("{}: {error}", key.display()));
    let chain = certificates_from_pem(&read(cert)?).map_err(of_cert)?;
    let secret = private_key_from_pem(&read(key)?).map_err(of_key)?;
    let acceptor =
        RustlsAcceptor::new(Environment::system(), chain, secret).map_err(|error| match error {
            TlsConfigError::BadKey { .. } => of_key(error),
            TlsConfigError::BadCertificate { .. } => of_cert(error),
            _ => SettingsError::new(format!("{} and {}: {error}", cert.display(), key.display())),
        })?;
    Ok(Arc::new(acceptor))
}

fn read(path: &Path) -> Result<Vec<u8>, SettingsError> {
    files::read(path, LONGEST).map_err(|unread| SettingsError::new(format!("{}: {unread}", path.display())))
}

/// More than any chain of certificates has.
const LONGEST: u64 = 1 << 20;
