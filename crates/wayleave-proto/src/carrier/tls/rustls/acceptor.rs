//! The server side.

use core::fmt;
use std::sync::Arc;

use ::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use ::rustls::server::{ServerConfig, ServerSessionMemoryCache, UnbufferedServerConnection};
use ::rustls::version::TLS13;

use super::catch::Catch;
use super::handshake::Engine;
use super::session::RustlsSession;
use super::{Environment, certificates_from_pem, failure, private_key_from_pem};
use crate::carrier::tls::{ALPN, Acceptor, Session, TlsConfigError, TlsError};

/// Makes server sessions: TLS 1.3, `http/1.1`, resumption but no early data, no client certificates.
///
/// A client that says nothing by ALPN is welcome, one that offers other protocols only is refused, RFC 7301 §3.2.
/// <https://www.rfc-editor.org/rfc/rfc7301#section-3.2>
#[derive(Clone)]
pub struct RustlsAcceptor {
    config: Arc<ServerConfig>,
}

impl RustlsAcceptor {
    /// Shows `chain`, the server's own certificate first, and proves it with `key`.
    ///
    /// # Errors
    /// [`TlsConfigError::KeyMismatch`] where the first certificate is not of that key,
    /// [`TlsConfigError::NoCertificate`], [`TlsConfigError::BadCertificate`] or [`TlsConfigError::BadKey`] where they
    /// cannot be read, [`TlsConfigError::Provider`] where the environment cannot do TLS 1.3.
    pub fn new(
        environment: Environment,
        chain: Vec<CertificateDer<'static>>,
        key: PrivateKeyDer<'static>,
    ) -> Result<Self, TlsConfigError> {
        let mut config = ServerConfig::builder_with_details(environment.provider, environment.time)
            .with_protocol_versions(&[&TLS13])
            .map_err(|error| failure::provider(&error))?
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .map_err(|error| failure::identity(&error))?;
        config.alpn_protocols = vec![ALPN.to_vec()];
        // The store is shared and bounded, so a session at rest holds nothing for it. The engine's stateless tickets
        // would read clock and randomness of the machine on their own.
        config.session_storage = ServerSessionMemoryCache::new(SESSIONS);
        config.send_tls13_tickets = 1;
        config.max_early_data_size = 0;
        config.enable_secret_extraction = true;
        Ok(Self { config: Arc::new(config) })
    }

    /// The same from PEM text.
    ///
    /// # Errors
    /// As [`new`](Self::new), [`certificates_from_pem`] and [`private_key_from_pem`].
    pub fn from_pem(environment: Environment, chain: &[u8], key: &[u8]) -> Result<Self, TlsConfigError> {
        Self::new(environment, certificates_from_pem(chain)?, private_key_from_pem(key)?)
    }

    /// A session over a new connection.
    pub(super) fn session(&self) -> Result<RustlsSession, TlsError> {
        let catch = Catch::server();
        let mut config = ServerConfig::clone(&self.config);
        config.key_log = Arc::<Catch>::clone(&catch);
        let server = UnbufferedServerConnection::new(Arc::new(config))
            .map_err(|error| failure::connection(&error, false))?;
        Ok(RustlsSession::new(Engine::Server(server), catch))
    }
}

impl Acceptor for RustlsAcceptor {
    fn accept(&self) -> Result<Box<dyn Session>, TlsError> {
        Ok(Box::new(self.session()?))
    }
}

impl fmt::Debug for RustlsAcceptor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RustlsAcceptor").finish_non_exhaustive()
    }
}

/// Sessions that clients can resume, a few hundred bytes each.
const SESSIONS: usize = 1024;
