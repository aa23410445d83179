//! The files of a relay that are followed while it runs: keys and certificate.

use std::sync::Arc;

use wayleave_proto::auth::Keys;
use wayleave_proto::carrier::tls::Acceptor;

use super::identity::IdentityFiles;
use super::key_files::KeyFiles;
use crate::SettingsError;
use crate::files::Look;

/// All of them, on a thread of their own.
#[derive(Debug)]
#[non_exhaustive]
pub struct RelayFiles {
    /// The key files.
    pub keys: KeyFiles,
    /// The certificate and its key.
    pub identity: IdentityFiles,
}

/// What was read again.
#[derive(Debug)]
#[non_exhaustive]
pub struct RelayNews {
    /// The keys, or what is wrong with their files.
    pub keys: Option<Result<Keys, SettingsError>>,
    /// The certificate with its key where it is another one, or what is wrong with their files.
    pub certificate: Option<Result<Arc<dyn Acceptor>, SettingsError>>,
}

impl Look for RelayFiles {
    type Found = RelayNews;

    fn look(&mut self) -> Option<RelayNews> {
        let (keys, certificate) = (self.keys.look(), self.identity.look());
        (keys.is_some() || certificate.is_some()).then_some(RelayNews { keys, certificate })
    }

    fn read(&mut self) -> RelayNews {
        RelayNews { keys: Some(self.keys.read()), certificate: self.identity.read() }
    }
}
