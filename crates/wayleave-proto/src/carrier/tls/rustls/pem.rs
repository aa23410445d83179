//! Certificates and keys from PEM text, RFC 7468. <https://www.rfc-editor.org/rfc/rfc7468>

use ::rustls::pki_types::pem::{self, PemObject};
use ::rustls::pki_types::{CertificateDer, PrivateKeyDer};

use crate::carrier::tls::TlsConfigError;

/// All certificates in `text`, in their order; what else it holds is passed over.
///
/// # Errors
/// [`TlsConfigError::NoCertificate`] where there is none, [`TlsConfigError::BadPem`] where the text is damaged.
pub fn certificates_from_pem(text: &[u8]) -> Result<Vec<CertificateDer<'static>>, TlsConfigError> {
    let certificates: Vec<_> =
        CertificateDer::pem_slice_iter(text).collect::<Result<_, _>>().map_err(damaged)?;
    if certificates.is_empty() { Err(TlsConfigError::NoCertificate) } else { Ok(certificates) }
}

/// The only private key in `text`, as PKCS #8, PKCS #1 or SEC 1; what else it holds is passed over.
///
/// # Errors
/// [`TlsConfigError::NoPrivateKey`], [`TlsConfigError::SeveralPrivateKeys`], or [`TlsConfigError::BadPem`] where the
/// text is damaged.
pub fn private_key_from_pem(text: &[u8]) -> Result<PrivateKeyDer<'static>, TlsConfigError> {
    let mut keys = PrivateKeyDer::pem_slice_iter(text);
    let key = keys.next().ok_or(TlsConfigError::NoPrivateKey)?.map_err(damaged)?;
    match keys.next() {
        None => Ok(key),
        Some(Ok(_)) => Err(TlsConfigError::SeveralPrivateKeys),
        Some(Err(error)) => Err(damaged(error)),
    }
}

/// The reader's words can quote a line of the text, and that may be a line of a key: say only the kind.
fn damaged(error: pem::Error) -> TlsConfigError {
    let detail = match error {
        pem::Error::MissingSectionEnd { .. } => "an END line is missing",
        pem::Error::IllegalSectionStart { .. } => "a BEGIN line is malformed",
        pem::Error::Base64Decode(_) => "a line is not base64",
        pem::Error::SectionTooLarge => "a section is too large",
        _ => "it cannot be read",
    };
    TlsConfigError::BadPem { detail: detail.into() }
}
