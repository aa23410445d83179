//! The client side.

use core::fmt;
use std::sync::Arc;

use ::rustls::client::danger::ServerCertVerifier;
use ::rustls::client::{ClientConfig, Resumption, UnbufferedClientConnection, WantsClientCert};
use ::rustls::pki_types::{CertificateDer, ServerName};
use ::rustls::version::TLS13;
use ::rustls::{ConfigBuilder, RootCertStore, WantsVerifier};

use super::catch::Catch;
use super::handshake::Engine;
use super::session::RustlsSession;
use super::{Environment, failure};
use crate::base::Host;
use crate::carrier::tls::error::shown;
use crate::carrier::tls::{ALPN, Connector, Session, TlsConfigError, TlsError};

/// Makes client sessions: TLS 1.3, `http/1.1`, resumption but no early data.
///
/// What is needed to resume is kept for a few servers and shared by clones.
#[derive(Clone)]
pub struct RustlsConnector {
    config: Arc<ClientConfig>,
}

impl RustlsConnector {
    /// Trusts servers whose certificate leads to one of `roots`.
    ///
    /// # Errors
    /// [`TlsConfigError::NoCertificate`] where there is no root, [`TlsConfigError::BadCertificate`] where one cannot
    /// be read, [`TlsConfigError::Provider`] where the environment cannot do TLS 1.3.
    pub fn with_roots(
        environment: Environment,
        roots: impl IntoIterator<Item = CertificateDer<'static>>,
    ) -> Result<Self, TlsConfigError> {
        let mut store = RootCertStore::empty();
        for root in roots {
            store
                .add(root)
                .map_err(|error| TlsConfigError::BadCertificate { detail: shown(&error.to_string()) })?;
        }
        if store.is_empty() {
            return Err(TlsConfigError::NoCertificate);
        }
        Ok(Self::new(builder(environment)?.with_root_certificates(store)))
    }

    /// Trusts the servers that `verifier` trusts: the roots of the platform, say.
    ///
    /// # Errors
    /// [`TlsConfigError::Provider`] where the environment cannot do TLS 1.3.
    pub fn with_verifier(
        environment: Environment,
        verifier: Arc<dyn ServerCertVerifier>,
    ) -> Result<Self, TlsConfigError> {
        Ok(Self::new(builder(environment)?.dangerous().with_custom_certificate_verifier(verifier)))
    }

    fn new(builder: ConfigBuilder<ClientConfig, WantsClientCert>) -> Self {
        let mut config = builder.with_no_client_auth();
        config.alpn_protocols = vec![ALPN.to_vec()];
        config.enable_secret_extraction = true;
        config.resumption = Resumption::in_memory_sessions(SERVERS);
        Self { config: Arc::new(config) }
    }

    /// A session over a new connection.
    pub(super) fn session(&self, host: &Host) -> Result<RustlsSession, TlsError> {
        let name = match host {
            Host::Address(address) => ServerName::from(*address),
            Host::Name(name) => ServerName::try_from(name.as_str().to_owned())
                .map_err(|_| TlsError::InvalidName { name: shown(name.as_str()) })?,
        };
        let catch = Catch::client();
        let mut config = ClientConfig::clone(&self.config);
        config.key_log = Arc::<Catch>::clone(&catch);
        let client = UnbufferedClientConnection::new(Arc::new(config), name)
            .map_err(|error| failure::connection(&error, false))?;
        Ok(RustlsSession::new(Engine::Client(client), catch))
    }
}

impl Connector for RustlsConnector {
    fn connect(&self, host: &Host) -> Result<Box<dyn Session>, TlsError> {
        Ok(Box::new(self.session(host)?))
    }
}

impl fmt::Debug for RustlsConnector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RustlsConnector").finish_non_exhaustive()
    }
}

fn builder(environment: Environment) -> Result<ConfigBuilder<ClientConfig, WantsVerifier>, TlsConfigError> {
    ClientConfig::builder_with_details(environment.provider, environment.time)
        .with_protocol_versions(&[&TLS13])
        .map_err(|error| failure::provider(&error))
}

/// Servers for which tickets are kept. A client has a handful of proxies.
const SERVERS: usize = 16;
