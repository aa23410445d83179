//! Certificates from fixed keys, made once for the process.

use std::sync::{Arc, OnceLock};

use anyhow::Context as _;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use wayleave_proto::carrier::tls::{
    Acceptor, Connector, ForeignAcceptor, PlainAcceptor, PlainConnector, RustlsAcceptor, RustlsConnector,
};

use super::environment;

/// Who signs certificates in the world.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Authority {
    /// Nobody trusts it: an interceptor's own.
    Foreign,
    /// Clients trust it.
    Trusted,
}

impl Authority {
    /// A connector that trusts this authority; a `fast` one leaves cryptography out.
    ///
    /// # Errors
    /// The engine does not take the certificate.
    pub(crate) fn connector(self, fast: bool) -> anyhow::Result<Arc<dyn Connector>> {
        if fast {
            return Ok(Arc::new(PlainConnector));
        }
        Ok(Arc::new(RustlsConnector::with_roots(environment(), [self.identity()?.root.clone()])?))
    }

    /// An acceptor with a certificate of this authority that is good for every relay of the world; a `fast` one leaves
    /// cryptography out.
    ///
    /// # Errors
    /// The engine does not take the certificate.
    pub(crate) fn acceptor(self, fast: bool) -> anyhow::Result<Arc<dyn Acceptor>> {
        match (fast, self) {
            (true, Self::Foreign) => return Ok(Arc::new(ForeignAcceptor)),
            (true, Self::Trusted) => return Ok(Arc::new(PlainAcceptor)),
            (false, _) => {}
        }
        let identity = self.identity()?;
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(identity.key.clone()));
        Ok(Arc::new(RustlsAcceptor::new(environment(), vec![identity.leaf.clone()], key)?))
    }

    fn identity(self) -> anyhow::Result<&'static Identity> {
        static TRUSTED: OnceLock<Option<Identity>> = OnceLock::new();
        static FOREIGN: OnceLock<Option<Identity>> = OnceLock::new();
        let (cell, name) = match self {
            Self::Trusted => (&TRUSTED, 1),
            Self::Foreign => (&FOREIGN, 2),
        };
        cell.get_or_init(|| Identity::new(name).ok()).as_ref().context("the certificates cannot be made")
    }
}

#[derive(Debug)]
struct Identity {
    root: CertificateDer<'static>,
    leaf: CertificateDer<'static>,
    key: Vec<u8>,
}

impl Identity {
    fn new(number: u8) -> anyhow::Result<Self> {
        let root_key = KeyPair::try_from(ed25519(number).as_slice())?;
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, format!("authority {number}"));
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let root = params.self_signed(&root_key)?.der().clone();
        let issuer = Issuer::new(params, root_key);

        let key = ed25519(number + 100);
        let leaf_key = KeyPair::try_from(key.as_slice())?;
        let leaf =
            CertificateParams::new(vec!["*.relay.example".to_owned()])?.signed_by(&leaf_key, &issuer)?;
        Ok(Self { root, leaf: leaf.der().clone(), key })
    }
}

/// A private key as RFC 8410 §7 writes it.
fn ed25519(number: u8) -> Vec<u8> {
    let mut der =
        vec![0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20];
    der.extend([number; 32]);
    der
}
