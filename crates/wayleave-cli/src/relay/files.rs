//! The files of a relay that are followed while it runs: keys and certificate.

use std::sync::Arc;

use wayleave_proto::auth::Keys;
use wayleave_proto::carrier::tls::Acceptor;

use super::identity::IdentityFiles;
use super::key_files::KeyFiles;
use crate::Failure;
use crate::files::Look;

/// All of them, on a thread of their own.
#[derive(Debug)]
pub(super) struct Files {
    pub(super) keys: KeyFiles,
    pub(super) identity: IdentityFiles,
}

/// What was read again.
#[derive(Debug)]
pub(super) struct News {
    /// The keys, or what is wrong with their files.
    pub(super) keys: Option<Result<Keys, Failure>>,
    /// The certificate with its key where it is another one, or what is wrong with their files.
    pub(super) certificate: Option<Result<Arc<dyn Acceptor>, Failure>>,
}

impl Look for Files {
    type Found = News;

    fn look(&mut self) -> Option<News> {
        let (keys, certificate) = (self.keys.look(), self.identity.look());
        (keys.is_some() || certificate.is_some()).then_some(News { keys, certificate })
    }

    fn read(&mut self) -> News {
        News { keys: Some(self.keys.read()), certificate: self.identity.read() }
    }
}
