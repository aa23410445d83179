//! Key material for those above TLS.

use core::fmt;

use ::rustls::Tls13CipherSuite;
use ::rustls::crypto::tls13::{HkdfExpander, OkmBlock, OutputLengthError};
use zeroize::Zeroizing;

use super::failure;
use crate::carrier::tls::TlsError;

/// Exports key material, RFC 8446 §7.5. <https://www.rfc-editor.org/rfc/rfc8446#section-7.5>
pub(super) struct Exporter {
    suite: &'static Tls13CipherSuite,
    secret: OkmBlock,
}

impl Exporter {
    /// What exports from this secret of a connection that agreed on `suite`.
    pub(super) fn new(suite: &'static Tls13CipherSuite, secret: &[u8]) -> Option<Self> {
        (secret.len() <= OkmBlock::MAX_LEN).then(|| Self { suite, secret: OkmBlock::new(secret) })
    }

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
pub(super) fn expand_label(
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

const PREFIX: &[u8] = b"tls13 ";
