//! The secret half of an app sign, and the proof that it makes.

use core::fmt;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::signature::{Ed25519KeyPair, KeyPair as _};

use super::super::AppId;
use super::super::key::array;
use super::AppSignKey;
use super::proof::{LABEL, SCHEME, context, covered, halves};
use crate::base::{Secret, Target};

/// The application's own key: 32 bytes, which are the seed of an Ed25519 key.
///
/// It sits inside the application and does not expire: whoever takes the application apart has it. A token that the
/// application's server mints is the better choice where there is a server.
#[derive(Clone)]
pub struct AppSign {
    app_id: AppId,
    pair: Arc<Ed25519KeyPair>,
}

impl AppSign {
    /// The app sign of `app_id`, as it is given out: 64 hexadecimal characters, white space around them aside.
    ///
    /// # Errors
    /// [`AppSignTextError`], which never shows the text.
    pub fn new(app_id: AppId, text: &str) -> Result<Self, AppSignTextError> {
        let digits = text.trim().as_bytes();
        let error = AppSignTextError { length: digits.len() };
        if digits.len() != 64 {
            return Err(error);
        }
        let mut seed = [0_u8; 32];
        for (byte, pair) in seed.iter_mut().zip(digits.chunks_exact(2)) {
            *byte = pair.iter().try_fold(0, |byte, digit| Some(byte << 4 | hex(*digit)?)).ok_or(error)?;
        }
        let pair = Ed25519KeyPair::from_seed_unchecked(&seed).map_err(|_| error);
        zeroize::Zeroize::zeroize(&mut seed);
        Ok(Self { app_id, pair: Arc::new(pair?) })
    }

    /// The application.
    pub const fn app_id(&self) -> &AppId {
        &self.app_id
    }

    /// The public half, which relays need.
    pub fn public(&self) -> AppSignKey {
        AppSignKey::new(self.app_id.clone(), array(self.pair.public_key().as_ref()))
    }

    /// The value of `Proxy-Authorization` for a request to `authority` on the connection that `export` belongs to
    /// ([RFC 9729 §3](https://www.rfc-editor.org/rfc/rfc9729#section-3)); `None` where the connection has no exporter.
    pub(in super::super) fn authorization_value(
        &self,
        authority: &Target,
        export: impl FnOnce(&[u8], &[u8]) -> Option<[u8; 48]>,
    ) -> Option<Secret<String>> {
        let public = self.pair.public_key();
        let key_id = self.app_id.as_str().as_bytes();
        let output = export(LABEL, &context(key_id, public.as_ref(), authority, ""))?;
        let (input, verification) = halves(&output);
        let proof = self.pair.sign(&covered(&input));
        let text = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        Some(Secret::new(format!(
            "Concealed k={}, a={}, s={SCHEME}, v={}, p={}",
            text(key_id),
            text(public.as_ref()),
            text(&verification),
            text(proof.as_ref())
        )))
    }
}

impl fmt::Debug for AppSign {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AppSign").field("app_id", &self.app_id).finish_non_exhaustive()
    }
}

/// A text that is no app sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an app sign is 64 hexadecimal characters, and this has {length} characters or others among them")]
pub struct AppSignTextError {
    /// How many characters there are.
    pub length: usize,
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}
