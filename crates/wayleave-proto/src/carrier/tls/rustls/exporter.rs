//! Key material for those above TLS.

use core::fmt;
use std::sync::{Arc, OnceLock};

use ::rustls::crypto::tls13::{HkdfExpander, OkmBlock, OutputLengthError};
use ::rustls::{KeyLog, Tls13CipherSuite};

use zeroize::Zeroizing;

use super::failure;
use crate::base::Secret;
use crate::carrier::tls::TlsError;

/// Catches the secret of one connection from which key material is exported.
///
/// The engine exports by itself only as long as it encrypts by itself; afterwards nothing but this has the secret.
#[derive(Debug, Default)]
pub(super) struct ExporterCatch(OnceLock<Secret<Vec<u8>>>);

/// Exports key material, RFC 8446 §7.5. <https://www.rfc-editor.org/rfc/rfc8446#section-7.5>
pub(super) struct Exporter {
    suite: &'static Tls13CipherSuite,
    secret: OkmBlock,
}

impl ExporterCatch {
    /// A catch for one connection; it is what that connection logs its keys to.
    pub(super) fn new() -> Arc<Self> {
        Arc::default()
    }

    /// What exports for the connection, whose handshake is over and agreed on `suite`.
    pub(super) fn exporter(&self, suite: &'static Tls13CipherSuite) -> Option<Exporter> {
        let secret = self.0.get()?.expose();
        (secret.len() <= OkmBlock::MAX_LEN).then(|| Exporter { suite, secret: OkmBlock::new(secret) })
    }
}

impl KeyLog for ExporterCatch {
    fn log(&self, label: &str, _: &[u8], secret: &[u8]) {
        if label == LABEL {
            // The engine tells it once.
            let _ = self.0.set(Secret::new(secret.to_vec()));
        }
    }

    fn will_log(&self, label: &str) -> bool {
        label == LABEL
    }
}

impl Exporter {
    /// Fills `out` with what belongs to `label` and `context`.
    ///
    /// # Errors
    /// [`TlsError::Protocol`] where `out` is empty or too long, or the label is.
    pub(super) fn export(
        &self,
        out: &mut [u8],
        label: &[u8],
        context: Option<&[u8]>,
    ) -> Result<(), TlsError> {
        if out.is_empty() {
            return Err(failure::protocol("no key material was asked for"));
        }
        let (hash, hkdf) = (self.suite.common.hash_provider, self.suite.hkdf_provider);
        let mut secret = Zeroizing::new(vec![0; hash.output_len()]);
        let expander = hkdf.expander_for_okm(&self.secret);
        let done = expand_label(&*expander, label, hash.hash(&[]).as_ref(), &mut secret).and_then(|()| {
            let expander = hkdf.expander_for_okm(&OkmBlock::new(&secret));
            expand_label(&*expander, b"exporter", hash.hash(context.unwrap_or_default()).as_ref(), out)
        });
        done.map_err(|_| failure::protocol("too much key material was asked for"))
    }
}

impl fmt::Debug for Exporter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Exporter").finish_non_exhaustive()
    }
}

/// HKDF-Expand-Label, RFC 8446 §7.1. <https://www.rfc-editor.org/rfc/rfc8446#section-7.1>
fn expand_label(
    expander: &dyn HkdfExpander,
    label: &[u8],
    context: &[u8],
    out: &mut [u8],
) -> Result<(), OutputLengthError> {
    let length = u16::try_from(out.len()).map_err(|_| OutputLengthError)?;
    let label_length =
        u8::try_from(label.len().saturating_add(PREFIX.len())).map_err(|_| OutputLengthError)?;
    let context_length = u8::try_from(context.len()).map_err(|_| OutputLengthError)?;
    let info: [&[u8]; 6] =
        [&length.to_be_bytes(), &[label_length], PREFIX, label, &[context_length], context];
    expander.expand_slice(&info, out)
}

const LABEL: &str = "EXPORTER_SECRET";
const PREFIX: &[u8] = b"tls13 ";
