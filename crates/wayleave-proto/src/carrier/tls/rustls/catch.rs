//! The secrets of a connection that its engine tells nobody else.

use std::sync::{Arc, OnceLock};

use ::rustls::{KeyLog, Tls13CipherSuite};

use super::exporter::Exporter;
use crate::base::Secret;

/// Catches secrets of one connection.
///
/// The engine exports by itself only as long as it encrypts by itself, and it encrypts nothing that it did not think of;
/// so nothing but this has them.
#[derive(Debug)]
pub(super) struct Catch {
    /// Under which name the engine tells the secret that this side seals with until the handshake is over.
    sealing: &'static str,
    exporter: OnceLock<Secret<Vec<u8>>>,
    seal: OnceLock<Secret<Vec<u8>>>,
}

impl Catch {
    /// The catch of a client. It seals with its handshake key until it has sent Finished, the last of the handshake.
    pub(super) fn client() -> Arc<Self> {
        Self::new("CLIENT_HANDSHAKE_TRAFFIC_SECRET")
    }

    /// The catch of a server. Once there are keys it has sent its Finished, so it seals with the key for data.
    pub(super) fn server() -> Arc<Self> {
        Self::new("SERVER_TRAFFIC_SECRET_0")
    }

    fn new(sealing: &'static str) -> Arc<Self> {
        Arc::new(Self { sealing, exporter: OnceLock::new(), seal: OnceLock::new() })
    }

    /// What exports for the connection, whose handshake is over and agreed on `suite`.
    pub(super) fn exporter(&self, suite: &'static Tls13CipherSuite) -> Option<Exporter> {
        Exporter::new(suite, self.exporter.get()?.expose())
    }

    /// The secret that this side seals with while it waits for the end of the handshake, where there is one already.
    pub(super) fn seal(&self) -> Option<&[u8]> {
        self.seal.get().map(|secret| secret.expose().as_slice())
    }
}

impl KeyLog for Catch {
    fn log(&self, label: &str, _: &[u8], secret: &[u8]) {
        let place = match label {
            EXPORTER => &self.exporter,
            label if label == self.sealing => &self.seal,
            _ => return,
        };
        // The engine tells each once.
        let _ = place.set(Secret::new(secret.to_vec()));
    }

    fn will_log(&self, label: &str) -> bool {
        label == EXPORTER || label == self.sealing
    }
}

const EXPORTER: &str = "EXPORTER_SECRET";
