//! One key of a file.

use std::ops::Range;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use wayleave_proto::auth::{Algorithm, AppId, KeyError, SigningKey, VerifyingKey};
use wayleave_proto::base::Secret;

use crate::options::{At, Word, one, one_at};

/// A `[[jwt]]` table, as it is written.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Entry {
    #[serde(deserialize_with = "one_at")]
    kid: Option<At<String>>,
    #[serde(deserialize_with = "one")]
    alg: Option<Algorithm>,
    #[serde(deserialize_with = "one")]
    app_id: Option<AppId>,
    #[serde(deserialize_with = "one_at")]
    private_key: Option<At<Bits>>,
    #[serde(deserialize_with = "one_at")]
    public_key: Option<At<Bits>>,
    #[serde(deserialize_with = "one_at")]
    secret: Option<At<Bits>>,
}

/// What an [`Entry`] means.
enum Key {
    /// Mints and checks, by one secret.
    Shared(At<Bits>),
    /// Mints.
    Private(At<Bits>),
    /// Checks.
    Public(At<Bits>),
}

impl Key {
    const fn bits(&self) -> &At<Bits> {
        match self {
            Self::Shared(bits) | Self::Private(bits) | Self::Public(bits) => bits,
        }
    }
}

/// What is wrong with an entry, and where, if that is at one of its values.
pub(super) struct Wrong {
    pub(super) what: String,
    pub(super) at: Option<Range<usize>>,
}

impl Wrong {
    pub(super) fn at<T>(value: &At<T>, what: impl ToString) -> Self {
        Self { what: what.to_string(), at: Some(value.span.clone()) }
    }
}

impl From<String> for Wrong {
    fn from(what: String) -> Self {
        Self { what, at: None }
    }
}

impl From<&str> for Wrong {
    fn from(what: &str) -> Self {
        what.to_owned().into()
    }
}

/// A key without its name.
pub(super) struct Bits(pub(super) Secret<Vec<u8>>);

impl Entry {
    pub(super) fn for_relay(self) -> Result<VerifyingKey, Wrong> {
        if self.private_key.is_some() {
            return Err("this file can mint tokens, and a relay should only check them; give the relay the file that \
                        `wayleave token keygen` wrote to --public-out"
                .into());
        }
        self.for_checking()
    }

    pub(super) fn for_checking(self) -> Result<VerifyingKey, Wrong> {
        let (kid, app_id, key) = self.read()?;
        let bits = key.bits();
        let bytes = bits.value.0.expose();
        let made = match &key {
            Key::Private(_) => {
                SigningKey::from_parts(&kid.value, Algorithm::EdDsa, bytes).map(|key| key.verifying())
            }
            Key::Public(_) => VerifyingKey::ed25519(&kid.value, public(bits)?),
            Key::Shared(_) => VerifyingKey::hs256(&kid.value, bytes),
        };
        let made = made.map_err(|error| wrong(error, &kid, bits))?;
        Ok(match app_id {
            Some(app_id) => made.for_app(app_id),
            None => made,
        })
    }

    pub(super) fn for_minting(self) -> Result<(SigningKey, Option<AppId>), Wrong> {
        let (kid, app_id, key) = self.read()?;
        let bits = key.bits();
        let algorithm = match &key {
            Key::Private(_) => Algorithm::EdDsa,
            Key::Public(_) => {
                return Err(
                    "this is a public key, which checks tokens and cannot mint them; give the file that \
                            `wayleave token keygen` wrote to --out"
                        .into(),
                );
            }
            Key::Shared(_) => Algorithm::Hs256,
        };
        let made = SigningKey::from_parts(&kid.value, algorithm, bits.value.0.expose());
        Ok((made.map_err(|error| wrong(error, &kid, bits))?, app_id))
    }

    fn read(self) -> Result<(At<String>, Option<AppId>, Key), Wrong> {
        let kid = self.kid.ok_or("kid, the name of the key, is missing")?;
        let alg = self.alg.ok_or("alg is missing; write EdDSA or HS256")?;
        let key = match (alg, self.private_key, self.public_key, self.secret) {
            (Algorithm::EdDsa, Some(private), None, None) => Key::Private(private),
            (Algorithm::EdDsa, None, Some(public), None) => Key::Public(public),
            (Algorithm::EdDsa, ..) => {
                return Err("a key of alg EdDSA has either public_key or private_key, and no other".into());
            }
            (_, None, None, Some(secret)) => Key::Shared(secret),
            _ => return Err("a key of alg HS256 has a secret, and no other".into()),
        };
        Ok((kid, self.app_id, key))
    }
}

impl Word for Bits {
    fn read(text: &str) -> Result<Self, String> {
        let bytes = URL_SAFE_NO_PAD.decode(text);
        bytes
            .map(|bytes| Self(Secret::new(bytes)))
            .map_err(|_| "a key is written in base64url without padding".into())
    }
}

impl Word for Algorithm {
    fn read(text: &str) -> Result<Self, String> {
        text.parse().map_err(said)
    }
}

impl Word for AppId {
    fn read(text: &str) -> Result<Self, String> {
        text.parse().map_err(said)
    }
}

/// The 32 bytes of a public key.
pub(super) fn public(bits: &At<Bits>) -> Result<[u8; 32], Wrong> {
    let bytes = bits.value.0.expose().as_slice();
    let key = bytes.try_into();
    key.map_err(|_| Wrong::at(bits, format!("public_key has {} bytes, not 32", bytes.len())))
}

/// An error about a key, at what it is about.
fn wrong(error: KeyError, kid: &At<String>, bits: &At<Bits>) -> Wrong {
    if error == KeyError::Kid { Wrong::at(kid, error) } else { Wrong::at(bits, error) }
}

pub(super) fn said(error: impl std::error::Error) -> String {
    error.to_string()
}
