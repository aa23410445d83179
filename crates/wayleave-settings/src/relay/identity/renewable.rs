//! A certificate that can be put in the place of another while the relay runs.

use std::sync::{Arc, PoisonError, RwLock};

use wayleave_proto::carrier::tls::{Acceptor, Session, TlsError};

/// The certificate in force: for every connection that is accepted from now on. Those that are open keep what they agreed
/// on.
#[derive(Debug)]
pub struct Renewable(RwLock<Arc<dyn Acceptor>>);

impl Renewable {
    /// Shows `acceptor`'s certificate.
    pub fn new(acceptor: Arc<dyn Acceptor>) -> Self {
        Self(RwLock::new(acceptor))
    }

    /// Puts another one into force.
    pub fn renew(&self, acceptor: Arc<dyn Acceptor>) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = acceptor;
    }
}

impl Acceptor for Renewable {
    fn accept(&self) -> Result<Box<dyn Session>, TlsError> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).accept()
    }
}
