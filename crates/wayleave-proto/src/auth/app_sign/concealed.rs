//! The credentials of the scheme `Concealed`, read strictly.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::signature::{ED25519, UnparsedPublicKey};

use super::super::key::NOBODY;
use super::AppSignKey;
use super::proof::{LABEL, SCHEME, context, covered, halves};
use crate::base::Target;

/// The parameters of `Concealed` ([RFC 9729 §4](https://www.rfc-editor.org/rfc/rfc9729#section-4)), each there once.
///
/// They are good on one TLS connection alone, so nothing in them is secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Concealed {
    key_id: Vec<u8>,
    public_key: Vec<u8>,
    proof: Vec<u8>,
    verification: Vec<u8>,
    realm: String,
    scheme: u16,
}

impl Concealed {
    /// Reads what follows the name of the scheme; `None` where a parameter is missing, stands twice or has another form.
    /// Parameters that are not known are ignored.
    pub(in super::super) fn read(text: &str) -> Option<Self> {
        let names = ["k", "a", "p", "v", "s", "realm"];
        let mut values = [None; 6];
        for parameter in text.split(',') {
            let (name, value) = parameter.trim_matches([' ', '\t']).split_once('=')?;
            let known = names.iter().position(|known| known.eq_ignore_ascii_case(name));
            if let Some(slot) = known.and_then(|place| values.get_mut(place))
                && slot.replace(value).is_some()
            {
                return None;
            }
        }
        let [key_id, public_key, proof, verification, scheme, realm] = values;
        let bytes = |value: Option<&str>| URL_SAFE_NO_PAD.decode(value?).ok();
        Some(Self {
            key_id: bytes(key_id)?,
            public_key: bytes(public_key)?,
            proof: bytes(proof)?,
            verification: bytes(verification)?,
            realm: realm.map_or(Some(String::new()), unquoted)?,
            scheme: integer(scheme?)?,
        })
    }

    /// The place among `keys` of the key that is proven, by the checks of
    /// [RFC 9729 §6.3](https://www.rfc-editor.org/rfc/rfc9729#section-6.3). One signature is verified whatever is wrong.
    pub(in super::super) fn verify(
        &self,
        keys: &[AppSignKey],
        authority: Option<&Target>,
        export: impl FnOnce(&[u8], &[u8]) -> Option<[u8; 48]>,
    ) -> Result<usize, AppSignError> {
        let is_meant = |key: &AppSignKey| {
            key.app_id().as_str().as_bytes() == self.key_id && key.public_key().as_slice() == self.public_key
        };
        let found = keys.iter().position(is_meant);
        let exported = authority.and_then(|authority| {
            export(LABEL, &context(&self.key_id, &self.public_key, authority, &self.realm))
        });
        let (input, verification) = halves(&exported.unwrap_or([0; 48]));
        let key = found.and_then(|place| keys.get(place)).map_or(&NOBODY, AppSignKey::public_key);
        let signature = UnparsedPublicKey::new(&ED25519, key).verify(&covered(&input), &self.proof);
        let place = found.ok_or(AppSignError::UnknownKey)?;
        if exported.is_none() {
            return Err(AppSignError::NoExporter);
        }
        if self.scheme != SCHEME {
            return Err(AppSignError::Scheme);
        }
        if self.verification != verification {
            return Err(AppSignError::OtherConnection);
        }
        signature.map_err(|_| AppSignError::BadSignature)?;
        Ok(place)
    }
}

/// Why an app sign is not good.
///
/// For the relay's own log: whatever it is, the client hears one and the same answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AppSignError {
    /// The signature does not fit.
    #[error("the signature of the app sign does not fit")]
    BadSignature,
    /// The connection, or the request, has nothing that could be signed.
    #[error(
        "the app sign cannot be checked: the connection has no key material, or the request no authority"
    )]
    NoExporter,
    /// It was made for another connection, or another end of this one: something between terminates TLS.
    #[error("the app sign was made for another TLS connection; does something between terminate TLS?")]
    OtherConnection,
    /// The signature scheme is not Ed25519.
    #[error("the signature scheme of the app sign is not Ed25519 (2055)")]
    Scheme,
    /// The application has no such key.
    #[error("the app sign names an application or a public key that is not known")]
    UnknownKey,
}

/// A decimal number without a leading zero.
fn integer(text: &str) -> Option<u16> {
    let plain = text == "0" || !text.starts_with('0');
    if plain && text.bytes().all(|b| b.is_ascii_digit()) { text.parse().ok() } else { None }
}

/// A token, or a quoted string without quotes, commas and backslashes in it.
fn unquoted(text: &str) -> Option<String> {
    let inner = match text.strip_prefix('"') {
        Some(rest) => rest.strip_suffix('"')?,
        None => text,
    };
    if inner.contains(['"', '\\']) { None } else { Some(inner.to_owned()) }
}
