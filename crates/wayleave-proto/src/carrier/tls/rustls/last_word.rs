//! The alert that an engine owes.

use ::rustls::crypto::tls13::OkmBlock;
use ::rustls::{CipherSuite, Error, Tls13CipherSuite};
use ring::aead::{AES_128_GCM, AES_256_GCM, CHACHA20_POLY1305, NONCE_LEN};
use zeroize::Zeroizing;

use super::catch::Catch;
use super::exporter::expand_label;
use crate::carrier::tls::record::{Content, Fault, RecordKey, Sealer};

/// Appends to `out` the alert for an `error` of the handshake that the engine gives up without a word about, as it does for
/// a record of nothing but zeros. [RFC 8446 §6.2](https://www.rfc-editor.org/rfc/rfc8446#section-6.2) wants one for each.
///
/// Until the handshake is over the engine has sealed nothing with the key that is in force, so the alert is its first
/// record; before there are keys it goes in the clear.
pub(super) fn last_word(
    error: &Error,
    catch: &Catch,
    suite: Option<&'static Tls13CipherSuite>,
    out: &mut Vec<u8>,
) {
    let fault = match error {
        // RFC 8446 §4.4.2.4: a list without certificates is one that cannot be read.
        Error::InvalidMessage(_) | Error::NoCertificatesPresented => Fault::Decode,
        Error::PeerMisbehaved(_)
        | Error::InappropriateMessage { .. }
        | Error::InappropriateHandshakeMessage { .. } => Fault::Unexpected,
        _ => Fault::Internal,
    };
    let alert = [FATAL, fault.alert()];
    match (catch.seal(), suite) {
        (Some(secret), Some(suite)) => {
            // Without cryptography there is nothing to say it with.
            let Ok(key) = key(suite, secret) else { return };
            let _ = Sealer::new(key, 1).seal(Content::Alert, &[&alert], out);
        }
        _ => {
            out.extend_from_slice(&[ALERT, 3, 3, 0, 2]);
            out.extend_from_slice(&alert);
        }
    }
}

/// The key of a traffic secret, RFC 8446 §7.3. <https://www.rfc-editor.org/rfc/rfc8446#section-7.3>
fn key(suite: &'static Tls13CipherSuite, secret: &[u8]) -> Result<RecordKey, Fault> {
    let algorithm = match suite.common.suite {
        CipherSuite::TLS13_AES_128_GCM_SHA256 => &AES_128_GCM,
        CipherSuite::TLS13_AES_256_GCM_SHA384 => &AES_256_GCM,
        CipherSuite::TLS13_CHACHA20_POLY1305_SHA256 => &CHACHA20_POLY1305,
        _ => return Err(Fault::Internal),
    };
    if secret.len() > OkmBlock::MAX_LEN {
        return Err(Fault::Internal);
    }
    let expander = suite.hkdf_provider.expander_for_okm(&OkmBlock::new(secret));
    let (mut key, mut iv) = (Zeroizing::new(vec![0; algorithm.key_len()]), [0; NONCE_LEN]);
    expand_label(&*expander, b"key", &[], &mut key).map_err(|_| Fault::Internal)?;
    expand_label(&*expander, b"iv", &[], &mut iv).map_err(|_| Fault::Internal)?;
    RecordKey::from_parts(0, algorithm, &key, &iv)
}

const ALERT: u8 = 21;
/// The level of an alert that ends the connection.
const FATAL: u8 = 2;
